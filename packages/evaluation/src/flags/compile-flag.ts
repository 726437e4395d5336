/**
 * One flag to one closure. The nodes that choose a variant (`if`, `fractional`, `$ref`, constants) are compiled to
 * functions that give an answer made beforehand, so that an evaluation makes no object; conditions come from
 * `logic/compile-logic.ts`.
 */
import { isDeeperThan, isObject, type JsonValue, MAX_NESTING, setOwn } from '../json.js';
import {
  compileLogic,
  type Expression,
  follow,
  isConstant,
  type LogicScope,
  operatorOf,
  rootScope,
  type SharedEvaluators,
  spend,
} from '../logic/compile-logic.js';
import { compileSplit, constantShares } from '../logic/fractional.js';
import { LogicFault } from '../logic/logic-fault.js';
import { isTrue } from '../logic/values.js';
import type { EvaluationContext, FlagAnswer, FlagDefinition, FlagReason, FlagSet } from './flag-set.js';

/** Evaluates one flag; never throws. */
export type FlagEvaluator = (context: EvaluationContext, nowMs: number | undefined) => FlagAnswer;

type Decision = (data: unknown, nowMs: number | undefined) => FlagAnswer;

/** A frozen copy, so that neither the caller's objects nor a caller of ours can change an answer. */
export function frozenCopy(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return Object.freeze((value as readonly JsonValue[]).map(frozenCopy));
  if (!isObject(value)) return value;
  const copy: Record<string, JsonValue> = {};
  for (const [key, item] of Object.entries(value)) setOwn(copy, key, frozenCopy(item as JsonValue));
  return Object.freeze(copy);
}

/** Makes the answers of one flag. */
class Answers {
  readonly metadata: FlagAnswer['metadata'];
  readonly #variants: ReadonlyMap<string, JsonValue>;
  readonly #defaultVariant: string | undefined;

  constructor(flag: FlagDefinition, metadata: FlagAnswer['metadata']) {
    this.metadata = metadata;
    this.#variants = new Map(Object.entries(flag.variants).map(([name, value]) => [name, frozenCopy(value)]));
    this.#defaultVariant = flag.defaultVariant || undefined;
  }

