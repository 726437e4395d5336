/** What changed between two documents of one environment, in the wire's form. What is the same object in both is not looked into. */
import type { EnvironmentPatch } from '@bailiwick/contract';
import type { ConfigEntry } from '@bailiwick/evaluation';
import type { EnvironmentView } from './environments.js';

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

export function patchBetween(epoch: string, before: EnvironmentView, after: EnvironmentView): EnvironmentPatch {
  const entries = entryDifference(before.document.entries, after.document.entries);
  const flags = difference(before.document.flags.flags, after.document.flags.flags);
  const evaluators = difference(before.document.flags.$evaluators ?? {}, after.document.flags.$evaluators ?? {});
  const candidates = after.document.flagCandidates ?? [];
  return {
    ...{ epoch, base: before.revision, revision: after.revision },
    entries: entries.changed,
    removedEntries: entries.removed,
    flags: flags.changed,
    removedFlags: flags.removed,
    evaluators: evaluators.changed,
    removedEvaluators: evaluators.removed,
    ...(same(before.document.unleash, after.document.unleash) ? {} : { unleash: after.document.unleash ?? null }),
    ...(same(before.document.flagCandidates ?? [], candidates) ? {} : { flagCandidates: [...candidates] }),
  };
}

/** By id; what both lists begin and end with is only passed by. */
function entryDifference(
  before: readonly ConfigEntry[],
  after: readonly ConfigEntry[],
): { readonly changed: ConfigEntry[]; readonly removed: string[] } {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  let tail = 0;
  while (tail < shorter - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const known = new Map(before.slice(start, before.length - tail).map((entry) => [entry.id ?? '', entry]));
  const changed: ConfigEntry[] = [];
  for (const entry of after.slice(start, after.length - tail)) {
    const old = known.get(entry.id ?? '');
    known.delete(entry.id ?? '');
    if (old === undefined || !same(old, entry)) changed.push(entry);
  }
  return { changed, removed: [...known.keys()] };
}

function difference<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
): { readonly changed: Record<string, T>; readonly removed: string[] } {
  const changed: Record<string, T> = {};
  if (before === after) return { changed, removed: [] };
  for (const [name, value] of Object.entries(after))
    if (!Object.hasOwn(before, name) || !same(before[name], value)) changed[name] = value;
  return { changed, removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)) };
}
