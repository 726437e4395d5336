/** Difference, intersection and union of sets. Cost: linear in the smaller or the first set. */
import { EMPTY_SET, type Key, RegoSet, type Value } from '../values/index.js';

export function difference(a: RegoSet, b: RegoSet): RegoSet {
  const rest = new Map<Key, Value>();
  for (const [key, value] of a.entries()) if (!b.hasKey(key)) rest.set(key, value);
  return rest.size === 0 ? EMPTY_SET : new RegoSet(rest);
}

export function intersection(a: RegoSet, b: RegoSet): RegoSet {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  const both = new Map<Key, Value>();
  for (const [key, value] of small.entries()) if (large.hasKey(key)) both.set(key, value);
  return both.size === 0 ? EMPTY_SET : new RegoSet(both);
}

export function union(a: RegoSet, b: RegoSet): RegoSet {
  if (a.size === 0) return b;
  if (b.size === 0) return a;
  const all = new Map(a.entries());
  for (const [key, value] of b.entries()) if (!all.has(key)) all.set(key, value);
  return new RegoSet(all);
}
