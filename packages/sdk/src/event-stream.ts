/**
 * A stream of server-sent events that comes back by itself: over fetch, because a key has to be sent. When nothing is heard for two heartbeats
 * the connection is given up, also one that looks open.
 */
import { type BackoffOptions, backoffMs, pause, Watchdog } from './backoff.js';
import { type Frame, FrameReader } from './frames.js';
import { RequestFailure } from './transport.js';

export interface EventStreamOptions {
  /** Rejects with `RequestFailure` or what fetch rejects with. */
  readonly open: (signal: AbortSignal) => Promise<Response>;
  readonly onFrame: (frame: Frame) => void;
  /** A connection ended or could not be made; the next try comes after a pause. */
  readonly onDown: (error: unknown) => void;
  readonly backoff: BackoffOptions;
  /** Silence after which a connection counts as lost. */
  readonly silenceMs: number;
}

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  #connection: AbortController | undefined;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Gives up the running connection; a new one begins as after any loss. */
  reconnect(why: string): void {
    this.#connection?.abort(new Error(why));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { backoff, onDown } = this.#options;
    const ended = this.#end.signal;
    let attempt = 0;
    while (!ended.aborted) {
      let failure: unknown;
      try {
        await this.#connect(() => {
          attempt = 0;
        });
        failure = new Error('the server ended the stream');
      } catch (error) {
        failure = error;
      }
      if (ended.aborted) return;
      onDown(failure);
      const asked = failure instanceof RequestFailure ? failure.retryAfterMs : 0;
      await pause(asked + backoffMs(attempt, backoff), ended);
      attempt += 1;
    }
  }

  async #connect(onFirstFrame: () => void): Promise<void> {
    const { open, onFrame, silenceMs } = this.#options;
    const connection = new AbortController();
    this.#connection = connection;
    const signal = AbortSignal.any([connection.signal, this.#end.signal]);
    const watchdog = new Watchdog(silenceMs, () => {
      connection.abort(new Error(`nothing was heard for ${silenceMs} ms`));
    });
    watchdog.heard();
    let hasFrames = false;
    try {
      const response = await abortable(open(signal), signal);
      if (response.body === null) throw new Error('the stream has no body');
      const reader = response.body.getReader();
      // Not every fetch ends a pending read when its signal is aborted.
      signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true });
      const decoder = new TextDecoder();
      const frames = new FrameReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (signal.aborted) throw signal.reason;
        if (done) return;
        watchdog.heard();
        for (const frame of frames.push(decoder.decode(value, { stream: true }))) {
          if (!hasFrames) onFirstFrame();
          hasFrames = true;
          onFrame(frame);
        }
      }
    } finally {
      watchdog.stop();
      connection.abort();
    }
  }
}

/** Not every fetch rejects when its signal is aborted. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    stop = () => signal.removeEventListener('abort', abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}
