/** The counters of the gateway's limits in a real Redis: alone, behind Sentinel, in a cluster, shared by two gateways, and killed. */
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisRateLimits } from '../../apps/server/src/adapters/redis/redis-rate-limits.js';
import { describeRateLimitStore } from '../../apps/server/src/ports/rate-limit-store.contract.js';
import type { RedisLocation } from '../../apps/server/src/ports/rate-limit-store.port.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { describeWithServer } from '../servers/presence.js';
import { makeTemporaryFolder } from '../servers/processes.js';
import { type RedisServer, startRedis, startRedisCluster, startRedisSentinels } from '../servers/redis.js';
import { startBailiwickProcess } from '../system/server-process.js';

const tls = { isOn: false, isVerified: false };
const single = (port: number): RedisLocation => ({
  kind: 'single',
  host: '127.0.0.1',
  port,
  database: 0,
  tls,
  timeoutMs: 500,
});

describeWithServer('redis', () => {
  describeRateLimitStore('Redis', async () => {
    const server = await startRedis();
    const store = redisRateLimits(single(server.port));
    return {
      store,
      dispose: async () => {
        await store.close();
        await server.stop();
      },
    };
  });

  describeRateLimitStore('Redis behind Sentinel', async () => {
    const group = await startRedisSentinels();
    const store = redisRateLimits({
      kind: 'sentinel',
      sentinels: group.sentinels.map((one) => ({ host: '127.0.0.1', port: Number(one.split(':')[1]) })),
      masterName: group.masterName,
      role: 'master',
      database: 0,
      timeoutMs: 2_000,
    });
    return {
      store,
      dispose: async () => {
        await store.close();
        await group.stop();
      },
    };
  });

  describeRateLimitStore('Redis Cluster', async () => {
    const cluster = await startRedisCluster();
    const store = redisRateLimits({ kind: 'cluster', nodes: cluster.nodes, tls, timeoutMs: 2_000 });
    return {
      store,
      dispose: async () => {
        await store.close();
        await cluster.stop();
      },
    };
  });

  describe('two gateways and one Redis', () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(async () => await server.stop());

    it('count exactly together', async () => {
      const stores = [redisRateLimits(single(server.port)), redisRateLimits(single(server.port))];
      const counts = await Promise.all(
        Array.from({ length: 200 }, async (_, call) => await stores[call % 2]?.countFixed('shared', 60, 60_000)),
      );
      expect(counts.filter((count) => (count?.remaining ?? -1) >= 0)).toHaveLength(60);
      await Promise.all(stores.map((store) => store.close()));
    });

    it('count exactly over two workers of each of two processes', async () => {
      const folder = await makeTemporaryFolder('workers-redis');
      const file = join(folder, 'apisix.yaml');
      const limit = `limit-count: {count: 60, time_window: 600, rejected_code: 429, policy: redis, redis_host: 127.0.0.1, redis_port: ${server.port}}`;
      const answer = 'upstream: {type: roundrobin, nodes: {}}';
      writeFileSync(file, `routes: [{id: limited, uri: /*, plugins: {${limit}}, ${answer}}]\n#END\n`);
      const start = () => startBailiwickProcess({ BAILIWICK_WORKERS: '2', BAILIWICK_GATEWAY_FILE: file });
      const gateways = [await start(), await start()];
      try {
        const statuses = await Promise.all(
          Array.from({ length: 200 }, async (_, call) => {
            const { status } = await fetch(`${gateways[call % 2]?.url}/x`, { headers: { connection: 'close' } });
            return status;
          }),
        );
        // Behind the limit there is no node: 503 says that a request was let through.
        expect(statuses.filter((status) => status === 503)).toHaveLength(60);
        expect(statuses.filter((status) => status === 429)).toHaveLength(140);
      } finally {
        for (const gateway of gateways) await gateway.dispose();
        await rm(folder, { recursive: true, force: true });
      }
    }, 60_000);

    it('say that the counters are away when Redis is killed, and count again when it is back', async () => {
      const store = redisRateLimits(single(server.port));
      await store.countFixed('killed', 10, 60_000);
      await server.kill();
      await expectReason(Promise.resolve(store.countFixed('killed', 10, 60_000)), 'store.unavailable');
      await server.restart();
      const deadline = Date.now() + 10_000;
      let remaining = -1;
      while (remaining < 0 && Date.now() < deadline)
        remaining = await Promise.resolve(store.countFixed('killed', 10, 60_000)).then(
          (count) => count.remaining,
          () => -1,
        );
      expect(remaining).toBeGreaterThanOrEqual(0);
      await store.close();
    });
  });
});
