/** Comparison, equality and membership; the evaluator usually compiles these away. */
import { compare, equal, get, isArray, isObject, isSet, iterate, type Value } from '../values/index.js';
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import { any, boolean } from './type-decl.js';

function comparison(infix: string, about: string, accept: (order: number) => boolean): BuiltinEntry {
  return {
    about,
    infix,
    args: { x: any, y: any },
    result: { result: boolean },
    evaluate: (args) => accept(compare(args[0] as Value, args[1] as Value)),
  };
}

function isMember(value: Value, container: Value): boolean {
  if (isSet(container)) return container.has(value);
  for (const [, member] of iterate(container)) if (equal(member, value)) return true;
  return false;
}

function isMemberAt(key: Value, value: Value, container: Value): boolean {
  if (isSet(container)) return container.has(key) && equal(key, value);
  if (!isArray(container) && !isObject(container)) return false;
  const found = get(container, key);
  return found !== undefined && equal(found, value);
}

export const comparisonBuiltins: readonly Builtin[] = [
  ...family('comparison', {
    equal: comparison('==', 'Whether two values are equal.', (order) => order === 0),
    neq: comparison('!=', 'Whether two values differ.', (order) => order !== 0),
    lt: comparison('<', 'Whether the first value sorts before the second.', (order) => order < 0),
    lte: comparison('<=', 'Whether the first value does not sort after the second.', (order) => order <= 0),
    gt: comparison('>', 'Whether the first value sorts after the second.', (order) => order > 0),
    gte: comparison('>=', 'Whether the first value does not sort before the second.', (order) => order >= 0),
  }),
  ...family('internal', {
    eq: comparison('=', 'Unifies two values.', (order) => order === 0),
    assign: comparison(':=', 'Binds a new local variable.', (order) => order === 0),
    'internal.member_2': {
      about: 'Whether a collection has the value (`x in xs`).',
      infix: 'in',
      args: { x: any, xs: any },
      result: { result: boolean },
      evaluate: ([value, container]) => isMember(value as Value, container as Value),
    },
    'internal.member_3': {
      about: 'Whether a collection has the value at the key (`k, v in xs`).',
      infix: 'in',
      args: { key: any, value: any, xs: any },
      result: { result: boolean },
      evaluate: ([key, value, container]) => isMemberAt(key as Value, value as Value, container as Value),
    },
  }),
];
