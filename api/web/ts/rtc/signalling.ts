// One WebSocket: says hello, passes messages both ways, notices a dead line. It knows the protocol and nothing of media.

import { parseServerMessage, type ClientMessage, type ServerMessage } from './messages';

export interface SignallingEvents {
  /** The line is open and hello has been said. */
  opened(): void;
  message(message: ServerMessage): void;
  /** The line is gone. Called once, never after close(). */
  lost(): void;
}

const pingEveryMs = 1500;
const deadAfterMs = 4500;

export class Signalling {
  /** Round trip of the last ping in milliseconds; undefined before the first. */
  roundTripMs: number | undefined;

  readonly #socket: WebSocket;
  readonly #events: SignallingEvents;
  #over = false;
  #timer: number | undefined;
  #pingId = 0;
  #pingSentAt = 0;
  #heardAt = performance.now();

  constructor(url: string, hello: { token: string; resume?: string }, events: SignallingEvents) {
    this.#events = events;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => {
      this.send({ t: 'hello', v: 1, ...hello });
      this.#events.opened();
    };
    this.#socket.onmessage = (event) => this.#receive(event.data);
    this.#socket.onclose = () => this.#lose();
    this.#socket.onerror = () => this.#lose();
    this.#timer = window.setInterval(() => this.#watch(), pingEveryMs);
  }

  /** When something came last, performance.now() time; before the first, when the line was asked for. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Sends at once, or not at all when the line is not open: nothing queues up for a later connection. */
  send(message: ClientMessage): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Ends the line from this side; no event follows. */
  close(): void {
    this.#stop();
    this.#socket.close(1000);
  }

  #receive(data: unknown): void {
    if (this.#over) return;
    this.#heardAt = performance.now();
    const message = parseServerMessage(data);
    if (!message) return;
    if (message.t === 'pong') {
      if (message.id === this.#pingId) this.roundTripMs = performance.now() - this.#pingSentAt;
      return;
    }
    this.#events.message(message);
  }

  #watch(): void {
    if (performance.now() - this.#heardAt > deadAfterMs) {
      this.#lose();
      return;
    }
    this.#pingSentAt = performance.now();
    this.send({ t: 'ping', id: ++this.#pingId });
  }

  #lose(): void {
    if (this.#over) return;
    this.#stop();
    this.#socket.close();
    this.#events.lost();
  }

  #stop(): void {
    this.#over = true;
    window.clearInterval(this.#timer);
  }
}
