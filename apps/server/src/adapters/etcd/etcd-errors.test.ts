import { isBailiwickError } from '@bailiwick/contract';
import { describe, expect, it } from 'vitest';
import { finalError, mayHaveHappened } from './etcd-errors.js';

describe('whether a failed write may have happened', () => {
  it.each([
    ['14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:2379', false],
    ['14 UNAVAILABLE: etcdserver: no leader', false],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', false],
    ['16 UNAUTHENTICATED: etcdserver: invalid auth token', false],
    ['14 UNAVAILABLE: Connection dropped', true],
    ['14 UNAVAILABLE: read ECONNRESET', true],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 2.5s', true],
    ['14 UNAVAILABLE: etcdserver: request timed out', true],
    ['14 UNAVAILABLE: etcdserver: leader changed', true],
    ['14 UNAVAILABLE: etcdserver: server stopped', true],
  ])('%s: %s', (text, expected) => {
    expect(mayHaveHappened(new Error(text))).toBe(expected);
  });
});

describe('errors that no repetition helps', () => {
  it.each([
    ['etcdserver: requested lease not found', 'store.lease_lost'],
    ['etcdserver: request is too large', 'store.too_large'],
    ['8 RESOURCE_EXHAUSTED: trying to send message larger than max (9 vs. 8)', 'store.too_large'],
    ['etcdserver: permission denied', 'store.unavailable'],
    ['etcdserver: request timed out', undefined],
    ['etcdserver: mvcc: database space exceeded', undefined],
  ])('%s becomes %s', (text, reason) => {
    const error = finalError(new Error(text));
    expect(isBailiwickError(error) ? error.details.reason : undefined).toBe(reason);
  });
});
