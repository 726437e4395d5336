/**
 * The answers to `POST /api/v1/configs/fetch`, put together from what each key comes to as JSON. That is written once and kept as long as the
 * key is the same, so that a change in a large environment costs what changed, and one look at each other key.
 */
import type { ConfigFetched } from '@bailiwick/contract';
import type { ConfigSource, EvaluationContext, JsonValue } from '@bailiwick/evaluation';
import { type EnvironmentView, scopeSlot } from './environments.js';

type Source = ConfigFetched['sources'][string];

/** One key, as it stands in answers. Undefined: it has no value. */
interface Part {
  /** Of the key, in the snapshot that it was made from. */
  readonly identity: object;
  readonly texts: Texts | undefined;
}

interface Texts {
  /** `"key":value` */
  readonly value: string;
  /** `"key":{…}` */
  readonly source: string;
}

/** What one answer is about. */
export interface FetchQuestion {
  readonly view: EnvironmentView;
  readonly epoch: string;
  /** Undefined: all. */
  readonly keys: readonly string[] | undefined;
  readonly context: EvaluationContext;
  readonly nowMs: number;
  /** Such keys are left out. */
  readonly isHidden: (key: string) => boolean;
  readonly isStale: boolean;
}

/** As many scopes as are kept compiled. */
const maxScopes = 1_000;

export class FetchParts {
  readonly #sourceOf: (source: ConfigSource) => Source;
  /** By scope and key. */
  readonly #scopes = new Map<string, Map<string, Part>>();

  constructor(sourceOf: (source: ConfigSource) => Source) {
    this.#sourceOf = sourceOf;
  }

  /** A `ConfigFetched` as JSON. Keys that were asked for by name and have no value here, or are hidden, are told as missing. */
  write(question: FetchQuestion): string {
    const { view, keys, isHidden } = question;
    const { configs } = view.compiled;
    const parts = this.#partsOf(view);
    const values: string[] = [];
    const sources: string[] = [];
    const missing: string[] = [];
    for (const key of keys === undefined ? configs.keys() : new Set(keys)) {
      const hidden = isHidden(key);
      const texts = hidden ? undefined : this.#textsOf(key, question, parts);
      if (texts === undefined) {
        if (keys !== undefined || !hidden) missing.push(key);
        continue;
      }
      values.push(texts.value);
      sources.push(texts.source);
    }
    const { appId: app_id, environment, revision } = view;
    const head = JSON.stringify({ app_id, environment, epoch: question.epoch, revision, stale: question.isStale });
    const tail = missing.length === 0 ? '' : `,"missing":${JSON.stringify(missing)}`;
    return `${head.slice(0, -1)},"values":{${values.join(',')}},"sources":{${sources.join(',')}}${tail}}`;
  }

  #textsOf(key: string, { view, context, nowMs }: FetchQuestion, parts: Map<string, Part>): Texts | undefined {
    const { compiled } = view;
    const identity = compiled.configs.identityOf(key);
    if (identity === undefined) return undefined;
    // Who asks makes a difference: nothing to keep.
    if (compiled.configs.varies(key)) return this.#newTexts(key, view, compiled.config(key, context, nowMs));
    const known = parts.get(key);
    if (known?.identity === identity) return known.texts;
    const texts = this.#newTexts(key, view, compiled.configs.get(key));
    parts.set(key, { identity, texts });
    return texts;
  }

  #newTexts(key: string, { compiled }: EnvironmentView, value: JsonValue | undefined): Texts | undefined {
    const source = value === undefined ? undefined : compiled.configs.explain(key)?.source;
    if (source === undefined) return undefined;
    const name = JSON.stringify(key);
    return {
      value: `${name}:${JSON.stringify(value)}`,
      source: `${name}:${JSON.stringify(this.#sourceOf(source))}`,
    };
  }

  /** Of the scope, without those of keys that are gone. */
  #partsOf(view: EnvironmentView): Map<string, Part> {
    const slot = scopeSlot(view);
    let parts = this.#scopes.get(slot);
    if (parts === undefined) {
      if (this.#scopes.size >= maxScopes) this.#scopes.delete(this.#scopes.keys().next().value as string);
      parts = new Map();
      this.#scopes.set(slot, parts);
    }
    const { configs } = view.compiled;
    if (parts.size > configs.keys().length)
      for (const key of parts.keys()) if (configs.identityOf(key) === undefined) parts.delete(key);
    return parts;
  }
}
