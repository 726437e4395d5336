/**
 * JsonLogic to closures. Each node becomes one function of the data it looks at and the time; operands that are
 * constants are looked at once, while compiling. Nothing is generated as text, so it runs under any content security
 * policy. `flags/compile-flag.ts` compiles the nodes that choose a variant; everything else comes through here.
 */
import { isObject } from '../json.js';
import { compileFractional } from './fractional.js';
import { LogicFault } from './logic-fault.js';
import { EAGER, OPERATORS } from './operators.js';
import { type Comparison, comparator, isTrue, splitPath, step } from './values.js';

/** `data`: the context, or the item within `map` and the like. `nowMs`: milliseconds since 1970. */
export type Expression = (data: unknown, nowMs: number | undefined) => unknown;

/** What nodes are compiled within. */
export interface LogicScope {
  readonly flagKey: string;
  /** `$evaluators`: named logic that `$ref` stands for. */
  readonly evaluators: Readonly<Record<string, unknown>>;
  /** False within `map`, `filter` and the like, where `var` looks at the item. */
  readonly isRoot: boolean;
  /** The `$ref`s being compiled, to find cycles. */
  readonly open: readonly string[];
  /** Nodes compiled so far, and how often one of them looked at the flag's key; shared by all scopes of a flag. */
  readonly budget: { nodes: number; flagUses: number };
  /** Evaluators that are the same for all flags of a set. */
  readonly shared: SharedEvaluators;
  /** The evaluators looked at so far, also those that are not there; shared by all scopes of a flag. */
  readonly followed: Set<string>;
}

/** Nodes of one flag, references expanded; and levels within each other. */
const MAX_NODES = 100_000;
const MAX_DEPTH = 200;

/** By name, the evaluators that were compiled for one flag of a set and serve the others too. */
export type SharedEvaluators = Map<string, SharedEvaluator>;

interface SharedEvaluator {
  readonly expression: Expression;
  readonly nodes: number;
  /** It and those that it names. */
  readonly followed: ReadonlySet<string>;
}

/** Larger ones, and deeper places, are compiled where they stand, so that the bounds are kept by counting. */
const MAX_SHARED_NODES = 100;
const MAX_SHARED_PATH = 100;

/** The scope of a flag's targeting. */
export const rootScope = (
  flagKey: string,
  evaluators: Readonly<Record<string, unknown>>,
  shared: SharedEvaluators = new Map(),
): LogicScope => ({
  flagKey,
  evaluators,
  isRoot: true,
  open: [],
  budget: { nodes: 0, flagUses: 0 },
  shared,
  followed: new Set(),
});

/** Counts a node; throws `LogicFault` past the bounds. */
export function spend(scope: LogicScope, path: string): void {
  scope.budget.nodes += 1;
  if (scope.budget.nodes > MAX_NODES) throw new LogicFault(`the rule has more than ${MAX_NODES} nodes`, path);
  if (path.length > MAX_DEPTH * 3 && path.split('/').length > MAX_DEPTH * 2)
    throw new LogicFault(`the rule is nested more than ${MAX_DEPTH} deep`, path);
}

/** The one operator of a node and its operands; throws `LogicFault` when there is not exactly one that is known. */
export function operatorOf(node: Record<string, unknown>, path: string): { name: string; operand: unknown } {
  const [name, ...rest] = Object.keys(node);
  if (name === undefined) throw new LogicFault('an empty object is no rule', path);
  if (rest.length > 0) throw new LogicFault(`a rule has one operator, this one has '${name}' and '${rest[0]}'`, path);
  if (name !== '$ref' && !Object.hasOwn(OPERATORS, name)) throw new LogicFault(`'${name}' is no operator`, path);
  return { name, operand: node[name] };
}

/** The evaluator a `$ref` names and the scope to compile it in; throws `LogicFault` for an unknown name or a cycle. */
export function follow(name: unknown, scope: LogicScope, path: string): { logic: unknown; scope: LogicScope } {
  if (typeof name === 'string') scope.followed.add(name);
  if (typeof name !== 'string' || !Object.hasOwn(scope.evaluators, name))
    throw new LogicFault(`$ref names no evaluator: ${JSON.stringify(name)}`, path);
  if (scope.open.includes(name))
    throw new LogicFault(
      `evaluators go round: ${[...scope.open.slice(scope.open.indexOf(name)), name].join(' → ')}`,
      path,
    );
  return { logic: scope.evaluators[name], scope: { ...scope, open: [...scope.open, name] } };
}

/** Whether a node is a constant: nothing in it is evaluated. */
export const isConstant = (node: unknown): boolean => !isObject(node) && !Array.isArray(node);

