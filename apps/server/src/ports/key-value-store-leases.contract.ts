/** The contract of leases, a part of `describeKeyValueStore`. */
import { expect, it, vi } from 'vitest';
import type { ChangeBatch, Operation } from './key-value-store.port.js';
import { expectReason, put, type StoreUnderTest } from './store-under-test.contract.js';

const leased = (key: string, leaseId: string): Operation => ({ kind: 'put', key, value: 'alive', leaseId });

export function describeLeases(get: () => StoreUnderTest): void {
  it('takes its keys with it when it is released, which a watch sees', async () => {
    const { store } = get();
    const lease = await store.grantLease(10_000);
    const { revision } = await store.transact([], [leased('/lease/a', lease.id), leased('/lease/b', lease.id)]);
    const batches: ChangeBatch[] = [];
    const watch = store.watch({
      prefix: '/lease/',
      afterRevision: revision,
      onBatch: (batch) => batches.push(batch),
      onResync: () => undefined,
    });
    expect((await store.range('/lease/')).items).toHaveLength(2);
    await lease.release();
    await lease.lost;
    expect((await store.range('/lease/')).items).toEqual([]);
    await vi.waitFor(() => expect(batches.flatMap((batch) => batch.events)).toHaveLength(2), { timeout: 5000 });
    expect(batches.flatMap((batch) => batch.events).map((event) => event.kind)).toEqual(['delete', 'delete']);
    await watch.close();
  });

  it('keeps a key alive for longer than the time to live', async () => {
    const { store } = get();
    const lease = await store.grantLease(2000);
    let isLost = false;
    void lease.lost.then(() => {
      isLost = true;
    });
    await store.transact([], [leased('/lease/long', lease.id)]);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect(isLost).toBe(false);
    expect((await store.get('/lease/long'))?.value).toBe('alive');
    await lease.release();
  });

  it('leaves a key alone that was put again without it', async () => {
    const { store } = get();
    const lease = await store.grantLease(10_000);
    await store.transact([], [leased('/lease/kept', lease.id)]);
    await store.transact([], [put('/lease/kept', 'own')]);
    await lease.release();
    expect((await store.get('/lease/kept'))?.value).toBe('own');
  });

  it('refuses a put with a lease that is gone', async () => {
    const { store } = get();
    const lease = await store.grantLease(10_000);
    await lease.release();
    await lease.release();
    await expectReason(store.transact([], [leased('/lease/late', lease.id)]), 'store.lease_lost');
    expect(await store.get('/lease/late')).toBeUndefined();
  });
}
