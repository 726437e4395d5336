/** The contract of the vector index on real servers, and what happens when they die. */
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { ChromaIndex } from '../../apps/server/src/adapters/chroma/chroma-index.js';
import { PgvectorIndex } from '../../apps/server/src/adapters/pgvector/pgvector-index.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import {
  describeVectorIndex,
  newSpace,
  selecting,
  unitVector,
} from '../../apps/server/src/ports/vector-index.contract.js';
import type { VectorIndex } from '../../apps/server/src/ports/vector-index.port.js';
import { startChroma } from '../servers/chroma.js';
import { startPgvector } from '../servers/pgvector.js';
import { describeWithServer } from '../servers/presence.js';

interface Server {
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Where it is asked whether an answer is right, however slow the machine is. */
const patientMs = 20_000;

function describeServer<S extends Server>(
  name: string,
  start: () => Promise<S>,
  open: (server: S, timeoutMs: number) => VectorIndex,
): void {
  describeVectorIndex(name, async () => {
    const server = await start();
    const opened = [open(server, patientMs)];
    return {
      index: opened[0] as VectorIndex,
      async another() {
        const next = open(server, patientMs);
        opened.push(next);
        return next;
      },
      async dispose() {
        for (const one of opened) await one.close();
        await server.stop();
      },
    };
  });

  describe(`when ${name} dies`, () => {
    it('answers store.unavailable within bounds, then works again, and has lost nothing it acknowledged', async () => {
      const server = await start();
      const index = open(server, 3_000);
      const space = newSpace();
      const acknowledged: string[] = [];
      const put = async (chunkId: string): Promise<void> => {
        await index.put(space, [{ chunkId, documentId: `d-${chunkId}`, vector: unitVector(Math.random) }]);
        acknowledged.push(chunkId);
      };
      try {
        for (let i = 0; i < 30; i += 1) await put(`before-${i}`);
        const racing = Array.from({ length: 20 }, (_, i) => put(`during-${i}`).catch(() => undefined));
        await server.kill();
        await Promise.all(racing);
        const startedMs = Date.now();
        await expectReason(index.search(space, unitVector(Math.random), selecting(undefined), 5), 'store.unavailable');
        await expectReason(put('while-away'), 'store.unavailable');
        await expectReason(index.count(space), 'store.unavailable');
        await expectReason(index.removeDocument(space, 'd'), 'store.unavailable');
        await expectReason(index.drop(space), 'store.unavailable');
        expect(Date.now() - startedMs).toBeLessThan(20_000);
        await server.restart();
        await vi.waitFor(() => put('after'), { timeout: 20_000 });
        const found = await index.search(space, unitVector(Math.random), selecting(undefined), 100);
        const names = new Set(found.map(({ chunkId }) => chunkId));
        expect(acknowledged.filter((chunkId) => !names.has(chunkId))).toEqual([]);
      } finally {
        await index.close();
        await server.stop();
      }
    }, 120_000);
  });
}

describeWithServer('pgvector', () => {
  describeServer(
    'PostgreSQL 16 with pgvector',
    startPgvector,
    ({ url }, timeoutMs) => new PgvectorIndex({ url, poolSize: 10, timeoutMs }),
  );
  describeVectorIndex('PostgreSQL 16 with pgvector, through its HNSW index', async () => {
    const server = await startPgvector();
    const opened: PgvectorIndex[] = [];
    const open = (): PgvectorIndex => {
      const next = new PgvectorIndex({ url: server.url, poolSize: 10, exactPoints: 200, timeoutMs: patientMs });
      opened.push(next);
      return next;
    };
    return {
      index: open(),
      another: async () => open(),
      async settled() {
        for (const one of opened) await one.settled();
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        const { rows } = await client.query(`SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'`);
        await client.end();
        expect(rows.length).toBeGreaterThan(0);
      },
      async dispose() {
        for (const one of opened) await one.close();
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        const used = `SELECT sum(idx_scan) AS used FROM pg_stat_user_indexes WHERE indexrelname LIKE 'vector_hnsw_%'`;
        const { rows } = await client.query(used);
        await client.end();
        await server.stop();
        // Otherwise the suite would have shown nothing about approximate answers.
        expect(Number(rows[0].used)).toBeGreaterThan(10);
      },
    };
  });
});

describeWithServer('chroma', () => {
  describeServer('Chroma', startChroma, ({ url }, timeoutMs) => new ChromaIndex({ url, timeoutMs }));
});
