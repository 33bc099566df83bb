// The clinician's page before, during and after the call.

import type { EndReason } from './rtc/messages';
import { Call } from './ui/call';
import { all, ask, find, follow, maybe, readWords, Refused } from './ui/dom';
import { NoteEditor } from './ui/note';
import { Parts } from './ui/parts';
import { tabs } from './ui/tabs';

const root = find('[data-workspace]');
const words = readWords();
const visit = root.dataset['workspace'] ?? '';
const path = `/visits/${visit}`;
const parts = new Parts(`${path}/parts`);
const noteForm = maybe<HTMLFormElement>('[data-note]');
const note = noteForm && new NoteEditor(noteForm, words);

const call = new Call({
  root: find('[data-call-root]'),
  words,
  primary: 'patient',
  tokenPath: `${path}/room-token`,
  peoplePath: `${path}/people`,
  ended,
  failed: (code) => {
    say('failed', words(`visit.js.failed.${code === 'refused' ? 'refused' : 'connection'}`));
    void parts.refresh();
  },
});

function stage(): string {
  return maybe('[data-part=meta]')?.dataset['stage'] ?? '';
}

function say(kind: 'failed' | 'live' | '', text: string): void {
  const notice = find('[data-notice]');
  notice.hidden = text === '';
  notice.className = `notice ${kind}`;
  find('[data-notice-text]', notice).textContent = text;
}

function paint(): void {
  root.dataset['stage'] = call.live ? 'in-call' : stage() === 'in-call' ? 'rejoin' : stage();
  for (const button of all<HTMLButtonElement>('[data-do=start]')) button.hidden = call.live;
  const running = maybe('[data-part=meta]')?.dataset['recording'] === 'running';
  for (const button of all<HTMLButtonElement>('[data-do=record]')) {
    button.classList.toggle('off', !running);
    find('[data-word]', button).textContent = words(running ? 'visit.js.record.stop' : 'visit.js.record.start');
  }
}

/** Asks the server to do something to the visit; a refusal is shown, and the page learns the new state either way. */
async function act<T>(what: string, body: unknown = {}): Promise<T | undefined> {
  try {
    return await ask<T>('POST', `${path}/${what}`, body);
  } catch (error) {
    const text = error instanceof Refused ? error.message || words('visit.js.refused') : words('visit.js.offline');
    say('failed', text);
    return undefined;
  } finally {
    // A call that begins needs line and processor for itself, and shows its own state meanwhile.
    if (what === 'start') parts.soon();
    else void parts.refresh();
  }
}

function start(): void {
  say('', '');
  call.start(); // the connection is made while the server notes the start
  paint();
  void act('start').then((done) => {
    if (done === undefined && stage() !== 'in-call') call.leave();
  });
}

async function end(): Promise<void> {
  const dialog = find<HTMLDialogElement>('[data-end-dialog]');
  await note?.flush();
  if (note?.unsaved && !dialog.open) {
    dialog.showModal();
    return;
  }
  dialog.close();
  await act('end');
  call.leave();
  paint();
}

function ended(reason: EndReason): void {
  if (reason !== 'hang-up') say(reason === 'timeout' ? 'failed' : '', words(`visit.js.ended.${reason}`));
  paint();
  void parts.refresh();
  if (document.pictureInPictureElement) void document.exitPictureInPicture();
  maybe<HTMLTextAreaElement>('textarea[name=subjective]')?.focus();
}

async function record(): Promise<void> {
  const running = maybe('[data-part=meta]')?.dataset['recording'] === 'running';
  await act(running ? 'recording/stop' : 'recording/start');
}

async function invite(): Promise<void> {
  const dialog = find<HTMLDialogElement>('[data-invite-dialog]');
  const form = find<HTMLFormElement>('form', dialog);
  const label = find<HTMLSelectElement>('select[name=label]', form).value;
  const name = find<HTMLInputElement>('input[name=name]', form).value;
  const made = await act<{ link: string }>('invite', { label, name });
  if (!made) {
    dialog.close();
    return;
  }
  find<HTMLInputElement>('[data-invite-link]', dialog).value = made.link;
  find('[data-invite-done]', dialog).hidden = false;
}

async function popOut(): Promise<void> {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await call.picture?.requestPictureInPicture().catch(() => {}); // not before the first frame
}

