/**
 * The entry to partial evaluation: which documents are unknown, what is left of a decision. The
 * unknown parts are named by their path (`input.document`); fields in the filter start there.
 */

import { builtins } from '../builtins/index.js';
import type { RuleSet } from '../compile/plan.js';
import { compileModules, compilePath } from '../compile/stages.js';
import { type Limits, Session } from '../evaluate/world.js';
import type { Policy } from '../policy.js';
import { splitPath } from '../policy.js';
import { get, isArray, isObject, isSet, size, type Value } from '../values/index.js';
import { ALWAYS, type FieldPath, type Filter, NEVER } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';
import { PartialEvaluator } from './partial-evaluator.js';
import type { Mixed } from './symbols.js';

export interface PartialOptions {
  /** What is known of the input. */
  readonly input?: Value;
  /** Unknown documents, as `input.document` or `data.reports`; default all of `input`. */
  readonly unknowns?: readonly string[];
  /** Names for unknown documents in the filter: `{'input.document': 'd'}` gives `d.owner`; default none, `owner`. Needed where several are unknown. */
  readonly names?: Readonly<Record<string, string>>;
  /** Ways through the rules before giving up; default 20,000. */
  readonly maxWays?: number;
  /** Default: the policy's own. */
  readonly limits?: Limits;
}

type Compiled = ReturnType<typeof compileModules>;
const compiledPolicies = new WeakMap<readonly unknown[], Compiled>();

/** The plan as lowered: probes and streams are for running, not for reading. */
function compiledFor(policy: Policy): Compiled {
  let compiled = compiledPolicies.get(policy.modules);
  if (compiled === undefined) {
    const isAllowed = (): boolean => true;
    compiled = compileModules({
      modules: policy.modules,
      strict: false,
      prints: false,
      optimize: false,
      builtins,
      isAllowed,
    });
    compiledPolicies.set(policy.modules, compiled);
  }
  return compiled;
}

function unknownsOf(root: 'input' | 'data', options: PartialOptions, value: Value | undefined): Mixed {
  const unknowns: { path: readonly string[]; name: FieldPath }[] = [];
  for (const unknown of options.unknowns ?? ['input']) {
    const [head, ...path] = unknown.split('.');
    if (head !== root) continue;
    const name = options.names?.[unknown];
    unknowns.push({ path, name: name === undefined ? [] : [name] });
  }
  return { kind: 'mixed', value, unknowns };
}

/** Fields of two documents must not go by one name. */
function assertNamesApart({ unknowns = ['input'], names = {} }: PartialOptions): void {
  if (unknowns.length < 2) return;
  const given = unknowns.map((unknown) => names[unknown]);
  if (given.includes(undefined) || new Set(given).size < given.length)
    throw new PartialEvaluationError('several unknown documents need a name each: give it in `names`');
}

/** Evaluates within the limits. */
function within<T>(
  compiled: Compiled,
  policy: Policy,
  options: PartialOptions,
  run: (evaluator: PartialEvaluator) => T,
): T {
  assertNamesApart(options);
  const session = new Session(() => null);
  session.start(options.limits ?? policy.defaults.limits, false, policy.defaults.context);
  const unknown = {
    input: unknownsOf('input', options, options.input),
    data: unknownsOf('data', options, policy.data),
    maxWays: options.maxWays ?? 20_000,
  };
  return session.metered(() => run(new PartialEvaluator(compiled.plan, unknown, session)));
}

function ruleAt(compiled: Compiled, path: string): RuleSet | undefined {
  const { steps } = compilePath(compiled, splitPath(path));
  compiled.plan.demand(steps);
  const [only] = steps;
  const value = only?.step === 'let' ? only.value : undefined;
  return value?.op === 'rule' ? compiled.plan.set(value.set) : undefined;
}

/**
 * The condition on the unknown documents under which the decision at `path` is true (neither
 * undefined nor false). Errors: `PartialEvaluationError` says what cannot be translated, and where.
 */
export function partialFilter(policy: Policy, path: string, options: PartialOptions = {}): Filter {
  const compiled = compiledFor(policy);
  const set = ruleAt(compiled, path);
  if (set === undefined) throw new PartialEvaluationError(`${path} is not a rule`);
  if (set.kind !== 'complete') throw new PartialEvaluationError(`${path} is not a rule with one value`);
  return within(compiled, policy, options, (evaluator) => evaluator.truth(set));
}

/**
 * Like `partialFilter`, for the two questions of an authorisation. `true`: the value at `path` is exactly true. `holds`: it is anything
 * but undefined, false or an empty collection (a `deny` with reasons). A path without rules has the value its data has.
 */
export function partialDecision(
  policy: Policy,
  path: string,
  question: 'true' | 'holds',
  options: PartialOptions = {},
): Filter {
  const compiled = compiledFor(policy);
  const set = ruleAt(compiled, path);
  if (set !== undefined) {
    return within(compiled, policy, options, (evaluator) =>
      question === 'true' ? evaluator.isTrue(set) : evaluator.holds(set),
    );
  }
  const steps = splitPath(path);
  if (policy.modules.some((module) => steps.every((step, at) => module.package.path[at] === step)))
    throw new PartialEvaluationError(`${path} is a package`);
  let value: Value | undefined = policy.data;
  for (const step of steps) value = value === undefined ? undefined : get(value, step);
  if (question === 'true') return value === true ? ALWAYS : NEVER;
  const isEmpty = value === undefined || value === false || isEmptyCollection(value);
  return isEmpty ? NEVER : ALWAYS;
}

function isEmptyCollection(value: Value): boolean {
  return (isArray(value) || isSet(value) || isObject(value)) && size(value) === 0;
}
