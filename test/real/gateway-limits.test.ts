/** The counters of the gateway's limits in a real Redis: alone, behind Sentinel, in a cluster, shared by two gateways, and killed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisRateLimits } from '../../apps/server/src/adapters/redis/redis-rate-limits.js';
import { describeRateLimitStore } from '../../apps/server/src/ports/rate-limit-store.contract.js';
import type { RedisLocation } from '../../apps/server/src/ports/rate-limit-store.port.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { describeWithServer } from '../servers/presence.js';
import { type RedisServer, startRedis, startRedisCluster, startRedisSentinels } from '../servers/redis.js';

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
