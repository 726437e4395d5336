/**
 * Whole instances on a Redis that is a group: Sentinels whose master is killed under load, and a Cluster one of whose nodes dies. Configuration
 * may be slower then, never wrong: nothing acknowledged is lost, nothing is there twice, both instances say the same in the end.
 */

import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@bailiwick/sdk';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type PostgresServer, startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';
import { type RedisCluster, type RedisSentinels, startRedisCluster, startRedisSentinels } from '../servers/redis.js';
import { startTestServer, type TestServer } from '../system/harness.js';

const scope = { app_id: 'shop', environment: 'prod' };

/** Two instances that share PostgreSQL, Redis and the key of secrets. */
class Pair {
  readonly #folders: string[] = [];
  readonly servers: TestServer[] = [];

  async start(settings: Readonly<Record<string, string>>): Promise<void> {
    for (let i = 0; i < 2; i += 1) {
      const folder = mkdtempSync(join(tmpdir(), 'bailiwick-group-'));
      this.#folders.push(folder);
      const [first] = this.servers;
      if (first) copyFileSync(join(first.directory, 'secrets.key'), join(folder, 'secrets.key'));
      this.servers.push(await startTestServer({ demo: 'false', ...settings }, folder));
    }
  }

  at(index: number): TestServer {
    return this.servers[index % 2] as TestServer;
  }

