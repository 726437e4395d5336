/** The embedding model itself: it is what its hash says, and means what it should. `npx bailiwick rag fetch-model` brings it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultModelFolder, openOnnxEmbedder } from '../../apps/server/src/adapters/onnx/onnx-embedder.js';
import type { Embedder } from '../../apps/server/src/ports/embedder.port.js';
import { describeWithServer } from '../servers/presence.js';
import { startTestServer } from '../system/harness.js';
import { ragClient } from '../system/rag-client.js';

const cosine = (a: Float32Array | undefined, b: Float32Array | undefined): number =>
  [...(a ?? [])].reduce((sum, component, at) => sum + component * (b?.[at] ?? 0), 0);

describeWithServer('embeddingModel', () => {
  describe('the embedding model', () => {
    let embedder: Embedder;
    beforeAll(async () => {
      embedder = await openOnnxEmbedder(defaultModelFolder(), 1);
    }, 60_000);
    afterAll(async () => {
      await embedder.close();
    });

    it('gives the same vector of length one alone and among others, and near ones for like meanings', async () => {
      const texts = ['How many vacation days do I get?', 'Employees have 30 days of annual leave.', 'Trains are late.'];
      const together = await embedder.embed(texts);
      const [alone] = await embedder.embed([texts[0] ?? '']);
      expect(cosine(alone, together[0])).toBeGreaterThan(0.999);
      expect(cosine(alone, alone)).toBeCloseTo(1, 5);
      expect(cosine(together[0], together[1])).toBeGreaterThan(cosine(together[0], together[2]) + 0.2);
    });

    it('takes texts of any length and script, and none', async () => {
      expect(await embedder.embed([])).toEqual([]);
      const vectors = await embedder.embed(['', 'x'.repeat(100_000), '東京は日本の首都です。', '\u0000\ud800']);
      for (const vector of vectors) expect(Number.isFinite(cosine(vector, vector))).toBe(true);
    }, 60_000);

    it('finds by meaning what words do not, and documents that were there before it', async () => {
      const server = await startTestServer({ embeddingFolder: defaultModelFolder() });
      const ada = await ragClient(server, 'demo', { sub: 'ada', project: 'demo', roles: ['editor'] });
      const { document } = await ada.upload('leave.md', 'Employees have 30 days of annual leave.', {});
      await ada.ready(document.id);
      const { items, retrieval } = await ada.search('vacation entitlement');
      expect(retrieval).toMatchObject({ mode: 'hybrid', model: 'all-MiniLM-L6-v2-int8' });
      expect(items[0]).toMatchObject({ text_score: null, document: { name: 'leave.md' } });
      await server.stop();
    }, 60_000);
  });
});
