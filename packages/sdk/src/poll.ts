/** Asks again and again while the stream is away, with jitter so that clients do not come together. */
import { after, jittered } from './backoff.js';

export interface PollOptions {
  readonly everyMs: number;
  readonly random: () => number;
  /** Reports its own failures. */
  readonly poll: () => Promise<void>;
}

export class Poll {
  readonly #options: PollOptions;
  #stop: (() => void) | undefined;

  constructor(options: PollOptions) {
    this.#options = options;
  }

  /** Begins unless it runs already. */
  start(): void {
    if (this.#stop !== undefined) return;
    const { everyMs, random, poll } = this.#options;
    let isStopped = false;
    let cancel = (): void => {};
    const schedule = (): void => {
      cancel = after(jittered(everyMs, random), () => {
        void poll().finally(() => {
          if (!isStopped) schedule();
        });
      });
    };
    schedule();
    this.#stop = () => {
      isStopped = true;
      cancel();
    };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
