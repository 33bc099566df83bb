// A call on a page: session, pictures and controls together. Clinician, patient and guest share it.

import { LocalMedia } from '../rtc/local';
import type { EndReason, Role } from '../rtc/messages';
import { Session, type CallState } from '../rtc/session';
import type { CallFacts } from '../rtc/quality';
import { RoomTokens, type TokenAnswer } from '../rtc/tokens';
import { Controls } from './controls';
import { all, ask, clock, csrf, find, maybe, type Words } from './dom';
import { Stage, type Names } from './stage';

export interface CallOptions {
  root: HTMLElement;
  words: Words;
  primary: Role;
  tokenPath: string;
  peoplePath: string;
  ended(reason: EndReason): void;
  failed(code: string): void;
}

/** What tests and the operator's console may see: facts of the connection, nothing about people. */
interface Facts {
  call: CallState;
  mic: boolean;
  camera: boolean;
  muted: boolean;
  recording: boolean;
  people: number;
}

declare global {
  interface Window {
    __televisit?: { state(): Facts; stats(): Promise<CallFacts | undefined> };
  }
}

/** Somebody who talks is not idle: the session must outlast a long call without a key pressed. */
const touchEveryMs = 4 * 60_000;

export class Call {
  readonly local = new LocalMedia();
  readonly controls: Controls;
  readonly #tokens: RoomTokens;
  readonly #stage: Stage;
  readonly #options: CallOptions;
  readonly #overlay: HTMLElement;
  #session: Session | undefined;
  #names: Names = {};
  #asking: Promise<void> | undefined;
  #muted = false;
  #recordingSince = 0;
  #togetherMs = 0;
  #startedAt = 0;
  #touchedAt = 0;
  #tick: number | undefined;
  #mutedUntil = 0;
  #mutedReason: 'peer-lost' | 'self-lost' = 'peer-lost';

