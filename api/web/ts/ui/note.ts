// The note's autosave. What is not saved yet stays in this page's memory only: nothing of a patient is kept in the browser.

import { all, ask, find, Refused, type Words } from './dom';

const sections = ['subjective', 'objective', 'assessment', 'plan'] as const;
type Section = (typeof sections)[number];
type Body = Record<Section, string>;
type Saved = Body & { version: number };

const pauseMs = 1500;
const atMostMs = 5000;
const retryMs = [1000, 2000, 5000, 10_000];

export class NoteEditor {
  readonly #path: string;
  readonly #words: Words;
  readonly #fields: Record<Section, HTMLTextAreaElement>;
  readonly #status: HTMLElement;
  readonly #conflict: HTMLDialogElement;
  #version: number;
  #dirty = false;
  #dirtySince = 0;
  #timer: number | undefined;
  #saving: Promise<void> | undefined;
  #failures = 0;
  /** Called after each save that the server took. */
  saved: () => void = () => {};

  constructor(form: HTMLFormElement, words: Words) {
    this.#path = form.dataset['path'] ?? '';
    this.#version = Number(form.dataset['version']);
    this.#words = words;
    this.#status = find('[data-note-status]', form);
    this.#conflict = find<HTMLDialogElement>('[data-note-conflict]');
    this.#fields = Object.fromEntries(sections.map((name) =>
      [name, find<HTMLTextAreaElement>(`textarea[name=${name}]`, form)])) as Record<Section, HTMLTextAreaElement>;
    for (const field of Object.values(this.#fields)) {
      field.addEventListener('input', () => this.#changed());
      field.addEventListener('blur', () => void this.flush());
    }
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.flush();
    });
    window.addEventListener('online', () => void this.flush());
    window.addEventListener('beforeunload', (event) => {
      if (this.#dirty) event.preventDefault(); // the browser asks whether to leave
    });
    window.addEventListener('pagehide', () => this.#lastTry());
  }

  get unsaved(): boolean {
    return this.#dirty;
  }

  get empty(): boolean {
    return Object.values(this.#fields).every((field) => field.value.trim() === '');
  }

  /** Saves now what is not saved. Resolves when it is, or when the attempt has failed and is queued. */
  async flush(): Promise<void> {
    window.clearTimeout(this.#timer);
    while (this.#dirty && !this.#conflict.open) {
      this.#saving ??= this.#save().finally(() => (this.#saving = undefined));
      await this.#saving;
      if (this.#failures > 0) return;
    }
  }

  #changed(): void {
    if (!this.#dirty) this.#dirtySince = performance.now();
    this.#dirty = true;
    this.#say('visit.js.note.unsaved', 'unsaved');
    window.clearTimeout(this.#timer);
    const left = this.#dirtySince + atMostMs - performance.now();
    this.#timer = window.setTimeout(() => void this.flush(), Math.max(0, Math.min(pauseMs, left)));
  }

  async #save(): Promise<void> {
    const body = this.#read();
    this.#dirty = false;
    this.#say('visit.js.note.saving', 'saving');
    try {
      const { version } = await ask<{ version: number }>('PUT', this.#path, { version: this.#version, ...body });
      this.#version = version;
      this.#failures = 0;
      this.#dirtySince = performance.now();
      if (!this.#dirty) {
        this.#say('visit.js.note.saved', 'saved', { time: new Date().toLocaleTimeString('en-GB') });
      }
      this.saved();
    } catch (error) {
      this.#dirty = true;
      this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    this.#failures++;
    if (error instanceof Refused && error.status === 409 && error.answer && 'version' in (error.answer as object)) {
      this.#choose(error.answer as Saved);
      return;
    }
    if (error instanceof Refused && error.status < 500 && error.status !== 429) {
      this.#say(error.status === 401 ? 'visit.js.note.signed-out' : 'visit.js.note.refused', 'failed');
      return;
    }
    this.#say('visit.js.note.offline', 'failed');
    const wait = retryMs[Math.min(this.#failures - 1, retryMs.length - 1)];
    this.#timer = window.setTimeout(() => void this.flush(), wait);
  }

  /** Another window saved first: the person decides, and nothing is lost meanwhile. */
  #choose(newer: Saved): void {
    this.#say('visit.js.note.conflict', 'failed');
    for (const name of sections) {
      const shown = find(`[data-newer=${name}]`, this.#conflict);
      shown.textContent = newer[name];
      const block = shown.closest<HTMLElement>('[data-newer-block]');
      if (block) block.hidden = newer[name] === this.#fields[name].value;
    }
    this.#conflict.showModal();
    const settle = (keepMine: boolean): void => {
      this.#version = newer.version;
      this.#failures = 0;
      if (!keepMine) for (const name of sections) this.#fields[name].value = newer[name];
      this.#dirty = keepMine;
      this.#conflict.close();
      if (keepMine) void this.flush();
      else this.#say('visit.js.note.saved', 'saved', { time: new Date().toLocaleTimeString('en-GB') });
    };
    find<HTMLButtonElement>('[data-keep=mine]', this.#conflict).onclick = () => settle(true);
    find<HTMLButtonElement>('[data-keep=newer]', this.#conflict).onclick = () => settle(false);
  }

  #lastTry(): void {
    if (!this.#dirty) return;
    const token = find<HTMLMetaElement>('meta[name=csrf]').content;
    void fetch(this.#path, {
      method: 'PUT', keepalive: true, headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF': token },
      body: JSON.stringify({ version: this.#version, ...this.#read() }),
    });
  }

  #read(): Body {
    return Object.fromEntries(sections.map((name) => [name, this.#fields[name].value])) as Body;
  }

  #say(key: string, state: string, values: Record<string, string> = {}): void {
    this.#status.textContent = this.#words(key, values);
    for (const element of all('[data-note-state]')) element.dataset['noteState'] = state;
  }
}
