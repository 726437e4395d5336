/**
 * Three instances on one PostgreSQL, one Redis and one RabbitMQ, each of which is killed and started again under load: nothing is lost,
 * nothing comes twice, reading goes on.
 */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type PostgresServer, startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';
import { type RabbitMqServer, startRabbitMq } from '../servers/rabbitmq.js';
import { type RedisServer, startRedis } from '../servers/redis.js';
import { startTestServer, type TestServer } from '../system/harness.js';

let postgres: PostgresServer;
let redis: RedisServer;
let rabbitmq: RabbitMqServer;
let servers: TestServer[] = [];
let receiver: Server;
const folders: string[] = [];
const received: { id: string; key: string }[] = [];

const settings = () => ({
  ...{ demo: 'false', relationalStore: 'postgres', postgresUrl: postgres.url, cache: 'redis', redisUrl: redis.url },
  ...{ eventBus: 'rabbitmq', rabbitmqUrls: rabbitmq.url, webhookPrivateAddresses: 'true', rolloutTickMs: '50' },
});

/** Instances share what sensitive values are encrypted with; in production by one Vault, here by the key's file. */
async function startOne(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-instance-'));
  folders.push(folder);
  if (servers[0]) copyFileSync(join(servers[0].directory, 'secrets.key'), join(folder, 'secrets.key'));
  return await startTestServer(settings(), folder);
}

async function startAll(): Promise<void> {
  [postgres, redis, rabbitmq] = await Promise.all([startPostgres(), startRedis(), startRabbitMq()]);
  for (let i = 0; i < 3; i += 1) servers.push(await startOne());
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { data } = JSON.parse(Buffer.concat(chunks).toString());
      received.push({ id: String(request.headers['webhook-id']), key: data.key });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
}

const at = (index: number): TestServer => servers[index] as TestServer;
const create = async (index: number, key: string, value: unknown) =>
  await at(index).call('POST', '/api/v1/configs', { body: { key, value } });
const valueAt = async (index: number, key: string): Promise<unknown> =>
  (await at(index).call('POST', '/api/v1/configs/fetch', { body: { keys: [key] } })).json?.values?.[key];

