import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { termsOf } from './analyzer.js';
import { Bits } from './bits.js';
import { TextIndex } from './text-index.js';

const words = ['alpha', 'beta', 'gamma', 'delta', 'rare', 'the', 'of'];
const text = fc.array(fc.constantFrom(...words, 'the', 'of', 'the'), { maxLength: 12 }).map((some) => some.join(' '));

/** The formula, as the books have it. */
function bm25(chunks: ReadonlyMap<number, string>, question: string, isAllowed: (ordinal: number) => boolean) {
  const lengths = new Map([...chunks].map(([ordinal, chunk]) => [ordinal, termsOf(chunk).length]));
  const mean = Math.max(1, [...lengths.values()].reduce((sum, length) => sum + length, 0) / Math.max(1, chunks.size));
  return [...chunks].flatMap(([ordinal, chunk]) => {
    if (!isAllowed(ordinal)) return [];
    const terms = termsOf(chunk);
    let score = 0;
    for (const term of termsOf(question)) {
      const frequency = terms.filter((one) => one === term).length;
      const having = [...chunks.values()].filter((one) => termsOf(one).includes(term)).length;
      const idf = Math.log(1 + (chunks.size - having + 0.5) / (having + 0.5));
      score += (idf * 2.2 * frequency) / (frequency + 0.3 + (0.9 * (lengths.get(ordinal) ?? 0)) / mean);
    }
    return score > 0 ? [{ ordinal, score }] : [];
  });
}

describe('the index of words', () => {
  it('gives the best by the formula, in order, whatever was added and removed, and never one that is not allowed', () => {
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 30 }),
        fc.array(fc.nat(29), { maxLength: 10 }),
        fc.array(fc.nat(29), { maxLength: 8 }),
        text,
        fc.integer({ min: 1, max: 6 }),
        (chunks, removed, hidden, question, limit) => {
          const index = new TextIndex();
          const model = new Map<number, string>();
          for (const [ordinal, chunk] of chunks.entries()) {
            index.add(ordinal, chunk);
            model.set(ordinal, chunk);
          }
          for (const ordinal of removed) if (model.delete(ordinal)) index.remove(ordinal);
          // Until then dead postings count for how rare a word is.
          index.compact();
          const rows = Bits.full(32);
          for (const ordinal of hidden) rows.delete(ordinal);
          const allowed = { isEverything: false, rows, rowOf: Uint32Array.from({ length: 32 }, (_, at) => at) };
          const also = [...model.keys()].filter((ordinal) => rows.has(ordinal)).slice(0, 3);
          const found = index.search(question, allowed, limit, also);
          const expected = bm25(model, question, (ordinal) => rows.has(ordinal)).sort((a, b) => b.score - a.score);
          const scores = new Map(expected.map(({ ordinal, score }) => [ordinal, score]));
          expect(found.best.length).toBe(Math.min(limit, expected.length));
          for (const [at, { ordinal, score }] of found.best.entries()) {
            expect(score).toBeCloseTo(scores.get(ordinal) ?? -1, 3);
            expect(score).toBeCloseTo(expected[at]?.score ?? -1, 3);
          }
          const asked = also.filter((ordinal) => scores.has(ordinal));
          expect(found.also.map(({ ordinal }) => ordinal).sort()).toEqual(asked.sort());
          for (const { ordinal, score } of found.also) expect(score).toBeCloseTo(scores.get(ordinal) ?? -1, 3);
          // Nothing is left behind from a search.
          expect(index.search(question, allowed, limit)).toEqual({ best: found.best, also: [] });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('stops early without losing one of the best', () => {
    const index = new TextIndex();
    const model = new Map<number, string>();
    for (let ordinal = 0; ordinal < 500; ordinal += 1) {
      const chunk = `the of the ${ordinal % 7 === 0 ? 'rare' : ''} ${'gamma '.repeat(ordinal % 5)} word${ordinal % 50}`;
      index.add(ordinal, chunk);
      model.set(ordinal, chunk);
    }
    const allowed = { isEverything: true, rows: new Bits(0), rowOf: new Uint32Array(500) };
    const question = 'the rare gamma of word7';
    const expected = bm25(model, question, () => true).sort((a, b) => b.score - a.score);
    for (const limit of [1, 5, 20]) {
      const { best } = index.search(question, allowed, limit);
      for (const [at, { score }] of best.entries()) expect(score).toBeCloseTo(expected[at]?.score ?? -1, 3);
    }
  });
});

describe('terms', () => {
  it('are words without case, marks and endings, and pairs where a script has no blanks', () => {
    expect(termsOf('Running Càfés, RÉSUMÉ-builder 42!')).toEqual(['run', 'cafe', 'resum', 'builder', '42']);
    expect(termsOf('東京都に行く')).toEqual(['東京', '京都', '都に', 'に行', '行く']);
    expect(termsOf('')).toEqual([]);
  });
});
