/** The contract of `VectorIndex`: every sentence of the port as a test, with a search over all points as the oracle. */
import { randomInt, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Selection, VectorHit, VectorIndex, VectorPoint, VectorSpace } from './vector-index.port.js';

/** One index, empty at the start. */
export interface VectorIndexUnderTest {
  readonly index: VectorIndex;
  /** Another connection to the same data. */
  another(): Promise<VectorIndex>;
  /** Waits for what the index makes in the background of a space that has grown. */
  settled?(): Promise<void>;
  dispose(): Promise<void>;
}

export interface VectorIndexContract {
  /** Points of the large space: enough that the index no longer looks at all of them. */
  readonly points: number;
  /** The least share of the true nearest among those found in the large space without a condition. */
  readonly recall: number;
}

const dimensions = 24;

export const newSpace = (more: Partial<VectorSpace> = {}): VectorSpace => ({
  ...{ project: `p-${randomUUID().slice(0, 13)}`, model: 'all-MiniLM-L6-v2', dimensions },
  ...more,
});

/** Selects documents by id; undefined: all. */
export function selecting(ids: Iterable<string> | undefined): Selection {
  const set = ids === undefined ? undefined : new Set(ids);
  return { filter: { op: 'true' }, ids: async () => set };
}

/** A generator of numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function unitVector(next: () => number, size = dimensions): Float32Array {
  const vector = Float32Array.from({ length: size }, () => next() + next() + next() - 1.5);
  const length = Math.hypot(...vector);
  return vector.map((each) => each / length);
}

const point = (chunkId: string, documentId: string, vector: Float32Array): VectorPoint => ({
  chunkId,
  documentId,
  vector,
});

function similarity(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, each, i) => sum + each * (b[i] ?? 0), 0);
}

function nearest(
  points: readonly VectorPoint[],
  query: Float32Array,
  ids: ReadonlySet<string> | undefined,
  limit: number,
) {
  return points
    .filter(({ documentId }) => ids === undefined || ids.has(documentId))
    .map(({ chunkId, documentId, vector }): VectorHit => ({ chunkId, documentId, score: similarity(vector, query) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, limit);
}

/** As many as there are, of the selection only, best first, with true scores, none twice. */
function expectSound(
  hits: readonly VectorHit[],
  points: readonly VectorPoint[],
  query: Float32Array,
  ids: ReadonlySet<string> | undefined,
  limit: number,
) {
  const byId = new Map(points.map((one) => [one.chunkId, one]));
  const inSelection = points.filter(({ documentId }) => ids === undefined || ids.has(documentId));
  expect(hits).toHaveLength(Math.min(limit, inSelection.length));
  expect(new Set(hits.map(({ chunkId }) => chunkId)).size).toBe(hits.length);
  for (const [place, hit] of hits.entries()) {
    const known = byId.get(hit.chunkId) as VectorPoint;
    expect(hit.documentId).toBe(known.documentId);
    if (ids) expect(ids.has(hit.documentId)).toBe(true);
    expect(Math.abs(hit.score - similarity(known.vector, query))).toBeLessThan(2e-5);
    if (place > 0) expect((hits[place - 1] as VectorHit).score + 1e-6).toBeGreaterThanOrEqual(hit.score);
  }
}

