/** Whether the client of a call has gone: told to whoever listens, and an `AbortSignal` only for those who need one. */
import type { ServerResponse } from 'node:http';
import type { Cancellation } from './transport.js';

export class Leaving implements Cancellation {
  #listeners: (() => void)[] = [];
  #controller: AbortController | undefined;
  aborted: boolean;

  constructor(response: ServerResponse) {
    this.aborted = response.destroyed;
    response.once('close', () => this.#leave());
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.push(listener);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  #leave(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.#controller?.abort();
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