/** Creates until it is accepted (or was, unseen); returns how often it was refused. */
async function createSurely(index: number, key: string, value: unknown): Promise<number> {
  for (let refusals = 0; ; refusals += 1) {
    const answer = await create(index, key, value);
    if (answer.status === 201 || answer.json?.reason === 'resource.key_taken') return refusals;
    expect([answer.status, answer.json?.code]).toEqual([503, 'unavailable']);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describeWithServer('postgres', () =>
  describeWithServer('redis', () =>
    describeWithServer('rabbitmq', () => {
      beforeAll(startAll, 120_000);
      afterAll(async () => {
        await Promise.all(servers.map((server) => server.stop()));
        receiver?.close();
        for (const folder of folders) rmSync(folder, { recursive: true, force: true });
        await Promise.all([postgres?.stop(), redis?.stop(), rabbitmq?.stop()]);
      }, 60_000);

      describe('three instances', () => {
        it('show a write of one at all of them at once', async () => {
          const latencies: number[] = [];
          for (let i = 0; i < 20; i += 1) {
            await create(i % 3, `seen-${i}`, i);
            const startedMs = performance.now();
            for (const other of [0, 1, 2])
              await vi.waitFor(async () => expect(await valueAt(other, `seen-${i}`)).toBe(i), {
                interval: 2,
                timeout: 5_000,
              });
            latencies.push(performance.now() - startedMs);
          }
          latencies.sort((a, b) => a - b);
          // Far below the poll: the message through Redis woke them.
          expect(latencies[10]).toBeLessThan(500);
        });

        it('write at the same time without a gap, a loss or a double', async () => {
          const before = (await at(0).call('GET', '/api/v1/configs?limit=1')).json.items[0].revision as number;
          await Promise.all(Array.from({ length: 60 }, (_, i) => createSurely(i % 3, `race-${i}`, i)));
          // The last of another instance's may still be on its way to this one.
          await vi.waitFor(async () => {
            const { json } = await at(1).call('GET', '/api/v1/configs?prefix=race-&limit=1000');
            const revisions = json.items
              .map((one: { revision: number }) => one.revision)
              .sort((a: number, b: number) => a - b);
            expect(revisions).toEqual(Array.from({ length: 60 }, (_, i) => before + 1 + i));
          }, 10_000);
        });
      });

      it('PostgreSQL killed under load: reading goes on and says that it is stale, writes are refused, nothing acknowledged is lost', async () => {
        await create(0, 'steady', 'yes');
        await vi.waitFor(async () => expect(await valueAt(2, 'steady')).toBe('yes'));
        let isOver = false;
        let refusals = 0;
        const written: string[] = [];
        const writer = async (index: number): Promise<void> => {
          for (let i = 0; !isOver; i += 1) {
            refusals += await createSurely(index, `load-${index}-${i}`, i);
            written.push(`load-${index}-${i}`);
          }
        };
        const writers = [0, 1, 2].map(writer);
        /** So many more are acknowledged. */
        const more = async (count: number): Promise<void> => {
          const before = written.length;
          await vi.waitFor(() => expect(written.length).toBeGreaterThan(before + count), { timeout: 20_000 });
        };
        await more(10);
        await postgres.kill();
        await vi.waitFor(
          async () => {
            const answer = await at(1).call('POST', '/api/v1/configs/fetch', { body: { keys: ['steady'] } });
            expect(answer.json).toMatchObject({ values: { steady: 'yes' }, stale: true });
          },
          { timeout: 10_000 },
        );
        await postgres.restart();
        await vi.waitFor(() => expect(refusals).toBeGreaterThan(0), { timeout: 10_000 });
        await more(10);
        isOver = true;
        await Promise.all(writers);
        for (const index of [0, 1, 2]) {
          await vi.waitFor(
            async () => {
              const { json } = await at(index).call('POST', '/api/v1/configs/fetch', { body: { keys: written } });
              expect(json).toMatchObject({ stale: false });
              expect(json.missing).toBeUndefined();
            },
            { timeout: 10_000 },
          );
        }
      }, 90_000);

      it('an instance starts while PostgreSQL is away, from the snapshot in Redis, and takes up the rest later', async () => {
        await create(0, 'before-the-fall', 1);
        // Written by whoever polls next.
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        await postgres.kill();
        const late = await startOne();
        const { json } = await late.call('POST', '/api/v1/configs/fetch', { body: { keys: ['before-the-fall'] } });
        expect(json).toMatchObject({ values: { 'before-the-fall': 1 }, stale: true });
        expect((await late.call('POST', '/api/v1/configs', { body: { key: 'no', value: 1 } })).status).toBe(503);
        await postgres.restart();
        await vi.waitFor(
          async () =>
            expect((await late.call('POST', '/api/v1/configs', { body: { key: 'late', value: 1 } })).status).toBe(201),
          { timeout: 15_000 },
        );
        await late.stop();
      }, 60_000);

      it('Redis killed: slower, never wrong', async () => {
        await redis.kill();
        for (let i = 0; i < 6; i += 1) {
          expect((await create(i % 3, `no-redis-${i}`, i)).status).toBe(201);
          for (const other of [0, 1, 2])
            await vi.waitFor(async () => expect(await valueAt(other, `no-redis-${i}`)).toBe(i), { timeout: 5_000 });
        }
        await redis.restart();
        await create(0, 'redis-is-back', 1);
        for (const other of [1, 2])
          await vi.waitFor(async () => expect(await valueAt(other, 'redis-is-back')).toBe(1), { timeout: 5_000 });
      }, 60_000);

      it('RabbitMQ killed: changes still reach everybody, and every webhook comes, once each', async () => {
        const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
        const hook = await at(0).call('POST', '/api/v1/webhooks', { body: { key: 'hook', url, events: ['config.#'] } });
        expect(hook.status).toBe(201);
        const keys = Array.from({ length: 30 }, (_, i) => `rabbit-${i}`);
        for (const key of keys.slice(0, 10)) await create(0, key, 1);
        await rabbitmq.kill();
        for (const key of keys.slice(10, 20)) expect((await create(1, key, 1)).status).toBe(201);
        await vi.waitFor(async () => expect(await valueAt(2, 'rabbit-19')).toBe(1), { timeout: 5_000 });
        await rabbitmq.restart();
        for (const key of keys.slice(20)) await create(2, key, 1);
        await vi.waitFor(() => expect(keys.filter((key) => !received.some((one) => one.key === key))).toEqual([]), {
          timeout: 30_000,
        });
        // A receiver tells repetitions by the id; here none is needed.
        expect(new Set(received.map((one) => one.id)).size).toBe(received.length);
      }, 120_000);

      it('a rollout goes on when the instance that carried it is gone, each step taken once', async () => {
        const made = await create(0, 'rolled', 'old');
        const steps = [1, 2, 3, 4].map((n) => ({ percent: n * 25, after_s: (n - 1) * 0.6 }));
        const rollout = await at(0).call('POST', '/api/v1/rollouts', {
          body: {
            key: 'steps',
            target: { kind: 'config', id: made.json.id, value: 'new' },
            strategy: { kind: 'percentage', steps },
          },
        });
        await at(0).call('POST', `/api/v1/rollouts/${rollout.json.id}/start`, { body: {} });
        const [first, ...others] = servers;
        await first?.stop();
        servers = others;
        const read = async () => (await at(0).call('GET', `/api/v1/rollouts/${rollout.json.id}`)).json;
        await vi.waitFor(async () => expect((await read()).state).toBe('completed'), { timeout: 15_000 });
        const percents = (await read()).events.map((one: { kind: string; percent: number }) => [one.kind, one.percent]);
        expect(percents).toEqual([
          ...[
            ['created', 0],
            ['started', 25],
            ['stepped', 50],
            ['stepped', 75],
            ['stepped', 100],
            ['completed', 100],
          ],
        ]);
        expect(await valueAt(1, 'rolled')).toBe('new');
      }, 60_000);
    }),
  ),
);
