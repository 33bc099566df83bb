// The smallest page that makes a call: what the browser test drives.

import { LocalMedia } from '../../web/ts/rtc/local';
import { Session } from '../../web/ts/rtc/session';
import { RoomTokens } from '../../web/ts/rtc/tokens';

const query = new URLSearchParams(location.search);
const local = new LocalMedia();
const log: string[] = [];
const began = performance.now();
let firstFrameMs = -1;

const session = new Session(new RoomTokens(`/token/${query.get('as')}`, ''), local, {
  state: (state) => log.push(`state ${state}`),
  people: () => show(),
  muted: (reason) => log.push(`muted ${reason}`),
  unmuted: () => log.push('unmuted'),
  recording: (running) => log.push(`recording ${running}`),
  quality: () => {},
  ended: (reason) => log.push(`ended ${reason}`),
  failed: (code) => log.push(`failed ${code}`),
});

function show(): void {
  for (const peer of session.people.list()) {
    for (const [kind, stream] of [['main', peer.main], ['screen', peer.screen]] as const) {
      const id = `${kind}-${peer.role}`;
      let video = document.querySelector<HTMLVideoElement>(`#${id}`);
      if (!video && stream.getTracks().length === 0) continue;
      if (!video) {
        video = Object.assign(document.createElement('video'), { id, autoplay: true, playsInline: true });
        document.body.append(video);
        video.requestVideoFrameCallback(() => {
          if (firstFrameMs < 0) firstFrameMs = performance.now() - began;
        });
      }
      if (video.srcObject !== stream) video.srcObject = stream;
    }
  }
}

async function shareCanvas(): Promise<void> {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  let hue = 0;
  window.setInterval(() => {
    if (!context) return;
    context.fillStyle = `hsl(${(hue += 7)} 90% 50%)`;
    context.fillRect(0, 0, 640, 360);
  }, 50);
  await session.share(canvas.captureStream(15).getVideoTracks()[0] ?? null);
}

Object.assign(window, {
  call: {
    facts: () => session.facts(),
    state: () => session.state,
    people: () => session.people.list().map(({ role, mic, camera, state }) => ({ role, mic, camera, state })),
    log: () => log,
    firstFrameMs: () => firstFrameMs,
    played: (id: string) => document.querySelector<HTMLVideoElement>(`#${id}`)?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
    mute: (on: boolean) => local.setOn('audio', !on),
    live: () => local.live('audio'),
    leave: () => session.leave(),
    shareCanvas,
  },
});

window.addEventListener('pagehide', () => session.leave());
session.start();
void local.open();
