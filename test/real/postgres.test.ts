/** The contract of the configuration's store on a real PostgreSQL, and what happens when it dies or freezes. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openPostgres, toPostgresError } from '../../apps/server/src/adapters/postgres/open-postgres.js';
import { RelationalDeliveryStore } from '../../apps/server/src/adapters/relational/relational-delivery-store.js';
import { RelationalResourceStore } from '../../apps/server/src/adapters/relational/relational-resource-store.js';
import type { ResourceTables } from '../../apps/server/src/adapters/relational/resource-tables.js';
import { describeDeliveryStore } from '../../apps/server/src/ports/delivery-store.contract.js';
import { describeResourceStore } from '../../apps/server/src/ports/resource-store.contract.js';
import type { ResourceChange, ResourceStore } from '../../apps/server/src/ports/resource-store.port.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { type PostgresServer, startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';

function open(url: string) {
  const postgres = openPostgres<ResourceTables>({ url, poolSize: 20, timeoutMs: 1_500 });
  const { database, exclusively } = postgres;
  const store = RelationalResourceStore.open({ database, exclusively, toError: toPostgresError });
  return { postgres, store };
}

const change = (key: string): ResourceChange => {
  const at = '2026-01-01T00:00:00.000Z';
  const who = { createdAt: at, createdBy: 'ada', updatedAt: at, updatedBy: 'ada' };
  const id = crypto.randomUUID();
  return {
    resource: { kind: 'config', id, appId: null, environment: null, key, version: 1, content: '1', ...who },
    action: 'create',
  };
};

describeWithServer('postgres', () => {
  describeResourceStore('PostgreSQL', async () => {
    const server = await startPostgres();
    const opened = [open(server.url)];
    return {
      store: await (opened[0] as ReturnType<typeof open>).store,
      another: () => {
        const next = open(server.url);
        opened.push(next);
        return next.store;
      },
      async dispose() {
        for (const { postgres } of opened) await postgres.close();
        await server.stop();
      },
    };
  });

  describeDeliveryStore('PostgreSQL', async () => {
    const server = await startPostgres();
    const { database, exclusively, close } = openPostgres<ResourceTables>({ url: server.url, poolSize: 20 });
    return {
      store: await RelationalDeliveryStore.open({ database, exclusively, toError: toPostgresError }),
      async dispose() {
        await close();
        await server.stop();
      },
    };
  });

  describe('when PostgreSQL fails', () => {
    let server: PostgresServer;
    let store: ResourceStore;
    let connection: ReturnType<typeof open>;
    beforeAll(async () => {
      server = await startPostgres();
      connection = open(server.url);
    }, 60_000);
    afterAll(async () => {
      await connection.postgres.close();
      await server.stop();
    });

    it('is migrated once by four instances that start at once', async () => {
      const others = [open(server.url), open(server.url), open(server.url)];
      const stores = await Promise.all([connection, ...others].map((one) => one.store));
      store = stores[0] as ResourceStore;
      expect(new Set(await Promise.all(stores.map((one) => one.epoch()))).size).toBe(1);
      for (const one of others) await one.postgres.close();
    });

    it('keeps what was acknowledged, and nothing twice, when it is killed under 16 writers', async () => {
      const acknowledged = new Set<string>();
      let isOver = false;
      const writer = async (name: number): Promise<void> => {
        for (let i = 0; !isOver; i += 1) {
          const key = `killed-${name}-${i}`;
          while (!isOver) {
            try {
              const baseRevision = await store.revision();
              const result = await store.commit({ baseRevision, changes: [change(key)], audit: [] });
              if (result.kind === 'outdated') continue;
            } catch (error) {
              // A commit whose answer was lost may have happened: then its key is taken.
              const reason = (error as { details?: { reason: string } }).details?.reason;
              expect(['store.unavailable', 'resource.key_taken']).toContain(reason);
              if (reason === 'store.unavailable') {
                await new Promise((resolve) => setTimeout(resolve, 50));
                continue;
              }
            }
            acknowledged.add(key);
            break;
          }
        }
      };
      const writers = Array.from({ length: 16 }, (_, name) => writer(name));
      for (let round = 0; round < 3; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 700));
        await server.restart();
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
      isOver = true;
      await Promise.all(writers);
      expect(acknowledged.size).toBeGreaterThan(50);
      const { revision, resources } = await store.load();
      const keys = resources.map((one) => one.key).filter((key) => key.startsWith('killed-'));
      expect(new Set(keys).size).toBe(keys.length);
      for (const key of acknowledged) expect(keys).toContain(key);
      const feed = [];
      for (let from = 0; ; ) {
        const page = await store.changesAfter(from, 100);
        if (page.length === 0) break;
        feed.push(...page.map((one) => one.revision));
        from = page.at(-1)?.revision ?? from;
      }
      expect(feed).toEqual(Array.from({ length: revision }, (_, i) => i + 1));
    }, 90_000);

    it('refuses within bounds while it is away, and works again after', async () => {
      await server.kill();
      const startedMs = Date.now();
      await expectReason(store.revision(), 'store.unavailable');
      await expectReason(store.commit({ baseRevision: 0, changes: [], audit: [] }), 'store.unavailable');
      await expectReason(store.load(), 'store.unavailable');
      expect(Date.now() - startedMs).toBeLessThan(6_000);
      expect(await store.isHealthy()).toBe(false);
      await server.restart();
      await vi.waitFor(async () => expect(await store.isHealthy()).toBe(true), { timeout: 10_000 });
    }, 60_000);
  });
});
