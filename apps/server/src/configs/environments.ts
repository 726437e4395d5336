/**
 * What each app and environment gets, compiled when it is first asked for and anew after a change that concerns it. The newest compiled
 * form of every scope that somebody uses is kept; the answer to a plain fetch is kept as text.
 */
import {
  type ConfigEntry,
  compileEnvironment,
  type Environment,
  type EnvironmentDocument,
  type FlagCandidate,
  type FlagDefinition,
  type JsonValue,
  type UnleashFeature,
  type UnleashSegment,
  type UnleashState,
} from '@bailiwick/evaluation';
import type { ResourceScope } from '../ports/resource-store.port.js';
import type { ConfigContentStored, FlagContent, Item, SegmentContent } from './config-content.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { ConfigurationState, StateChange } from './configuration-state.js';
import type { ValueCipher } from './value-cipher.js';

/** What rollouts add: the candidate of an entry or of a flag, while one is under way. */
export interface Candidates {
  configCandidate(item: Item<ConfigContentStored>): ConfigEntry['candidate'];
  flagCandidate(item: Item<FlagContent>): Omit<FlagCandidate, 'flag'> | undefined;
}

export interface EnvironmentView extends ResourceScope {
  /** The newest revision that changed anything in it. */
  readonly revision: number;
  readonly document: EnvironmentDocument;
  readonly compiled: Environment;
  /** By key: the entries that are sensitive, and so are not for client keys. */
  readonly sensitiveKeys: ReadonlySet<string>;
}

const maxViews = 1_000;

export const scopeSlot = ({ appId, environment }: ResourceScope): string => `${appId ?? ''}\n${environment ?? ''}`;

/** Whether a resource counts in a scope. */
export function countsIn(resource: ResourceScope, scope: ResourceScope): boolean {
  if (resource.appId === null) return true;
  if (resource.appId !== scope.appId) return false;
  return resource.environment === null || resource.environment === scope.environment;
}

const specificity = ({ appId, environment }: ResourceScope): number =>
  (appId === null ? 0 : 1) + (environment === null ? 0 : 1);

export class Environments {
  readonly #feed: ConfigurationFeed;
  readonly #cipher: ValueCipher;
  readonly #candidates: () => Candidates;
  readonly #views = new Map<string, EnvironmentView>();
  /** The newest revision of each scope that was ever touched; scopes never touched have the global one. */
  readonly #revisions = new Map<string, number>();
  readonly #listeners = new Set<(isTouched: (scope: ResourceScope) => boolean) => void>();

  constructor(feed: ConfigurationFeed, cipher: ValueCipher, candidates: () => Candidates) {
    this.#feed = feed;
    this.#cipher = cipher;
    this.#candidates = candidates;
    for (const kind of ['config', 'flag', 'segment', 'rollout'] as const)
      for (const item of feed.state.all<unknown>(kind)) this.#touch(item, item.revision);
    feed.onChange((change) => this.#invalidate(change));
  }

  view(scope: ResourceScope): EnvironmentView {
    const slot = scopeSlot(scope);
    let view = this.#views.get(slot);
    if (view === undefined) {
      if (this.#views.size >= maxViews) this.#views.delete(this.#views.keys().next().value as string);
      view = this.#compile(scope);
      this.#views.set(slot, view);
    }
    return view;
  }

  /** The newest revision that changed anything in the scope. */
  revisionOf({ appId, environment }: ResourceScope): number {
    const scopes = [
      { appId: null, environment: null },
      { appId, environment: null },
      { appId, environment },
    ];
    return Math.max(...scopes.map((scope) => this.#revisions.get(scopeSlot(scope)) ?? 0));
  }

  /** After values became readable that were not. */
  forget(): void {
    this.#views.clear();
    for (const listener of this.#listeners) listener(() => true);
  }

  /** Called when something changed, with a function that says for which scopes. Returns the function that ends it. */
  onChange(listener: (isTouched: (scope: ResourceScope) => boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #touch(scope: ResourceScope, revision: number): void {
    const slot = scopeSlot(scope);
    this.#revisions.set(slot, Math.max(revision, this.#revisions.get(slot) ?? 0));
  }

  #invalidate(change: StateChange): void {
    const items = change.items
      .flatMap(({ before, after }) => after ?? before ?? [])
      .filter(({ kind }) => isServed(kind));
    if (items.length === 0) return;
    for (const item of items) this.#touch(item, change.revision);
    const isTouched = (scope: ResourceScope): boolean => items.some((item) => countsIn(item, scope));
    for (const [slot, view] of this.#views) if (isTouched(view)) this.#views.delete(slot);
    for (const listener of this.#listeners) listener(isTouched);
  }

  #compile(scope: ResourceScope): EnvironmentView {
    const { state } = this.#feed;
    const underWay = this.#candidates();
    const sensitiveKeys = new Set<string>();
    const entries: ConfigEntry[] = [];
    for (const item of state.all<ConfigContentStored>('config')) {
      if (!countsIn(item, scope)) continue;
      if (item.content.sensitive) sensitiveKeys.add(item.key);
      const value = this.#cipher.plain(item);
      if (value !== undefined) entries.push(toEntry(item, value, underWay.configCandidate(item)));
    }
    const { flags, candidates, unleash } = this.#flagsOf(state, scope, underWay);
    const evaluators: Record<string, JsonValue> = {};
    for (const item of mostSpecific(state.all<SegmentContent>('segment'), scope))
      evaluators[item.key] = item.content.rule;
    const document: EnvironmentDocument = {
      appId: scope.appId,
      environment: scope.environment,
      entries,
      flags: { flags, $evaluators: evaluators },
      ...(candidates.length === 0 ? {} : { flagCandidates: candidates }),
      ...(unleash === undefined ? {} : { unleash }),
    };
    const compiled = compileEnvironment(document, { random: Math.random });
    return { ...scope, revision: this.revisionOf(scope), document, compiled, sensitiveKeys };
  }

  #flagsOf(
    state: ConfigurationState,
    scope: ResourceScope,
    underWay: Candidates,
  ): { flags: Record<string, FlagDefinition>; candidates: FlagCandidate[]; unleash: UnleashState | undefined } {
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
    const unleash = features.length === 0 ? undefined : { features, segments: [...segments.values()] };
    return { flags, candidates, unleash };
  }
}

const isServed = (kind: string): boolean =>
  kind === 'config' || kind === 'flag' || kind === 'segment' || kind === 'rollout';

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
