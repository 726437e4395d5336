/** What the parts of the stores' contracts share: a running store, and short words for operations and refusals. */
import { isBailiwickError } from '@bailiwick/contract';
import { expect } from 'vitest';
import type { KeyValueStore, Operation } from './key-value-store.port.js';

/** One running store, empty at the start. */
export interface StoreUnderTest {
  readonly store: KeyValueStore;
  /** Closes `store` and opens the same data again, as another process would. */
  reopen(): Promise<KeyValueStore>;
  /** Forgets history up to the revision. */
  compact(revision: number): Promise<void>;
  /** Closes and deletes everything. */
  dispose(): Promise<void>;
}

export type StartStore = () => Promise<StoreUnderTest>;

export const put = (key: string, value: string): Operation => ({ kind: 'put', key, value });
export const remove = (key: string): Operation => ({ kind: 'delete', key });

/** Asserts that the promise rejects with this reason. */
export async function expectReason(promise: Promise<unknown>, reason: string): Promise<void> {
  const error: unknown = await promise.then(
    () => 'resolved',
    (rejection: unknown) => rejection,
  );
  expect(isBailiwickError(error) ? error.details.reason : error).toBe(reason);
}
