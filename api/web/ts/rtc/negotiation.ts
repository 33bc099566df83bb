// One RTCPeerConnection. This side always offers and the server always answers, so offers never collide.

import type { Kind } from './local';
import type { CandidateMessage, ClientMessage, Source, TrackNote } from './messages';

export interface NegotiationEvents {
  send(message: ClientMessage): boolean;
  connection(state: RTCPeerConnectionState): void;
  /** The media path is gone and did not come back by itself: an ICE restart was started. */
  restarted(): void;
}

const restartAfterMs = 2000;

export class Negotiation {
  readonly pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
  readonly #events: NegotiationEvents;
  readonly #own: Record<Kind, RTCRtpTransceiver>;
  #screen: RTCRtpTransceiver | undefined;
  #number = 0;
  #outstanding = false;
  #prepared = false;
  #told = false;
  #again: { restart: boolean } | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #early: CandidateMessage[] = [];
  #restartTimer: number | undefined;
  #closed = false;

  constructor(events: NegotiationEvents) {
    this.#events = events;
    // Both sections exist before any device is open: the first offer never waits for a camera, and each section later
    // carries the other side's picture back without another handshake.
    this.#own = {
      audio: this.pc.addTransceiver('audio', {
        direction: 'sendrecv', sendEncodings: [{ priority: 'high', networkPriority: 'high' }],
      }),
      video: this.pc.addTransceiver('video', { direction: 'sendrecv', sendEncodings: [{ maxBitrate: 2_500_000 }] }),
    };
    this.pc.onicecandidate = ({ candidate }) => this.#sendCandidate(candidate);
    this.pc.onconnectionstatechange = () => this.#events.connection(this.pc.connectionState);
    this.pc.oniceconnectionstatechange = () => this.#watchPath();
  }

  configure(iceServers: RTCIceServer[], relayOnly: boolean): void {
    this.pc.setConfiguration({
      iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all', bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require',
    });
  }

  /** Makes the first offer and gathers candidates before there is a line to send it on. */
  prepare(): void {
    this.#queue(async () => {
      await this.pc.setLocalDescription(await this.pc.createOffer());
      this.#prepared = true;
    });
  }

  /** The first offer, on a line that is open; again when the line was lost before its answer. */
  begin(): void {
    if (this.#number === 0 && !this.#outstanding) this.offer();
    else this.resume();
  }

  /** Offers now, or as soon as the answer under way has come. */
  offer(restart = false): void {
    if (this.#outstanding) {
      this.#again = { restart: restart || (this.#again?.restart ?? false) };
      return;
    }
    this.#outstanding = true;
    this.#queue(async () => {
      if (!this.#prepared) await this.pc.setLocalDescription(await this.pc.createOffer({ iceRestart: restart }));
      this.#prepared = false;
      const sdp = this.pc.localDescription?.sdp ?? ''; // with the candidates found so far
      this.#told = this.#events.send({ t: 'offer', sdp, neg: ++this.#number, tracks: this.#tracks() });
    });
  }

  /** After a new socket: what was under way is void, and the path is built anew. */
  resume(): void {
    this.#queue(async () => {
      if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' });
    });
    this.#outstanding = false;
    this.#again = undefined;
    this.offer(this.pc.remoteDescription !== null);
  }

  answer(sdp: string, number: number): void {
    this.#queue(async () => {
      if (number !== this.#number || this.pc.signalingState !== 'have-local-offer') return; // of an offer since given up
      await this.pc.setRemoteDescription({ type: 'answer', sdp });
      for (const candidate of this.#early.splice(0)) await this.pc.addIceCandidate(candidate);
      this.#outstanding = false;
      const again = this.#again;
      this.#again = undefined;
      if (again) this.offer(again.restart);
    });
  }

  candidate(message: CandidateMessage): void {
    this.#queue(async () => {
      if (this.pc.signalingState !== 'stable' || !this.pc.remoteDescription) this.#early.push(message);
      else await this.pc.addIceCandidate(message);
    });
  }

  /** Makes room for more people or a screen: so many receiving sections of each kind in all. */
  want(audio: number, video: number): void {
    let added = false;
    for (const [kind, total] of [['audio', audio], ['video', video]] as const) {
      for (let have = this.#receiving(kind); have < total; have++) {
        this.pc.addTransceiver(kind, { direction: 'recvonly' });
        added = true;
      }
    }
    if (added) this.offer();
  }

  #receiving(kind: Kind): number {
    return this.pc.getTransceivers()
      .filter((t) => t.receiver.track.kind === kind && (t.direction === 'sendrecv' || t.direction === 'recvonly')).length;
  }

  async setTrack(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    await this.#own[kind].sender.replaceTrack(track);
  }

  async share(track: MediaStreamTrack | null): Promise<void> {
    this.#prepared = false; // an offer made ahead knows nothing of it
    if (this.#closed) return;
    if (!track) {
      if (!this.#screen) return;
      this.#screen.direction = 'inactive';
      await this.#screen.sender.replaceTrack(null);
    } else if (this.#screen) {
      this.#screen.direction = 'sendonly';
      await this.#screen.sender.replaceTrack(track);
    } else {
      this.#screen = this.pc.addTransceiver(track, { direction: 'sendonly' });
    }
    this.offer();
  }

  receiver(mid: string): RTCRtpReceiver | undefined {
    return this.pc.getTransceivers().find((transceiver) => transceiver.mid === mid)?.receiver;
  }

  close(): void {
    this.#closed = true;
    window.clearTimeout(this.#restartTimer);
    this.pc.close();
  }

  #tracks(): TrackNote[] {
    const notes: TrackNote[] = [];
    const add = (transceiver: RTCRtpTransceiver | undefined, source: Source): void => {
      if (transceiver?.mid && transceiver.direction.startsWith('send')) notes.push({ mid: transceiver.mid, source });
    };
    add(this.#own.audio, 'mic');
    add(this.#own.video, 'camera');
    add(this.#screen, 'screen');
    return notes;
  }

  #sendCandidate(candidate: RTCIceCandidate | null): void {
    if (!candidate || !this.#told) return; // those found before the offer are in it
    const { candidate: text, sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    this.#events.send({
      t: 'candidate', candidate: text,
      ...(sdpMid !== null && { sdpMid }), ...(sdpMLineIndex !== null && { sdpMLineIndex }),
      ...(usernameFragment !== null && { usernameFragment }),
    });
  }

  /** A path that failed is rebuilt at once; one that only stutters gets two seconds to come back. */
  #watchPath(): void {
    window.clearTimeout(this.#restartTimer);
    const restart = (): void => {
      if (this.#closed) return;
      this.#events.restarted();
      this.offer(true);
    };
    if (this.pc.iceConnectionState === 'failed') restart();
    else if (this.pc.iceConnectionState === 'disconnected') this.#restartTimer = window.setTimeout(restart, restartAfterMs);
  }

  /** One step after the other: a description is never set while another is being set. */
  #queue(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#closed) return;
      try {
        await step();
      } catch (error) {
        // A step that fails must not block the next offer; the watch on the path restarts what does not heal.
        if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' });
        this.#outstanding = false;
        console.warn('negotiation step failed', error instanceof Error ? error.name : 'unknown');
      }
    });
  }
}