  constructor(options: CallOptions) {
    this.#options = options;
    const entry = maybe('script[data-room-entry]')?.textContent;
    this.#tokens = new RoomTokens(options.tokenPath, csrf(), entry ? (JSON.parse(entry) as TokenAnswer) : undefined);
    this.#stage = new Stage(options.root, options.primary, options.words);
    this.controls = new Controls(options.root, this.local, options.words);
    this.#overlay = find('[data-overlay]', options.root);
    this.local.onChange(() => this.#showSelf());
    window.addEventListener('pagehide', () => this.#session?.leave());
    window.__televisit = { state: () => this.#facts(), stats: async () => this.#session?.facts() };
  }

  /** Gets ready ahead of the start: a token, the names, and the devices where the browser need not ask. */
  prepare(): void {
    this.#tokens.prefetch();
    void this.#askNames();
    void this.local.openIfGranted();
  }

  get live(): boolean {
    return this.#session !== undefined && !this.#session.over;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get picture(): HTMLVideoElement | undefined {
    return this.#stage.video;
  }

  start(): void {
    if (this.live) return;
    const session = new Session(this.#tokens, this.local, {
      state: (state) => this.#stateChanged(state),
      people: () => this.#peopleChanged(),
      muted: (reason, until) => this.#mute(reason, until),
      unmuted: () => this.#unmute(),
      recording: (running) => this.#recording(running),
      quality: (level) => this.#quality(level),
      ended: (reason) => this.#over(() => this.#options.ended(reason)),
      failed: (code) => this.#over(() => this.#options.failed(code)),
    });
    this.#session = session;
    this.#startedAt = this.#touchedAt = performance.now();
    this.controls.share = (track) => session.share(track);
    session.start();
    void this.local.open(); // not waited for: the connection is made meanwhile and the tracks are put on it
    this.#tick = window.setInterval(() => this.#everySecond(), 1000);
    this.#options.root.dataset['call'] = 'connecting';
  }

  leave(): void {
    this.#session?.leave();
  }

  /** Not before there is a picture: an element that waits for its first one keeps the page loading. */
  #showSelf(): void {
    const stream = this.local.track('video') ? this.local.stream : null;
    for (const video of all<HTMLVideoElement>('[data-self]')) if (video.srcObject !== stream) video.srcObject = stream;
    this.#options.root.classList.toggle('has-picture', stream !== null);
  }

  #over(tell: () => void): void {
    window.clearInterval(this.#tick);
    this.controls.stopSharing();
    this.#unmute();
    this.#recording(false); // the room is gone with its last message
    this.#options.root.dataset['call'] = 'ended';
    tell();
  }

  #stateChanged(state: CallState): void {
    this.#options.root.dataset['call'] = state;
    if (state === 'live' && !this.#muted) this.#overlay.hidden = true;
    if (state === 'connecting') this.#say('call.js.connecting');
    if (state === 'reconnecting') this.#say('call.js.reconnecting');
  }

  #peopleChanged(): void {
    const peers = this.#session?.people.list() ?? [];
    this.#stage.show(peers, this.#names);
    if (peers.some((peer) => !(peer.id in this.#names))) void this.#askNames();
    const primary = peers.find((peer) => peer.role === this.#options.primary);
    if (primary?.quality !== undefined) this.#paintQuality('[data-quality-peer]', primary.quality);
  }

  /** Names never travel with the call: the page asks for them, once for each new face. */
  #askNames(): Promise<void> {
    this.#asking ??= ask<Names>('GET', this.#options.peoplePath)
      .then((names) => {
        this.#names = names;
        if (this.#session) this.#stage.show(this.#session.people.list(), names);
      })
      .catch(() => {}) // the roles are shown instead
      .finally(() => window.setTimeout(() => (this.#asking = undefined), 2000));
    return this.#asking;
  }

  #mute(reason: 'peer-lost' | 'self-lost', until: number): void {
    this.#muted = true;
    this.#mutedUntil = until;
    this.#mutedReason = reason;
    this.#options.root.classList.add('both-muted');
    this.#sayMuted();
  }

  #unmute(): void {
    this.#muted = false;
    this.#options.root.classList.remove('both-muted');
    this.#overlay.hidden = true;
  }

  #sayMuted(): void {
    const seconds = Math.max(0, Math.ceil((this.#mutedUntil - performance.now()) / 1000));
    const lost = this.#session?.people.list().find((peer) => peer.state === 'lost');
    const name = (lost && this.#names[lost.id]?.name) ?? this.#options.words(`call.js.role.${this.#options.primary}`);
    if (this.#mutedReason === 'self-lost') this.#say('call.js.self-lost', { seconds });
    else this.#say('call.js.peer-lost', { name, seconds });
  }

  #say(key: string, values: Record<string, string | number> = {}): void {
    this.#overlay.hidden = false;
    find('[data-overlay-text]', this.#overlay).textContent = this.#options.words(key, values);
  }

  #recording(running: boolean): void {
    if (running === (this.#recordingSince > 0)) return;
    this.#recordingSince = running ? performance.now() : 0;
    for (const mark of all('[data-rec]')) mark.hidden = !running;
    this.#paintTimes();
    this.#options.root.dispatchEvent(new CustomEvent('televisit-recording', { detail: running }));
  }

  #quality(level: number): void {
    this.#paintQuality('[data-quality]', level);
  }

  #paintQuality(selector: string, level: number): void {
    for (const badge of all(selector)) {
      badge.hidden = false;
      badge.dataset['level'] = String(level);
      badge.title = this.#options.words(`call.js.quality.${level}`);
      find('[data-word]', badge).textContent = badge.title;
    }
  }

  #everySecond(): void {
    const session = this.#session;
    if (!session) return;
    const others = session.people.list().some((peer) => peer.role === this.#options.primary && peer.state !== 'lost');
    if (session.state === 'live' && others && !this.#muted) this.#togetherMs += 1000;
    if (this.#muted) this.#sayMuted();
    if (performance.now() - this.#touchedAt > touchEveryMs) {
      this.#touchedAt = performance.now();
      void this.#askNames();
    }
    this.#paintTimes();
  }

  #paintTimes(): void {
    const set = (name: string, ms: number): void =>
      all(`[data-time=${name}]`).forEach((element) => (element.textContent = clock(ms / 1000)));
    set('total', performance.now() - this.#startedAt);
    set('together', this.#togetherMs);
    if (this.#recordingSince > 0) set('rec', performance.now() - this.#recordingSince);
  }

  #facts(): Facts {
    return {
      call: this.#session?.state ?? 'idle',
      mic: this.local.live('audio'),
      camera: this.local.live('video'),
      muted: this.#muted,
      recording: this.#recordingSince > 0,
      people: this.#session?.people.list().length ?? 0,
    };
  }
}
