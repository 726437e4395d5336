/**
 * What each app and environment gets, compiled when it is first asked for. After a change that concerns it, what was touched is noted; who asks
 * next has only that compiled anew, and the rest taken over. The compiled form of every scope that somebody uses is kept.
 */
import { setImmediate } from 'node:timers/promises';
import { compileEnvironment, type Environment } from '@bailiwick/evaluation';
import type { ResourceScope } from '../ports/resource-store.port.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import type { StateChange } from './configuration-state.js';
import {
  type Candidates,
  countsIn,
  type DocumentParts,
  nextDocument,
  type ScopeDocument,
  Touched,
  wholeDocument,
} from './environment-document.js';
import type { ValueCipher } from './value-cipher.js';

export interface EnvironmentView extends ResourceScope, ScopeDocument {
  /** The newest revision that changed anything in it. */
  readonly revision: number;
  readonly compiled: Environment;
  /** Some entry is under a rollout: who asks makes a difference. */
  readonly isVarying: boolean;
}

interface Kept {
  readonly view: EnvironmentView;
  /** Since the view was made. */
  readonly touched: Touched;
}

const maxViews = 1_000;
const maxWarmMs = 2_000;
/** When more than this was touched, all of it is made anew. */
const maxTouched = 2_000;

export const scopeSlot = ({ appId, environment }: ResourceScope): string => `${appId ?? ''}\n${environment ?? ''}`;

/** The part of the feed that is needed here. */
type Followed = Pick<ConfigurationFeed, 'state' | 'onChange'>;

export class Environments {
  readonly #feed: Followed;
  readonly #cipher: Pick<ValueCipher, 'plain'>;
  readonly #candidates: () => Candidates;
  readonly #kept = new Map<string, Kept>();
  /** The newest revision of each scope that was ever touched; scopes never touched have the global one. */
  readonly #revisions = new Map<string, number>();
  readonly #listeners = new Set<(isTouched: (scope: ResourceScope) => boolean) => void>();

  constructor(feed: Followed, cipher: Pick<ValueCipher, 'plain'>, candidates: () => Candidates) {
    this.#feed = feed;
    this.#cipher = cipher;
    this.#candidates = candidates;
    for (const kind of ['config', 'flag', 'segment', 'rollout'] as const)
      for (const item of feed.state.all<unknown>(kind)) this.#touch(item, item.revision);
    for (const deletion of feed.state.deletions())
      if (isServed(deletion.kind)) this.#touch(deletion, deletion.revision);
    feed.onChange((change) => this.#take(change));
  }

  view(scope: ResourceScope): EnvironmentView {
    const slot = scopeSlot(scope);
    const kept = this.#kept.get(slot);
    if (kept?.touched.isAny === false) return kept.view;
    if (kept === undefined && this.#kept.size >= maxViews) this.#kept.delete(this.#kept.keys().next().value as string);
    const view = kept === undefined || kept.touched.size > maxTouched ? this.#whole(scope) : this.#next(kept);
    this.#kept.set(slot, { view, touched: new Touched() });
    return view;
  }

  /** Compiles every app's environments that have something of their own, up to a bound in time: who asks first need not wait then. */
  async warm(boundMs = maxWarmMs): Promise<void> {
    const endMs = performance.now() + boundMs;
    const scopes = new Map<string, ResourceScope>();
    for (const kind of ['config', 'flag'] as const)
      for (const { appId, environment } of this.#feed.state.all<unknown>(kind))
        if (appId !== null && environment !== null)
          scopes.set(scopeSlot({ appId, environment }), { appId, environment });
    for (const scope of scopes.values()) {
      if (performance.now() > endMs || this.#kept.size >= maxViews) return;
      this.view(scope);
      await setImmediate();
    }
  }

  /** How many scopes are compiled now. */
  get size(): number {
    return this.#kept.size;
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

  /** After values became readable that were not: what had to do without one is made anew. */
  forget(): void {
    const partial: EnvironmentView[] = [];
    for (const [slot, { view }] of this.#kept) {
      if (!view.isPartial) continue;
      partial.push(view);
      this.#kept.delete(slot);
    }
    if (partial.length === 0) return;
    const slots = new Set(partial.map(scopeSlot));
    for (const listener of this.#listeners) listener((scope) => slots.has(scopeSlot(scope)));
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

  #take(change: StateChange): void {
    const served = change.items.filter(({ before, after }) => isServed((after ?? before)?.kind));
    const places = served.flatMap(({ before, after }) => after ?? before ?? []);
    if (places.length === 0) return;
    for (const { before, after, revision } of served) {
      const place = after ?? before;
      if (place !== undefined) this.#touch(place, revision);
    }
    const isTouched = (scope: ResourceScope): boolean => places.some((place) => countsIn(place, scope));
    const candidates = this.#candidates();
    for (const { view, touched } of this.#kept.values())
      for (const item of served) {
        const place = item.after ?? item.before;
        if (place !== undefined && countsIn(place, view)) touched.add(item, this.#feed.state, candidates);
      }
    for (const listener of this.#listeners) listener(isTouched);
  }

  get #parts(): DocumentParts {
    return { state: this.#feed.state, cipher: this.#cipher, candidates: this.#candidates() };
  }

  #whole(scope: ResourceScope): EnvironmentView {
    return this.#view(scope, wholeDocument(scope, this.#parts), undefined);
  }

  #next({ view, touched }: Kept): EnvironmentView {
    return this.#view(view, nextDocument(view, view, touched, this.#parts), view.compiled);
  }

  #view(
    scope: ResourceScope,
    { document, sensitiveKeys, isPartial }: ScopeDocument,
    previous: Environment | undefined,
  ): EnvironmentView {
    const { appId, environment } = scope;
    const compiled = compileEnvironment(document, { random: Math.random, previous });
    const isVarying = compiled.configs.isVarying;
    const secrets = { sensitiveKeys, isPartial };
    return { appId, environment, revision: this.revisionOf(scope), document, ...secrets, compiled, isVarying };
  }
}

/** An ETag of what everybody gets alike, without quotes. */
export const tagOf = (epoch: string, { revision, isPartial }: EnvironmentView): string =>
  `${epoch}.${revision}${isPartial ? '.p' : ''}`;

const isServed = (kind: string | undefined): boolean =>
  kind === 'config' || kind === 'flag' || kind === 'segment' || kind === 'rollout';
