// Notices that nothing at all arrives any more, neither on the socket nor as media, before either is known to be dead.
// A socket that stalls while pictures arrive is no silence, and neither is a muted partner while the socket answers.

export interface SilenceEvents {
  /** When the socket said something last, performance.now() time; undefined while there is none. */
  heardAt(): number | undefined;
  connection(): RTCPeerConnection;
  /** Nothing has arrived since then, performance.now() time. */
  silent(since: number): void;
  /** Something arrives again, on the socket that was there before. */
  heard(): void;
}

const lookEveryMs = 500;
const quietMs = 2000; // the socket is pinged every 1.5 s, and media come all the time

export class Silence {
  readonly #events: SilenceEvents;
  readonly #timer: number;
  #arrived = 0;
  #lastMs = 0;
  #silent = false;

  constructor(events: SilenceEvents) {
    this.#events = events;
    this.#timer = window.setInterval(() => void this.#look(), lookEveryMs);
  }

  close(): void {
    window.clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const arrived = await countArrived(this.#events.connection());
    const now = performance.now();
    if (arrived !== this.#arrived) this.#lastMs = now;
    this.#arrived = arrived;
    const heardAt = this.#events.heardAt();
    if (heardAt === undefined) {
      this.#silent = false; // the loss of the socket is known, and its return tells the rest
      return;
    }
    const since = Math.max(this.#lastMs, heardAt);
    const silent = now - since >= quietMs;
    if (silent && !this.#silent) this.#events.silent(since);
    if (!silent && this.#silent) this.#events.heard();
    this.#silent = silent;
  }
}

async function countArrived(pc: RTCPeerConnection): Promise<number> {
  let arrived = 0;
  (await pc.getStats()).forEach((report: Record<string, unknown>) => {
    if (report['type'] === 'candidate-pair') arrived += count(report['responsesReceived']) + count(report['requestsReceived']);
    if (report['type'] === 'transport') arrived += count(report['packetsReceived']);
  });
  return arrived;
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
