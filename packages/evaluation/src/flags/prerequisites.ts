/** What flags require of each other: circles, and how much work an evaluation comes to. */
import { isObject } from '../json.js';
import type { FlagDefinition, FlagSet, Prerequisite } from './flag-set.js';

/** What a flag requires; definitions may not have been validated yet. */
export function requiredBy(flag: FlagDefinition | undefined): readonly Prerequisite[] {
  const list: unknown = isObject(flag) ? flag['prerequisites'] : undefined;
  return Array.isArray(list) ? list.filter((one) => isObject(one) && typeof one['flag'] === 'string') : [];
}

/**
 * Flag → the circle it stands on or leads into, named from its first flag to its first flag again.
 * Cost: linear in flags and prerequisites, without recursion.
 */
export function prerequisiteCycles(set: Pick<FlagSet, 'flags'>): ReadonlyMap<string, readonly string[]> {
  const cycles = new Map<string, readonly string[]>();
  const done = new Set<string>();
  for (const start of Object.keys(set.flags)) {
    const path: { key: string; next: number }[] = [{ key: start, next: 0 }];
    const open = new Set([start]);
    if (done.has(start)) continue;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const required = requiredBy(set.flags[top.key])[top.next]?.flag;
      top.next += 1;
      if (required === undefined || cycles.has(top.key)) {
        close(path, open, done, cycles);
        continue;
      }
      if (!Object.hasOwn(set.flags, required) || (done.has(required) && !cycles.has(required))) continue;
      if (cycles.has(required)) cycles.set(top.key, cycles.get(required) as readonly string[]);
      else if (open.has(required)) {
        const keys = path.map(({ key }) => key);
        cycles.set(top.key, [...keys.slice(keys.indexOf(required)), required]);
      } else {
        path.push({ key: required, next: 0 });
        open.add(required);
      }
    }
  }
  return cycles;
}

/** Leaves the last flag of the path; one that leads into a circle hands it to the flag that requires it. */
function close(
  path: { key: string; next: number }[],
  open: Set<string>,
  done: Set<string>,
  cycles: Map<string, readonly string[]>,
): void {
  const left = path.pop();
  if (left === undefined) return;
  open.delete(left.key);
  done.add(left.key);
  const before = path.at(-1);
  const cycle = cycles.get(left.key);
  if (before !== undefined && cycle !== undefined) cycles.set(before.key, cycle);
}

/** The most flags that one evaluation may look at, itself included, each as often as it is required. */
export const MAX_PREREQUISITE_WORK = 1_000;

/**
 * Flag → how many flags an evaluation of it looks at. Ten flags that each require the next one twice come to a
 * thousand. Flags on a circle, or leading into one, are left out. Cost: linear, without recursion.
 */
export function prerequisiteWork(set: Pick<FlagSet, 'flags'>): ReadonlyMap<string, number> {
  const work = new Map<string, number>();
  const waiting = new Map<string, number>();
  const users = new Map<string, string[]>();
  const ready: string[] = [];
  for (const [key, flag] of Object.entries(set.flags)) {
    const required = requiredBy(flag).filter((one) => Object.hasOwn(set.flags, one.flag));
    waiting.set(key, required.length);
    for (const one of required) {
      const list = users.get(one.flag);
      if (list === undefined) users.set(one.flag, [key]);
      else list.push(key);
    }
    work.set(key, 1);
    if (required.length === 0) ready.push(key);
  }
  for (let key = ready.pop(); key !== undefined; key = ready.pop()) {
    for (const user of users.get(key) ?? []) {
      work.set(user, (work.get(user) ?? 1) + (work.get(key) ?? 1));
      const left = (waiting.get(user) ?? 0) - 1;
      waiting.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  return new Map([...work].filter(([key]) => waiting.get(key) === 0));
}
