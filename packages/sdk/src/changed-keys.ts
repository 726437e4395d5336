/**
 * Which keys somebody may get another answer for, after a step from one environment to the next. Configuration: the effective value is
 * another, or a rollout that it depends on changed. Flags: the definition, its rollout, a segment it names, or a flag it leans on changed.
 */
import type {
  ConfigEntry,
  Environment,
  EnvironmentDocument,
  FlagDefinition,
  UnleashFeature,
  UnleashState,
} from '@bailiwick/evaluation';
import { isObject, isSameJson } from './json.js';

export interface CompiledDocument {
  readonly document: EnvironmentDocument;
  readonly compiled: Environment;
}

export interface ChangedKeys {
  readonly configs: readonly string[];
  readonly flags: readonly string[];
}

/** `before` undefined: everything is new. Keys in order of code units. */
export function changedKeys(before: CompiledDocument | undefined, after: CompiledDocument): ChangedKeys {
  if (before === undefined) return { configs: after.compiled.configs.keys(), flags: after.compiled.flagKeys() };
  const flags = changedFlags(before.document, after.document);
  return { configs: changedConfigs(before, after, flags), flags: [...flags].sort() };
}

function changedConfigs(
  before: CompiledDocument,
  after: CompiledDocument,
  changedFlags: ReadonlySet<string>,
): readonly string[] {
  if (before.document.entries === after.document.entries && changedFlags.size === 0) return [];
  const touched = after.compiled.configs.touchedSince(before.compiled.configs);
  if (touched !== undefined && !before.compiled.configs.isVarying && !after.compiled.configs.isVarying)
    return [...touched].filter((key) => hasAnotherValue(key, before, after)).sort();
  const known = byId(before.document.entries);
  const now = byId(after.document.entries);
  const varying = new Set<string>();
  let hasChanged = false;
  for (const id of new Set([...known.keys(), ...now.keys()])) {
    const [old, next] = [known.get(id), now.get(id)];
    const isSame = old === next || isSameJson(old, next);
    hasChanged ||= !isSame;
    if (old?.candidate === undefined && next?.candidate === undefined) continue;
    for (const entry of [old, next])
      if (entry?.candidate !== undefined && (!isSame || isGatedBy(entry, changedFlags))) varying.add(entry.key);
  }
  if (!hasChanged && varying.size === 0) return [];
  const keys = new Set<string>();
  for (const { document } of [before, after]) for (const { key } of document.entries) keys.add(key);
  const found = new Set<string>();
  for (const key of keys) if (hasAnotherValue(key, before, after)) found.add(key);
  if (varying.size > 0)
    for (const side of [before, after]) for (const key of usersOf(varying, side.compiled)) found.add(key);
  return [...found].sort();
}

const hasAnotherValue = (key: string, before: CompiledDocument, after: CompiledDocument): boolean =>
  !isSameJson(before.compiled.configs.get(key), after.compiled.configs.get(key));

function byId(entries: readonly ConfigEntry[]): Map<string, ConfigEntry> {
  return new Map(entries.map((entry) => [entry.id ?? `${entry.appId}\n${entry.environment}\n${entry.key}`, entry]));
}

const isGatedBy = ({ candidate }: ConfigEntry, flags: ReadonlySet<string>): boolean => {
  const strategy = candidate?.rollout.definition.strategy;
  return strategy?.kind === 'flag' && flags.has(strategy.flag);
};

/** The keys themselves, and those that name them in references, directly or by others. */
function usersOf(keys: ReadonlySet<string>, { configs }: Environment): ReadonlySet<string> {
  const references = new Map(configs.keys().map((key) => [key, configs.explain(key)?.references ?? []]));
  const found = new Set([...keys].filter((key) => configs.has(key)));
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const [key, names] of references)
      if (!found.has(key) && names.some((name) => [...found].some((one) => name === one || name.startsWith(`${one}.`))))
        found.add(key);
  }
  return found;
}

function changedFlags(before: EnvironmentDocument, after: EnvironmentDocument): ReadonlySet<string> {
  const segments = changedSegments(before.flags.$evaluators ?? {}, after.flags.$evaluators ?? {});
  const candidatesBefore = new Map((before.flagCandidates ?? []).map((one) => [one.flag, one]));
  const candidatesAfter = new Map((after.flagCandidates ?? []).map((one) => [one.flag, one]));
  const keys = new Set([...Object.keys(before.flags.flags), ...Object.keys(after.flags.flags)]);
  const found = new Set(changedFeatures(before.unleash, after.unleash));
  for (const key of keys) {
    const [old, next] = [own(before.flags.flags, key), own(after.flags.flags, key)];
    const candidate = candidatesAfter.get(key);
    const isSame = isSameJson(old, next) && isSameJson(candidatesBefore.get(key), candidate);
    const rules = [next?.targeting, candidate?.definition.targeting];
    if (!isSame || (segments.size > 0 && rules.some((rule) => namesAny(rule, segments)))) found.add(key);
  }
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const key of keys) {
      const gate = candidatesAfter.get(key)?.rollout.definition.strategy;
      if (gate?.kind === 'flag' && found.has(gate.flag)) found.add(key);
      if (leansOn(own(after.flags.flags, key), found)) found.add(key);
      if (leansOn(candidatesAfter.get(key)?.definition, found)) found.add(key);
    }
  }
  return found;
}

/** Unleash's features: themselves, a segment of theirs, or a feature that they depend on. */
function changedFeatures(before: UnleashState | undefined, after: UnleashState | undefined): readonly string[] {
  if (before === after) return [];
  const old = new Map(before?.features.map((feature) => [feature.name, feature]));
  const next = new Map(after?.features.map((feature) => [feature.name, feature]));
  const areSegmentsSame = isSameJson(before?.segments ?? [], after?.segments ?? []);
  const leansOnSegment = ({ strategies }: UnleashFeature): boolean =>
    strategies?.some(({ segments = [] }) => segments.length > 0) === true;
  const names = [...new Set([...old.keys(), ...next.keys()])];
  const found = new Set(
    names.filter((name) => {
      const feature = next.get(name);
      if (!isSameJson(old.get(name), feature)) return true;
      return !areSegmentsSame && feature !== undefined && leansOnSegment(feature);
    }),
  );
  // One level only: a parent that depends on something itself is refused.
  const children = names.filter((name) => next.get(name)?.dependencies?.some((parent) => found.has(parent.feature)));
  return [...found, ...children];
}

const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

const leansOn = (flag: FlagDefinition | undefined, keys: ReadonlySet<string>): boolean =>
  flag?.prerequisites?.some((one) => keys.has(one.flag)) === true;

/** Segments may name each other. */
function changedSegments(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): ReadonlySet<string> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const found = new Set(names.filter((name) => !isSameJson(own(before, name), own(after, name))));
  for (let size = -1; found.size > 0 && size !== found.size; ) {
    size = found.size;
    for (const name of names) if (!found.has(name) && namesAny(own(after, name), found)) found.add(name);
  }
  return found;
}

function namesAny(rule: unknown, segments: ReadonlySet<string>): boolean {
  if (Array.isArray(rule)) return rule.some((one) => namesAny(one, segments));
  if (!isObject(rule)) return false;
  const name = rule['$ref'];
  if (typeof name === 'string' && segments.has(name)) return true;
  return Object.values(rule).some((one) => namesAny(one, segments));
}
