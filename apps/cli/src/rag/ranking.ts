/** How good a ranking is, against judgements: the measures of trec_eval and BEIR. */

/** Document → grade; 0 or missing: not relevant. */
export type Judgements = ReadonlyMap<string, number>;

/** Normalised discounted cumulative gain of the first `depth`, with exponential gain; 0 to 1. Undefined without a relevant document. */
export function ndcg(ranked: readonly string[], judged: Judgements, depth = 10): number | undefined {
  const gain = (grade: number, rank: number): number => (2 ** grade - 1) / Math.log2(rank + 2);
  const ideal = [...judged.values()]
    .sort((a, b) => b - a)
    .slice(0, depth)
    .reduce((sum, grade, rank) => sum + gain(grade, rank), 0);
  if (ideal === 0) return undefined;
  const got = ranked.slice(0, depth).reduce((sum, id, rank) => sum + gain(judged.get(id) ?? 0, rank), 0);
  return got / ideal;
}

/** The share of the relevant documents among the first `depth`; 0 to 1. Undefined without one. */
export function recall(ranked: readonly string[], judged: Judgements, depth = 100): number | undefined {
  const relevant = [...judged].filter(([, grade]) => grade > 0).map(([id]) => id);
  if (relevant.length === 0) return undefined;
  const first = new Set(ranked.slice(0, depth));
  return relevant.filter((id) => first.has(id)).length / relevant.length;
}

/** Each once, at its best place. */
export const distinct = (ids: readonly string[]): string[] => [...new Set(ids)];

/** Of what is defined; NaN of nothing. */
export function mean(values: readonly (number | undefined)[]): number {
  const known = values.filter((value) => value !== undefined);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
