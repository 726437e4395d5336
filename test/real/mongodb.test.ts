/**
 * The contracts of the history on MongoDB's wire protocol, and what happens when the server dies. The server is a
 * stand-in (mongo-java-server): majority writes, elections and failover between members need a real MongoDB.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openMongo } from '../../apps/server/src/adapters/mongodb/open-mongo.js';
import { describeAuditLog, makeRecord } from '../../apps/server/src/ports/audit-log.contract.js';
import { describePolicyArchive, makeVersion } from '../../apps/server/src/ports/policy-archive.contract.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { type MongoServer, startMongo } from '../servers/mongo.js';
import { describeWithServer } from '../servers/presence.js';

const standIn = 'MongoDB stand-in (mongo-java-server)';

function describeFailures(): void {
  let server: MongoServer;
  let mongo: ReturnType<typeof openMongo>;
  beforeAll(async () => {
    server = await startMongo();
    mongo = openMongo({ url: server.url });
  });
  afterAll(async () => {
    await mongo.close();
    await server.stop();
  });

  /** Appends until it succeeds, as the outbox does; returns how often it failed. */
  async function appendAll(versions: number[]): Promise<number> {
    let failures = 0;
    for (const version of versions) {
      const append = (): Promise<void> => mongo.policyArchive.append(makeVersion('killed', version));
      while (
        await append().then(
          () => false,
          () => true,
        )
      )
        failures += 1;
    }
    return failures;
  }

  it('refuses within bounds while the server is away, works again after, and doubles nothing', async () => {
    await appendAll([1, 2, 3]);
    await server.kill();
    const startedMs = Date.now();
    await expectReason(mongo.policyArchive.append(makeVersion('killed', 4)), 'store.unavailable');
    await expectReason(mongo.auditLog.append(makeRecord('killed', 1)), 'store.unavailable');
    await expectReason(mongo.policyArchive.list('killed', { limit: 5 }), 'store.unavailable');
    expect(await mongo.policyArchive.isHealthy()).toBe(false);
    expect(Date.now() - startedMs).toBeLessThan(4 * 3000);
    await server.restart();
    await vi.waitFor(async () => expect(await mongo.policyArchive.isHealthy()).toBe(true), { timeout: 10_000 });
    // The outbox delivers at least once: all of them again.
    await appendAll([1, 2, 3, 4, 5]);
    const { items } = await mongo.policyArchive.list('killed', { limit: 100 });
    expect(items.map((item) => item.version)).toEqual([5, 4, 3, 2, 1]);
  });

  it('refuses within bounds while the server is frozen, and works again after', async () => {
    server.pause();
    const startedMs = Date.now();
    await expectReason(mongo.auditLog.append(makeRecord('frozen', 1)), 'store.unavailable');
    expect(Date.now() - startedMs).toBeLessThan(3000);
    server.resume();
    await vi.waitFor(
      async () => expect(['appended', 'duplicate']).toContain(await mongo.auditLog.append(makeRecord('frozen', 1))),
      { timeout: 10_000 },
    );
    expect(await mongo.auditLog.read('frozen', 0, 10)).toEqual([makeRecord('frozen', 1)]);
  });

  it('loses no record that waits while the server dies again and again', async () => {
    const killing = (async () => {
      for (let round = 0; round < 3; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await server.restart();
      }
    })();
    const versions = Array.from({ length: 200 }, (_, index) => 1000 + index);
    await appendAll(versions);
    await killing;
    // What the stand-in acknowledged just before it was killed may be gone (its durability, not MongoDB's): once more.
    await appendAll(versions);
    const { items } = await mongo.policyArchive.list('killed', { limit: 200 });
    expect(items.map((item) => item.version)).toEqual(versions.toReversed());
  });
}

describeWithServer('mongo', () => {
  describePolicyArchive(standIn, async () => {
    const server = await startMongo();
    let mongo = openMongo({ url: server.url });
    return {
      archive: mongo.policyArchive,
      async reopen() {
        await mongo.close();
        mongo = openMongo({ url: server.url });
        return mongo.policyArchive;
      },
      async dispose() {
        await mongo.close();
        await server.stop();
      },
    };
  });
  describeAuditLog(standIn, async () => {
    const server = await startMongo();
    let mongo = openMongo({ url: server.url });
    return {
      log: mongo.auditLog,
      async reopen() {
        await mongo.close();
        mongo = openMongo({ url: server.url });
        return mongo.auditLog;
      },
      async dispose() {
        await mongo.close();
        await server.stop();
      },
    };
  });
  describe(`failures: ${standIn}`, describeFailures);
});
