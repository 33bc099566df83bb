// The call: socket, connection and people together, and coming back after a loss. Knows nothing of the page.

import { Absence } from './absence';
import type { CallState, SessionEvents } from './events';
import type { LocalMedia } from './local';
import type { EndReason, ServerMessage, Welcome } from './messages';
import { Negotiation } from './negotiation';
import { level, QualityMeter, readFacts, type CallFacts } from './quality';
import { RemotePeers, type RemotePeer } from './remote';
import { Signalling } from './signalling';
import { Silence } from './silence';
import type { MediaPath, RoomTokens } from './tokens';

const qualityEveryMs = 3000;
const sayAgainMs = 250;
const retryDelaysMs = [0, 300, 700, 1500, 2000];
const tokenCodes = new Set(['token-expired', 'token-used', 'token-foreign']);

export class Session {
  readonly people = new RemotePeers();
  state: CallState = 'idle';
  /** This side's id in the room. */
  self = '';

  readonly #tokens: RoomTokens;
  readonly #local: LocalMedia;
  readonly #events: SessionEvents;
  #negotiation: Negotiation;
  #meter = new QualityMeter();
  #screen: MediaStreamTrack | null = null;
  readonly #absence: Absence;
  readonly #silence: Silence;
  #socket: Signalling | undefined;
  #welcome: Welcome | undefined;
  /** The secret that takes this side's place again; undefined when there is none, or no longer. */
  #resume: string | undefined;
  #foreign = false;
  #early = false;
  /** Whether the socket is one that the server has welcomed. */
  #seated = false;
  #attempt = 0;
  #retryTimer: number | undefined;
  #qualityTimer: number | undefined;
  #stateTimer: number | undefined;
  readonly #retryNow = (): void => {
    if (this.state === 'reconnecting' && !this.#socket) void this.#connect();
  };

  constructor(tokens: RoomTokens, local: LocalMedia, events: SessionEvents) {
    this.#tokens = tokens;
    this.#local = local;
    this.#events = events;
    this.#negotiation = this.#newNegotiation();
    this.#absence = new Absence({ hold: (held) => local.hold(held), muted: (until) => events.muted('self-lost', until) });
    this.#silence = new Silence({
      heardAt: () => (this.#seated ? this.#socket?.heardAt : undefined),
      connection: () => this.#negotiation.pc,
      silent: (since) => this.#away(since),
      heard: () => this.#backAgain(),
    });
    local.onTrack((kind, track) => void this.#negotiation.setTrack(kind, track));
    local.onChange(() => this.#sayState());
    window.addEventListener('online', this.#retryNow);
  }

  start(): void {
    this.#putTracks();
    this.#become('connecting');
    void this.#connect();
  }

  /** Leaves for good and says so, so that nobody waits for a return. */
  leave(): void {
    this.#socket?.send({ t: 'bye' });
    this.#finish('hang-up');
  }

  share(track: MediaStreamTrack | null): Promise<void> {
    this.#screen = track;
    return this.#negotiation.share(track);
  }

  facts(): Promise<CallFacts> {
    return readFacts(this.#negotiation.pc);
  }

  get over(): boolean { return this.state === 'ended' || this.state === 'failed'; }

  async #connect(): Promise<void> {
    window.clearTimeout(this.#retryTimer);
    const resume = this.#resume;
    try {
      const token = await this.#tokens.take();
      if (this.over) return;
      if (token.path && !this.#welcome && !this.#early) this.#prepare(token.path);
      this.#socket = new Signalling(token.url, { token: token.token, ...(resume !== undefined && { resume }) }, {
        opened: () => this.#opened(),
        message: (message) => this.#receive(message),
        lost: () => this.#socketLost(),
      });
    } catch (error) {
      const code = error instanceof Error ? error.message : 'offline';
      if (code === 'refused') this.#refusedForGood(code);
      else this.#socketLost();
    }
  }

  /** The first offer is made while the line is, and goes right behind hello: nobody waits for a welcome. */
  #prepare(path: MediaPath): void {
    this.#early = true;
    this.#negotiation.configure(path.iceServers, path.relayOnly);
    this.#negotiation.prepare();
  }

  #opened(): void {
    if (!this.#early || this.#welcome) return;
    this.#negotiation.begin();
  }

  #receive(message: ServerMessage): void {
    switch (message.t) {
      case 'welcome': return this.#welcomed(message);
      case 'answer': return this.#negotiation.answer(message.sdp, message.neg);
      case 'candidate': return this.#negotiation.candidate(message);
      case 'want': return this.#negotiation.want(message.audio, message.video);
      case 'slots':
        this.people.setSlots(message.slots);
        return this.#peopleChanged();
      case 'peer':
        this.people.update(message);
        return this.#peopleChanged();
      case 'muted':
        return this.#events.muted(message.reason, performance.now() + message.graceMs);
      case 'unmuted': return this.#events.unmuted();
      case 'recording': return this.#events.recording(message.state === 'running');
      case 'quality': return this.#peerQuality(message.peer, message.level);
      case 'token': return this.#tokens.keep(message.token, message.expires);
      case 'ended': return message.reason === 'shutdown' ? this.#shutDown() : this.#finish(message.reason);
      case 'error': return this.#refused(message.code);
      default: return;
    }
  }

