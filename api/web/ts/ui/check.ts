// The patient's device check: four rows that tick themselves while the person looks.

import type { LocalMedia, DeviceState } from '../rtc/local';
import { find, maybe, type Words } from './dom';
import { listen, playTone } from './meter';

export type Result = 'ok' | 'poor' | 'failed' | 'denied' | 'skipped';
export type Results = Record<'camera' | 'microphone' | 'speaker' | 'network', Result>;
type Row = keyof Results;

const spokenLevel = 0.08;
const probes = 4;
const slowMs = 400;

export class DeviceCheck {
  readonly #root: HTMLElement;
  readonly #local: LocalMedia;
  readonly #words: Words;
  readonly #results: Partial<Results> = {};
  #stopListening = (): void => {};

  constructor(root: HTMLElement, local: LocalMedia, words: Words) {
    this.#root = root;
    this.#local = local;
    this.#words = words;
    find<HTMLButtonElement>('[data-check-tone]', root).onclick = () => void this.#tone();
    find<HTMLButtonElement>('[data-heard=yes]', root).onclick = () => this.#set('speaker', 'ok');
    find<HTMLButtonElement>('[data-heard=no]', root).onclick = () => this.#set('speaker', 'failed');
    find<HTMLButtonElement>('[data-check-again]', root).onclick = () => void this.start();
  }

  async start(): Promise<void> {
    void this.#measure();
    await this.#local.open();
    this.#device('camera', this.#local.state.video);
    this.#device('microphone', this.#local.state.audio);
    const denied = this.#local.state.video === 'denied' || this.#local.state.audio === 'denied';
    find('[data-check-denied]', this.#root).hidden = !denied;
    if (denied) this.#showSteps();
    this.#listen();
  }

  /** What was found; what was not tried counts as skipped. */
  finish(): Results {
    this.#stopListening();
    const result = (row: Row): Result => this.#results[row] ?? 'skipped';
    return { camera: result('camera'), microphone: result('microphone'), speaker: result('speaker'), network: result('network') };
  }

  #device(row: 'camera' | 'microphone', state: DeviceState): void {
    if (state === 'denied') this.#set(row, 'denied');
    else if (state !== 'ok') this.#set(row, 'failed', `patient.js.check.${row}.${state}`);
    else if (row === 'camera') this.#set(row, 'ok');
    // The microphone counts once something was heard on it.
  }

  #listen(): void {
    this.#stopListening();
    const track = this.#local.track('audio');
    if (!track) return;
    const bars = find('[data-check-bars]', this.#root);
    bars.hidden = false;
    this.#say('microphone', 'patient.js.check.microphone.speak');
    this.#stopListening = listen(track, (level) => {
      bars.style.setProperty('--level', String(level));
      if (level > spokenLevel && this.#results.microphone !== 'ok') this.#set('microphone', 'ok');
    });
  }

  async #tone(): Promise<void> {
    await playTone();
    find('[data-heard-question]', this.#root).hidden = false;
  }

  /** Round trips to the server while the person is busy with the rest. */
  async #measure(): Promise<void> {
    const took: number[] = [];
    try {
      for (let i = 0; i < probes; i++) {
        const began = performance.now();
        const response = await fetch('/healthz', { cache: 'no-store' });
        await response.text();
        took.push(performance.now() - began);
      }
    } catch {
      this.#set('network', 'failed');
      return;
    }
    const best = Math.min(...took.slice(1)); // the first one also opens the connection
    this.#set('network', best > slowMs ? 'poor' : 'ok');
  }

  #set(row: Row, result: Result, key = `patient.js.check.${row}.${result}`): void {
    this.#results[row] = result;
    const element = find(`[data-check=${row}]`, this.#root);
    element.dataset['state'] = result;
    this.#say(row, key);
    if (row === 'speaker') find('[data-heard-question]', this.#root).hidden = true;
  }

  #say(row: Row, key: string): void {
    find('[data-check-text]', find(`[data-check=${row}]`, this.#root)).textContent = this.#words(key);
  }

  #showSteps(): void {
    const browser = browserName(navigator.userAgent);
    for (const steps of this.#root.querySelectorAll<HTMLElement>('[data-steps]')) steps.hidden = steps.dataset['steps'] !== browser;
    if (!maybe(`[data-steps=${browser}]`, this.#root)) find('[data-steps=other]', this.#root).hidden = false;
  }
}

/** Which of the written steps fit; every browser on an iPhone uses the system's own dialog. */
function browserName(agent: string): string {
  if (/iPhone|iPad/.test(agent)) return 'ios';
  if (/Firefox/.test(agent)) return 'firefox';
  if (/Android/.test(agent)) return 'android';
  if (/Chrome|Edg/.test(agent)) return 'chrome';
  if (/Safari/.test(agent)) return 'safari';
  return 'other';
}
