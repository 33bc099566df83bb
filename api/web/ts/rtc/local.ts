// The person's own camera and microphone: opening, choosing, muting. Knows nothing of the connection.

export type Kind = 'audio' | 'video';
export type DeviceState = 'ok' | 'denied' | 'missing' | 'busy' | 'off';

const constraints: Record<Kind, MediaTrackConstraints> = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
};

export class LocalMedia {
  readonly stream = new MediaStream();
  readonly state: Record<Kind, DeviceState> = { audio: 'off', video: 'off' };
  readonly #on: Record<Kind, boolean> = { audio: true, video: true };
  #held = false;
  #opening: Promise<void> | undefined;
  readonly #listeners = new Set<() => void>();
  #changed: (kind: Kind, track: MediaStreamTrack | null) => void = () => {};

  /** Opens what is not open yet. One device that fails does not keep the other from opening; see state. */
  open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Opens without asking: only when the browser has granted both before. */
  async openIfGranted(): Promise<boolean> {
    const grants = await Promise.all([granted('camera'), granted('microphone')]);
    if (!grants.every(Boolean)) return false;
    await this.open();
    return true;
  }

  track(kind: Kind): MediaStreamTrack | null {
    const tracks = kind === 'audio' ? this.stream.getAudioTracks() : this.stream.getVideoTracks();
    return tracks[0] ?? null;
  }

  /** Whether the other side gets this now: chosen by the person, not held, and there is a device. */
  live(kind: Kind): boolean {
    return this.#on[kind] && !this.#held && this.track(kind) !== null;
  }

  /** What the person wants, as long as there may be a device for it. */
  wanted(kind: Kind): boolean {
    return this.#on[kind] && (this.state[kind] === 'ok' || this.state[kind] === 'off');
  }

  async setOn(kind: Kind, on: boolean): Promise<void> {
    this.#on[kind] = on;
    if (on && !this.track(kind)) await this.#openOne(kind);
    this.#apply();
  }

  /** Holds everything back while the connection is lost, so that nobody is on a hot microphone. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#apply();
  }

  async choose(kind: Kind, deviceId: string): Promise<void> {
    await this.#openOne(kind, deviceId);
    this.#apply();
  }

  /** The next camera in the list: a phone's front and back. */
  async flip(): Promise<void> {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === 'videoinput');
    if (cameras.length < 2) return;
    const current = this.track('video')?.getSettings().deviceId;
    const index = cameras.findIndex((camera) => camera.deviceId === current);
    const next = cameras[(index + 1) % cameras.length];
    if (next) await this.choose('video', next.deviceId);
  }

  /** Called for every track that comes or goes; the connection puts it on its sender. */
  onTrack(changed: (kind: Kind, track: MediaStreamTrack | null) => void): void {
    this.#changed = changed;
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  stop(): void {
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
      this.stream.removeTrack(track);
    }
    this.state.audio = this.state.video = 'off';
    this.#listeners.forEach((listener) => listener());
  }

  async #open(): Promise<void> {
    const missing = (['audio', 'video'] as const).filter((kind) => !this.track(kind));
    if (missing.length === 2) {
      try {
        // Both in one request: one question to the person instead of two.
        const stream = await navigator.mediaDevices.getUserMedia(constraints);
        stream.getTracks().forEach((track) => this.#adopt(track.kind as Kind, track));
        this.#apply();
        return;
      } catch {
        // Which of the two failed shows when each is asked for alone.
      }
    }
    for (const kind of missing) await this.#openOne(kind);
    this.#apply();
  }

  async #openOne(kind: Kind, deviceId?: string): Promise<void> {
    const wanted = deviceId ? { ...constraints[kind], deviceId: { exact: deviceId } } : constraints[kind];
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wanted });
      const track = stream.getTracks()[0];
      if (track) this.#adopt(kind, track);
    } catch (error) {
      if (!this.track(kind)) this.state[kind] = problem(error);
    }
  }

  #adopt(kind: Kind, track: MediaStreamTrack): void {
    const old = this.track(kind);
    if (old) {
      old.onended = null;
      this.stream.removeTrack(old);
      old.stop();
    }
    track.contentHint = kind === 'audio' ? 'speech' : 'motion';
    track.onended = () => void this.#unplugged(kind, track);
    this.stream.addTrack(track);
    this.state[kind] = 'ok';
    this.#changed(kind, track);
  }

  /** A device was pulled out or taken by the system: go on with what is left. */
  async #unplugged(kind: Kind, track: MediaStreamTrack): Promise<void> {
    this.stream.removeTrack(track);
    this.#changed(kind, null);
    await this.#openOne(kind);
    this.#apply();
  }

  #apply(): void {
    for (const kind of ['audio', 'video'] as const) {
      const track = this.track(kind);
      if (track) track.enabled = this.#on[kind] && !this.#held;
    }
    this.#listeners.forEach((listener) => listener());
  }
}

async function granted(name: 'camera' | 'microphone'): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: name as PermissionName })).state === 'granted';
  } catch {
    return false; // this browser does not tell: wait for the person
  }
}

function problem(error: unknown): DeviceState {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    default:
      return 'busy';
  }
}
