// The time in which this side is not in the call although it wants to be: from the last thing heard until it is back or
// the grace is over. Nobody is left with an open microphone meanwhile.

export interface AbsenceEvents {
  /** Hold back what this side sends, or no longer. */
  hold(held: boolean): void;
  /** This side counts as lost from now on; until is performance.now() time. */
  muted(until: number): void;
}

export class Absence {
  /** As the server's welcome says. */
  graceMs = 30_000;
  muteAfterMs = 3000;

  readonly #events: AbsenceEvents;
  #since: number | undefined;
  #timer: number | undefined;

  constructor(events: AbsenceEvents) {
    this.#events = events;
  }

  /** Whether the others no longer wait. */
  get tooLong(): boolean {
    return this.#since !== undefined && performance.now() - this.#since > this.graceMs;
  }

  /** Nothing has been heard since then, performance.now() time. Repeated, the first time holds. */
  begin(since: number): void {
    if (this.#since !== undefined) return;
    this.#since = since;
    this.#timer = window.setTimeout(() => {
      this.#events.hold(true);
      this.#events.muted(since + this.graceMs);
    }, since + this.muteAfterMs - performance.now());
  }

  end(): void {
    window.clearTimeout(this.#timer);
    this.#since = undefined;
    this.#events.hold(false);
  }

  close(): void {
    window.clearTimeout(this.#timer);
  }
}
