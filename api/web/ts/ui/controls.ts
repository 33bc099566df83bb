// The buttons of a call: microphone, camera, screen, devices. Each says in words what it does.

import type { Kind, LocalMedia } from '../rtc/local';
import { all, find, maybe, type Words } from './dom';

export class Controls {
  readonly #root: HTMLElement;
  readonly #local: LocalMedia;
  readonly #words: Words;
  #screen: MediaStreamTrack | null = null;
  /** Set by the call: puts a screen on the connection or takes it off. */
  share: (track: MediaStreamTrack | null) => Promise<void> = async () => {};

  constructor(root: HTMLElement, local: LocalMedia, words: Words) {
    this.#root = root;
    this.#local = local;
    this.#words = words;
    this.#on('mic', () => this.toggle('audio'));
    this.#on('cam', () => this.toggle('video'));
    this.#on('flip', () => void local.flip());
    this.#on('share', () => void this.#toggleShare());
    const devices = maybe<HTMLDetailsElement>('[data-devices]', root);
    devices?.addEventListener('toggle', () => {
      if (devices.open) void this.#listDevices(devices);
    });
    local.onChange(() => this.#paint());
    this.#paint();
  }

  toggle(kind: Kind): void {
    void this.#local.setOn(kind, !this.#local.wanted(kind));
  }

  stopSharing(): void {
    if (!this.#screen) return;
    this.#screen.stop();
    this.#screen = null;
    void this.share(null);
    this.#paint();
  }

  #on(act: string, run: () => void): void {
    all<HTMLButtonElement>(`[data-act=${act}]`, this.#root).forEach((button) => (button.onclick = run));
  }

  #paint(): void {
    this.#set('mic', this.#local.wanted('audio'));
    this.#set('cam', this.#local.wanted('video'));
    this.#set('share', this.#screen !== null);
  }

  #set(act: string, on: boolean): void {
    for (const button of all<HTMLButtonElement>(`[data-act=${act}]`, this.#root)) {
      button.classList.toggle('off', !on);
      find('[data-word]', button).textContent = this.#words(`call.js.${act}.${on ? 'on' : 'off'}`);
    }
  }

  async #toggleShare(): Promise<void> {
    if (this.#screen) {
      this.stopSharing();
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } });
      const track = stream.getVideoTracks()[0] ?? null;
      if (!track) return;
      track.contentHint = 'detail';
      track.onended = () => this.stopSharing();
      this.#screen = track;
      await this.share(track);
    } catch {
      this.#screen = null; // the person changed their mind in the browser's dialog
    }
    this.#paint();
  }

  async #listDevices(panel: HTMLElement): Promise<void> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    this.#fill(panel, 'videoinput', devices, this.#local.track('video')?.getSettings().deviceId, (id) =>
      this.#local.choose('video', id));
    this.#fill(panel, 'audioinput', devices, this.#local.track('audio')?.getSettings().deviceId, (id) =>
      this.#local.choose('audio', id));
    this.#fill(panel, 'audiooutput', devices, undefined, async (id) => {
      for (const video of all<HTMLVideoElement>('video')) await video.setSinkId(id);
    });
  }

  #fill(panel: HTMLElement, kind: MediaDeviceKind, devices: MediaDeviceInfo[], current: string | undefined,
    choose: (id: string) => Promise<void>): void {
    const select = maybe<HTMLSelectElement>(`select[data-kind=${kind}]`, panel);
    if (!select) return;
    const found = devices.filter((device) => device.kind === kind && device.deviceId !== '');
    const usable = found.length > 0 && (kind !== 'audiooutput' || 'setSinkId' in HTMLMediaElement.prototype);
    (select.closest('label') as HTMLElement).hidden = !usable;
    select.replaceChildren(...found.map((device, i) => new Option(
      device.label || `${this.#words(`call.js.device.${kind}`)} ${i + 1}`, device.deviceId, false, device.deviceId === current)));
    select.onchange = () => void choose(select.value);
  }
}