/** Compiles one node. Throws `LogicFault` with the node's pointer. */
export function compileLogic(node: unknown, scope: LogicScope, path: string): Expression {
  spend(scope, path);
  if (Array.isArray(node)) {
    const items = node.map((item, index) => compileLogic(item, scope, `${path}/${index}`));
    return (data, nowMs) => items.map((item) => item(data, nowMs));
  }
  if (!isObject(node)) return () => node;
  if (Object.keys(node).length === 0) return () => node;
  const { name, operand } = operatorOf(node, path);
  if (name === '$ref') return compileReference(operand, scope, path);
  const compile = SPECIAL[name];
  const here = `${path}/${name}`;
  return compile === undefined ? compileEager(name, operand, scope, here) : compile(operand, scope, here, name);
}

/**
 * An evaluator that looks at no flag's key is compiled once for all flags that name it: a set of many flags and few segments stays small, and
 * in the processor's caches.
 */
function compileReference(operand: unknown, scope: LogicScope, path: string): Expression {
  const isShareable = scope.isRoot && path.length <= MAX_SHARED_PATH;
  const known = isShareable && typeof operand === 'string' ? scope.shared.get(operand) : undefined;
  if (known !== undefined) {
    for (const name of known.followed) scope.followed.add(name);
    scope.budget.nodes += known.nodes - 1;
    spend(scope, path);
    return known.expression;
  }
  const before = { ...scope.budget };
  const target = follow(operand, scope, path);
  const followed = new Set([operand as string]);
  try {
    const expression = compileLogic(target.logic, { ...target.scope, followed }, `${path}/$ref`);
    const nodes = scope.budget.nodes - before.nodes;
    if (isShareable && nodes <= MAX_SHARED_NODES && scope.budget.flagUses === before.flagUses)
      scope.shared.set(operand as string, { expression, nodes, followed });
    return expression;
  } finally {
    for (const name of followed) scope.followed.add(name);
  }
}

type Compile = (operand: unknown, scope: LogicScope, path: string, name: string) => Expression;

/** The operands of an operator as expressions; a single one may stand without its list. */
function operandsOf(operand: unknown, scope: LogicScope, path: string): readonly Expression[] {
  if (!Array.isArray(operand)) return [compileLogic(operand, scope, path)];
  return operand.map((item, index) => compileLogic(item, scope, `${path}/${index}`));
}

function compileEager(name: string, operand: unknown, scope: LogicScope, path: string): Expression {
  const affix = name === 'starts_with' || name === 'ends_with' ? compileAffix(name, operand, scope, path) : undefined;
  if (affix !== undefined) return affix;
  const evaluate = EAGER[name] as (operands: readonly unknown[]) => unknown;
  if (name === 'in' && Array.isArray(operand) && Array.isArray(operand[1]) && operand[1].every(isConstant))
    return compileMembership(operand[0], operand[1], scope, `${path}/0`);
  const operands = operandsOf(operand, scope, path);
  const [first, second] = operands;
  // A list that was computed is the list of operands.
  if (!Array.isArray(operand) && first !== undefined)
    return (data, nowMs) => {
      const value = first(data, nowMs);
      return evaluate(Array.isArray(value) ? value : [value]);
    };
  if (operands.length === 2 && first !== undefined && second !== undefined)
    return (data, nowMs) => evaluate([first(data, nowMs), second(data, nowMs)]);
  return (data, nowMs) => evaluate(operands.map((one) => one(data, nowMs)));
}

/**
 * The attribute that a node reads and does nothing else with: `{"var": "plan"}`. Such nodes are read where they are
 * used, which saves a call for each.
 */
function attributeOf(node: unknown, scope: LogicScope): string | undefined {
  if (!isObject(node) || Object.keys(node).length !== 1 || typeof node['var'] !== 'string') return undefined;
  const name = node['var'];
  const isPlain = name !== '' && !/[.\\]/.test(name) && !(name in Object.prototype);
  return isPlain && !(scope.isRoot && name === '$flagd') ? name : undefined;
}

/** Reads an attribute; undefined where there is none. */
const read = (data: unknown, name: string): unknown => (data as Record<string, unknown> | null | undefined)?.[name];

/** `in` with a list of constants: a look into a set when it is long. Both compare as `Array.includes` does. */
function compileMembership(node: unknown, list: readonly unknown[], scope: LogicScope, path: string): Expression {
  const set = list.length > 8 ? new Set(list) : undefined;
  const name = attributeOf(node, scope);
  if (name !== undefined && set === undefined)
    return (data) => {
      const value = read(data, name) ?? null;
      for (const one of list) if (one === value) return true;
      return false;
    };
  const item = compileLogic(node, scope, path);
  if (set === undefined) return (data, nowMs) => list.includes(item(data, nowMs));
  return (data, nowMs) => set.has(item(data, nowMs));
}

