/**
 * The contract of `KeyValueStore`: every sentence of the port as a test, for every adapter. An adapter's test file calls
 * `describeKeyValueStore` with a way to start it; an adapter without that does not merge.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyValueStore, Operation } from './key-value-store.port.js';
import { describeLeases } from './key-value-store-leases.contract.js';
import { describeWatches } from './key-value-store-watches.contract.js';
import { expectReason, put, remove, type StartStore, type StoreUnderTest } from './store-under-test.contract.js';

export function describeKeyValueStore(name: string, start: StartStore): void {
  describe(`KeyValueStore: ${name}`, () => {
    let under: StoreUnderTest | undefined;
    let store: KeyValueStore;
    beforeAll(async () => {
      under = await start();
      store = under.store;
    }, 60_000);
    afterAll(() => under?.dispose(), 60_000);

    describe('get and transact', () => describeTransactions(() => store));
    describe('concurrency', () => describeConcurrency(() => store));
    describe('range', () => describeRanges(() => store));
    describe('watch', () => describeWatches(() => under as StoreUnderTest));
    describe('lease', () => describeLeases(() => under as StoreUnderTest));
    describe('reopen and close', () => describeLifetime(start));
  });
}

function describeTransactions(get: () => KeyValueStore): void {
  it('knows nothing of a key that was never put', async () => {
    expect(await get().get('/none')).toBeUndefined();
  });

  it('gives all keys of a transaction its one revision, and each transaction a larger one', async () => {
    const first = await get().transact([], [put('/t/a', '1'), put('/t/b', '2')]);
    const second = await get().transact([], [put('/t/a', '3')]);
    expect(first.succeeded && second.succeeded).toBe(true);
    expect(second.revision).toBeGreaterThan(first.revision);
    const createRevision = first.revision;
    expect(await get().get('/t/a')).toEqual({
      key: '/t/a',
      value: '3',
      createRevision,
      modRevision: second.revision,
    });
    expect(await get().get('/t/b')).toEqual({ key: '/t/b', value: '2', createRevision, modRevision: createRevision });
  });

  it('makes a deleted key anew', async () => {
    const { revision: made } = await get().transact([], [put('/t/again', '1')]);
    const { revision: gone } = await get().transact([], [remove('/t/again')]);
    expect(gone).toBeGreaterThan(made);
    expect(await get().get('/t/again')).toBeUndefined();
    const { revision } = await get().transact([], [put('/t/again', '2')]);
    expect(await get().get('/t/again')).toMatchObject({ createRevision: revision, modRevision: revision });
  });

  it('takes modRevision 0 as: the key does not exist', async () => {
    expect((await get().transact([{ key: '/t/new', modRevision: 0 }], [put('/t/new', '1')])).succeeded).toBe(true);
    expect((await get().transact([{ key: '/t/new', modRevision: 0 }], [put('/t/new', '2')])).succeeded).toBe(false);
    expect((await get().get('/t/new'))?.value).toBe('1');
  });

  it('does nothing when one of several conditions does not hold, and answers the store’s revision', async () => {
    const { revision } = await get().transact([], [put('/t/c1', '1'), put('/t/c2', '1')]);
    const conditions = [
      { key: '/t/c1', modRevision: revision },
      { key: '/t/c2', modRevision: revision - 1 },
    ];
    const refused = await get().transact(conditions, [put('/t/c1', '2'), put('/t/c3', '2'), remove('/t/c2')]);
    expect(refused).toEqual({ succeeded: false, revision });
    expect((await get().range('/t/c')).items.map((item) => [item.key, item.value])).toEqual([
      ['/t/c1', '1'],
      ['/t/c2', '1'],
    ]);
  });

  it('does all operations when all conditions hold', async () => {
    const { revision } = await get().transact([], [put('/t/d1', '1'), put('/t/d2', '1')]);
    const conditions = [
      { key: '/t/d1', modRevision: revision },
      { key: '/t/d2', modRevision: revision },
      { key: '/t/d3', modRevision: 0 },
    ];
    const done = await get().transact(conditions, [put('/t/d1', '2'), remove('/t/d2'), put('/t/d3', '2')]);
    expect(done).toEqual({ succeeded: true, revision: revision + 1 });
    expect((await get().range('/t/d')).items.map((item) => item.key)).toEqual(['/t/d1', '/t/d3']);
  });

  it('makes no revision when nothing is written', async () => {
    const { revision } = await get().transact([], [put('/t/e', '1')]);
    expect(await get().transact([{ key: '/t/e', modRevision: revision }], [])).toEqual({ succeeded: true, revision });
    expect(await get().transact([], [remove('/t/never')])).toEqual({ succeeded: true, revision });
  });

  it('keeps any text exactly: empty, 1 MiB, every plane of Unicode, control characters', async () => {
    const texts = ['', 'x'.repeat(1024 * 1024), 'ä€😀\u{10ffff}\ufffd\u2028', '\u0000\u0001\t\r\n"\\', '{"a":1.0}'];
    for (const [index, text] of texts.entries()) await get().transact([], [put(`/t/text/${index}`, text)]);
    const { items } = await get().range('/t/text/');
    expect(items.map((item) => item.value === texts[Number(item.key.slice(8))])).toEqual(texts.map(() => true));
    for (const [index, text] of texts.entries())
      expect((await get().get(`/t/text/${index}`))?.value === text).toBe(true);
  });

  it('takes 128 operations and refuses 129, a key named twice and an empty key', async () => {
    const many = (count: number): Operation[] => Array.from({ length: count }, (_, i) => put(`/t/many/${i}`, 'v'));
    expect((await get().transact([], many(128))).succeeded).toBe(true);
    expect((await get().range('/t/many/')).items).toHaveLength(128);
    await expect(get().transact([], many(129))).rejects.toThrow(RangeError);
    await expect(get().transact([], [put('/t/x', '1'), remove('/t/x')])).rejects.toThrow(RangeError);
    await expect(get().transact([], [put('', '1')])).rejects.toThrow(RangeError);
    expect(await get().get('/t/x')).toBeUndefined();
  });

  it('reports its health, its revision and when it last heard from the store', async () => {
    const before = Date.now();
    const { revision } = await get().transact([], [put('/t/status', '1')]);
    const status = await get().status();
    expect(status).toMatchObject({ isHealthy: true, revision });
    expect(status.lastContactMs).toBeGreaterThanOrEqual(before);
  });
}

function describeConcurrency(get: () => KeyValueStore): void {
  it('lets exactly one of 100 racing compare-and-sets win', async () => {
    const { revision } = await get().transact([], [put('/race/key', 'start')]);
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        get().transact(
          [{ key: '/race/key', modRevision: revision }],
          [put('/race/key', `${i}`), put(`/race/${i}`, '')],
        ),
      ),
    );
    const winners = results.flatMap((result, index) => (result.succeeded ? [index] : []));
    expect(winners).toHaveLength(1);
    expect((await get().get('/race/key'))?.value).toBe(String(winners[0]));
    expect((await get().range('/race/')).items.map((item) => item.key)).toEqual([`/race/${winners[0]}`, '/race/key']);
  });

  it('loses no increment of a counter under contention', async () => {
    await get().transact([], [put('/count', '0')]);
    const increment = async (): Promise<void> => {
      for (;;) {
        const item = await get().get('/count');
        if (!item) throw new Error('the counter is gone');
        const { key, modRevision } = item;
        const { succeeded } = await get().transact([{ key, modRevision }], [put(key, String(Number(item.value) + 1))]);
        if (succeeded) return;
      }
    };
    await Promise.all(Array.from({ length: 25 }, increment));
    expect((await get().get('/count'))?.value).toBe('25');
  });

  it('shows an acknowledged write to every later read', async () => {
    for (let round = 0; round < 50; round += 1) {
      await get().transact([], [put('/fresh', String(round))]);
      const [one, many] = await Promise.all([get().get('/fresh'), get().range('/fresh')]);
      expect([one?.value, many.items[0]?.value]).toEqual([String(round), String(round)]);
    }
  });

  it('reads a range at one revision while transactions go on', async () => {
    let isOver = false;
    const write = async (): Promise<void> => {
      for (let round = 0; !isOver; round += 1)
        await get().transact([], [put('/pair/a', String(round)), put('/pair/b', String(round))]);
    };
    const writing = write();
    try {
      for (let round = 0; round < 100; round += 1) {
        const { revision, items } = await get().range('/pair/');
        expect(items[0]?.value).toBe(items[1]?.value);
        expect(items[0]?.modRevision).toBe(items[1]?.modRevision);
        expect(revision).toBeGreaterThanOrEqual(items[0]?.modRevision ?? 0);
      }
    } finally {
      isOver = true;
      await writing;
    }
  });
}

function describeRanges(get: () => KeyValueStore): void {
  it('orders keys by their bytes, whatever the script', async () => {
    const keys = ['/r/', '/r/Z', '/r/a', '/r/a/b', '/r/aa', '/r/é', '/r/€', '/r/\ufffd', '/r/😀'];
    for (const key of keys.toReversed()) await get().transact([], [put(key, key)]);
    expect((await get().range('/r/')).items.map((item) => item.key)).toEqual(keys);
    expect((await get().range('/r/a')).items.map((item) => item.key)).toEqual(['/r/a', '/r/a/b', '/r/aa']);
    expect((await get().range('/r/😀')).items.map((item) => item.value)).toEqual(['/r/😀']);
    expect((await get().range('/r/none')).items).toEqual([]);
  });

  it('does not take a neighbour for a member of the prefix', async () => {
    await get().transact([], [put('/n/team', '1'), put('/n/team-a', '1'), put('/n/team/x', '1'), put('/n/teal', '1')]);
    expect((await get().range('/n/team/')).items.map((item) => item.key)).toEqual(['/n/team/x']);
    await get().transact([], [put('\u{10ffff}', 'last'), put('\u{10ffff}\u{10ffff}', 'after')]);
    expect((await get().range('\u{10ffff}')).items.map((item) => item.value)).toEqual(['last', 'after']);
  });

  it('cuts at the limit and leaves values out on request', async () => {
    const { revision } = await get().transact([], [put('/l/1', 'a'), put('/l/2', 'b'), put('/l/3', 'c')]);
    expect((await get().range('/l/', { limit: 2 })).items.map((item) => item.value)).toEqual(['a', 'b']);
    const keys = await get().range('/l/', { keysOnly: true });
    expect(keys.items.map((item) => [item.key, item.value, item.modRevision])).toEqual([
      ['/l/1', '', revision],
      ['/l/2', '', revision],
      ['/l/3', '', revision],
    ]);
  });

  it('returns 10,000 keys', async () => {
    const value = 'v'.repeat(500);
    const keys = Array.from({ length: 10_000 }, (_, i) => `/many/${String(i).padStart(5, '0')}`);
    const chunks = Array.from({ length: 100 }, (_, i) => keys.slice(i * 100, i * 100 + 100));
    await Promise.all(
      chunks.map((chunk) =>
        get().transact(
          [],
          chunk.map((key) => put(key, value)),
        ),
      ),
    );
    const { items } = await get().range('/many/');
    expect(items.map((item) => item.key)).toEqual(keys);
    expect(items.every((item) => item.value === value)).toBe(true);
  }, 60_000);
}

function describeLifetime(start: StartStore): void {
  it('has every acknowledged write, and goes on with larger revisions, after it was opened again', async () => {
    const under = await start();
    try {
      const { revision } = await under.store.transact([], [put('/keep/a', '1'), put('/keep/b', '2')]);
      const { revision: last } = await under.store.transact([], [remove('/keep/b')]);
      const again = await under.reopen();
      expect((await again.range('/keep/')).items).toEqual([
        { key: '/keep/a', value: '1', createRevision: revision, modRevision: revision },
      ]);
      expect((await again.transact([], [put('/keep/c', '3')])).revision).toBeGreaterThan(last);
    } finally {
      await under.dispose();
    }
  }, 60_000);

  it('refuses every call after close, and may be closed twice', async () => {
    const under = await start();
    const { store } = under;
    try {
      await store.transact([], [put('/closed', '1')]);
      const lease = await store.grantLease(5000);
      await store.close();
      await store.close();
      await lease.lost;
      await expectReason(store.get('/closed'), 'store.unavailable');
      await expectReason(store.range('/closed'), 'store.unavailable');
      await expectReason(store.transact([], [put('/closed', '2')]), 'store.unavailable');
      await expectReason(store.grantLease(5000), 'store.unavailable');
      expect((await store.status()).isHealthy).toBe(false);
    } finally {
      await under.dispose();
    }
  }, 60_000);
}
