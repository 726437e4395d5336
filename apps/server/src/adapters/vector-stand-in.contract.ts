/** What every vector index over HTTP is held to against its stand-in: the whole contract, its key's secrecy, and time limits. */
import { isBailiwickError } from '@bailiwick/contract';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VectorStandIn } from '../../../../test/servers/vector-stand-in.js';
import { describeVectorIndex, newSpace, selecting, unitVector } from '../ports/vector-index.contract.js';
import type { VectorIndex } from '../ports/vector-index.port.js';

export interface StandInSuite {
  /** Of the real server: `Qdrant`. */
  readonly name: string;
  start(): Promise<VectorStandIn>;
  open(options: { readonly url: string; readonly key?: string; readonly timeoutMs?: number }): VectorIndex;
  /** The header that carries the key, and how. */
  readonly keyHeader: readonly [name: string, value: (key: string) => string];
}

const key = 'a-secret-key';

export function describeWithStandIn({ name, start, open, keyHeader: [header, inHeader] }: StandInSuite): void {
  const begin = async (isShort: boolean) => {
    const server = await start();
    server.beShort(isShort);
    const opened: VectorIndex[] = [];
    const openOne = (): VectorIndex => {
      const next = open({ url: server.url });
      opened.push(next);
      return next;
    };
    return {
      index: openOne(),
      another: async () => openOne(),
      async dispose() {
        for (const one of opened) await one.close();
        await server.stop();
      },
    };
  };
  describeVectorIndex(`a stand-in for ${name}`, () => begin(false), { points: 1200, recall: 1 });
  describeVectorIndex(`a stand-in for ${name} that comes back short`, () => begin(true), { points: 1200, recall: 0.9 });

  describe(`a stand-in for ${name}`, () => {
    let server: VectorStandIn;
    beforeEach(async () => {
      server = await start();
    });
    afterEach(() => server.stop());

    it('sends the key with every request, and says it nowhere when the server fails', async () => {
      const index = open({ url: server.url, key });
      const space = newSpace();
      await index.put(space, [{ chunkId: 'c', documentId: 'd', vector: unitVector(Math.random) }]);
      await index.search(space, unitVector(Math.random), selecting(['d']), 3);
      expect(server.asked.length).toBeGreaterThan(2);
      for (const asked of server.asked) expect(asked.headers[header]).toBe(inHeader(key));
      for (const status of [401, 429, 500, 503]) {
        server.fail(status);
        const error: unknown = await index.count(space).catch((rejection: unknown) => rejection);
        if (!isBailiwickError(error)) throw error;
        expect(error.details.reason).toBe('store.unavailable');
        expect(JSON.stringify(error.details)).not.toContain(key);
      }
      server.fail(undefined);
      expect(await index.count(space)).toBe(1);
      await index.close();
    });

    it('answers store.unavailable within bounds when nobody listens', async () => {
      const index = open({ url: server.url, timeoutMs: 500 });
      await server.stop();
      const startedMs = Date.now();
      const error: unknown = await index.count(newSpace()).catch((rejection: unknown) => rejection);
      expect(isBailiwickError(error) && error.details.reason).toBe('store.unavailable');
      expect(Date.now() - startedMs).toBeLessThan(2_000);
      await index.close();
      server = await start();
    });
  });
}