/** `starts_with` and `ends_with` of an attribute and a constant, the usual case. */
function compileAffix(name: string, operand: unknown, scope: LogicScope, path: string): Expression | undefined {
  if (!Array.isArray(operand) || operand.length !== 2) return undefined;
  const [node, part] = operand as readonly unknown[];
  const attribute = attributeOf(node, scope);
  if (attribute === undefined || typeof part !== 'string') return undefined;
  spend(scope, path);
  if (name === 'starts_with')
    return (data) => {
      const text = read(data, attribute);
      return typeof text === 'string' ? text.startsWith(part) : null;
    };
  return (data) => {
    const text = read(data, attribute);
    return typeof text === 'string' ? text.endsWith(part) : null;
  };
}

const compileVar: Compile = (operand, scope, path) => {
  const [key, fallback] = Array.isArray(operand) ? operand : [operand];
  const otherwise = fallback === undefined ? undefined : compileLogic(fallback, scope, `${path}/1`);
  if (isObject(key) || Array.isArray(key)) {
    scope.budget.flagUses += 1;
    const dynamic = compileLogic(key, scope, `${path}/0`);
    return (data, nowMs) => {
      const name = dynamic(data, nowMs);
      return reader(name, scope)(data, nowMs) ?? otherwise?.(data, nowMs) ?? null;
    };
  }
  const read = reader(key, scope);
  if (otherwise === undefined) return read;
  return (data, nowMs) => read(data, nowMs) ?? otherwise(data, nowMs);
};

function timestamp(nowMs: number | undefined): number {
  if (nowMs === undefined) throw new LogicFault('the rule asks for the time and none was given');
  return Math.floor(nowMs / 1000);
}

/** What a path of `var` reads: null where there is nothing. */
function reader(key: unknown, scope: LogicScope): Expression {
  const whole = (data: unknown, nowMs: number | undefined): unknown =>
    scope.isRoot && isObject(data)
      ? { ...data, $flagd: { flagKey: scope.flagKey, ...(nowMs === undefined ? {} : { timestamp: timestamp(nowMs) }) } }
      : data;
  const parts = key === undefined || key === null || key === '' ? [] : splitPath(String(key));
  const [first = '', ...rest] = parts;
  if (scope.isRoot && (parts.length === 0 || first === '$flagd')) scope.budget.flagUses += 1;
  if (parts.length === 0) return whole;
  if (scope.isRoot && first === '$flagd') {
    if (rest.length === 1 && rest[0] === 'flagKey') return () => scope.flagKey;
    if (rest.length === 1 && rest[0] === 'timestamp') return (_data, nowMs) => timestamp(nowMs);
    return (data, nowMs) => parts.reduce<unknown>(step, whole(data, nowMs)) ?? null;
  }
  if (parts.length > 1 || first in Object.prototype) return (data) => parts.reduce<unknown>(step, data) ?? null;
  return (data) => {
    const value = (data as Record<string, unknown> | null | undefined)?.[first];
    return value === undefined || typeof value === 'function' ? null : value;
  };
}

const compileIf: Compile = (operand, scope, path) => {
  const parts = operandsOf(operand, scope, path);
  const pairs: (readonly [Expression, Expression])[] = [];
  for (let index = 0; index + 1 < parts.length; index += 2)
    pairs.push([parts[index] as Expression, parts[index + 1] as Expression]);
  const otherwise = parts.length % 2 === 1 ? (parts.at(-1) as Expression) : () => null;
  return (data, nowMs) => {
    for (const [condition, value] of pairs) if (isTrue(condition(data, nowMs))) return value(data, nowMs);
    return otherwise(data, nowMs);
  };
};

const compileComparison: Compile = (operand, scope, path, name) => {
  const compare = comparator(name as Comparison);
  const operands = operandsOf(operand, scope, path);
  const [first, second] = operands;
  if (first === undefined || second === undefined)
    throw new LogicFault(`'${name}' compares two operands or more`, path);
  if (operands.length === 2) {
    const constant = Array.isArray(operand) ? (operand[1] as unknown) : undefined;
    const isEqual = name === '==' || name === '===';
    const attribute = attributeOf(Array.isArray(operand) ? operand[0] : undefined, scope);
    if (isEqual && typeof constant === 'string' && attribute !== undefined)
      return (data) => {
        const value = read(data, attribute) ?? null;
        return typeof value === 'string' ? value === constant : compare(value, constant);
      };
    if (isEqual && typeof constant === 'string')
      return (data, nowMs) => {
        const value = first(data, nowMs);
        return typeof value === 'string' ? value === constant : compare(value, constant);
      };
    return (data, nowMs) => compare(first(data, nowMs), second(data, nowMs));
  }
  return (data, nowMs) => {
    let previous = first(data, nowMs);
    for (let index = 1; index < operands.length; index += 1) {
      const next = (operands[index] as Expression)(data, nowMs);
      if (!compare(previous, next)) return false;
      previous = next;
    }
    return true;
  };
};

