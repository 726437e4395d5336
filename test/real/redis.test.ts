/** The cache's contract on real Redis (single, Sentinel, Cluster), and what happens when it dies. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RedisSettings } from '../../apps/server/src/adapters/redis/open-redis.js';
import { RedisCache } from '../../apps/server/src/adapters/redis/redis-cache.js';
import { describeCache } from '../../apps/server/src/ports/cache.contract.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { describeWithServer } from '../servers/presence.js';
import {
  type RedisSentinels,
  type RedisServer,
  startRedis,
  startRedisCluster,
  startRedisSentinels,
} from '../servers/redis.js';

async function under(settings: RedisSettings, stop: () => Promise<void>) {
  const opened = [await RedisCache.open(settings)];
  return {
    cache: opened[0] as RedisCache,
    another: async () => {
      const next = await RedisCache.open(settings);
      opened.push(next);
      return next;
    },
    async dispose() {
      for (const one of opened) await one.close();
      await stop();
    },
  };
}

describeWithServer('redis', () => {
  describeCache('Redis', async () => {
    const server = await startRedis();
    return await under({ url: server.url }, server.stop);
  });
  describeCache('Redis Sentinel', async () => {
    const group = await startRedisSentinels();
    const { sentinels, masterName } = group;
    return await under({ url: 'redis://sentinels', sentinels, masterName }, group.stop);
  });
  describeCache('Redis Cluster', async () => {
    const cluster = await startRedisCluster();
    return await under({ url: 'redis://cluster', clusterNodes: cluster.nodes }, cluster.stop);
  });

  describe('when Redis fails', () => {
    let server: RedisServer;
    let cache: RedisCache;
    beforeAll(async () => {
      server = await startRedis();
      cache = await RedisCache.open({ url: server.url, timeoutMs: 500 });
    });
    afterAll(async () => {
      await cache.close();
      await server.stop();
    });

    it('refuses within bounds while it is away, then works and listens again, and says that messages were missed', async () => {
      const heard: string[] = [];
      const gaps = vi.fn();
      await cache.subscribe('news', (message) => heard.push(message), gaps);
      await server.kill();
      const startedMs = Date.now();
      await expectReason(cache.get('x'), 'cache.unavailable');
      await expectReason(cache.increment('x', 1, 1_000), 'cache.unavailable');
      await expectReason(cache.publish('news', 'x'), 'cache.unavailable');
      expect(Date.now() - startedMs).toBeLessThan(3_000);
      await server.restart();
      await vi.waitFor(async () => expect(await cache.isHealthy()).toBe(true), { timeout: 10_000 });
      await vi.waitFor(() => expect(gaps).toHaveBeenCalled(), { timeout: 10_000 });
      await vi.waitFor(
        async () => {
          await cache.publish('news', 'back');
          expect(heard).toContain('back');
        },
        { timeout: 10_000 },
      );
    }, 30_000);

    it('refuses within bounds while it is frozen', async () => {
      server.pause();
      const startedMs = Date.now();
      await expectReason(cache.get('x'), 'cache.unavailable');
      expect(Date.now() - startedMs).toBeLessThan(2_000);
      server.resume();
      await vi.waitFor(async () => expect(await cache.isHealthy()).toBe(true), { timeout: 10_000 });
    }, 30_000);
  });

  describe('when the master of a Sentinel group dies', () => {
    let group: RedisSentinels;
    let cache: RedisCache;
    beforeAll(async () => {
      group = await startRedisSentinels();
      const { sentinels, masterName } = group;
      cache = await RedisCache.open({ url: 'redis://sentinels', sentinels, masterName });
    }, 60_000);
    afterAll(async () => {
      await cache.close();
      await group.stop();
    });

    it('goes on with the replica that takes over', async () => {
      await cache.set('kept', '1', 60_000);
      await vi.waitFor(async () => expect(await cache.isHealthy()).toBe(true));
      const before = group.master();
      await group.killMaster();
      await vi.waitFor(async () => await cache.set('written', '2', 60_000), { timeout: 20_000, interval: 100 });
      expect(group.master()).not.toBe(before);
      expect(await cache.get('written')).toBe('2');
    }, 40_000);
  });
});
