/**
 * What is in force for one app in one environment, as the evaluation wants it: made whole, or from the document before and what was touched
 * since. What was not touched is the same object in both, which is how the evaluation and the streams see that it is the same.
 */
import type {
  ConfigEntry,
  EnvironmentDocument,
  FlagCandidate,
  FlagDefinition,
  JsonValue,
  UnleashFeature,
  UnleashSegment,
  UnleashState,
} from '@bailiwick/evaluation';
import type { ResourceKind, ResourceScope } from '../ports/resource-store.port.js';
import type { ConfigContentStored, FlagContent, Item, SegmentContent } from './config-content.js';
import type { AnyItem, ConfigurationState, ItemChange } from './configuration-state.js';
import type { ValueCipher } from './value-cipher.js';

/** What rollouts add: the candidate of an entry or of a flag, while one is under way. */
export interface Candidates {
  configCandidate(item: Item<ConfigContentStored>): ConfigEntry['candidate'];
  /** A candidate of the entry is a secret that cannot be read yet. */
  isSealed(item: Item<ConfigContentStored>): boolean;
  flagCandidate(item: Item<FlagContent>): Omit<FlagCandidate, 'flag'> | undefined;
  /** The entry or flag that a rollout is about; undefined for a policy. */
  targetOf(rollout: AnyItem): { readonly kind: 'config' | 'flag'; readonly id: string } | undefined;
}

export interface DocumentParts {
  readonly state: ConfigurationState;
  readonly cipher: Pick<ValueCipher, 'plain'>;
  readonly candidates: Candidates;
}

/** A document, and what there is to know of its secrets. */
export interface ScopeDocument {
  readonly document: EnvironmentDocument;
  /** By key the entries in it that are sensitive, and so are not for client keys. */
  readonly sensitiveKeys: ReadonlySet<string>;
  /** Some of them cannot be read yet and are left out: at the same revision there will be more. */
  readonly isPartial: boolean;
}

/** Whether a resource counts in a scope. */
export function countsIn(resource: ResourceScope, scope: ResourceScope): boolean {
  if (resource.appId === null) return true;
  if (resource.appId !== scope.appId) return false;
  return resource.environment === null || resource.environment === scope.environment;
}

const specificity = ({ appId, environment }: ResourceScope): number =>
  (appId === null ? 0 : 1) + (environment === null ? 0 : 1);

/** One item a key: the one nearest to the scope. */
export function mostSpecific<C>(items: Iterable<Item<C>>, scope: ResourceScope): Iterable<Item<C>> {
  const best = new Map<string, Item<C>>();
  for (const item of items) {
    if (!countsIn(item, scope)) continue;
    const known = best.get(item.key);
    if (known === undefined || specificity(item) > specificity(known)) best.set(item.key, item);
  }
  return best.values();
}

/** An entry as the evaluation wants it; its id is the resource's, so that sources lead back to it. */
export function toEntry(
  item: Item<ConfigContentStored>,
  value: JsonValue,
  candidate?: ConfigEntry['candidate'],
): ConfigEntry {
  return {
    ...{ id: item.id, appId: item.appId, environment: item.environment, key: item.key, value },
    ...(item.content.merge === undefined ? {} : { merge: item.content.merge }),
    ...(candidate === undefined ? {} : { candidate }),
  };
}

/** What changes have touched since a document was made; the state says what became of it. */
export class Touched {
  /** By id, with the key. */
  readonly configs = new Map<string, string>();
  readonly flags = new Set<string>();
  readonly segments = new Set<string>();
  /** Also of something that nothing comes of here, such as the rollout of a policy. */
  isAny = false;

  get size(): number {
    return this.configs.size + this.flags.size + this.segments.size;
  }

  add({ before, after }: ItemChange, state: ConfigurationState, candidates: Candidates): void {
    this.isAny = true;
    for (const item of [before, after]) {
      if (item === undefined) continue;
      if (item.kind === 'config') this.configs.set(item.id, item.key);
      else if (item.kind === 'flag') this.flags.add(item.key);
      else if (item.kind === 'segment') this.segments.add(item.key);
      else if (item.kind === 'rollout') this.#addTarget(item, state, candidates);
    }
  }

