/**
 * One ranking out of two: each score relative to the best of its kind, then added with a weight. Chosen and weighed on CISI's odd
 * queries and SQuAD (`docs/decisions/0016-retrieval-in-memory.md`): unlike reciprocal ranks it keeps how much better the best is.
 */
import type { ChunkHit, IndexAnswer } from './project-index.js';

/** The vectors' share. */
const vectorWeight = 0.5;
/** The next chunk of a document that is in the answer already has to be so much better. */
const repeatFactor = 0.9;

export interface FusedHit {
  readonly chunkId: string;
  readonly documentId: string;
  /** 0 to 1. */
  readonly score: number;
  readonly textScore: number | null;
  readonly vectorScore: number | null;
}

/** Best first. Where only one kind was searched, its scores decide alone; what only one kind found has the other's score all the same, if it is known. */
export function fuse({ byText, byVector, rest }: IndexAnswer, weight = vectorWeight): FusedHit[] {
  const isAlone = byText.length === 0 || byVector.length === 0;
  const fused = new Map<string, FusedHit>();
  const add = (
    kind: 'textScore' | 'vectorScore',
    share: number,
    best: readonly ChunkHit[],
    more: readonly ChunkHit[],
  ) => {
    const top = best[0]?.score ?? 0;
    const seen = new Set<string>();
    for (const { chunkId, documentId, score } of [...best, ...more]) {
      if (seen.has(chunkId)) continue;
      seen.add(chunkId);
      const before = fused.get(chunkId) ?? { chunkId, documentId, score: 0, textScore: null, vectorScore: null };
      const relative = top > 0 ? Math.max(0, score / top) : 0;
      fused.set(chunkId, { ...before, score: before.score + share * relative, [kind]: score });
    }
  };
  if (byText.length > 0) add('textScore', isAlone ? 1 : 1 - weight, byText, isAlone ? [] : rest.byText);
  if (byVector.length > 0) add('vectorScore', isAlone ? 1 : weight, byVector, isAlone ? [] : rest.byVector);
  return [...fused.values()].sort((a, b) => b.score - a.score || (a.chunkId < b.chunkId ? -1 : 1));
}

/** The same hits with further chunks of one document moved back, so that an answer rests on more than one. */
export function diversified(hits: readonly FusedHit[], limit: number): FusedHit[] {
  const rest = [...hits];
  const taken = new Map<string, number>();
  const chosen: FusedHit[] = [];
  const worth = (hit: FusedHit): number => hit.score * repeatFactor ** (taken.get(hit.documentId) ?? 0);
  while (chosen.length < limit && rest.length > 0) {
    let best = 0;
    for (let at = 1; at < rest.length; at += 1)
      if (worth(rest[at] as FusedHit) > worth(rest[best] as FusedHit)) best = at;
    const [hit] = rest.splice(best, 1) as [FusedHit];
    taken.set(hit.documentId, (taken.get(hit.documentId) ?? 0) + 1);
    chosen.push(hit);
  }
  return chosen;
}
