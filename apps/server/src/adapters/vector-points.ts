/** What several vector indexes share: names, lists in portions, and the search over all points where an index came back short. */
import { createHash } from 'node:crypto';
import type { VectorHit, VectorPoint, VectorSpace } from '../ports/vector-index.port.js';

/** Of points with one name the last, as if they had been put one after another. */
export function lastOfEach(points: readonly VectorPoint[]): readonly VectorPoint[] {
  return [...new Map(points.map((point) => [point.chunkId, point])).values()];
}

/** A collection's name for the space: letters, digits and `_` only, whatever the project and the model are called. */
export function collectionOf({ project, model, dimensions }: VectorSpace): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([project, model, dimensions]))
    .digest('hex');
  return `bailiwick_${digest.slice(0, 40)}`;
}

export function* portions<T>(items: readonly T[], size: number): Iterable<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/** Both of length one. */
export function similarity(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** The best of several lists. */
export function best(hits: readonly VectorHit[], limit: number): readonly VectorHit[] {
  return [...hits].sort((a, b) => b.score - a.score).slice(0, limit);
}
