/**
 * The embedding model as it is now: none at first where its files are still to be fetched, then the one that is found. It is opened when it is
 * first asked for: an installation without documents does not pay for it.
 */
import type { Embedder } from '../ports/embedder.port.js';

const tryEveryMs = 5_000;

export class EmbedderInUse {
  readonly #open: () => Promise<Embedder | undefined>;
  readonly #onError: (error: unknown) => void;
  readonly #listeners: (() => void)[] = [];
  #current: Embedder | undefined;
  #timer: NodeJS.Timeout | undefined;
  #opening: Promise<void> | undefined;
  #lastFault = '';
  #isStopped = false;

  constructor(open: () => Promise<Embedder | undefined>, onError: (error: unknown) => void) {
    this.#open = open;
    this.#onError = onError;
  }

  /** What there is once the first attempt to open it is over. */
  async use(): Promise<Embedder | undefined> {
    this.#opening ??= this.#try();
    await this.#opening;
    return this.#current;
  }

  /** Called when a model is there. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#opening;
    await this.#current?.close();
  }

  async #try(): Promise<void> {
    try {
      const found = await this.#open();
      if (found && this.#isStopped) await found.close();
      else if (found) {
        this.#current = found;
        for (const listener of this.#listeners) listener();
        return;
      }
    } catch (error) {
      // The same fault every five seconds is told once.
      const fault = String(error);
      if (fault !== this.#lastFault) this.#onError(error);
      this.#lastFault = fault;
    }
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#try(), tryEveryMs).unref();
  }
}
