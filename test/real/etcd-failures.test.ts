/** Real etcd members are killed, frozen and compacted while the adapter works; what the port promises must hold. */
import { afterEach, expect, it, vi } from 'vitest';
import { type EtcdKeyValueStore, openEtcd } from '../../apps/server/src/adapters/etcd/etcd-key-value-store.js';
import type { ChangeBatch, KeyValueStore, RangeResult } from '../../apps/server/src/ports/key-value-store.port.js';
import { expectReason, put } from '../../apps/server/src/ports/store-under-test.contract.js';
import { type EtcdOptions, type EtcdServer, startEtcd } from '../servers/etcd.js';
import { describeWithServer } from '../servers/presence.js';

/** No call may take longer, whatever is broken. */
const boundMs = 3000;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
}, 60_000);

async function start(options: EtcdOptions): Promise<EtcdServer> {
  const server = await startEtcd(options);
  closers.push(() => server.stop());
  return server;
}

function connect(endpoints: readonly string[]): EtcdKeyValueStore {
  const store = openEtcd({ endpoints });
  closers.push(() => store.close());
  return store;
}

function follow(store: KeyValueStore, prefix: string, afterRevision: number) {
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
  closers.push(() => watch.close());
  return { batches, resyncs, health };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Load {
  readonly acknowledged: Map<string, number>;
  readonly failures: string[];
  /** The longest time without an acknowledged write. */
  longestGapMs: number;
  stop(): Promise<void>;
}

/** Writers that each put a new pair of keys, again and again. */
function writeUnder(store: KeyValueStore, prefix: string, writers: number): Load {
  let isOver = false;
  let lastMs = Date.now();
  const load: Load = { acknowledged: new Map(), failures: [], longestGapMs: 0, stop: async () => undefined };
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; !isOver; i += 1) {
      const key = `${prefix}${writer}/${i}`;
      try {
        const startedMs = Date.now();
        const { revision } = await store.transact([{ key, modRevision: 0 }], [put(key, key), put(`${key}/twin`, key)]);
        expect(Date.now() - startedMs).toBeLessThan(boundMs);
        load.acknowledged.set(key, revision);
        load.longestGapMs = Math.max(load.longestGapMs, Date.now() - lastMs);
        lastMs = Date.now();
      } catch (error) {
        load.failures.push(String(error));
      }
    }
  };
  const working = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  load.stop = async () => {
    isOver = true;
    await working;
  };
  return load;
}

/** Every acknowledged write is there, whole, and the watch told each exactly once, in order. */
async function expectNothingLost(store: KeyValueStore, prefix: string, load: Load, batches: readonly ChangeBatch[]) {
  const { items, revision } = await store.range(prefix);
  const found = new Map(items.map((item) => [item.key, item.modRevision]));
  for (const [key, at] of load.acknowledged) {
    expect(found.get(key), key).toBe(at);
    expect(found.get(`${key}/twin`), key).toBe(at);
  }
  await vi.waitFor(() => expect(batches.at(-1)?.revision).toBe(revision), { timeout: 15_000 });
  const revisions = batches.map((batch) => batch.revision);
  expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
  expect(batches.every((batch) => batch.events.length === 2)).toBe(true);
  expect(batches.length * 2).toBe(items.length);
}