  #addTarget(rollout: AnyItem, state: ConfigurationState, candidates: Candidates): void {
    const target = candidates.targetOf(rollout);
    const item = target && state.get<unknown>(target.kind, target.id);
    // One that is gone was touched itself.
    if (item === undefined) return;
    if (item.kind === 'config') this.configs.set(item.id, item.key);
    else this.flags.add(item.key);
  }
}

export function wholeDocument(scope: ResourceScope, parts: DocumentParts): ScopeDocument {
  const entries: ConfigEntry[] = [];
  for (const item of parts.state.all<ConfigContentStored>('config')) {
    if (!countsIn(item, scope)) continue;
    const entry = entryOf(item, parts);
    if (entry !== undefined) entries.push(entry);
  }
  const document = toDocument(scope, entries, flagPart(scope, parts), segmentPart(scope, parts));
  return { document, ...secretsOf(scope, parts) };
}

/** The document of now, from an earlier one of the same scope and all that was touched since. */
export function nextDocument(
  scope: ResourceScope,
  before: ScopeDocument,
  touched: Touched,
  parts: DocumentParts,
): ScopeDocument {
  const { document } = before;
  const entries =
    touched.configs.size === 0 ? document.entries : nextEntries(scope, document.entries, touched.configs, parts);
  const flags =
    touched.flags.size === 0 ? flagPartOf(document) : nextFlags(scope, flagPartOf(document), touched, parts);
  const known = document.flags.$evaluators ?? {};
  const segments = touched.segments.size === 0 ? known : nextSegments(scope, known, touched.segments, parts);
  const isSensitivitySame = [...touched.configs].every(
    ([id, key]) =>
      !before.sensitiveKeys.has(key) && parts.state.get<ConfigContentStored>('config', id)?.content.sensitive !== true,
  );
  return {
    document: toDocument(scope, entries, flags, segments),
    ...(isSensitivitySame
      ? { sensitiveKeys: before.sensitiveKeys, isPartial: before.isPartial }
      : secretsOf(scope, parts)),
  };
}

/** Flags and what belongs to them. */
interface FlagPart {
  readonly flags: Readonly<Record<string, FlagDefinition>>;
  readonly candidates: readonly FlagCandidate[];
  readonly unleash: UnleashState | undefined;
}

function toDocument(
  { appId, environment }: ResourceScope,
  entries: readonly ConfigEntry[],
  { flags, candidates, unleash }: FlagPart,
  $evaluators: Readonly<Record<string, JsonValue>>,
): EnvironmentDocument {
  return {
    ...{ appId, environment, entries, flags: { flags, $evaluators } },
    ...(candidates.length === 0 ? {} : { flagCandidates: candidates }),
    ...(unleash === undefined ? {} : { unleash }),
  };
}

const flagPartOf = ({ flags, flagCandidates = [], unleash }: EnvironmentDocument): FlagPart => ({
  ...{ flags: flags.flags, candidates: flagCandidates, unleash },
});

function entryOf(item: Item<ConfigContentStored>, { cipher, candidates }: DocumentParts): ConfigEntry | undefined {
  const value = cipher.plain(item);
  return value === undefined ? undefined : toEntry(item, value, candidates.configCandidate(item));
}

function nextEntries(
  scope: ResourceScope,
  before: readonly ConfigEntry[],
  touched: ReadonlyMap<string, string>,
  parts: DocumentParts,
): readonly ConfigEntry[] {
  const next = new Map<string, ConfigEntry | undefined>();
  for (const id of touched.keys()) {
    const item = parts.state.get<ConfigContentStored>('config', id);
    next.set(id, item !== undefined && countsIn(item, scope) ? entryOf(item, parts) : undefined);
  }
  const entries: ConfigEntry[] = [];
  for (const entry of before) {
    const id = entry.id ?? '';
    if (!next.has(id)) {
      entries.push(entry);
      continue;
    }
    const changed = next.get(id);
    next.delete(id);
    if (changed !== undefined) entries.push(changed);
  }
  for (const entry of next.values()) if (entry !== undefined) entries.push(entry);
  return entries;
}

