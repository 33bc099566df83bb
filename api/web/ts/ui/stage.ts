// The pictures: one large, the others in a strip, a name on each.

import type { RemotePeer } from '../rtc/remote';
import type { Role } from '../rtc/messages';
import { find, type Words } from './dom';

export type Names = Record<string, { name: string; role: Role }>;

interface Tile {
  box: HTMLElement;
  video: HTMLVideoElement;
  label: HTMLElement;
}

export class Stage {
  readonly #main: HTMLElement;
  readonly #strip: HTMLElement;
  readonly #unlock: HTMLButtonElement;
  readonly #tiles = new Map<string, Tile>();
  readonly #words: Words;
  readonly #primary: Role;

  /** primary is whose camera is large: the patient's for the clinician, the clinician's for everybody else. */
  constructor(root: HTMLElement, primary: Role, words: Words) {
    this.#main = find('[data-stage-main]', root);
    this.#strip = find('[data-stage-strip]', root);
    this.#unlock = find<HTMLButtonElement>('[data-stage-unlock]', root);
    this.#primary = primary;
    this.#words = words;
    this.#unlock.onclick = () => {
      this.#unlock.hidden = true;
      this.#tiles.forEach(({ video }) => void video.play());
    };
  }

  /** The large picture's element, or the first. */
  get video(): HTMLVideoElement | undefined {
    return this.#main.querySelector('video') ?? undefined;
  }

  show(peers: RemotePeer[], names: Names): void {
    const wanted = new Set<string>();
    const screen = peers.find((peer) => peer.screen.getTracks().length > 0);
    for (const peer of peers) {
      const large = !screen && this.#isPrimary(peer, peers);
      wanted.add(peer.id);
      this.#place(peer.id, large, peer.main, peer.role === this.#primary ? 'call-remote-video' : 'call-guest-video');
      this.#describe(peer, names);
    }
    if (screen) {
      const id = `${screen.id}/screen`;
      wanted.add(id);
      this.#place(id, true, screen.screen, 'call-screen-video');
      const label = this.#tiles.get(id)?.label;
      if (label) label.textContent = this.#words('call.js.screen-of', { name: this.#name(screen, names) });
    }
    for (const [id, tile] of this.#tiles) {
      if (wanted.has(id)) continue;
      tile.box.remove();
      this.#tiles.delete(id);
    }
    this.#main.classList.toggle('alone', peers.length === 0);
  }

  #isPrimary(peer: RemotePeer, peers: RemotePeer[]): boolean {
    const first = peers.find((other) => other.role === this.#primary) ?? peers[0];
    return peer === first;
  }

  #place(id: string, large: boolean, stream: MediaStream, testId: string): void {
    let tile = this.#tiles.get(id);
    if (!tile) {
      tile = newTile();
      this.#tiles.set(id, tile);
    }
    tile.video.dataset['testid'] = testId;
    const parent = large ? this.#main : this.#strip;
    if (tile.box.parentElement !== parent) parent.append(tile.box);
    if (tile.video.srcObject !== stream) tile.video.srcObject = stream;
    tile.video.play().catch((error: unknown) => {
      // The browser wants a touch before it plays sound; anything else heals with the next track.
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.#unlock.hidden = false;
    });
  }

  #describe(peer: RemotePeer, names: Names): void {
    const tile = this.#tiles.get(peer.id);
    if (!tile) return;
    const parts = [this.#name(peer, names)];
    if (!peer.mic) parts.push(this.#words('call.js.mic-off'));
    if (!peer.camera) parts.push(this.#words('call.js.cam-off'));
    if (peer.state === 'lost') parts.push(this.#words('call.js.lost'));
    tile.label.textContent = parts.join(' · ');
    tile.box.classList.toggle('lost', peer.state === 'lost');
    tile.box.classList.toggle('dark', !peer.camera);
  }

  #name(peer: RemotePeer, names: Names): string {
    return names[peer.id]?.name ?? this.#words(`call.js.role.${peer.role}`);
  }
}

function newTile(): Tile {
  const box = document.createElement('figure');
  box.className = 'tile';
  const video = document.createElement('video');
  video.autoplay = video.playsInline = true;
  const label = document.createElement('figcaption');
  label.dataset['testid'] = 'call-name';
  box.append(video, label);
  return { box, video, label };
}