function describeFailures(): void {
  it('loses no acknowledged write when the leader is killed under load, three times', async () => {
    const server = await start({ members: 3 });
    const store = connect(server.endpoints);
    const { revision } = await store.transact([], [put('/first', '')]);
    const { batches, resyncs } = follow(store, '/load/', revision);
    const load = writeUnder(store, '/load/', 16);
    for (let round = 0; round < 3; round += 1) {
      await sleep(1500);
      const leader = await server.leader();
      await server.kill(leader);
      await sleep(4000);
      await server.restart(leader);
    }
    await load.stop();
    const { acknowledged, failures, longestGapMs } = load;
    console.log(
      `leader killed 3 times: ${acknowledged.size} writes, ${failures.length} refused, gap ${longestGapMs} ms`,
    );
    expect(acknowledged.size).toBeGreaterThan(100);
    expect(longestGapMs).toBeLessThan(6000);
    expect(resyncs).toEqual([]);
    await expectNothingLost(store, '/load/', load, batches);
  }, 120_000);

  it('refuses within bounds without a quorum, says so, and comes back by itself', async () => {
    const server = await start({ members: 3 });
    const store = connect(server.endpoints);
    const { revision } = await store.transact([], [put('/q/a', '1')]);
    const { batches, health } = follow(store, '/q/', revision);
    await vi.waitFor(() => expect(health).toEqual([true]));
    await server.kill(0);
    await server.kill(1);
    for (const call of [
      () => store.transact([], [put('/q/a', '2')]),
      () => store.get('/q/a'),
      () => store.range('/q/'),
      () => store.grantLease(5000),
    ]) {
      const startedMs = Date.now();
      await expectReason(call(), 'store.unavailable');
      expect(Date.now() - startedMs).toBeLessThan(boundMs);
    }
    expect(await store.status()).toMatchObject({ isHealthy: false, revision });
    await vi.waitFor(() => expect(health).toEqual([true, false]), { timeout: 15_000 });
    await server.restart(0);
    await vi.waitFor(async () => expect((await store.status()).isHealthy).toBe(true), { timeout: 15_000 });
    const before = await store.get('/q/a');
    // The refused write may have waited in the survivor's log and happened after all.
    expect(['1', '2']).toContain(before?.value);
    const { revision: after } = await store.transact([], [put('/q/a', '3')]);
    await vi.waitFor(() => expect(batches.at(-1)?.revision).toBe(after), { timeout: 15_000 });
    expect(health.at(-1)).toBe(true);
  }, 120_000);

  it('goes on with another member when the connected one is frozen, calls and watches alike', async () => {
    const server = await start({ members: 3 });
    const store = connect(server.endpoints);
    const { revision } = await store.transact([], [put('/f/0', '')]);
    const { batches, resyncs } = follow(store, '/f/', revision);
    const slowest: number[] = [];
    for (const member of [0, 1, 2]) {
      server.pause(member);
      const startedMs = Date.now();
      const key = `/f/${member + 1}`;
      await vi.waitFor(() => store.transact([], [put(key, '')]), { timeout: 10_000 });
      await vi.waitFor(
        () =>
          expect(
            batches.flatMap((batch) => batch.events.map((event) => event.kind === 'put' && event.item.key)),
          ).toContain(key),
        { timeout: 10_000 },
      );
      slowest.push(Date.now() - startedMs);
      server.resume(member);
      await sleep(1500);
    }
    console.log(`frozen member: written and seen after ${slowest.join(', ')} ms`);
    expect(Math.max(...slowest)).toBeLessThan(10_000);
    expect(resyncs).toEqual([]);
  }, 120_000);

  it('refuses within bounds when the only member is frozen, and works again when it wakes', async () => {
    const server = await start({ members: 1 });
    const store = connect(server.endpoints);
    const { revision } = await store.transact([], [put('/z', '1')]);
    const { batches, health } = follow(store, '/z', revision);
    await vi.waitFor(() => expect(health).toEqual([true]));
    server.pause(0);
    const startedMs = Date.now();
    await expectReason(store.get('/z'), 'store.unavailable');
    expect(Date.now() - startedMs).toBeLessThan(boundMs);
    await vi.waitFor(() => expect(health).toEqual([true, false]), { timeout: 10_000 });
    server.resume(0);
    await vi.waitFor(async () => expect((await store.status()).isHealthy).toBe(true), { timeout: 10_000 });
    const { revision: after } = await store.transact([], [put('/z', '2')]);
    await vi.waitFor(() => expect(batches.map((batch) => batch.revision)).toContain(after), { timeout: 10_000 });
  }, 60_000);

  it('lists anew after a compaction that happened while it was disconnected, and goes on', async () => {
    const server = await start({ members: 3 });
    const [first = ''] = server.endpoints;
    const store = connect([first]);
    const other = connect(server.endpoints.slice(1));
    const { revision } = await store.transact([], [put('/c/kept', '1'), put('/c/gone', '1')]);
    const { batches, resyncs, health } = follow(store, '/c/', revision);
    await vi.waitFor(() => expect(health).toEqual([true]));
    await server.kill(0);
    const write = (value: string) =>
      vi.waitFor(() => other.transact([], [put('/c/kept', value), { kind: 'delete', key: '/c/gone' }]), {
        timeout: 10_000,
      });
    await write('2');
    const { revision: last } = await write('3');
    await server.compact(last);
    await server.restart(0);
    await vi.waitFor(() => expect(resyncs.length + batches.length).toBeGreaterThan(0), { timeout: 20_000 });
    expect(batches).toEqual([]);
    expect(resyncs).toHaveLength(1);
    expect(resyncs[0]?.items.map((item) => [item.key, item.value])).toEqual([['/c/kept', '3']]);
    const { revision: next } = await other.transact([], [put('/c/new', '')]);
    await vi.waitFor(() => expect(batches.map((batch) => batch.revision)).toEqual([next]), { timeout: 10_000 });
  }, 120_000);

  it('knows that a lease is lost when etcd is away for longer than its time to live', async () => {
    const server = await start({ members: 1 });
    const store = connect(server.endpoints);
    const lease = await store.grantLease(2000);
    let lostMs = 0;
    void lease.lost.then(() => {
      lostMs = Date.now();
    });
    await sleep(3000);
    expect(lostMs).toBe(0);
    const killedMs = Date.now();
    await server.kill(0);
    await vi.waitFor(() => expect(lostMs).toBeGreaterThan(0), { timeout: 15_000 });
    console.log(`lease of 2 s known to be lost after ${lostMs - killedMs} ms`);
    expect(lostMs - killedMs).toBeLessThan(7000);
  }, 60_000);

  it('refuses a transaction larger than etcd takes, by name', async () => {
    const server = await start({ members: 1, flags: ['--max-request-bytes', '1048576'] });
    const store = connect(server.endpoints);
    await expectReason(store.transact([], [put('/large', 'x'.repeat(3 * 1024 * 1024))]), 'store.too_large');
    expect((await store.transact([], [put('/small', 'x')])).succeeded).toBe(true);
  }, 60_000);

  it('signs in again when etcd has forgotten its token, for calls, watches and leases', async () => {
    const server = await start({ auth: true });
    const store = openEtcd({ endpoints: server.endpoints, username: 'bailiwick', password: 'app-secret' });
    closers.push(() => store.close());
    const { revision } = await store.transact([], [put('/auth/a', '1')]);
    const { batches, resyncs } = follow(store, '/auth/', revision);
    const lease = await store.grantLease(10_000);
    // Simple tokens live in the member's memory.
    await server.restart(0);
    const { revision: after } = await vi.waitFor(() => store.transact([], [put('/auth/a', '2')]), { timeout: 10_000 });
    await vi.waitFor(() => expect(batches.map((batch) => batch.revision)).toEqual([after]), { timeout: 10_000 });
    await store.transact([], [{ kind: 'put', key: '/auth/leased', value: '', leaseId: lease.id }]);
    await lease.release();
    expect(await store.get('/auth/leased')).toBeUndefined();
    expect(resyncs).toEqual([]);
  }, 60_000);

  it('refuses a wrong password and a certificate of a stranger as unavailable, not for ever', async () => {
    const server = await start({ auth: true });
    const store = openEtcd({ endpoints: server.endpoints, username: 'bailiwick', password: 'wrong' });
    closers.push(() => store.close());
    await expectReason(store.get('/a'), 'store.unavailable');
    const secured = await start({ tls: true });
    const stranger = openEtcd({ endpoints: secured.endpoints, tls: { ca: secured.tls?.ca ?? '' } });
    closers.push(() => stranger.close());
    const startedMs = Date.now();
    await expectReason(stranger.get('/a'), 'store.unavailable');
    expect(Date.now() - startedMs).toBeLessThan(boundMs);
  }, 60_000);
}

describeWithServer('etcd', () => describeFailures());