  get variantNames(): readonly string[] {
    return [...this.#variants.keys()];
  }

  error(errorCode: 'PARSE_ERROR' | 'GENERAL', errorMessage: string, rule?: string): FlagAnswer {
    const at = rule === undefined ? {} : { rule };
    return Object.freeze({ reason: 'ERROR', errorCode, errorMessage, ...at, metadata: this.metadata });
  }

  variant(name: string, reason: FlagReason, rule?: string): FlagAnswer {
    const value = this.#variants.get(name);
    if (value === undefined)
      return this.error('GENERAL', `the rule gives ${JSON.stringify(name)}, which is no variant`, rule);
    const at = rule === undefined ? {} : { rule };
    return Object.freeze({ value, variant: name, reason, ...at, metadata: this.metadata });
  }

  byDefault(reason: 'STATIC' | 'DEFAULT', rule?: string): FlagAnswer {
    if (this.#defaultVariant !== undefined) return this.variant(this.#defaultVariant, reason, rule);
    return Object.freeze({ reason: 'DEFAULT', metadata: this.metadata });
  }

  disabled(rule?: string): FlagAnswer {
    const at = rule === undefined ? {} : { rule };
    return Object.freeze({ reason: 'DISABLED', ...at, metadata: this.metadata });
  }

  /** The answer for a constant result of a rule; null stands for the default variant. */
  constant(value: unknown, reason: FlagReason, rule: string): FlagAnswer {
    return value === null || value === undefined
      ? this.byDefault('DEFAULT', rule)
      : this.variant(String(value), reason, rule);
  }

  /** From a computed result to its answer: all answers are made beforehand. */
  table(reason: FlagReason, rule: string): (value: unknown) => FlagAnswer {
    const known = new Map(this.variantNames.map((name) => [name, this.variant(name, reason, rule)]));
    const byDefault = this.byDefault('DEFAULT', rule);
    return (value) => {
      if (value === null || value === undefined) return byDefault;
      const name = typeof value === 'string' ? value : String(value);
      return known.get(name) ?? this.variant(name, reason, rule);
    };
  }
}

/** Compiles a node whose result is the name of a variant. */
function compileDecision(node: unknown, answers: Answers, scope: LogicScope, path: string): Decision {
  spend(scope, path);
  if (isConstant(node)) {
    const answer = answers.constant(node, 'TARGETING_MATCH', path);
    return () => answer;
  }
  if (!isObject(node) || Object.keys(node).length === 0) return computed(node, answers, scope, path, 'TARGETING_MATCH');
  const { name, operand } = operatorOf(node, path);
  if (name === '$ref') {
    const target = follow(operand, scope, path);
    return compileDecision(target.logic, answers, target.scope, path);
  }
  if ((name === 'if' || name === '?:') && Array.isArray(operand))
    return compileBranches(operand, answers, scope, `${path}/${name}`);
  if (name === 'fractional') return compileShares(node, operand, answers, scope, path);
  return computed(node, answers, scope, path, 'TARGETING_MATCH');
}

function computed(node: unknown, answers: Answers, scope: LogicScope, path: string, reason: FlagReason): Decision {
  const value = compileLogic(node, scope, path);
  const answerOf = answers.table(reason, path);
  return (data, nowMs) => answerOf(value(data, nowMs));
}

function compileBranches(parts: readonly unknown[], answers: Answers, scope: LogicScope, path: string): Decision {
  const branches: { condition: Expression; decide: Decision }[] = [];
  for (let index = 0; index + 1 < parts.length; index += 2)
    branches.push({
      condition: compileLogic(parts[index], scope, `${path}/${index}`),
      decide: compileDecision(parts[index + 1], answers, scope, `${path}/${index + 1}`),
    });
  const last = parts.length - 1;
  const nothing = answers.byDefault('DEFAULT');
  const otherwise: Decision =
    parts.length % 2 === 1 ? compileDecision(parts[last], answers, scope, `${path}/${last}`) : () => nothing;
  const [only] = branches;
  if (branches.length === 1 && only !== undefined) {
    const { condition, decide } = only;
    return (data, nowMs) => (isTrue(condition(data, nowMs)) ? decide(data, nowMs) : otherwise(data, nowMs));
  }
  return (data, nowMs) => {
    for (const { condition, decide } of branches) if (isTrue(condition(data, nowMs))) return decide(data, nowMs);
    return otherwise(data, nowMs);
  };
}

function compileShares(node: unknown, operand: unknown, answers: Answers, scope: LogicScope, path: string): Decision {
  const shares = Array.isArray(operand) ? constantShares(operand) : undefined;
  if (shares === undefined) return computed(node, answers, scope, path, 'SPLIT');
  const made = shares.map(({ variant }, index) => answers.constant(variant, 'SPLIT', `${path}/fractional/${index}`));
  return compileSplit(shares, scope.flagKey, made, answers.byDefault('DEFAULT', path));
}

/** Whether there is a rule at all. */
const hasTargeting = (flag: FlagDefinition): boolean =>
  isObject(flag.targeting) && Object.keys(flag.targeting).length > 0;

/** Without prerequisites: those are looked at by `compile-flags.ts`, which knows the other flags. */
export interface CompiledFlag {
  readonly evaluate: FlagEvaluator;
  /** The answer when the prerequisite at this index does not hold. */
  readonly unmet: (index: number) => FlagAnswer;
  /** The evaluators that its rule names, directly or by others. */
  readonly followed: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** Why a definition, which may not have been validated, is none at all. */
function unreadable(flag: unknown): string | undefined {
  if (!isObject(flag)) return 'the flag is no object';
  const { state, variants, prerequisites } = flag;
  if (state !== 'ENABLED' && state !== 'DISABLED') return '/state: the state is ENABLED or DISABLED';
  if (!isObject(variants)) return '/variants: variants are an object';
  if (isDeeperThan(variants, MAX_NESTING)) return `/variants: a value is nested at most ${MAX_NESTING} deep`;
  if (prerequisites === undefined || (Array.isArray(prerequisites) && prerequisites.every(isObject))) return undefined;
  return '/prerequisites: prerequisites are a list of {flag, variant}';
}

/** Compiles one flag; `shared` is the set's. A flag that makes no sense answers `PARSE_ERROR`, so that one bad flag leaves the others alone. */
export function compileFlag(key: string, flag: FlagDefinition, set: FlagSet, shared?: SharedEvaluators): CompiledFlag {
  const reason = unreadable(flag);
  const readable: FlagDefinition = reason === undefined ? flag : { state: 'DISABLED', variants: {} };
  const answers = new Answers(readable, Object.freeze({ ...set.metadata, ...readable.metadata }));
  const unmet = (index: number): FlagAnswer => answers.disabled(`/prerequisites/${index}`);
  const always = (answer: FlagAnswer): CompiledFlag => ({ evaluate: () => answer, unmet, followed: NONE });
  if (reason !== undefined) return always(answers.error('PARSE_ERROR', reason));
  if (flag.state === 'DISABLED') return always(answers.disabled('/state'));
  if (!hasTargeting(flag)) return always(answers.byDefault('STATIC', '/defaultVariant'));
  const scope = rootScope(key, set.$evaluators ?? {}, shared);
  try {
    const decide = compileDecision(flag.targeting, answers, scope, '/targeting');
    return { evaluate: guarded(decide, answers), unmet, followed: scope.followed };
  } catch (error) {
    if (!(error instanceof LogicFault)) throw error;
    const answer = answers.error('PARSE_ERROR', `${error.path}: ${error.message}`, error.path);
    return { ...always(answer), followed: scope.followed };
  }
}

function guarded(decide: Decision, answers: Answers): FlagEvaluator {
  return (context, nowMs) => {
    try {
      return decide(context, nowMs);
    } catch (error) {
      return answers.error(
        'GENERAL',
        `the rule cannot be evaluated: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
}
