/** Which functions' answers are worth keeping for the rest of an evaluation. */
import type { RuleSet } from '../compile/plan.js';

/** Functions that loop or call on are remembered; the rest are quicker computed again. */
export function isWorthRemembering(set: RuleSet): boolean {
  const clauses = set.clauses.flatMap((clause) => [clause, ...clause.otherwise]);
  const text = JSON.stringify(
    clauses.map((clause) => clause.steps),
    (key, value) => (key === 'builtin' || key === 'at' ? undefined : value),
  );
  return /"step":"(iterate|relation|choice|every|with)"|"op":"(call|comprehension|object-comprehension|lookup)"/.test(
    text,
  );
}
