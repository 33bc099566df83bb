// The patient's and the guest's page: check, consent, waiting, call, after. One document, so that camera and microphone
// stay open from the check to the call.

import type { EndReason } from './rtc/messages';
import { Call } from './ui/call';
import { DeviceCheck } from './ui/check';
import { all, ask, csrf, find, follow, maybe, readWords } from './ui/dom';
import { readersTimes } from './ui/time';

type Step = 'check' | 'consent' | 'waiting' | 'call' | 'after';
interface Status {
  stage: 'booked' | 'arrived' | 'in-call' | 'ended' | 'cancelled' | 'no-show';
  wait: string;
}

const calmMs = 1000; // in a call much changes at once, and nothing of it is urgent here

const root = find('[data-visit-page]');
const words = readWords();
const isPatient = root.dataset['role'] === 'patient';
let stage = root.dataset['stage'] as Status['stage'];
let left = false;

const call = new Call({
  root: find('[data-call-root]'),
  words,
  primary: 'clinician',
  tokenPath: '/visit/room-token',
  peoplePath: '/visit/people',
  ended: (reason) => void ended(reason),
  failed: (code) => {
    find('[data-after-problem]').textContent = words(`patient.js.failed.${code === 'refused' ? 'refused' : 'connection'}`);
    show('after');
  },
});
const check = new DeviceCheck(find('[data-step=check]'), call.local, words);

readersTimes();

function show(step: Step): void {
  for (const section of all('[data-step]')) section.hidden = section.dataset['step'] !== step;
  document.body.dataset['now'] = step;
  const heading = maybe(`[data-step=${step}] h2`);
  heading?.setAttribute('tabindex', '-1');
  heading?.focus();
}

async function checked(): Promise<void> {
  const results = check.finish();
  if (isPatient) await ask('POST', '/visit/arrive', results).catch(() => {}); // the waiting page tells if the line is down
  if (root.dataset['consent'] === '') show('consent');
  else wait();
}

async function consented(answer: string): Promise<void> {
  const problem = find('[data-consent-problem]');
  try {
    await ask('POST', '/visit/consent', { answer });
    wait();
  } catch {
    problem.textContent = words('patient.js.offline');
    problem.hidden = false;
  }
}

function wait(): void {
  show('waiting');
  call.prepare();
  void call.local.open();
  void refresh();
}

async function refresh(): Promise<void> {
  try {
    const status = await ask<Status>('GET', '/visit/status');
    stage = status.stage;
    find('[data-wait]').textContent = status.wait;
    alive(true);
  } catch {
    alive(false);
  }
  if (document.body.dataset['now'] === 'waiting' && stage === 'in-call') join();
  if (!call.live && !left && (stage === 'ended' || stage === 'cancelled' || stage === 'no-show')) show('after');
}

function alive(up: boolean): void {
  find('[data-stale]').hidden = up;
}

function join(): void {
  show('call');
  call.start();
}

async function ended(reason: EndReason): Promise<void> {
  left = true;
  find('[data-after-text]').textContent = words(`patient.js.ended.${reason}`);
  find('[data-again]').hidden = reason !== 'timeout' && reason !== 'shutdown' && reason !== 'replaced';
  show('after');
}

function leave(): void {
  left = true;
  call.leave();
  sayLeft();
}

/** The line may be gone as the page goes: a beacon still arrives. */
function sayLeft(): void {
  const form = new URLSearchParams({ csrf: csrf() });
  navigator.sendBeacon('/visit/leave', form);
}

find<HTMLButtonElement>('[data-check-start]').onclick = (event) => {
  (event.currentTarget as HTMLElement).hidden = true;
  find('[data-check-rows]').hidden = false;
  const done = find('[data-check-done]');
  done.textContent = words('patient.js.check.done');
  done.classList.add('primary');
  void check.start();
};
find<HTMLButtonElement>('[data-check-done]').onclick = () => void checked();
for (const button of all<HTMLButtonElement>('[data-consent-answer]')) {
  button.onclick = () => void consented(button.dataset['consentAnswer'] ?? 'ask');
}
const leaving = find<HTMLDialogElement>('[data-leave-dialog]');
find<HTMLButtonElement>('[data-act=leave]').onclick = () => leaving.showModal();
find<HTMLButtonElement>('[data-leave=yes]').onclick = () => {
  leaving.close();
  leave();
};
find<HTMLButtonElement>('[data-leave=no]').onclick = () => leaving.close();
find<HTMLButtonElement>('[data-test-again]').onclick = () => {
  show('check');
  void check.start();
};
for (const thumb of all<HTMLButtonElement>('[data-thumb]')) {
  thumb.onclick = () => {
    all('[data-thumb]').forEach((other) => other.setAttribute('aria-pressed', String(other === thumb)));
    void ask('POST', '/visit/feedback', { answer: thumb.dataset['thumb'] }).then(() => (find('[data-thanks]').hidden = false), () => {});
  };
}
find<HTMLButtonElement>('[data-again]').onclick = () => location.reload();
window.addEventListener('pagehide', () => {
  if (call.live) sayLeft();
});

let later: number | undefined;
follow(() => {
  if (document.body.dataset['now'] === 'waiting') void refresh(); // the call may have begun
  else later ??= window.setTimeout(() => void refresh().then(() => (later = undefined)), calmMs);
}, alive);
window.setInterval(() => {
  if (document.body.dataset['now'] === 'waiting') void refresh(); // the expected wait shrinks although nothing happens
}, 30_000);
call.prepare();
const first: Step = ['ended', 'cancelled', 'no-show'].includes(stage) ? 'after' : stage === 'booked' || !isPatient ? 'check' : 'waiting';
if (first === 'waiting') {
  if (root.dataset['consent'] === '') show('consent');
  else wait();
} else {
  show(first);
}
