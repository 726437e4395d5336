/**
 * The RAG service's search: how good beside MiniSearch and PostgreSQL on judged datasets, and how fast by size and filter. Weights
 * were chosen on SQuAD and CISI's odd queries; what is scored here is SciFact and CISI's even ones.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readDataset } from '../apps/cli/src/rag/dataset.js';
import { hasModel, openOnnxEmbedder } from '../apps/server/src/adapters/onnx/onnx-embedder.js';
import { localEmbeddingModel } from '../packages/contract/src/embedding-model.js';
import { embedAll, takeIn } from './rag/corpus.js';
import { miniSearch, postgres } from './rag/peers.js';
import { indexOf, judge, ours, type Quality } from './rag/quality.js';
import { measureSpeed } from './rag/speed.js';
import { publish, round } from './report.js';

const datasets = process.argv[2] ?? join(process.cwd(), '..', 'shared', 'datasets');
const folder = process.env['BAILIWICK_EMBEDDING_DIR'] ?? join(homedir(), ...localEmbeddingModel.cacheFolder);
if (!hasModel(folder)) {
  console.error('This benchmark needs the embedding model: npx bailiwick rag fetch-model');
  process.exit(2);
}
const embedder = await openOnnxEmbedder(folder, 1);
const rows: (string | number)[][] = [];
const plotted: { readonly label: string; readonly value: number }[] = [];
const texts: string[] = [];
const questions: string[] = [];
let embedded = 0;

const showQuality = (dataset: string, name: string, quality: Quality): void => {
  rows.push([
    ...[dataset, name, quality.ndcg10.toFixed(3), quality.recall100.toFixed(3)],
    ...[round(quality.p50), round(quality.p95)],
  ]);
  plotted.push({ label: `${dataset}: ${name}`, value: quality.ndcg10 });
  console.error(`${dataset} ${name}: nDCG@10 ${quality.ndcg10.toFixed(4)}, recall@100 ${quality.recall100.toFixed(4)}`);
};

for (const name of ['scifact', 'cisi'] as const) {
  const dataset = readDataset(join(datasets, name));
  const queries = name === 'cisi' ? dataset.queries.filter((_query, at) => at % 2 === 1) : dataset.queries;
  console.error(`Taking in ${name} …`);
  const passages = await takeIn(dataset.corpus, embedder);
  const vectors = await embedAll(
    embedder,
    queries.map(({ text }) => text),
  );
  texts.push(...passages.map(({ text }) => text));
  questions.push(...queries.map(({ text }) => text));
  const index = indexOf(passages);
  const show = async (label: string, ranker: Parameters<typeof judge>[3]): Promise<void> =>
    showQuality(name, label, await judge(dataset, queries, vectors, ranker));
  await show('Bailiwick, BM25', ours(index, 'text'));
  await show('Bailiwick, vectors', ours(index, 'vector'));
  await show('Bailiwick, fused', ours(index, 'fused'));
  await show('MiniSearch', miniSearch(passages));
  const server = await postgres(passages);
  if (server) {
    await show('PostgreSQL, ts_rank', server.tsRank);
    await show('pgvector, HNSW', server.pgvector);
    await server.close();
  }
}

const sample = texts.filter((_text, at) => at % 97 === 0).slice(0, 64);
const started = performance.now();
for (let at = 0; at < sample.length; at += 16) await embedder.embed(sample.slice(at, at + 16));
embedded = sample.length / ((performance.now() - started) / 1000);
const asked = performance.now();
for (const question of questions.slice(0, 50)) await embedder.embed([question]);
const questionMs = (performance.now() - asked) / 50;
await embedder.close();

const speed = [1_000, 10_000, 100_000].map((chunks) => measureSpeed(chunks, texts, questions));
publish({
  name: 'rag',
  title: 'Retrieval: quality beside MiniSearch and PostgreSQL',
  about:
    'nDCG@10 and recall@100 over the same passages (about 200 tokens) and the same vectors (all-MiniLM-L6-v2, 8 bits); times are of the search alone, in milliseconds.',
  columns: ['dataset', 'search', 'nDCG@10', 'recall@100', 'P50 ms', 'P95 ms'],
  rows,
  notes: [
    'SciFact: 5,183 documents, 300 queries. CISI: 1,460 documents, its 38 even judged queries; weights were chosen on the odd ones and on SQuAD.',
    `Embedding on one thread: ${round(embedded, 1)} passages/s; a question ${round(questionMs, 1)} ms.`,
  ],
  plot: {
    title: 'nDCG@10 (longer is better)',
    unit: '',
    labels: plotted.map(({ label }) => label),
    series: [{ name: 'nDCG@10', color: '#2563eb', values: plotted.map(({ value }) => value) }],
  },
});
publish({
  name: 'rag-speed',
  command: 'rag',
  title: 'Retrieval: filter and search by size',
  about:
    'Filter (by group, by a metadata range, none) and hybrid search for the best hundred by words and by vectors, in one process, without embedding the question. Milliseconds.',
  columns: ['chunks', 'filter lets through', 'P50', 'P95', 'index chunks/s', 'MiB'],
  rows: speed.flatMap(({ chunks, chunksPerSecond, megabytes, times }) =>
    times.map(({ share, p50, p95 }) => [
      ...[chunks, share, round(p50), round(p95)],
      ...[Math.round(chunksPerSecond), Math.round(megabytes)],
    ]),
  ),
  plot: {
    title: 'Filter and search, P95 in ms (shorter is better)',
    unit: 'ms',
    labels: speed.flatMap(({ chunks, times }) => times.map(({ share }) => `${chunks} chunks, ${share}`)),
    series: [{ name: 'P95', color: '#2563eb', values: speed.flatMap(({ times }) => times.map(({ p95 }) => p95)) }],
  },
});
