/** The rules of `KeyValueStore.transact` that need no store to check; the same for every adapter. */
import type { Compare, Operation } from '../ports/key-value-store.port.js';

const maxOperations = 128;

/** Errors: RangeError for a transaction that no adapter may accept (a fault of the calling code, not of a user). */
export function assertTransaction(conditions: readonly Compare[], operations: readonly Operation[]): void {
  if (operations.length > maxOperations) throw new RangeError(`a transaction has at most ${maxOperations} operations`);
  const keys = new Set<string>();
  for (const { key } of operations) {
    if (key === '') throw new RangeError('a key is not empty');
    if (keys.has(key)) throw new RangeError(`a transaction names a key once: ${JSON.stringify(key)}`);
    keys.add(key);
  }
  for (const { key, modRevision } of conditions) {
    if (key === '') throw new RangeError('a key is not empty');
    if (!Number.isSafeInteger(modRevision) || modRevision < 0) throw new RangeError('a revision is a whole number');
  }
}