const compileNot: Compile = (operand, scope, path, name) => {
  const value = compileLogic(Array.isArray(operand) ? operand[0] : operand, scope, path);
  return name === '!' ? (data, nowMs) => !isTrue(value(data, nowMs)) : (data, nowMs) => isTrue(value(data, nowMs));
};

/** `and` gives its first false operand or the last one; `or` its first true one or the last. */
const compileJunction: Compile = (operand, scope, path, name) => {
  const operands = operandsOf(operand, scope, path);
  const stopsAt = name === 'or';
  const [first, second] = operands;
  if (operands.length === 2 && first !== undefined && second !== undefined)
    return (data, nowMs) => {
      const value = first(data, nowMs);
      return isTrue(value) === stopsAt ? value : second(data, nowMs);
    };
  return (data, nowMs) => {
    let value: unknown = null;
    for (const one of operands) {
      value = one(data, nowMs);
      if (isTrue(value) === stopsAt) return value;
    }
    return value;
  };
};

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (isTrue(value)) throw new LogicFault('this operator goes through a list only');
  return [];
}

/** `map`, `filter`, `all`, `none`, `some`. */
const compileIteration: Compile = (operand, scope, path, name) => {
  if (!Array.isArray(operand)) throw new LogicFault(`'${name}' takes a list and a rule`, path);
  const list = compileLogic(operand[0], scope, `${path}/0`);
  const rule = compileLogic(operand[1], { ...scope, isRoot: false }, `${path}/1`);
  return (data, nowMs) => {
    const items = listOf(list(data, nowMs));
    const holds = (item: unknown): boolean => isTrue(rule(item, nowMs));
    switch (name) {
      case 'map':
        return items.map((item) => rule(item, nowMs));
      case 'filter':
        return items.filter(holds);
      case 'all':
        return items.length > 0 && items.every(holds);
      case 'none':
        return !items.some(holds);
      default:
        return items.some(holds);
    }
  };
};

const compileReduce: Compile = (operand, scope, path) => {
  if (!Array.isArray(operand)) throw new LogicFault("'reduce' takes a list, a rule and a first value", path);
  const list = compileLogic(operand[0], scope, `${path}/0`);
  const rule = compileLogic(operand[1], { ...scope, isRoot: false }, `${path}/1`);
  const start = operand.length > 2 ? compileLogic(operand[2], scope, `${path}/2`) : undefined;
  return (data, nowMs) => {
    const items = listOf(list(data, nowMs));
    const fold = (accumulator: unknown, current: unknown): unknown => rule({ accumulator, current }, nowMs);
    if (start !== undefined) return items.reduce(fold, start(data, nowMs));
    if (items.length === 0) throw new LogicFault("'reduce' over an empty list needs a first value");
    return items.reduce(fold);
  };
};

/** Which of the paths lead nowhere in the data. */
function missingFrom(data: unknown, paths: readonly unknown[]): unknown[] {
  return paths.filter((path) => splitPath(String(path)).reduce<unknown>(step, data) === undefined);
}

const compileMissing: Compile = (operand, scope, path, name) => {
  const operands = operandsOf(operand, scope, path);
  if (name === 'missing')
    return (data, nowMs) => {
      const values = operands.map((one) => one(data, nowMs));
      return missingFrom(data, values.length === 1 && Array.isArray(values[0]) ? values[0] : values);
    };
  return (data, nowMs) => {
    const [needed, options] = operands.map((one) => one(data, nowMs));
    const paths = listOf(options);
    const missing = missingFrom(data, paths);
    return paths.length - missing.length >= toCount(needed) ? [] : missing;
  };
};

function toCount(value: unknown): number {
  if (typeof value !== 'number') throw new LogicFault('missing_some takes a number and a list');
  return value;
}

const SPECIAL: Readonly<Record<string, Compile>> = {
  var: compileVar,
  if: compileIf,
  '?:': compileIf,
  '==': compileComparison,
  '===': compileComparison,
  '!=': compileComparison,
  '!==': compileComparison,
  '<': compileComparison,
  '<=': compileComparison,
  '>': compileComparison,
  '>=': compileComparison,
  '!': compileNot,
  '!!': compileNot,
  and: compileJunction,
  or: compileJunction,
  map: compileIteration,
  filter: compileIteration,
  all: compileIteration,
  none: compileIteration,
  some: compileIteration,
  reduce: compileReduce,
  missing: compileMissing,
  missing_some: compileMissing,
  fractional: (operand, scope, path) => {
    const entries = Array.isArray(operand) ? operand : [operand];
    const parts = entries.map((entry, index) => compileLogic(entry, scope, `${path}/${index}`));
    scope.budget.flagUses += 1;
    return compileFractional(parts, scope.flagKey, scope.isRoot);
  },
};
