/** Effective configuration for an app in an environment: the answer to `POST /api/v1/configs/fetch`, from memory alone. */
import { createHash } from 'node:crypto';
import type { ConfigFetch } from '@bailiwick/contract';
import type { ConfigSource } from '@bailiwick/evaluation';
import { type JsonBody, toJsonBody } from '../http/json-body.js';
import { type ConfigurationFeed, reached } from './configuration-feed.js';
import { type Environments, type EnvironmentView, tagOf } from './environments.js';
import { FetchParts } from './fetch-parts.js';
import { scopeOf } from './scope.js';

/** What the caller's key may see. */
export type Audience = 'server' | 'client';

/** Client keys are in the hands of users: they never see sensitive values or targeting rules. */
export const audienceOf = (claims: Readonly<Record<string, unknown>>): Audience =>
  claims['key_kind'] === 'client' ? 'client' : 'server';

export interface Fetched {
  /** Without quotes. Covers the revision, and the context and keys where they matter. */
  readonly etag: string;
  /** JSON, made when it is asked for; kept where it is the same for everybody. */
  body(): JsonBody;
}

/** The part of the feed that is needed here. */
type Followed = Pick<ConfigurationFeed, 'state' | 'epoch' | 'isStale' | 'whenReached'>;

export class FetchService {
  readonly #feed: Followed;
  readonly #environments: Environments;
  readonly #nowMs: () => number;
  readonly #parts: FetchParts;
  /** Plain answers by audience, kept with the view they were made from. */
  readonly #plain = {
    server: new WeakMap<EnvironmentView, Fetched>(),
    client: new WeakMap<EnvironmentView, Fetched>(),
  };

  constructor(feed: Followed, environments: Environments, nowMs: () => number = Date.now) {
    this.#feed = feed;
    this.#environments = environments;
    this.#nowMs = nowMs;
    this.#parts = new FetchParts(({ level, entry }: ConfigSource) => {
      const id = entry.id ?? '';
      return { level, id, version: feed.state.get('config', id)?.version ?? 0 };
    });
  }

  /** Errors: `config.revision_not_reached` (503) when `min_revision` has not come in time. */
  async fetch(request: ConfigFetch, audience: Audience): Promise<Fetched> {
    await reached(this.#feed, request.min_revision);
    const view = this.#environments.view(scopeOf(request.app_id, request.environment));
    if (request.keys !== undefined || view.isVarying || this.#feed.isStale)
      return this.#answer(view, request, audience);
    let known = this.#plain[audience].get(view);
    if (known === undefined) {
      known = this.#answer(view, request, audience);
      this.#plain[audience].set(view, known);
    }
    return known;
  }

  #answer(view: EnvironmentView, { context = {}, keys }: ConfigFetch, audience: Audience): Fetched {
    const { isStale, epoch } = this.#feed;
    const nowMs = this.#nowMs();
    const isHidden = (key: string): boolean => audience === 'client' && view.sensitiveKeys.has(key);
    let made: JsonBody | undefined;
    const body = (): JsonBody => {
      made ??= toJsonBody(this.#parts.write({ view, epoch, keys, context, nowMs, isHidden, isStale }));
      return made;
    };
    const plain = `${tagOf(epoch, view)}${audience === 'client' ? '.c' : ''}`;
    if (keys === undefined && !view.isVarying && !isStale) return { etag: plain, body };
    // A rollout may have a window: then the time makes a difference too, and only the answer itself says which.
    const salt = view.isVarying ? body() : JSON.stringify([keys ?? null, isStale]);
    const hash = createHash('sha256').update(salt).digest('base64url').slice(0, 16);
    return { etag: `${plain}.${hash}`, body };
  }
}
