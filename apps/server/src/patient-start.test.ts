import { BailiwickError } from '@bailiwick/contract';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { storeUnavailable } from './adapters/store-errors.js';
import { startPatiently } from './patient-start.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A start that fails with `errors` in turn, then succeeds. */
function startAfter(...errors: Error[]) {
  return vi.fn(async () => {
    const error = errors.shift();
    if (error) throw error;
    return 'started';
  });
}

describe('a start whose store is away', () => {
  it('is tried again until the store is there, and says once what it waits for', async () => {
    const away = storeUnavailable('etcd', new Error('no leader'));
    const start = startAfter(away, away, storeUnavailable('PostgreSQL', new Error('refused')));
    const onWait = vi.fn();
    const started = startPatiently(start, { patienceMs: 60_000, onWait });
    await vi.advanceTimersByTimeAsync(1_500);
    expect(await started).toBe('started');
    expect(onWait.mock.calls).toEqual([['etcd: no leader'], ['PostgreSQL: refused']]);
  });

  it('fails with the error of its store when patience is over', async () => {
    const away = storeUnavailable('etcd', new Error('no leader'));
    const start = vi.fn(async () => await Promise.reject(away));
    const started = startPatiently(start, { patienceMs: 2_000, onWait: () => undefined });
    const refused = expect(started).rejects.toBe(away);
    await vi.advanceTimersByTimeAsync(2_000);
    await refused;
    expect(start).toHaveBeenCalledTimes(5);
  });

  it.each([
    new Error('EADDRINUSE'),
    new BailiwickError('unavailable', { reason: 'store.lease_lost', message: 'gone', retryAfterSeconds: 1 }),
  ])('fails at once when no store is to blame: %s', async (error) => {
    const start = startAfter(error);
    await expect(startPatiently(start, { patienceMs: 60_000, onWait: () => undefined })).rejects.toBe(error);
    expect(start).toHaveBeenCalledTimes(1);
  });
});
