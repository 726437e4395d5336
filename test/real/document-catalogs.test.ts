/** The contract of the documents' catalog on real servers, and what happens when they die. */

import { inspect } from 'node:util';
import { CosmosClient } from '@azure/cosmos';
import { isBailiwickError } from '@bailiwick/contract';
import { MongoClient } from 'mongodb';
import { describe, expect, it, vi } from 'vitest';
import {
  type CosmosCatalogOptions,
  CosmosDocumentCatalog,
} from '../../apps/server/src/adapters/cosmos/cosmos-document-catalog.js';
import { documentItemId } from '../../apps/server/src/adapters/cosmos/cosmos-items.js';
import { MongoDocumentCatalog } from '../../apps/server/src/adapters/mongodb/mongo-document-catalog.js';
import { openPostgres, toPostgresError } from '../../apps/server/src/adapters/postgres/open-postgres.js';
import type { DocumentTables } from '../../apps/server/src/adapters/relational/document-tables.js';
import { RelationalDocumentCatalog } from '../../apps/server/src/adapters/relational/relational-document-catalog.js';
import { describeDocumentCatalog } from '../../apps/server/src/ports/document-catalog.contract.js';
import type { DocumentCatalog } from '../../apps/server/src/ports/document-catalog.port.js';
import { makeChunk, makeDocument } from '../../apps/server/src/ports/document-catalog-under-test.contract.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { type CosmosServer, startCosmos } from '../servers/cosmos.js';
import { startMongo } from '../servers/mongo.js';
import { startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';

interface Opened {
  readonly catalog: DocumentCatalog;
  close(): Promise<void>;
}

interface Failing {
  open(): Promise<Opened>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** Whether what the server acknowledged outlives its kill. */
  readonly isDurable: boolean;
}

/** Kills the server under four writers, and asks what is left. */
function describeFailure(name: string, start: () => Promise<Failing>): void {
  describe(`when ${name} dies`, () => {
    it('answers store.unavailable within bounds, then works again, and has lost nothing it acknowledged', async () => {
      const server = await start();
      const { catalog, close } = await server.open();
      try {
        const acknowledged: string[] = [];
        let isOver = false;
        const writer = async (number: number): Promise<void> => {
          for (let i = 0; !isOver; i += 1) {
            const document = makeDocument('failing', { id: `k${number}-${i}` });
            for (let isDone = false; !isDone && !isOver; ) {
              // A write whose answer was lost may have happened: then it is taken.
              isDone = await catalog.insert(document).then(
                () => true,
                async (error: { details?: { reason?: string } }) => {
                  expect(error.details?.reason).toBe('store.unavailable');
                  await new Promise((resolve) => setTimeout(resolve, 50));
                  return false;
                },
              );
              if (isDone) acknowledged.push(document.id);
            }
          }
        };
        const writers = [0, 1, 2, 3].map(writer);
        await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(20), { timeout: 20_000 });
        await server.kill();
        const startedMs = Date.now();
        await expectReason(catalog.get('failing', 'k0-0'), 'store.unavailable');
        await expectReason(catalog.select('failing', { op: 'true' }), 'store.unavailable');
        await expectReason(catalog.putChunks('failing', [makeChunk('k0-0', 1, 0)]), 'store.unavailable');
        await expectReason(catalog.changesAfter(undefined, 5), 'store.unavailable');
        await expectReason(catalog.remove('failing', 'k0-0', 1), 'store.unavailable');
        expect(Date.now() - startedMs).toBeLessThan(30_000);
        await server.restart();
        const before = acknowledged.length;
        await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 20), { timeout: 30_000 });
        isOver = true;
        await Promise.all(writers);
        const ids = acknowledged.slice(server.isDurable ? 0 : before + 4);
        const found = new Set((await catalog.getMany('failing', ids)).map(({ id }) => id));
        expect(ids.filter((id) => !found.has(id))).toEqual([]);
      } finally {
        await close();
        await server.stop();
      }
    }, 120_000);
  });
}

async function openOnPostgres(url: string, timeoutMs: number): Promise<Opened> {
  const { database, exclusively, close } = openPostgres<DocumentTables>({ url, poolSize: 20, timeoutMs });
  const options = { database, exclusively, toError: toPostgresError, dialect: 'postgres' } as const;
  return { catalog: await RelationalDocumentCatalog.open(options), close };
}

describeWithServer('postgres', () => {
  describeDocumentCatalog(
    'PostgreSQL',
    async () => {
      const server = await startPostgres();
      const opened = [await openOnPostgres(server.url, 20_000)];
      return {
        catalog: (opened[0] as Opened).catalog,
        async another() {
          const next = await openOnPostgres(server.url, 20_000);
          opened.push(next);
          return next.catalog;
        },
        async dispose() {
          for (const { close } of opened) await close();
          await server.stop();
        },
      };
    },
    { filters: 1500 },
  );
  describeFailure('PostgreSQL', async () => {
    const server = await startPostgres();
    return { ...server, open: () => openOnPostgres(server.url, 2_000), isDurable: true };
  });
});

