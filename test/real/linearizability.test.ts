/**
 * A concurrent history of GET and PUT with If-Match on three real etcd members, while leaders are killed and members are
 * frozen, must be linearizable; and the same history with one answer falsified must not be.
 */
import { expect, it } from 'vitest';
import { openEtcd } from '../../apps/server/src/adapters/etcd/etcd-key-value-store.js';
import { recordHistories } from '../linearizability/recorder.js';
import { checkRegister, type RegisterOperation } from '../linearizability/register.js';
import { type EtcdServer, startEtcd } from '../servers/etcd.js';
import { describeWithServer } from '../servers/presence.js';
import { startTestServer, type TestServer } from '../system/harness.js';
import { HttpRegister } from './http-register.js';

const clients = 12;
const projects = Array.from({ length: 8 }, (_, index) => `p${index}`);
const keys = Array.from({ length: 16 }, (_, index) => `/policies/projects/p${index}/rego.rego`);

/** mulberry32: the seed is printed, so that a failure can be looked at again. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function disturb(server: EtcdServer): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await sleep(1200);
    const leader = await server.leader();
    await server.kill(leader);
    await sleep(3500);
    await server.restart(leader);
    await sleep(800);
    const frozen = round % 3;
    server.pause(frozen);
    await sleep(2500);
    server.resume(frozen);
  }
  await sleep(1500);
}

/** The last read that saw a value is told to have seen one that was overwritten before it began. */
function falsify(history: readonly RegisterOperation[]): RegisterOperation[] | undefined {
  const writes = history.filter((one) => one.kind === 'compare-and-set' && one.isDone === true);
  const [oldest] = writes;
  const lastRead = history.findLastIndex((one) => one.kind === 'read' && one.value !== null);
  const read = history[lastRead];
  if (writes.length < 3 || oldest?.kind !== 'compare-and-set' || read?.kind !== 'read') return undefined;
  return history.with(lastRead, { ...read, value: oldest.value });
}

/** The same through the public API of two Bailiwicks, as administrators in two data centres would write. */
async function recordOverHttp(seed: number) {
  const server = await startEtcd({ members: 3 });
  const settings = {
    demo: 'false',
    decisionLog: 'off',
    keyValueStore: 'etcd',
    etcdEndpoints: server.endpoints.join(','),
  };
  const servers = await Promise.all([startTestServer(settings), startTestServer(settings)]);
  const registers = Array.from({ length: clients }, (_, index) => new HttpRegister(servers[index % 2] as TestServer));
  try {
    return await recordHistories({
      stores: registers,
      keys: projects,
      until: disturb(server),
      random: makeRandom(seed),
    });
  } finally {
    await Promise.all(servers.map((one) => one.stop()));
    await server.stop();
  }
}

async function recordUnderFailures(seed: number) {
  const server = await startEtcd({ members: 3 });
  // Each begins with a member of its own choice, so that followers are read as well as the leader.
  const stores = Array.from({ length: clients }, () => openEtcd({ endpoints: server.endpoints }));
  try {
    return await recordHistories({ stores, keys, until: disturb(server), random: makeRandom(seed) });
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await server.stop();
  }
}

describeWithServer('etcd', () => {
  it.each([
    ['through the store', recordUnderFailures, 1000],
    ['through the public API of two servers', recordOverHttp, 300],
  ] as const)(
    'keeps PUT with If-Match and GET linearizable %s while leaders die, and the checker sees a planted lie',
    async (_how, record, least) => {
      const seed = Date.now() % 1_000_000;
      const { histories, operations, unknown, refused } = await record(seed);
      console.log(
        `seed ${seed}: ${operations} operations, ${refused} refused by If-Match, ${unknown} of unknown outcome`,
      );
      expect(operations).toBeGreaterThan(least);
      expect(refused).toBeGreaterThan(5);
      let planted = 0;
      const startedMs = Date.now();
      for (const [key, history] of histories) {
        expect(checkRegister(history), key).toEqual({ isLinearizable: true });
        const lie = falsify(history);
        if (!lie) continue;
        planted += 1;
        expect(checkRegister(lie).isLinearizable, `a planted lie on ${key}`).toBe(false);
      }
      console.log(`${histories.size} keys checked and ${planted} lies found in ${Date.now() - startedMs} ms`);
      expect(planted).toBeGreaterThan(3);
    },
    240_000,
  );
});