  #welcomed(welcome: Welcome): void {
    const [first, resumed] = [this.#welcome === undefined, this.#resume !== undefined];
    this.#welcome = welcome;
    this.#resume = welcome.resume;
    this.self = welcome.peer;
    this.#absence.graceMs = welcome.graceMs;
    this.#absence.muteAfterMs = welcome.muteAfterMs;
    this.#attempt = 0;
    this.#foreign = false;
    this.#seated = true;
    if (!first && !resumed) this.#startAnew();
    if (!first || !this.#early) {
      this.#negotiation.configure(welcome.iceServers ?? [], welcome.policy === 'relay-only');
      if (resumed) this.#negotiation.resume();
      else this.#negotiation.offer();
    }
    this.people.replace(welcome.peers ?? []);
    this.#peopleChanged();
    this.#socket?.send({ t: 'renew' });
    this.#backAgain();
    this.#sayState();
    this.#qualityTimer ??= window.setInterval(() => void this.#measure(), qualityEveryMs);
  }

  /** A place of its own in the call, as at the first join: nothing of the old connection is known there. */
  #startAnew(): void {
    this.#negotiation.close();
    this.#negotiation = this.#newNegotiation();
    this.#meter = new QualityMeter();
    this.people.setSlots([]);
    this.#events.recording(false); // the server says so if it records on
    this.#putTracks();
    if (this.#screen) void this.#negotiation.share(this.#screen);
  }

  #newNegotiation(): Negotiation {
    return new Negotiation({
      send: (message) => this.#socket?.send(message) ?? false,
      connection: (state) => this.#connection(state),
      restarted: () => this.#events.state('reconnecting'),
    });
  }

  #putTracks(): void {
    for (const kind of ['audio', 'video'] as const) void this.#negotiation.setTrack(kind, this.#local.track(kind));
  }

  #backAgain(): void {
    this.#absence.end();
    this.#events.unmuted(); // the server says muted again if somebody else is still away
    if (this.#negotiation.pc.connectionState === 'connected') this.#become('live');
  }

  #away(since: number): void {
    this.#absence.begin(since);
    this.#become('reconnecting');
  }

  #socketLost(): void {
    this.#socket = undefined;
    this.#seated = false;
    if (this.over) return;
    this.#away(performance.now());
    if (this.#absence.tooLong) {
      this.#finish('timeout');
      return;
    }
    const delay = retryDelaysMs[Math.min(this.#attempt++, retryDelaysMs.length - 1)];
    this.#retryTimer = window.setTimeout(() => void this.#connect(), delay);
  }

  /** The server stops; the visit goes on where it is started again, or another takes its place. */
  #shutDown(): void {
    this.#resume = undefined;
    this.#socket?.close();
    this.#socketLost();
  }

  /** The socket closes next. What can be mended is mended for the attempt that follows, which is then made at once. */
  #refused(code: string): void {
    if (code === 'room-refused' || (code === 'token-foreign' && this.#foreign)) this.#refusedForGood(code);
    else if (tokenCodes.has(code)) {
      this.#foreign = code === 'token-foreign'; // one kept from before the server was started again; never twice
      this.#tokens.forget();
      this.#attempt = 0;
    } else if (code === 'resume-refused' && this.#resume !== undefined) {
      this.#resume = undefined; // a server that was started again knows nobody: the call may still be there to join
      this.#attempt = 0;
    }
  }

  /** Whoever was in the call and may not come back has been away too long. */
  #refusedForGood(code: string): void {
    if (this.#welcome) this.#finish('timeout');
    else this.#fail(code);
  }

  #connection(state: RTCPeerConnectionState): void {
    if (this.over) return;
    if (state === 'connected' && this.#socket) this.#become('live');
    if (state === 'disconnected' || state === 'failed') this.#become('reconnecting');
  }

  #peopleChanged(): void {
    this.people.attach((mid) => this.#negotiation.receiver(mid));
    this.#events.people();
  }

  #peerQuality(id: string, value: number): void {
    const peer = this.people.get(id);
    if (!peer) return;
    peer.quality = value;
    this.#events.people();
  }

  /** Tells the others what is muted; several changes within a moment become one message. */
  #sayState(): void {
    window.clearTimeout(this.#stateTimer);
    this.#stateTimer = window.setTimeout(() => {
      this.#socket?.send({ t: 'state', mic: this.#local.live('audio'), camera: this.#local.live('video') });
    }, this.state === 'live' ? sayAgainMs : 0);
  }

  async #measure(): Promise<void> {
    const sample = await this.#meter.sample(this.#negotiation.pc);
    if (this.over) return;
    this.#events.quality(level(sample));
    const { rttMs, lossPct, framesPerSecond } = sample;
    this.#socket?.send({
      t: 'stats', lossPct, ...(rttMs !== undefined && { rttMs }), ...(framesPerSecond !== undefined && { frames: framesPerSecond }),
    });
    if (this.#tokens.nearlyExpired()) this.#socket?.send({ t: 'renew' });
  }

  #become(state: CallState): void {
    if (this.state === state || this.over) return;
    this.state = state;
    this.#events.state(state);
  }

  #fail(code: string): void {
    this.#become('failed');
    this.#release();
    this.#events.failed(code);
  }

  #finish(reason: EndReason): void {
    if (this.over) return;
    this.#become('ended');
    this.#release();
    this.#events.ended(reason);
  }

  #release(): void {
    [this.#retryTimer, this.#stateTimer].forEach((timer) => window.clearTimeout(timer));
    this.#absence.close();
    this.#silence.close();
    window.clearInterval(this.#qualityTimer);
    window.removeEventListener('online', this.#retryNow);
    this.#socket?.close();
    this.#negotiation.close();
    this.#local.stop();
  }
}

export type { CallState, RemotePeer, SessionEvents };
