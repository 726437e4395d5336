/** The errors that every store adapter rejects with, so that a caller never sees a driver's own. */
import { BailiwickError } from '@bailiwick/contract';

const retryAfterSeconds = 2;

/** `store.unavailable`: the backend cannot serve now. `store` names it for the operator: 'SQLite', 'etcd', 'MongoDB'. */
export function storeUnavailable(store: string, cause: unknown): BailiwickError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BailiwickError('unavailable', {
    reason: 'store.unavailable',
    message: 'The store cannot be reached or cannot write at the moment. Nothing is half-written; try again shortly.',
    retryAfterSeconds,
    operatorMessage: `${store}: ${why}`,
    cause,
  });
}

/** `store.lease_lost`: a put named a lease that has expired or was released. */
export function leaseLost(leaseId: string): BailiwickError {
  return new BailiwickError('unavailable', {
    reason: 'store.lease_lost',
    message: 'The lease this write depends on has expired. Take a new lease and try again.',
    retryAfterSeconds: 1,
    operatorMessage: `lease ${leaseId} is gone`,
  });
}
