/** Sets: the infix operators and the functions over sets of sets. */
import { EMPTY_SET, type Key, RegoSet, type Value } from '../values/index.js';
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import { setOperand } from './operands.js';
import { difference, intersection, union } from './set-operations.js';
import { set } from './type-decl.js';

function binary(infix: string, about: string, apply: (x: RegoSet, y: RegoSet) => RegoSet): BuiltinEntry {
  return {
    about,
    infix,
    args: { x: set(), y: set() },
    result: { z: set() },
    evaluate: (args) => apply(setOperand(args, 1), setOperand(args, 2)),
  };
}

function intersectAll(sets: RegoSet): RegoSet {
  let result: RegoSet | undefined;
  for (const value of sets.sorted()) {
    const next = setOperand([value], 1);
    result = result === undefined ? next : intersection(result, next);
  }
  return result ?? EMPTY_SET;
}

function uniteAll(sets: RegoSet): RegoSet {
  const all = new Map<Key, Value>();
  for (const value of sets.values()) for (const [key, member] of setOperand([value], 1).entries()) all.set(key, member);
  return all.size === 0 ? EMPTY_SET : new RegoSet(all);
}

export const setBuiltins: readonly Builtin[] = family('sets', {
  and: binary('&', 'The values two sets share.', intersection),
  or: binary('|', 'The values of either set.', union),
  set_diff: {
    about: 'The values of the first set that the second does not have.',
    deprecated: true,
    args: { x: set(), y: set() },
    result: { z: set() },
    evaluate: (args) => difference(setOperand(args, 1), setOperand(args, 2)),
  },
  intersection: {
    about: 'The values all the sets share.',
    args: { xs: set(set()) },
    result: { y: set() },
    evaluate: (args) => intersectAll(setOperand(args, 1)),
  },
  union: {
    about: 'The values of any of the sets.',
    args: { xs: set(set()) },
    result: { y: set() },
    evaluate: (args) => uniteAll(setOperand(args, 1)),
  },
});
