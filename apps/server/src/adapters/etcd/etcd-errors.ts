/**
 * What etcd's errors mean for us. Two questions decide: may the call have been done (then a write must not be repeated),
 * and would another member do better. gRPC has no codes for it, so the answers are in the texts of `api/v3rpc/rpctypes`.
 */
import { BailiwickError } from '@bailiwick/contract';
import { leaseLost, storeUnavailable } from '../store-errors.js';

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Refused before anything was proposed, or never sent: repeating is safe for a write too. */
const notDone = [
  'no leader',
  'not leader',
  'No connection established',
  'ECONNREFUSED',
  'Name resolution failed',
  'too many requests',
  'invalid auth token',
  'auth store is old',
  'Channel has been shut down',
];

export function mayHaveHappened(error: unknown): boolean {
  const text = textOf(error);
  return !notDone.some((part) => text.includes(part));
}

/** The token may be no longer good: sign in again. A watch is told of an unknown token as `permission denied`. */
export function isTokenFault(error: unknown): boolean {
  const text = textOf(error);
  return ['invalid auth token', 'auth store is old', 'permission denied'].some((part) => text.includes(part));
}

export const isLeaseGone = (error: unknown): boolean => textOf(error).includes('requested lease not found');

const tooLarge = (cause: unknown): BailiwickError =>
  new BailiwickError('too-large', {
    reason: 'store.too_large',
    message: 'The change is larger than the store takes in one transaction. Make it smaller.',
    operatorMessage: `etcd: ${textOf(cause)}; raise --max-request-bytes (deploy/etcd) when the limits of policies are right`,
    cause,
  });

/** An error that no other member and no repetition can help, as ours; undefined for the rest. */
export function finalError(error: unknown): Error | undefined {
  const text = textOf(error);
  if (isLeaseGone(error)) return leaseLost('of this write');
  if (text.includes('request is too large') || text.includes('larger than max')) return tooLarge(error);
  const isRefusal = ['permission denied', 'authentication failed', 'user name is empty'].some((part) =>
    text.includes(part),
  );
  return isRefusal ? storeUnavailable('etcd', error) : undefined;
}
