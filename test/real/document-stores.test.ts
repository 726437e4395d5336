/** Settings to stores: each choice of catalog and vector index opened as the server opens it, on the real server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeDocument } from '../../apps/server/src/ports/document-catalog-under-test.contract.js';
import { newSpace, selecting, unitVector } from '../../apps/server/src/ports/vector-index.contract.js';
import { readSettings } from '../../apps/server/src/settings.js';
import { openStores, type Stores } from '../../apps/server/src/stores.js';
import { startChroma } from '../servers/chroma.js';
import { startCosmos } from '../servers/cosmos.js';
import { startMongo } from '../servers/mongo.js';
import { startPgvector } from '../servers/pgvector.js';
import { startPostgres } from '../servers/postgres.js';
import { describeWithServers } from '../servers/presence.js';

async function withStores(overrides: Parameters<typeof readSettings>[1], work: (stores: Stores) => Promise<void>) {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'bailiwick-chosen-'));
  const errors: unknown[] = [];
  const onError = () => (error: unknown) => void errors.push(error);
  const stores = await openStores(readSettings({}, { dataDirectory, ...overrides }), onError);
  try {
    await work(stores);
    expect(errors).toEqual([]);
  } finally {
    await stores.close();
    await rm(dataDirectory, { recursive: true, force: true });
  }
}

async function catalogWorks({ documents }: Stores): Promise<void> {
  const document = makeDocument('chosen', { generation: 1, tags: ['x'] });
  expect(await documents.insert(document)).toBe('inserted');
  expect(await documents.select('chosen', { op: 'contains', field: ['tags'], value: 'x' })).toEqual([document.id]);
  expect((await documents.changesAfter(undefined, 5)).changes.map(({ id }) => id)).toEqual([document.id]);
}

async function indexWorks({ vectors }: Stores): Promise<void> {
  const space = newSpace();
  const vector = unitVector(Math.random);
  await vectors?.put(space, [{ chunkId: 'c', documentId: 'd', vector }]);
  expect(await vectors?.search(space, vector, selecting(['d']), 3)).toMatchObject([{ chunkId: 'c', documentId: 'd' }]);
}

describeWithServers(['postgres', 'mongo', 'cosmos', 'pgvector', 'chroma'], () => {
  it('opens SQLite and no vector index when nothing is chosen', async () => {
    await withStores({}, async (stores) => {
      await catalogWorks(stores);
      expect(stores.vectors).toBeUndefined();
    });
  });

  it('opens PostgreSQL with pgvector beside it', async () => {
    const [postgres, pgvector] = [await startPostgres(), await startPgvector()];
    const chosen = { relationalStore: 'postgres', postgresUrl: postgres.url } as const;
    const index = { vectorIndex: 'pgvector', pgvectorUrl: pgvector.url } as const;
    await withStores({ ...chosen, ...index }, async (stores) => {
      await catalogWorks(stores);
      await indexWorks(stores);
    });
    await postgres.stop();
    await pgvector.stop();
  });

  it('opens Cosmos DB (emulator) with Chroma beside it', async () => {
    const [cosmos, chroma] = [await startCosmos(), await startChroma()];
    const chosen = { documentCatalog: 'cosmos', cosmosEndpoint: cosmos.endpoint, cosmosKey: cosmos.key } as const;
    await withStores({ ...chosen, vectorIndex: 'chroma', chromaUrl: chroma.url }, async (stores) => {
      await catalogWorks(stores);
      await indexWorks(stores);
    });
    await cosmos.stop();
    await chroma.stop();
  });

  it('opens MongoDB (stand-in)', async () => {
    const mongo = await startMongo();
    await withStores({ documentCatalog: 'mongodb', mongodbUrl: mongo.url }, catalogWorks);
    await mongo.stop();
  });
});
