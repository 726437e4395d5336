/** Two instances on one catalog in PostgreSQL, as in two data centres: each has an index of its own, and both find the same. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';
import { startTestServer, type TestServer } from '../system/harness.js';
import { type RagClient, ragClient } from '../system/rag-client.js';

describeWithServer('postgres', () => {
  describe('documents of two instances', () => {
    let database: Awaited<ReturnType<typeof startPostgres>>;
    let here: TestServer;
    let there: TestServer;
    let ann: RagClient;
    let bob: RagClient;
    const soon = { timeout: 10_000, interval: 50 };

    beforeAll(async () => {
      database = await startPostgres();
      const settings = { relationalStore: 'postgres', postgresUrl: database.url };
      [here, there] = await Promise.all([startTestServer(settings), startTestServer(settings)]);
      const claims = { sub: 'ann', project: 'demo', roles: ['editor'] };
      ann = await ragClient(here, 'demo', claims);
      bob = await ragClient(there, 'demo', { ...claims, sub: 'bob' });
    }, 120_000);
    afterAll(async () => {
      await Promise.all([here?.stop(), there?.stop()]);
      await database?.stop();
    });

    it('are found at both, each read where its file is', async () => {
      const names = Array.from({ length: 12 }, (_, at) => `file-${at}.txt`);
      const uploads = names.map(async (name, at) => {
        const client = at % 2 === 0 ? ann : bob;
        const { document } = await client.upload(name, `The ${name.replace(/\W/g, '')} is about Platypus.`, {});
        return await client.ready(document.id);
      });
      expect(await Promise.all(uploads)).toHaveLength(12);
      for (const client of [ann, bob])
        await vi.waitFor(async () => {
          const { items } = await client.search('Platypus', { limit: 50 });
          expect(new Set(items.map(({ document }) => document.name))).toEqual(new Set(names));
        }, soon);
    }, 60_000);

    it('are gone at both when one deletes them, and built again from the catalog at a start', async () => {
      const [first] = await ann.list();
      expect((await ann.call('DELETE', `/documents/${first?.id}`)).status).toBe(204);
      const namesAt = async (client: RagClient) =>
        (await client.search('Platypus', { limit: 50 })).items.map(({ document }) => document.name);
      expect(await namesAt(ann)).not.toContain(first?.name);
      // Never shown, whatever the other index still has; and soon not even there.
      expect(await namesAt(bob)).not.toContain(first?.name);
      const third = await startTestServer({ relationalStore: 'postgres', postgresUrl: database.url });
      const eve = await ragClient(third, 'demo', { sub: 'eve', project: 'demo', roles: ['editor'] });
      expect(await namesAt(eve)).toHaveLength(11);
      await third.stop();
    }, 60_000);
  });
});