export function describeVectorIndex(
  name: string,
  start: () => Promise<VectorIndexUnderTest>,
  contract: VectorIndexContract = { points: 4000, recall: 0.9 },
): void {
  describe(`VectorIndex: ${name}`, () => {
    let under: VectorIndexUnderTest | undefined;
    let index: VectorIndex;
    beforeAll(async () => {
      under = await start();
      index = under.index;
    }, 120_000);
    afterAll(() => under?.dispose(), 60_000);
    const found = async (space: VectorSpace, query: Float32Array, ids?: Iterable<string>, limit = 10) =>
      (await index.search(space, query, selecting(ids), limit)).map(({ chunkId }) => chunkId);

    it('finds what was put as soon as it is put, best first, and replaces what has the same name', async () => {
      const space = newSpace({ dimensions: 3 });
      const [x, y, z] = [Float32Array.of(1, 0, 0), Float32Array.of(0, 1, 0), Float32Array.of(0, 0, 1)];
      const between = Float32Array.of(0.6, 0.8, 0);
      await index.put(space, [point('x', 'd1', x), point('y', 'd1', y), point('z', 'd2', z)]);
      const hits = await index.search(space, between, selecting(undefined), 10);
      expect(hits.map(({ chunkId, documentId }) => [chunkId, documentId])).toEqual([
        ['y', 'd1'],
        ['x', 'd1'],
        ['z', 'd2'],
      ]);
      for (const [i, score] of [0.8, 0.6, 0].entries()) expect(hits[i]?.score).toBeCloseTo(score, 5);
      const other = (await under?.another()) as VectorIndex;
      await other.put(space, [
        point('z', 'd3', between),
        point(
          'w',
          'd3',
          x.map((each) => -each),
        ),
      ]);
      expect(await found(space, between)).toEqual(['z', 'y', 'x', 'w']);
      expect(await index.count(space)).toBe(4);
      const [first] = await index.search(space, between, selecting(['d3']), 1);
      expect(first).toMatchObject({ chunkId: 'z', documentId: 'd3' });
      const opposite = (await index.search(space, x, selecting(['d3']), 5)).at(-1);
      expect(opposite?.score).toBeCloseTo(-1, 5);
      await index.put(space, []);
    });

    it('takes the last of two points with one name, and many that put at once', async () => {
      const space = newSpace();
      const next = random(7);
      const [one, two] = [unitVector(next), unitVector(next)];
      await index.put(space, [point('c', 'd', one), point('c', 'e', two)]);
      expect(await index.count(space)).toBe(1);
      expect((await index.search(space, two, selecting(undefined), 5))[0]).toMatchObject({ documentId: 'e' });
      const batches = Array.from({ length: 8 }, (_, b) =>
        Array.from({ length: 25 }, (_, i) => point(`${b}-${i}`, `d${b}`, unitVector(next))),
      );
      await Promise.all(batches.map((batch) => index.put(space, batch)));
      expect(await index.count(space)).toBe(201);
    });

    it('keeps projects and models apart, and knows nothing of a space that is not there', async () => {
      const space = newSpace();
      const [other, model] = [newSpace(), { ...space, model: 'other/model:v2 "x"' }];
      const vector = unitVector(random(1));
      await index.put(space, [point('c', 'mine', vector)]);
      await index.put(other, [point('c', 'theirs', vector)]);
      await index.put(model, [point('c', 'modelled', vector)]);
      for (const [each, documentId] of [
        [space, 'mine'],
        [other, 'theirs'],
        [model, 'modelled'],
      ] as const) {
        expect(await index.search(each, vector, selecting(undefined), 9)).toMatchObject([{ chunkId: 'c', documentId }]);
        expect(await index.chunkIds(each, documentId)).toEqual(['c']);
        expect(await index.search(each, vector, selecting(['nobody']), 9)).toEqual([]);
      }
      expect(await index.chunkIds(space, 'theirs')).toEqual([]);
      const none = newSpace();
      expect(await index.search(none, vector, selecting(undefined), 9)).toEqual([]);
      expect(await index.count(none)).toBe(0);
      expect(await index.chunkIds(none, 'mine')).toEqual([]);
      await index.removeChunks(none, ['c']);
      await index.removeDocument(none, 'mine');
      await index.drop(none);
      await index.drop(other);
      expect(await index.count(other)).toBe(0);
      expect(await index.search(other, vector, selecting(undefined), 9)).toEqual([]);
      expect(await index.count(space)).toBe(1);
      await index.put(other, [point('again', 'theirs', vector)]);
      expect(await found(other, vector)).toEqual(['again']);
    });

    it('removes chunks and documents, whatever their names', async () => {
      const space = newSpace();
      const next = random(3);
      const names = ['a', "o'x", 'q"r', 'ä€😀', '$in', 'x\\y', '%', '{"a":1}', '../..', 'a b'];
      const points = names.flatMap((name) => [0, 1, 2].map((i) => point(`${name}#${i}`, name, unitVector(next))));
      await index.put(space, points);
      for (const name of names)
        expect([...(await index.chunkIds(space, name))].sort()).toEqual([0, 1, 2].map((i) => `${name}#${i}`));
      await index.removeChunks(space, [...names.map((name) => `${name}#1`), 'gone']);
      await index.removeChunks(space, []);
      expect(await index.count(space)).toBe(names.length * 2);
      for (const name of names.slice(0, -1)) await index.removeDocument(space, name);
      await index.removeDocument(space, 'gone');
      expect((await found(space, unitVector(next), undefined, 50)).sort()).toEqual(['a b#0', 'a b#2']);
    });

    it('asks for the selection at most once', async () => {
      const space = newSpace();
      const next = random(5);
      await index.put(
        space,
        Array.from({ length: 30 }, (_, i) => point(`c${i}`, `d${i % 3}`, unitVector(next))),
      );
      for (const chosen of [undefined, new Set(['d1']), new Set<string>()]) {
        let asked = 0;
        const selection: Selection = {
          filter: { op: 'true' },
          ids: async () => {
            asked += 1;
            return chosen;
          },
        };
        await index.search(space, unitVector(next), selection, 20);
        expect(asked).toBeLessThanOrEqual(1);
      }
    });

    it('never finds fewer than there are, nor anything outside the selection, in a large space', async () => {
      const seed = randomInt(2 ** 31);
      const next = random(seed);
      const space = newSpace();
      const documents = Math.floor(contract.points / 4);
      const points = Array.from({ length: contract.points }, (_, i) =>
        point(`c${i}`, `d${i % documents}`, unitVector(next)),
      );
      for (let at = 0; at < points.length; at += 1000) await index.put(space, points.slice(at, at + 1000));
      expect(await index.count(space)).toBe(points.length);
      await under?.settled?.();
      let [wanted, hit] = [0, 0];
      try {
        for (const share of [0, 1 / documents, 0.01, 0.1, 0.5, 0.95, 1, undefined]) {
          for (let round = 0; round < 4; round += 1) {
            const ids =
              share === undefined
                ? undefined
                : new Set(
                    Array.from({ length: Math.round(documents * share) }, () => `d${Math.floor(next() * documents)}`),
                  );
            const query = unitVector(next);
            const limit = [1, 10, 100][round % 3] as number;
            const hits = await index.search(space, query, selecting(ids), limit);
            expectSound(hits, points, query, ids, limit);
            const truth = new Set(nearest(points, query, ids, limit).map(({ chunkId }) => chunkId));
            const same = hits.filter(({ chunkId }) => truth.has(chunkId)).length;
            if (share === undefined) [wanted, hit] = [wanted + truth.size, hit + same];
            // A selection of one document is looked at whole.
            else if (share < 0.005) expect(same).toBe(truth.size);
          }
        }
        expect(hit / wanted).toBeGreaterThanOrEqual(contract.recall);
      } catch (error) {
        throw new Error(`with seed ${seed}`, { cause: error });
      }
    }, 120_000);
  });
}
