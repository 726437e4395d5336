/**
 * A set of flags, compiled once; every answer says which variant, why, and by which part of the rule. A set that follows another one takes
 * over what is the same: a flag is compiled anew when its definition, or a segment that it names, is another object than before.
 */

import type { SharedEvaluators } from '../logic/compile-logic.js';
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

/** What a set was compiled from and to, for the one that follows it. */
interface Parts {
  readonly set: FlagSet;
  readonly compiled: ReadonlyMap<string, CompiledFlag>;
}

const partsOf = new WeakMap<CompiledFlags, Parts>();

/**
 * Compiles a set. A flag that cannot be compiled answers `ERROR` with `PARSE_ERROR`, as flagd does; `validateFlagSet`
 * finds such flags before they are stored. `previous`: what shares objects with this one is taken over from it; when all is the same, it is
 * the result itself. Cost: of the flags that are not the same, and one look at each other flag.
 */
export function compileFlags(set: FlagSet, previous?: CompiledFlags): CompiledFlags {
  const known = previous && partsOf.get(previous);
  if (known !== undefined && previous !== undefined && isSameSet(known.set, set)) return previous;
  const compiled = compileEach(set, known);
  const metadata = Object.freeze({ ...set.metadata });
  const evaluators = new Map<string, FlagEvaluator>();
  for (const [key, one] of compiled) evaluators.set(key, withPrerequisites(one, key, set, evaluators));
  for (const [key, errorMessage] of prerequisiteFaults(set)) {
    const answer: FlagAnswer = Object.freeze({ reason: 'ERROR', errorCode: 'PARSE_ERROR', errorMessage, metadata });
    evaluators.set(key, () => answer);
  }
  const notFound = (key: string): FlagAnswer =>
    Object.freeze({
      reason: 'ERROR',
      errorCode: 'FLAG_NOT_FOUND',
      errorMessage: `there is no flag '${key}'`,
      metadata,
    });
  let keys: readonly string[] | undefined;
  const flags: CompiledFlags = {
    evaluate: (flagKey, context, nowMs) => {
      const evaluate = evaluators.get(flagKey);
      return evaluate === undefined ? notFound(flagKey) : evaluate(context, nowMs);
    },
    has: (flagKey) => evaluators.has(flagKey),
    keys: () => {
      keys ??= [...evaluators.keys()].sort();
      return keys;
    },
    metadata,
  };
  partsOf.set(flags, { set, compiled });
  return flags;
}

const isSameObject = <T>(
  one: Readonly<Record<string, T>> | undefined,
  other: Readonly<Record<string, T>> | undefined,
): boolean => one === other || JSON.stringify(one ?? {}) === JSON.stringify(other ?? {});

/** Whether two sets are made of the very same objects, in the same order. */
function isSameSet(one: FlagSet, other: FlagSet): boolean {
  return (
    isSameRecord(one.flags, other.flags) &&
    isSameRecord(one.$evaluators ?? {}, other.$evaluators ?? {}) &&
    isSameObject(one.metadata, other.metadata)
  );
}

function isSameRecord(one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): boolean {
  if (one === other) return true;
  const names = Object.keys(other);
  return (
    Object.keys(one).length === names.length &&
    names.every((name) => Object.hasOwn(one, name) && one[name] === other[name])
  );
}

function compileEach(set: FlagSet, known: Parts | undefined): ReadonlyMap<string, CompiledFlag> {
  const compiled = new Map<string, CompiledFlag>();
  const shared: SharedEvaluators = new Map();
  const before = known !== undefined && isSameObject(known.set.metadata, set.metadata) ? known : undefined;
  const isSegmentSame = sameSegments(before?.set.$evaluators ?? {}, set.$evaluators ?? {});
  for (const [key, flag] of Object.entries(set.flags)) {
    const old = before?.set.flags[key] === flag ? before?.compiled.get(key) : undefined;
    const isSame = old !== undefined && (old.followed.size === 0 || [...old.followed].every(isSegmentSame));
    compiled.set(key, isSame ? old : compileFlag(key, flag, set, shared));
  }
  return compiled;
}

/** Whether a segment is the very same object (or there is none) in both. */
function sameSegments(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): (name: string) => boolean {
  if (before === after) return () => true;
  const own = (of: Readonly<Record<string, unknown>>, name: string): unknown =>
    Object.hasOwn(of, name) ? of[name] : undefined;
  return (name) => own(before, name) === own(after, name);
}

/** Flag → why its prerequisites cannot be. */
function* prerequisiteFaults(set: FlagSet): Generator<[string, string]> {
  if (!Object.values(set.flags).some((flag) => requiredBy(flag).length > 0)) return;
  const cycles = prerequisiteCycles(set);
  const work = prerequisiteWork(set);
  for (const key of Object.keys(set.flags)) {
    const cycle = cycles.get(key);
    if (cycle !== undefined) yield [key, `prerequisites go round: ${cycle.join(' → ')}`];
    else if ((work.get(key) ?? 0) > MAX_PREREQUISITE_WORK)
      yield [key, `prerequisites look at more than ${MAX_PREREQUISITE_WORK} flags`];
  }
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