  async valueAt(index: number, key: string): Promise<unknown> {
    const answer = await this.at(index).call('POST', '/api/v1/configs/fetch', { body: { ...scope, keys: [key] } });
    return answer.json?.values?.[key];
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** Creates until it is accepted, with one Idempotency-Key: however often it has to be asked, it is one write. */
async function createSurely(server: TestServer, key: string, value: unknown): Promise<void> {
  const headers = { 'idempotency-key': randomUUID() };
  for (;;) {
    const answer = await server.call('POST', '/api/v1/configs', { body: { ...scope, key, value }, headers });
    if (answer.status === 201) return;
    expect([answer.status, answer.json?.code]).toEqual([503, 'unavailable']);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Writes at both instances, reads and streams all the while; `fail` comes in the middle. */
async function expectNothingLost(pair: Pair, name: string, fail: () => Promise<void>): Promise<void> {
  // Keys are in the live store, which these two do not share.
  const apiKey = await pair.at(1).call('POST', '/api/v1/api-keys', { body: { name, kind: 'server', ...scope } });
  const client = createClient({
    url: pair.at(1).url,
    apiKey: apiKey.json.key as string,
    pollMs: 500,
    reconnectBaseMs: 50,
  });
  const revisions: number[] = [];
  client.on('change', ({ revision }) => revisions.push(revision));
  await client.ready({ mustBeLive: true, timeoutMs: 20_000 });
  const count = 120;
  let written = 0;
  const writing = (async () => {
    for (let n = 0; n < count; n += 1) {
      await createSurely(pair.at(n), `${name}.${n}`, n);
      written = n + 1;
    }
  })();
  const slowest = { ms: 0 };
  const reading = (async () => {
    while (written < count) {
      const startedMs = performance.now();
      const known = written;
      const answer = await pair.at(written).call('POST', '/api/v1/configs/fetch', { body: scope });
      slowest.ms = Math.max(slowest.ms, performance.now() - startedMs);
      expect(answer.status).toBe(200);
      // What its own instance acknowledged is there at once; of the other's at most the tail is missing.
      const own = Object.keys(answer.json.values).filter((key) => key.startsWith(`${name}.`));
      expect(new Set(own).size).toBe(own.length);
      expect(own.length).toBeLessThanOrEqual(count);
      for (let n = 0; n < known; n += 1) if (n % 2 === known % 2) expect(answer.json.values[`${name}.${n}`]).toBe(n);
    }
  })();
  await vi.waitFor(() => expect(written).toBeGreaterThan(count / 4), { timeout: 60_000 });
  await fail();
  await Promise.all([writing, reading]);
  for (const index of [0, 1])
    await vi.waitFor(async () => expect(await pair.valueAt(index, `${name}.${count - 1}`)).toBe(count - 1), {
      timeout: 20_000,
    });
  const lists = await Promise.all(
    [0, 1].map(
      async (index) => (await pair.at(index).call('GET', `/api/v1/configs?prefix=${name}.&limit=1000`)).json.items,
    ),
  );
  expect(lists[0]).toEqual(lists[1]);
  const keys = (lists[0] as { key: string }[]).map(({ key }) => key);
  expect(keys.sort()).toEqual(Array.from({ length: count }, (_, n) => `${name}.${n}`).sort());
  const versions = (lists[0] as { version: number }[]).map(({ version }) => version);
  expect(new Set(versions)).toEqual(new Set([1]));
  // Nobody was told less than there is, or went back.
  await vi.waitFor(() => expect(client.configKeys().filter((key) => key.startsWith(`${name}.`))).toHaveLength(count), {
    timeout: 20_000,
  });
  expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
  console.log(`${name}: slowest read ${Math.round(slowest.ms)} ms`);
  await client.close();
}

describeWithServer('postgres', () =>
  describeWithServer('redis', () => {
    let postgres: PostgresServer;
    beforeAll(async () => {
      postgres = await startPostgres();
    }, 60_000);
    afterAll(async () => await postgres?.stop(), 60_000);
    const common = () => ({ relationalStore: 'postgres', postgresUrl: postgres.url, cache: 'redis' });

    describe('two instances on a Sentinel group', () => {
      const pair = new Pair();
      let group: RedisSentinels;
      beforeAll(async () => {
        group = await startRedisSentinels();
        const { sentinels, masterName } = group;
        await pair.start({ ...common(), redisSentinels: sentinels.join(','), redisMasterName: masterName });
      }, 120_000);
      afterAll(async () => {
        await pair.stop();
        await group?.stop();
      }, 60_000);

      it('lose and double nothing when the master is killed under load', async () => {
        const before = group.master();
        await expectNothingLost(pair, 'sentinel', async () => await group.killMaster());
        await vi.waitFor(() => expect(group.master()).not.toBe(before), { timeout: 30_000, interval: 200 });
      }, 180_000);

      it('wake each other by the new master', async () => {
        await vi.waitFor(async () => expect(await pair.at(0).running.platform.cache.isHealthy()).toBe(true), {
          timeout: 30_000,
        });
        await createSurely(pair.at(0), 'after', 1);
        await vi.waitFor(async () => expect(await pair.valueAt(1, 'after')).toBe(1), { timeout: 5_000 });
      }, 60_000);

      it('make one write of one Idempotency-Key, at whichever it arrives', async () => {
        const headers = { 'idempotency-key': randomUUID() };
        const body = { ...scope, key: 'once', value: 1 };
        const answers = await Promise.all(
          Array.from({ length: 6 }, (_, n) => pair.at(n).call('POST', '/api/v1/configs', { body, headers })),
        );
        expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 201));
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
        expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
        const other = await pair.at(1).call('POST', '/api/v1/configs', { body: { ...body, value: 2 }, headers });
        expect([other.status, other.json.reason]).toEqual([422, 'idempotency.key_reused']);
      }, 60_000);
    });

    describe('two instances on a Cluster', () => {
      const pair = new Pair();
      let cluster: RedisCluster;
      beforeAll(async () => {
        cluster = await startRedisCluster();
        await pair.start({ ...common(), redisClusterNodes: cluster.nodes.join(',') });
      }, 120_000);
      afterAll(async () => {
        await pair.stop();
        await cluster?.stop();
      }, 60_000);

      it('lose and double nothing when a node dies under load and comes back', async () => {
        await expectNothingLost(pair, 'cluster', async () => {
          await cluster.kill(0);
          await new Promise((resolve) => setTimeout(resolve, 2_000));
          await cluster.restart(0);
        });
      }, 180_000);

      it('wake each other through it', async () => {
        await createSurely(pair.at(0), 'after-cluster', 1);
        await vi.waitFor(async () => expect(await pair.valueAt(1, 'after-cluster')).toBe(1), { timeout: 5_000 });
      }, 60_000);
    });
  }),
);
