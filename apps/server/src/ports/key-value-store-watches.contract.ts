/** The contract of watches, a part of `describeKeyValueStore`. */
import { expect, it, vi } from 'vitest';
import type { ChangeBatch, KeyValueStore, RangeResult, Watch } from './key-value-store.port.js';
import { put, remove, type StoreUnderTest } from './store-under-test.contract.js';

interface Recorder {
  readonly batches: ChangeBatch[];
  readonly resyncs: RangeResult[];
  readonly health: boolean[];
  readonly watch: Watch;
}

function record(store: KeyValueStore, prefix: string, afterRevision: number): Recorder {
  const batches: ChangeBatch[] = [];
  const resyncs: RangeResult[] = [];
  const health: boolean[] = [];
  const watch = store.watch({
    prefix,
    afterRevision,
    onBatch: (batch) => batches.push(batch),
    onResync: (range) => resyncs.push(range),
    onHealth: (isConnected) => health.push(isConnected),
  });
  return { batches, resyncs, health, watch };
}

const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 15_000, interval: 10 });

export function describeWatches(get: () => StoreUnderTest): void {
  it('delivers whole transactions of the prefix, in order, with their revision', async () => {
    const { store } = get();
    const { revision: base } = await store.transact([], [put('/w1/old', '0')]);
    const seen = record(store, '/w1/', base);
    await until(() => expect(seen.health).toEqual([true]));
    const { revision: first } = await store.transact([], [put('/w1/a', '1'), put('/else', '1'), put('/w1/b', '1')]);
    await store.transact([], [put('/else', '2')]);
    const { revision: second } = await store.transact([], [remove('/w1/a'), put('/w1/b', '2')]);
    await until(() => expect(seen.batches).toHaveLength(2));
    const item = (key: string, value: string, createRevision: number, modRevision: number) => ({
      kind: 'put',
      item: { key, value, createRevision, modRevision },
    });
    expect(seen.batches).toEqual([
      { revision: first, events: [item('/w1/a', '1', first, first), item('/w1/b', '1', first, first)] },
      {
        revision: second,
        events: [{ kind: 'delete', key: '/w1/a', modRevision: second }, item('/w1/b', '2', first, second)],
      },
    ]);
    await seen.watch.close();
  });

  it('resumes after any revision it once saw, the same for every watcher', async () => {
    const { store } = get();
    const revisions: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const operations = [put('/w2/a', String(i)), i % 3 === 0 ? put('/w2/b', String(i)) : remove('/w2/b')];
      revisions.push((await store.transact([], operations)).revision);
    }
    const [first = 0] = revisions;
    const full = record(store, '/w2/', first - 1);
    await until(() => expect(full.batches.map((batch) => batch.revision)).toEqual(revisions));
    for (const [index, revision] of revisions.entries()) {
      const part = record(store, '/w2/', revision);
      await until(() => expect(part.batches).toEqual(full.batches.slice(index + 1)));
      await part.watch.close();
    }
    expect(full.resyncs).toEqual([]);
    await full.watch.close();
  });

  it('skips none, doubles none and halves none while many write and watches come and go', async () => {
    const { store } = get();
    const { revision: base } = await store.transact([], [put('/w3/start', '')]);
    const recorders = [record(store, '/w3/', base)];
    const acknowledged: number[] = [];
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; i < 40; i += 1) {
        const operations = [0, 1, 2].map((part) => put(`/w3/${writer}/${part}`, String(i)));
        acknowledged.push((await store.transact([], operations)).revision);
        if (writer === 0 && i % 8 === 0) recorders.push(record(store, '/w3/', base));
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    const expected = acknowledged.toSorted((a, b) => a - b);
    for (const { batches, watch } of recorders) {
      await until(() => expect(batches).toHaveLength(expected.length));
      expect(batches.map((batch) => batch.revision)).toEqual(expected);
      expect(batches.every((batch) => batch.events.length === 3)).toBe(true);
      await watch.close();
    }
  });

  it('delivers 1 MiB values and transactions of 128 keys whole', async () => {
    const { store } = get();
    const { revision: base } = await store.transact([], [put('/w4/start', '')]);
    const seen = record(store, '/w4/', base);
    const big = 'y'.repeat(1024 * 1024);
    await store.transact([], [put('/w4/big', big)]);
    await store.transact(
      [],
      Array.from({ length: 128 }, (_, i) => put(`/w4/k${i}`, 'z'.repeat(8000))),
    );
    await until(() => expect(seen.batches.map((batch) => batch.events.length)).toEqual([1, 128]));
    const [event] = seen.batches[0]?.events ?? [];
    expect(event?.kind === 'put' && event.item.value === big).toBe(true);
    await seen.watch.close();
  });

  it('lists anew when the history after the revision is gone, and goes on from there', async () => {
    const { store } = get();
    const { revision: old } = await store.transact([], [put('/w5/a', '1'), put('/w5/b', '1')]);
    await store.transact([], [put('/w5/a', '2')]);
    const { revision: last } = await store.transact([], [remove('/w5/b')]);
    await get().compact(last);
    const seen = record(store, '/w5/', old);
    await until(() => expect(seen.resyncs).toHaveLength(1));
    expect(seen.resyncs[0]?.items.map((item) => [item.key, item.value])).toEqual([['/w5/a', '2']]);
    expect(seen.resyncs[0]?.revision).toBeGreaterThanOrEqual(last);
    const { revision } = await store.transact([], [put('/w5/c', '3')]);
    await until(() => expect(seen.batches.map((batch) => batch.revision)).toEqual([revision]));
    await seen.watch.close();
    // What lives was not forgotten.
    expect((await store.get('/w5/a'))?.value).toBe('2');
  });

  it('resumes right after a compacted revision without listing', async () => {
    const { store } = get();
    const { revision: base } = await store.transact([], [put('/w6/a', '1')]);
    const { revision } = await store.transact([], [put('/w6/a', '2')]);
    await get().compact(base);
    const seen = record(store, '/w6/', base);
    await until(() => expect(seen.batches.map((batch) => batch.revision)).toEqual([revision]));
    expect(seen.resyncs).toEqual([]);
    await seen.watch.close();
  });

  it('lists anew when the revision is of another store: newer than anything here', async () => {
    const { store } = get();
    const { revision: here } = await store.transact([], [put('/w7/a', '1')]);
    const seen = record(store, '/w7/', here + 1_000_000);
    await until(() => expect(seen.resyncs).toHaveLength(1));
    expect(seen.resyncs[0]?.items.map((item) => item.key)).toEqual(['/w7/a']);
    const { revision } = await store.transact([], [put('/w7/b', '1')]);
    await until(() => expect(seen.batches.map((batch) => batch.revision)).toEqual([revision]));
    await seen.watch.close();
  });

  it('calls nothing after close, and is not disturbed by another watcher that throws', async () => {
    const { store } = get();
    const { revision: base } = await store.transact([], [put('/w8/a', '1')]);
    const closed = record(store, '/w8/', base);
    const throwing = store.watch({
      prefix: '/w8/',
      afterRevision: base,
      onBatch: () => {
        throw new Error('planted by the contract suite');
      },
      onResync: () => undefined,
    });
    const seen = record(store, '/w8/', base);
    await until(() => expect(seen.health).toEqual([true]));
    await closed.watch.close();
    await closed.watch.close();
    const { revision: first } = await store.transact([], [put('/w8/a', '2')]);
    const { revision: second } = await store.transact([], [put('/w8/a', '3')]);
    await until(() => expect(seen.batches.map((batch) => batch.revision)).toEqual([first, second]));
    expect(closed.batches).toEqual([]);
    await Promise.all([throwing.close(), seen.watch.close()]);
  });
}
