import { isBailiwickError } from '@bailiwick/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startMilvusStandIn } from '../../../../../test/servers/milvus-stand-in.js';
import type { VectorStandIn } from '../../../../../test/servers/vector-stand-in.js';
import { describeVectorIndex, newSpace, selecting, unitVector } from '../../ports/vector-index.contract.js';
import { MilvusIndex } from './milvus-index.js';

const start = async (isShort: boolean) => {
  const server = await startMilvusStandIn();
  server.beShort(isShort);
  const opened: MilvusIndex[] = [];
  const open = (): MilvusIndex => {
    const next = new MilvusIndex({ url: server.url });
    opened.push(next);
    return next;
  };
  return {
    index: open(),
    another: async () => open(),
    async dispose() {
      for (const one of opened) await one.close();
      await server.stop();
    },
  };
};

describeVectorIndex('a stand-in for Milvus', () => start(false), { points: 1200, recall: 1 });
describeVectorIndex('a stand-in for Milvus that comes back short', () => start(true), { points: 1200, recall: 0.9 });

describe('a stand-in for Milvus', () => {
  let server: VectorStandIn;
  beforeEach(async () => {
    server = await startMilvusStandIn();
  });
  afterEach(() => server.stop());

  it('sends the key with every request, and says it nowhere when the server fails', async () => {
    const index = new MilvusIndex({ url: server.url, token: 'a-secret-key' });
    const space = newSpace();
    await index.put(space, [{ chunkId: 'c', documentId: 'd', vector: unitVector(Math.random) }]);
    await index.search(space, unitVector(Math.random), selecting(['d']), 3);
    expect(server.asked.length).toBeGreaterThan(2);
    for (const asked of server.asked) expect(asked.headers['authorization']).toBe('Bearer a-secret-key');
    for (const status of [401, 429, 500, 503]) {
      server.fail(status);
      const error: unknown = await index.count(space).catch((rejection: unknown) => rejection);
      if (!isBailiwickError(error)) throw error;
      expect(error.details.reason).toBe('store.unavailable');
      expect(JSON.stringify(error.details)).not.toContain('a-secret-key');
    }
    server.fail(undefined);
    expect(await index.count(space)).toBe(1);
    await index.close();
  });

  it('answers store.unavailable within bounds when nobody listens', async () => {
    const index = new MilvusIndex({ url: server.url, timeoutMs: 500 });
    await server.stop();
    const startedMs = Date.now();
    const error: unknown = await index.count(newSpace()).catch((rejection: unknown) => rejection);
    expect(isBailiwickError(error) && error.details.reason).toBe('store.unavailable');
    expect(Date.now() - startedMs).toBeLessThan(2_000);
    await index.close();
    server = await startMilvusStandIn();
  });
});