function secretsOf(
  scope: ResourceScope,
  { state, cipher, candidates }: DocumentParts,
): Omit<ScopeDocument, 'document'> {
  const sensitiveKeys = new Set<string>();
  let isPartial = false;
  for (const item of state.all<ConfigContentStored>('config')) {
    if (!item.content.sensitive || !countsIn(item, scope)) continue;
    sensitiveKeys.add(item.key);
    isPartial ||= cipher.plain(item) === undefined || candidates.isSealed(item);
  }
  return { sensitiveKeys, isPartial };
}

function flagPart(scope: ResourceScope, { state, candidates: underWay }: DocumentParts): FlagPart {
  const flags: Record<string, FlagDefinition> = {};
  const candidates: FlagCandidate[] = [];
  const features: UnleashFeature[] = [];
  const segments = new Map<number, UnleashSegment>();
  for (const item of mostSpecific(state.all<FlagContent>('flag'), scope)) {
    const { definition, unleash } = item.content;
    if (unleash) {
      features.push(unleash.feature);
      for (const segment of unleash.segments) segments.set(segment.id, segment);
      continue;
    }
    flags[item.key] = definition;
    const candidate = underWay.flagCandidate(item);
    if (candidate) candidates.push({ flag: item.key, ...candidate });
  }
  return {
    ...{ flags, candidates },
    unleash: features.length === 0 ? undefined : { features, segments: [...segments.values()] },
  };
}

function nextFlags(scope: ResourceScope, before: FlagPart, { flags: keys }: Touched, parts: DocumentParts): FlagPart {
  const items = [...keys].map((key) => [key, nearest<FlagContent>('flag', key, scope, parts.state)] as const);
  // Unleash's segments are numbered across features: those are put together anew.
  if (before.unleash !== undefined || items.some(([, item]) => item?.content.unleash !== undefined))
    return flagPart(scope, parts);
  const flags = { ...before.flags };
  const candidates = before.candidates.filter(({ flag }) => !keys.has(flag));
  for (const [key, item] of items) {
    if (item === undefined) {
      delete flags[key];
      continue;
    }
    flags[key] = item.content.definition;
    const candidate = parts.candidates.flagCandidate(item);
    if (candidate) candidates.push({ flag: key, ...candidate });
  }
  return { flags, candidates, unleash: undefined };
}

function segmentPart(scope: ResourceScope, { state }: DocumentParts): Record<string, JsonValue> {
  const segments: Record<string, JsonValue> = {};
  for (const item of mostSpecific(state.all<SegmentContent>('segment'), scope)) segments[item.key] = item.content.rule;
  return segments;
}

function nextSegments(
  scope: ResourceScope,
  before: Readonly<Record<string, JsonValue>>,
  keys: ReadonlySet<string>,
  { state }: DocumentParts,
): Readonly<Record<string, JsonValue>> {
  const segments = { ...before };
  for (const key of keys) {
    const item = nearest<SegmentContent>('segment', key, scope, state);
    if (item === undefined) delete segments[key];
    else segments[key] = item.content.rule;
  }
  return segments;
}

/** The item of a key that is nearest to the scope. */
function nearest<C>(
  kind: ResourceKind,
  key: string,
  { appId, environment }: ResourceScope,
  state: ConfigurationState,
): Item<C> | undefined {
  const global = { appId: null, environment: null };
  if (appId === null) return state.find<C>(kind, global, key);
  return (
    state.find<C>(kind, { appId, environment }, key) ??
    state.find<C>(kind, { appId, environment: null }, key) ??
    state.find<C>(kind, global, key)
  );
}
