/** A set of flags, compiled once; every answer says which variant, why, and by which part of the rule. */
import { type CompiledFlag, compileFlag, type FlagEvaluator } from './compile-flag.js';
import type { EvaluationContext, FlagAnswer, FlagSet } from './flag-set.js';
import { MAX_PREREQUISITE_WORK, prerequisiteCycles, prerequisiteWork, requiredBy } from './prerequisites.js';

export interface CompiledFlags {
  /**
   * The answer of a flag; never throws. `nowMs` (milliseconds since 1970) is what rules that ask for
   * `$flagd.timestamp` are told; without it those answer `ERROR`.
   */
  evaluate(flagKey: string, context: EvaluationContext, nowMs?: number): FlagAnswer;
  has(flagKey: string): boolean;
  /** Keys in order of code units. */
  keys(): readonly string[];
  readonly metadata: FlagAnswer['metadata'];
}

/**
 * Compiles a set. A flag that cannot be compiled answers `ERROR` with `PARSE_ERROR`, as flagd does; `validateFlagSet`
 * finds such flags before they are stored.
 */
export function compileFlags(set: FlagSet): CompiledFlags {
  const evaluators = new Map<string, FlagEvaluator>();
  const cycles = prerequisiteCycles(set);
  const work = prerequisiteWork(set);
  const metadata = Object.freeze({ ...set.metadata });
  for (const [key, flag] of Object.entries(set.flags)) {
    const cycle = cycles.get(key);
    const errorMessage =
      cycle !== undefined
        ? `prerequisites go round: ${cycle.join(' → ')}`
        : `prerequisites look at more than ${MAX_PREREQUISITE_WORK} flags`;
    if (cycle !== undefined || (work.get(key) ?? 0) > MAX_PREREQUISITE_WORK) {
      const answer: FlagAnswer = Object.freeze({ reason: 'ERROR', errorCode: 'PARSE_ERROR', errorMessage, metadata });
      evaluators.set(key, () => answer);
    } else evaluators.set(key, withPrerequisites(compileFlag(key, flag, set), key, set, evaluators));
  }
  const notFound = (key: string): FlagAnswer =>
    Object.freeze({
      reason: 'ERROR',
      errorCode: 'FLAG_NOT_FOUND',
      errorMessage: `there is no flag '${key}'`,
      metadata,
    });
  return {
    evaluate: (flagKey, context, nowMs) => {
      const evaluate = evaluators.get(flagKey);
      return evaluate === undefined ? notFound(flagKey) : evaluate(context, nowMs);
    },
    has: (flagKey) => evaluators.has(flagKey),
    keys: () => [...evaluators.keys()].sort(),
    metadata,
  };
}

/** Other flags are looked up when they are needed: they may be compiled later than this one. */
function withPrerequisites(
  compiled: CompiledFlag,
  key: string,
  set: FlagSet,
  evaluators: ReadonlyMap<string, FlagEvaluator>,
): FlagEvaluator {
  const prerequisites = requiredBy(set.flags[key]);
  if (prerequisites.length === 0 || set.flags[key]?.state === 'DISABLED') return compiled.evaluate;
  const unmet = prerequisites.map((_one, index) => compiled.unmet(index));
  return (context, nowMs) => {
    for (let index = 0; index < prerequisites.length; index += 1) {
      const { flag, variant } = prerequisites[index] as { flag: string; variant: string };
      if (evaluators.get(flag)?.(context, nowMs).variant !== variant) return unmet[index] as FlagAnswer;
    }
    return compiled.evaluate(context, nowMs);
  };
}
