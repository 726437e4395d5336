/** Flags that require each other in a circle. */
import type { FlagSet } from './flag-set.js';

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
      const required = set.flags[top.key]?.prerequisites?.[top.next]?.flag;
      top.next += 1;
      if (required === undefined || cycles.has(top.key)) {
        close(path, open, done, cycles);
        continue;
      }
      if (!Object.hasOwn(set.flags, required) || (done.has(required) && !cycles.has(required))) continue;
      const keys = path.map(({ key }) => key);
      if (cycles.has(required)) cycles.set(top.key, cycles.get(required) as readonly string[]);
      else if (open.has(required)) cycles.set(top.key, [...keys.slice(keys.indexOf(required)), required]);
      else {
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
