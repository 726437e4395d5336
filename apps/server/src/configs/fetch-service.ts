/** Effective configuration for an app in an environment: the answer to `POST /api/v1/configs/fetch`, from memory alone. */
import { createHash } from 'node:crypto';
import type { ConfigFetch, ConfigFetched } from '@bailiwick/contract';
import type { ConfigSource, EvaluationContext, JsonValue } from '@bailiwick/evaluation';
import { type ConfigurationFeed, reached } from './configuration-feed.js';
import type { Environments, EnvironmentView } from './environments.js';
import { scopeOf } from './scope.js';

/** What the caller's key may see. */
export type Audience = 'server' | 'client';

/** Client keys are in the hands of users: they never see sensitive values or targeting rules. */
export const audienceOf = (claims: Readonly<Record<string, unknown>>): Audience =>
  claims['key_kind'] === 'client' ? 'client' : 'server';

export interface Fetched {
  /** Without quotes. Covers the revision, and the context and keys where they matter. */
  readonly etag: string;
  /** JSON text. */
  body(): string;
  /** The same as bytes; kept where it is the same for everybody. */
  bytes(): Buffer;
}

interface Answer {
  readonly view: EnvironmentView;
  readonly etag: string;
  bytes: Buffer | undefined;
}

export class FetchService {
  readonly #feed: ConfigurationFeed;
  readonly #environments: Environments;
  readonly #nowMs: () => number;
  /** Plain answers by audience, kept with the view they were made from. */
  readonly #plain = { server: new WeakMap<EnvironmentView, Answer>(), client: new WeakMap<EnvironmentView, Answer>() };

  constructor(feed: ConfigurationFeed, environments: Environments, nowMs: () => number = Date.now) {
    this.#feed = feed;
    this.#environments = environments;
    this.#nowMs = nowMs;
  }

  /** Errors: `config.revision_not_reached` (503) when `min_revision` has not come in time. */
  async fetch(request: ConfigFetch, audience: Audience): Promise<Fetched> {
    await reached(this.#feed, request.min_revision);
    return this.#answer(this.#environments.view(scopeOf(request.app_id, request.environment)), request, audience);
  }

  #answer(view: EnvironmentView, request: ConfigFetch, audience: Audience): Fetched {
    const { context, keys } = request;
    const isStale = this.#feed.isStale;
    // Without rollouts under way nobody's context makes a difference.
    const isVarying = context !== undefined && view.isVarying;
    if (keys === undefined && !isVarying && !isStale) {
      let known = this.#plain[audience].get(view);
      if (!known) {
        known = { view, etag: this.#etagOf(view, audience, ''), bytes: undefined };
        this.#plain[audience].set(view, known);
      }
      const answer = known;
      const bytes = (): Buffer => {
        answer.bytes ??= Buffer.from(JSON.stringify(this.#document(view, undefined, {}, audience, false)));
        return answer.bytes;
      };
      return { etag: answer.etag, body: () => bytes().toString(), bytes };
    }
    let text: string | undefined;
    const body = (): string => {
      text ??= JSON.stringify(this.#document(view, keys, isVarying ? context : {}, audience, isStale));
      return text;
    };
    // A rollout may have a window: then the time makes a difference too, and only the answer itself says which.
    const salt = isVarying ? body() : JSON.stringify([keys ?? null, isStale]);
    return { etag: this.#etagOf(view, audience, salt), body, bytes: () => Buffer.from(body()) };
  }

  #etagOf(view: EnvironmentView, audience: Audience, salt: string): string {
    const plain = `${this.#feed.epoch}.${view.revision}${audience === 'client' ? '.c' : ''}`;
    return salt === '' ? plain : `${plain}.${createHash('sha256').update(salt).digest('base64url').slice(0, 16)}`;
  }

  #document(
    view: EnvironmentView,
    keys: readonly string[] | undefined,
    context: EvaluationContext,
    audience: Audience,
    isStale: boolean,
  ): ConfigFetched {
    const values: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>;
    const sources: ConfigFetched['sources'] = Object.create(null) as ConfigFetched['sources'];
    const missing: string[] = [];
    const nowMs = this.#nowMs();
    for (const key of keys ?? view.compiled.configs.keys()) {
      const isHidden = audience === 'client' && view.sensitiveKeys.has(key);
      const value = isHidden ? undefined : view.compiled.config(key, context, nowMs);
      const source = value === undefined ? undefined : view.compiled.configs.explain(key)?.source;
      if (value === undefined || source === undefined) {
        if (keys !== undefined || !isHidden) missing.push(key);
        continue;
      }
      values[key] = value;
      sources[key] = this.#sourceOf(source);
    }
    return {
      ...{ app_id: view.appId, environment: view.environment, epoch: this.#feed.epoch, revision: view.revision },
      stale: isStale,
      ...{ values, sources },
      ...(missing.length === 0 ? {} : { missing }),
    };
  }

  #sourceOf({ level, entry }: ConfigSource): ConfigFetched['sources'][string] {
    const id = entry.id ?? '';
    return { level, id, version: this.#feed.state.get('config', id)?.version ?? 0 };
  }
}
