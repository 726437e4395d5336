/** What changed between two documents of one environment, in the wire's form. */
import type { EnvironmentPatch } from '@bailiwick/contract';
import type { ConfigEntry, EnvironmentDocument } from '@bailiwick/evaluation';
import type { EnvironmentView } from './environments.js';

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

export function patchBetween(epoch: string, before: EnvironmentView, after: EnvironmentView): EnvironmentPatch {
  const entries = difference(byId(before.document), byId(after.document));
  const flags = difference(before.document.flags.flags, after.document.flags.flags);
  const evaluators = difference(before.document.flags.$evaluators ?? {}, after.document.flags.$evaluators ?? {});
  const candidates = after.document.flagCandidates ?? [];
  return {
    ...{ epoch, base: before.revision, revision: after.revision },
    entries: Object.values(entries.changed),
    removedEntries: entries.removed,
    flags: flags.changed,
    removedFlags: flags.removed,
    evaluators: evaluators.changed,
    removedEvaluators: evaluators.removed,
    ...(same(before.document.unleash, after.document.unleash) ? {} : { unleash: after.document.unleash ?? null }),
    ...(same(before.document.flagCandidates ?? [], candidates) ? {} : { flagCandidates: [...candidates] }),
  };
}

function byId({ entries }: EnvironmentDocument): Record<string, ConfigEntry> {
  return Object.fromEntries(entries.map((entry) => [entry.id ?? '', entry]));
}

function difference<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
): { readonly changed: Record<string, T>; readonly removed: string[] } {
  const changed: Record<string, T> = {};
  for (const [name, value] of Object.entries(after))
    if (!Object.hasOwn(before, name) || !same(before[name], value)) changed[name] = value;
  return { changed, removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)) };
}
