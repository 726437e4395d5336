/** A gate on the quality of searches and answers, by words alone: what `bailiwick rag evaluate` prints for a dataset with judgements. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDataset } from '../../apps/cli/src/rag/dataset.js';
import { evaluate, load } from '../../apps/cli/src/rag/evaluate.js';
import { repositoryRoot, startTestServer, type TestServer } from './harness.js';

const folder = join(repositoryRoot, '../shared/datasets/squad');
const isThere = existsSync(folder);

describe.skipIf(!isThere && process.env['CI'] !== 'true')(
  `questions of SQuAD${isThere ? '' : ' (skipped: the dataset is not beside the repository)'}`,
  () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startTestServer();
    });
    afterAll(async () => {
      await server.stop();
    });

    it('are answered as well as they ever were', async () => {
      const { corpus, queries } = readDataset(folder);
      // Every fifth: enough to see a change, quick enough for every run.
      const dataset = { corpus, queries: queries.filter((_query, at) => at % 5 === 0) };
      const { url, token, directory } = server;
      const options = { url, token, dataDir: directory, project: 'squad', mode: 'text', answers: true };
      await load(options, dataset, () => undefined);
      const result = await evaluate(options, dataset);
      console.log(
        `nDCG@10 ${result.ndcg10.toFixed(3)}, recall@100 ${result.recall100.toFixed(3)}, span recall ${result.spanRecall.toFixed(3)}, citation precision ${result.citationPrecision.toFixed(3)}`,
      );
      expect(result.ndcg10).toBeGreaterThan(0.86);
      expect(result.recall100).toBeGreaterThan(0.98);
      expect(result.spanRecall).toBeGreaterThan(0.87);
      expect(result.citationPrecision).toBeGreaterThan(0.6);
    }, 180_000);
  },
);
