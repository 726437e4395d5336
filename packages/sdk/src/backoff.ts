/** Waiting: full jitter (AWS, “Exponential Backoff and Jitter”), and timers that do not keep a process alive. */

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  /** 0 ≤ n < 1. */
  readonly random: () => number;
}

/** Milliseconds before try number `attempt` (from 0): anything up to twice as much each time, up to the cap. */
export function backoffMs(attempt: number, { baseMs, capMs, random }: BackoffOptions): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** Half to one and a half of it, so that clients do not come together. */
export const jittered = (ms: number, random: () => number): number => ms * (0.5 + random());

/** The longest that timers can count: what is longer is due after it. */
const maxTimerMs = 2 ** 31 - 1;

/** A timer that does not keep Node alive. Returns the function that ends it. */
export function after(ms: number, call: () => void): () => void {
  const timer: unknown = setTimeout(call, Math.min(ms, maxTimerMs));
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref();
  return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
}

/** Resolves after the time, or at once when the signal is aborted; never rejects. Nobody waits for it: it does not keep Node alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return wait(signal, (done) => after(ms, done));
}

/** The same for somebody who waits: Node stays alive until then. */
export function patience(ms: number, signal: AbortSignal): Promise<void> {
  return wait(signal, (done) => {
    const timer = setTimeout(done, Math.min(ms, maxTimerMs));
    return () => clearTimeout(timer);
  });
}

function wait(signal: AbortSignal, begin: (done: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = begin(done);
    signal.addEventListener('abort', done);
  });
}

/** Calls when nothing was heard for a time, once until something is heard again. Hearing costs one look at the clock. */
export class Watchdog {
  readonly #silenceMs: number;
  readonly #onSilence: () => void;
  #heardMs = 0;
  #cancel: (() => void) | undefined;

  constructor(silenceMs: number, onSilence: () => void) {
    this.#silenceMs = silenceMs;
    this.#onSilence = onSilence;
  }

  heard(): void {
    this.#heardMs = performance.now();
    this.#cancel ??= after(this.#silenceMs, () => this.#look());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    const leftMs = this.#heardMs + this.#silenceMs - performance.now();
    this.#cancel = leftMs > 0 ? after(leftMs, () => this.#look()) : undefined;
    if (leftMs <= 0) this.#onSilence();
  }
}