const mongoStandIn = 'MongoDB stand-in (mongo-java-server)';

describeWithServer('mongo', () => {
  describeDocumentCatalog(
    mongoStandIn,
    async () => {
      const server = await startMongo();
      const opened: MongoDocumentCatalog[] = [];
      const open = (): MongoDocumentCatalog => {
        const next = new MongoDocumentCatalog({ url: server.url, database: 'catalog', removalGraceMs: 0 });
        opened.push(next);
        return next;
      };
      const client = new MongoClient(server.url);
      return {
        catalog: open(),
        another: async () => open(),
        // What the first step of a removal leaves.
        async breakOffRemoval({ project, id, version }) {
          const removed = { live: false, version: 0, removed_version: version, removed_at: new Date(), sweeping: true };
          const source_hash = `removed:${JSON.stringify([project, id])}`;
          await client
            .db('catalog')
            .collection('documents')
            .updateOne({ project, id }, { $set: { ...removed, source_hash }, $currentDate: { changed: true } });
        },
        async dispose() {
          for (const one of opened) await one.close();
          await client.close();
          await server.stop();
        },
      };
    },
    { filters: 300 },
  );
  // What the stand-in acknowledged just before it was killed may be gone: its durability, not MongoDB's.
  describeFailure(mongoStandIn, async () => {
    const server = await startMongo();
    return {
      ...server,
      isDurable: false,
      async open() {
        const catalog = new MongoDocumentCatalog({ url: server.url });
        return { catalog, close: () => catalog.close() };
      },
    };
  });
});

const cosmosEmulator = 'Cosmos DB emulator (@vercel/cosmosdb-server)';

function openCosmos({ endpoint, key }: CosmosServer, more: Partial<CosmosCatalogOptions> = {}): CosmosDocumentCatalog {
  const container = { endpoint, key, database: 'bailiwick', container: 'documents' };
  return new CosmosDocumentCatalog({ ...container, timeoutMs: 2_000, ...more });
}

describeWithServer('cosmos', () => {
  describeDocumentCatalog(
    cosmosEmulator,
    async () => {
      const server = await startCosmos();
      const opened: CosmosDocumentCatalog[] = [];
      const open = (): CosmosDocumentCatalog => {
        // What is asked is whether it is right, however slow the machine is.
        const next = openCosmos(server, { removalGraceMs: 0, timeoutMs: 20_000 });
        opened.push(next);
        return next;
      };
      const { endpoint, key } = server;
      const client = new CosmosClient({ endpoint, key, connectionPolicy: { enableEndpointDiscovery: false } });
      return {
        catalog: open(),
        another: async () => open(),
        // What the first step of a removal leaves.
        async breakOffRemoval({ project, id: documentId, version }) {
          const id = documentItemId(documentId);
          const note = { id, project, uniqueKey: id, kind: 'removal', documentId, removedVersion: version };
          const item = client.database('bailiwick').container('documents').item(id, project);
          await item.replace({ ...note, removedMs: Date.now(), sweeping: true });
        },
        async dispose() {
          for (const one of opened) await one.close();
          client.dispose();
          await server.stop();
        },
      };
    },
    { filters: 200 },
  );
  // The emulator keeps its data in memory: it is not killed, but cut off.
  describeFailure(cosmosEmulator, async () => {
    const server = await startCosmos();
    return {
      ...server,
      isDurable: true,
      async open() {
        const catalog = openCosmos(server);
        return { catalog, close: () => catalog.close() };
      },
    };
  });

  describe(`throttling: ${cosmosEmulator}`, () => {
    it('waits as long as the service says, and gives up within a bound', async () => {
      const server = await startCosmos();
      const catalog = openCosmos(server);
      try {
        await catalog.insert(makeDocument('slow', { id: 'a' }));
        server.throttle(3, 300);
        const startedMs = Date.now();
        expect((await catalog.get('slow', 'a'))?.id).toBe('a');
        expect(Date.now() - startedMs).toBeGreaterThanOrEqual(900);
        expect(server.throttled()).toBe(3);
        server.throttle(10_000, 1_000);
        const throttledMs = Date.now();
        const error: unknown = await catalog.get('slow', 'a').catch((rejection: unknown) => rejection);
        expect(isBailiwickError(error) && error.details.reason).toBe('store.unavailable');
        expect(inspect(error, { depth: 9 })).not.toMatch(/authorization|sig%3D/i);
        expect(Date.now() - throttledMs).toBeLessThan(8_000);
        server.throttle(0, 0);
        expect((await catalog.get('slow', 'a'))?.id).toBe('a');
      } finally {
        await catalog.close();
        await server.stop();
      }
    }, 60_000);
  });
});
