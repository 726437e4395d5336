/** Filter and search in the index of one process, by size of the corpus and of what the filter lets through; without the embedding of the question. */
import type { Filter } from '@bailiwick/rego';
import { ProjectIndex } from '../../apps/server/src/documents/retrieval/project-index.js';
import { percentile } from '../report.js';

export interface SpeedRow {
  readonly chunks: number;
  readonly chunksPerSecond: number;
  /** MiB held by the index. */
  readonly megabytes: number;
  /** By the share of documents that the filter lets through. */
  readonly times: readonly { readonly share: string; readonly p50: number; readonly p95: number }[];
}

const dimensions = 384;
const chunksPerDocument = 10;
const rounds = 300;
const filters: readonly { readonly share: string; readonly filter: Filter }[] = [
  { share: '1 %', filter: { op: 'contains', field: ['groups'], value: 'group-7' } },
  { share: '10 %', filter: { op: 'lt', field: ['metadata', 'percentile'], value: 10 } },
  { share: '100 %', filter: { op: 'true' } },
];

/** After a collection: objects, and buffers outside of the heap. Resident memory would tell of the run before. */
function heldBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** `texts` and `questions` are real ones, mixed anew. */
export function measureSpeed(chunks: number, texts: readonly string[], questions: readonly string[]): SpeedRow {
  const random = generator(chunks);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const unit = (): Float32Array => {
    const vector = Float32Array.from({ length: dimensions }, () => random() - 0.5);
    const norm = Math.hypot(...vector);
    return vector.map((component) => component / norm);
  };
  const index = new ProjectIndex();
  const before = heldBytes();
  let putMs = 0;
  for (let document = 0; document < chunks / chunksPerDocument; document += 1) {
    const some = Array.from({ length: chunksPerDocument }, (_, at) => {
      const words = pick(texts).split(' ');
      const half = Math.floor(words.length / 2);
      const text = [...words.slice(0, half), ...pick(texts).split(' ').slice(half)].join(' ');
      return { id: `${document}:${at}`, text, vector: unit() };
    });
    const lists = { tags: [], groups: [`group-${document % 100}`], metadata: { percentile: document % 100 }, size: 0 };
    const dates = { created_by: '', created_at: '', updated_at: '' };
    const attributes = { id: String(document), version: 1, name: '', title: '', media_type: '', source: '' };
    const started = performance.now();
    index.put({ ...attributes, ...lists, ...dates }, some);
    putMs += performance.now() - started;
  }
  const megabytes = (heldBytes() - before) / 2 ** 20;
  const times = filters.map(({ share, filter }) => {
    const samples = Array.from({ length: rounds }, () => {
      const question = { filter, text: pick(questions), vector: unit(), limit: 100 };
      const started = performance.now();
      index.search(question);
      return performance.now() - started;
    });
    return { share, p50: percentile(samples, 0.5), p95: percentile(samples, 0.95) };
  });
  return { chunks, chunksPerSecond: chunks / (putMs / 1000), megabytes, times };
}

function generator(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
