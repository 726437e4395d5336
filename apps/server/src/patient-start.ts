/** A start that waits for its stores: after a power cut everything starts at once, and a store's majority may be the last to come. */
import { isBailiwickError } from '@bailiwick/contract';

const pauseMs = 500;

export interface Patience {
  /** From the first attempt on; the attempt that begins last may end later. */
  readonly patienceMs: number;
  /** `why` names the store and what it said. Called once for each different reason. */
  onWait(why: string): void;
}

/** Calls `start` until it succeeds. Rejects with its error at once when no store is to blame, else when patience is over. */
export async function startPatiently<T>(start: () => Promise<T>, { patienceMs, onWait }: Patience): Promise<T> {
  const endMs = performance.now() + patienceMs;
  let told = '';
  for (;;) {
    try {
      return await start();
    } catch (error) {
      const isStoreAway = isBailiwickError(error) && error.details.reason === 'store.unavailable';
      if (!isStoreAway || performance.now() >= endMs) throw error;
      const why = error.details.operatorMessage ?? error.message;
      if (why !== told) onWait(why);
      told = why;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
