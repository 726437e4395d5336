/** nDCG@10 and recall@100 of our searches and of others, over the same passages of the same documents. */
import type { Dataset, JudgedQuery } from '../../apps/cli/src/rag/dataset.js';
import { distinct, mean, ndcg, recall } from '../../apps/cli/src/rag/ranking.js';
import { fuse } from '../../apps/server/src/documents/retrieval/fusion.js';
import { ProjectIndex } from '../../apps/server/src/documents/retrieval/project-index.js';
import type { EmbeddedPassage } from './corpus.js';

/** Documents, best first, as indices into the corpus. */
export type Ranker = (query: JudgedQuery, vector: Float32Array) => Promise<readonly number[]> | readonly number[];

export interface Quality {
  readonly ndcg10: number;
  readonly recall100: number;
  readonly p50: number;
  readonly p95: number;
}

const everything = { op: 'true' } as const;
const depth = 100;

export function indexOf(passages: readonly EmbeddedPassage[]): ProjectIndex {
  const index = new ProjectIndex();
  const byDocument = new Map<number, EmbeddedPassage[]>();
  for (const passage of passages) {
    const some = byDocument.get(passage.document) ?? [];
    some.push(passage);
    byDocument.set(passage.document, some);
  }
  for (const [document, some] of byDocument) {
    const attributes = { ...{ name: '', title: '', media_type: '', source: '', created_by: '', created_at: '' } };
    const lists = { tags: [], groups: [], metadata: {}, updated_at: '', size: 0 };
    index.put({ id: String(document), version: 1, ...attributes, ...lists }, some);
  }
  return index;
}

/** Ours, by words, by vectors, and both. */
export function ours(index: ProjectIndex, kind: 'text' | 'vector' | 'fused'): Ranker {
  return ({ text }, vector) => {
    const answer = index.search({
      filter: everything,
      text: kind === 'vector' ? undefined : text,
      vector: kind === 'text' ? undefined : vector,
      limit: depth,
    });
    return fuse(answer).map(({ documentId }) => Number(documentId));
  };
}

export async function judge(
  { corpus }: Dataset,
  queries: readonly JudgedQuery[],
  vectors: readonly Float32Array[],
  ranker: Ranker,
): Promise<Quality> {
  const times: number[] = [];
  const gains: (number | undefined)[] = [];
  const recalls: (number | undefined)[] = [];
  for (const [at, query] of queries.entries()) {
    const started = performance.now();
    const ranked = await ranker(query, vectors[at] as Float32Array);
    times.push(performance.now() - started);
    const ids = distinct(ranked.map((document) => corpus[document]?._id ?? ''));
    gains.push(ndcg(ids, query.judged));
    recalls.push(recall(ids, query.judged));
  }
  times.sort((a, b) => a - b);
  const share = (part: number): number => times[Math.floor(times.length * part)] ?? Number.NaN;
  return { ndcg10: mean(gains), recall100: mean(recalls), p50: share(0.5), p95: share(0.95) };
}
