import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bits } from './bits.js';
import { VectorMemory } from './vector-memory.js';

const unit = (components: readonly number[]): Float32Array => {
  const norm = Math.hypot(...components) || 1;
  return Float32Array.from(components, (component) => component / norm);
};
const everything = (count: number) => ({ isEverything: true, rows: new Bits(0), rowOf: new Uint32Array(count) });

describe('vectors in memory', () => {
  it('finds the nearest of those allowed, near enough to the exact similarity, for any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        (dimensions, count, seed) => {
          let state = seed + 1;
          const random = (): number => {
            state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
            return state / 2 ** 32 - 0.5;
          };
          const vectors = Array.from({ length: count }, () => unit(Array.from({ length: dimensions }, random)));
          const question = unit(Array.from({ length: dimensions }, random));
          const memory = new VectorMemory(dimensions);
          for (const [ordinal, vector] of vectors.entries()) memory.set(ordinal, vector);
          const rows = Bits.full(count);
          for (let ordinal = 0; ordinal < count; ordinal += 3) rows.delete(ordinal);
          const rowOf = Uint32Array.from({ length: count }, (_, at) => at);
          memory.remove(1);
          const found = memory.search(question, { isEverything: false, rows, rowOf }, 10);
          const exact = vectors
            .map((vector, ordinal) => ({
              ordinal,
              score: vector.reduce((sum, component, at) => sum + component * (question[at] ?? 0), 0),
            }))
            .filter(({ ordinal }) => ordinal % 3 !== 0 && ordinal !== 1)
            .sort((a, b) => b.score - a.score);
          expect(found.length).toBe(Math.min(10, exact.length));
          for (const [at, { ordinal, score }] of found.entries()) {
            expect(Math.abs(score - (exact.find((one) => one.ordinal === ordinal)?.score ?? 9))).toBeLessThan(0.02);
            expect(Math.abs(score - (exact[at]?.score ?? 9))).toBeLessThan(0.02);
          }
          const known = found.map(({ ordinal }) => ordinal);
          expect(memory.scoresOf(question, known)).toEqual(found);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('grows, over more than one call of the scanner', () => {
    const memory = new VectorMemory(4);
    const count = 40_000;
    for (let ordinal = 0; ordinal < count; ordinal += 1) memory.set(ordinal, unit([1, ordinal / count, 0, 0]));
    const found = memory.search(unit([1, 1, 0, 0]), everything(count), 3);
    for (const { ordinal } of found) expect(ordinal).toBeGreaterThan(count * 0.95);
    expect(memory.search(unit([0, 0, 0, 1]), everything(count), 3).every(({ score }) => score === 0)).toBe(true);
  });

  it('refuses a vector of another size', () => {
    expect(() => new VectorMemory(4).set(0, new Float32Array(5))).toThrow('5 components');
  });
});