const doing: Record<string, () => unknown> = {
  start,
  end,
  'end-anyway': () => act('end').then(() => call.leave()),
  record,
  'pop-out': popOut,
  invite: () => {
    const dialog = find<HTMLDialogElement>('[data-invite-dialog]');
    find('[data-invite-done]', dialog).hidden = true;
    dialog.showModal();
  },
  'invite-make': invite,
  'invite-copy': () => navigator.clipboard.writeText(find<HTMLInputElement>('[data-invite-link]').value),
  'consent-given': () => act('consent', { answer: 'yes', for: 'patient' }),
  retry: () => act('delivery/retry'),
  preview: () => call.local.open(),
  keys: () => find<HTMLDialogElement>('[data-keys-dialog]').showModal(),
  'own-window': () => window.open(`${path}#start`, '_blank', 'width=1280,height=860'),
  review: async () => {
    await note?.flush();
    if (!note?.unsaved) location.assign(`${path}/review`);
  },
};

document.addEventListener('click', (event) => {
  const button = (event.target as Element).closest<HTMLElement>('[data-do]');
  const run = button && doing[button.dataset['do'] ?? ''];
  if (!run) return;
  event.preventDefault();
  void run();
});

document.addEventListener('keydown', (event) => {
  const typing = (event.target as Element).closest('input, textarea, select, [contenteditable]');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  if (event.key === '?') doing['keys']?.();
  if (event.key === 'm') call.controls.toggle('audio');
  if (event.key === 'v') call.controls.toggle('video');
  if (event.key === 'n') {
    event.preventDefault();
    openTab('note');
    maybe<HTMLTextAreaElement>('textarea[name=subjective]')?.focus();
  }
});

/** The chart comes from the EHR and may be slow: it loads beside the page, never with it. */
async function loadChart(): Promise<void> {
  const panel = find('[data-chart]');
  if (panel.dataset['loaded']) return;
  panel.dataset['loaded'] = 'yes';
  const response = await fetch(`${path}/chart`, { headers: { Accept: 'text/html' } }).catch(() => undefined);
  if (!response?.ok) {
    delete panel.dataset['loaded'];
    panel.textContent = words('visit.js.chart.failed');
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  panel.replaceChildren(...[...fresh.body.childNodes].map((node) => document.importNode(node, true)));
}

const openTab = tabs(find('[role=tablist]'), (name) => {
  if (name === 'chart') void loadChart();
});

/** In an EHR's frame the browser may keep the camera from us: then the call gets a window of its own. */
function framedWithoutCamera(): boolean {
  if (window.top === window) return false;
  const policy = (document as { featurePolicy?: { allowsFeature(name: string): boolean } }).featurePolicy;
  return policy ? !policy.allowsFeature('camera') || !policy.allowsFeature('microphone') : false;
}

function tickWaiting(): void {
  for (const badge of all('[data-since]')) {
    const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(badge.dataset['since'] ?? '')) / 60_000));
    badge.textContent = words('visit.js.waiting', { n: minutes });
    badge.classList.toggle('late', minutes >= 10);
    badge.classList.toggle('long', minutes >= 20);
  }
}

window.addEventListener('beforeunload', (event) => {
  if (call.live) event.preventDefault();
});
find('[data-call-root]').addEventListener('televisit-recording', () => void parts.refresh());
parts.refreshed = () => {
  paint();
  tickWaiting();
};
if (note) note.saved = () => maybe('[data-do=review]')?.removeAttribute('aria-disabled');
follow((changed) => {
  if (changed === '' || changed.includes(visit)) parts.soon();
}, (up) => (find('[data-stale]').hidden = up));
window.setInterval(tickWaiting, 15_000);

if (framedWithoutCamera()) {
  find('[data-own-window]').hidden = false;
  all('[data-do=start]').forEach((button) => button.setAttribute('data-do', 'own-window'));
} else if (['booked', 'arrived', 'in-call'].includes(stage())) {
  call.prepare();
}
paint();
tickWaiting();
if (location.hash === '#start') {
  history.replaceState(null, '', location.pathname);
  if (['arrived', 'booked', 'in-call'].includes(stage())) start();
} else if (/^#note-/.test(location.hash)) {
  maybe<HTMLTextAreaElement>(location.hash)?.focus();
}
