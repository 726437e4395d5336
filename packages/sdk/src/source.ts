/** Where a client's world comes from: rules over the environment's stream, or answers by OFREP. */
import type { ChangedKeys } from './changed-keys.js';
import type { World } from './world.js';

/** What a source tells its client. */
export interface SourceHost {
  /** A new world is in force from now on. */
  onWorld(world: World, changed: ChangedKeys): void;
  /** The server was heard. `isStale`: it says itself that it serves what it last knew. */
  onContact(isStale: boolean): void;
  onFailure(error: unknown): void;
  count(what: SourceCounter): void;
}

export type SourceCounter = 'frames' | 'reconnects' | 'refetches' | 'polls' | 'refusedFrames';

export interface Source {
  readonly world: World | undefined;
  start(): void;
  /**
   * Asks the server now. `minRevision`: it answers once it has reached that; only such a request is the caller's own and ends with its signal.
   * Rejects with what went wrong.
   */
  refresh(options: { readonly minRevision?: number; readonly signal?: AbortSignal }): Promise<void>;
  stop(): Promise<void>;
}

export const messageData = (data: string): unknown => JSON.parse(data) as unknown;

/** One request at a time; who asks while one runs gets the one after it, which begins later than the asking. */
export class SingleFlight {
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  run(work: () => Promise<void>): Promise<void> {
    if (this.#running === undefined) {
      const running = work().finally(() => {
        if (this.#running === running) this.#running = undefined;
      });
      this.#running = running;
      return running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.run(work);
      });
    return this.#next;
  }
}
