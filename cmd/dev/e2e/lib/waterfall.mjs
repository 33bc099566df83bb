// Marks of what happens in a page between a launch and the first picture, taken inside the page.

/** Runs in every page before its own scripts. Times are milliseconds since the epoch, from the page's monotonic clock. */
export function watchLaunch() {
  const marks = (window.__marks = []);
  const mark = (name, at = performance.now()) => marks.push({ name, at: performance.timeOrigin + at });

  addEventListener('click', (event) => {
    if (event.target.closest?.('[data-testid^="launch-"]')) mark('click', event.timeStamp);
  }, { capture: true });

  // A clinician who presses Start the moment it can be pressed.
  document.addEventListener('DOMContentLoaded', () => {
    mark('page ready');
    const start = document.querySelector('[data-testid=ws-start]');
    if (!start) return;
    mark('start pressed');
    start.click();
  });

  const { fetch } = window;
  window.fetch = async (...asked) => {
    const path = new URL(asked[0], location.href).pathname.replace(/[0-9a-f-]{36}/, ':id');
    mark(`fetch ${path}`);
    const answer = await fetch(...asked);
    mark(`answered ${path}`);
    return answer;
  };
  const devices = navigator.mediaDevices;
  if (devices) {
    const open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (asked) => {
      mark('devices asked');
      const stream = await open(asked);
      mark('devices open');
      return stream;
    };
  }
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      mark('socket asked');
      this.addEventListener('open', () => mark('socket open'));
      this.addEventListener('message', ({ data }) => mark(`got ${JSON.parse(data).t}`));
    }

    send(data) {
      mark(`sent ${JSON.parse(data).t}`);
      super.send(data);
    }
  };
  window.EventSource = class extends EventSource {
    constructor(...given) {
      super(...given);
      this.addEventListener('visit', () => mark('event visit'));
    }
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given) {
      super(...given);
      mark('connection made');
      this.addEventListener('iceconnectionstatechange', () => mark(`ice ${this.iceConnectionState}`));
      this.addEventListener('connectionstatechange', () => mark(`connection ${this.connectionState}`));
    }
  };
  new MutationObserver(() => {
    const video = document.querySelector('[data-testid=call-remote-video]');
    if (!video || video.watched) return;
    video.watched = true;
    mark('remote element');
    video.requestVideoFrameCallback((now) => mark('picture', now));
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-testid'] });
}

/** The marks of a page so far, in order. */
export const marksOf = (page) => page.evaluate(() => {
  const [load] = performance.getEntriesByType('navigation');
  const of = (name, at) => ({ name, at: performance.timeOrigin + at });
  const assets = performance.getEntriesByType('resource').filter((r) => r.name.includes('/static/'));
  return [
    of('navigation begins', 0), of('document answered', load.responseStart), of('document read', load.responseEnd),
    of('document parsed', load.domInteractive), ...performance.getEntriesByType('paint').map((p) => of(p.name, p.startTime)),
    ...assets.flatMap((r) => {
      const name = r.name.replace(/.*static.([a-z]+)\..*\./, '$1.');
      return [of(`${name} asked`, r.startTime), of(`${name} read`, r.responseEnd)];
    }),
    ...window.__marks,
  ]
    .sort((a, b) => a.at - b.at);
}).catch(() => []); // between two documents
