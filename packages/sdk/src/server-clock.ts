/**
 * The server's time, told from its `Date` headers and carried on by a clock that only goes forward: when this machine's clock jumps,
 * nothing starts early or late. Before the first header (and where a browser hides it) this machine's clock counts.
 */
export interface Clocks {
  /** Milliseconds since 1970, by this machine. */
  readonly wallMs: () => number;
  /** Milliseconds since anything, never backwards. */
  readonly monotonicMs: () => number;
}

export const systemClocks: Clocks = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export class ServerClock {
  readonly #clocks: Clocks;
  #offsetMs: number | undefined;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  get monotonicMs(): number {
    return this.#clocks.monotonicMs();
  }

  nowMs(): number {
    return this.#offsetMs === undefined ? this.#clocks.wallMs() : this.#clocks.monotonicMs() + this.#offsetMs;
  }

  /** `date`: the header, exact to a second and cut off, so that what it says is early by less than one. */
  synchronise(date: string | null): void {
    const serverMs = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(serverMs)) return;
    const measured = serverMs - this.#clocks.monotonicMs();
    // Within a second it is the header's rounding and the way here: time goes on evenly.
    if (this.#offsetMs === undefined || Math.abs(measured - this.#offsetMs) > 2_000) this.#offsetMs = measured;
  }
}
