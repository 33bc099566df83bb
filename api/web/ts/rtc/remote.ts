// Who is in the room and whose picture arrives on which section.

import type { PeerInfo, Slot } from './messages';

export interface RemotePeer extends PeerInfo {
  /** Camera and microphone together; always the same object, so that an element keeps playing. */
  readonly main: MediaStream;
  readonly screen: MediaStream;
  quality: number | undefined;
}

export class RemotePeers {
  readonly #peers = new Map<string, RemotePeer>();
  #slots: Slot[] = [];

  list(): RemotePeer[] {
    return [...this.#peers.values()].filter((peer) => peer.state !== 'left');
  }

  get(id: string): RemotePeer | undefined {
    return this.#peers.get(id);
  }

  update(info: PeerInfo): void {
    const { id, role, mic, camera, state } = info;
    const known = this.#peers.get(id);
    if (known) Object.assign(known, { role, mic, camera, state });
    else this.#peers.set(id, { ...blank(id), role, mic, camera, state });
  }

  /** The complete list as told on a welcome: whoever is not in it has left. */
  replace(infos: PeerInfo[]): void {
    const present = new Set(infos.map((info) => info.id));
    for (const peer of this.#peers.values()) if (!present.has(peer.id)) peer.state = 'left';
    infos.forEach((info) => this.update(info));
  }

  setSlots(slots: Slot[]): void {
    this.#slots = slots;
    for (const { peer } of slots) if (!this.#peers.has(peer)) this.#peers.set(peer, blank(peer));
  }

  /** Puts every section's track into its peer's streams. Safe to repeat; changes only what differs. */
  attach(receiver: (mid: string) => RTCRtpReceiver | undefined): void {
    for (const peer of this.#peers.values()) {
      const mine = this.#slots.filter((slot) => slot.peer === peer.id);
      const tracks = (screen: boolean): MediaStreamTrack[] =>
        mine.filter((slot) => (slot.source === 'screen') === screen)
          .flatMap((slot) => receiver(slot.mid)?.track ?? []);
      fill(peer.main, tracks(false));
      fill(peer.screen, tracks(true));
    }
  }
}

function blank(id: string): RemotePeer {
  return {
    id, role: 'guest', mic: true, camera: true, state: 'joined',
    main: new MediaStream(), screen: new MediaStream(), quality: undefined,
  };
}

function fill(stream: MediaStream, tracks: MediaStreamTrack[]): void {
  for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track);
  for (const track of tracks) if (!stream.getTracks().includes(track)) stream.addTrack(track);
}
