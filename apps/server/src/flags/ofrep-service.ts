/**
 * The OpenFeature remote evaluation protocol (OFREP 0.3.0) over an environment: single and bulk. Flags first; a key that is no flag but an
 * entry of the configuration is answered with its effective value.
 */
import { hash } from 'node:crypto';
import type { OfrepAnswer, OfrepBulkAnswer } from '@bailiwick/contract';
import type { EnvironmentDocument, EvaluationContext, FlagAnswer, JsonValue } from '@bailiwick/evaluation';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { Environments, EnvironmentView } from '../configs/environments.js';
import type { Audience } from '../configs/fetch-service.js';
import { isAscii, type JsonBody, toJsonBody } from '../http/json-body.js';
import type { ResourceScope } from '../ports/resource-store.port.js';

export interface OfrepResult {
  readonly status: 200 | 400 | 404;
  readonly body: OfrepAnswer | OfrepFailure;
}

interface OfrepFailure {
  readonly key?: string;
  readonly errorCode: string;
  readonly errorDetails: string;
}

interface Bulk {
  readonly view: EnvironmentView;
  readonly epoch: string;
  /** Without quotes. */
  readonly etag: string;
  /** The answer's JSON, made when it is asked for. */
  readonly body: () => JsonBody;
}

/** JSON, and whether it is ASCII. */
interface Text {
  readonly json: string;
  readonly isAscii: boolean;
}

/** A flag of a view, with the answers that it gave before as JSON: a flag has few, made when it was compiled. */
interface FlagTexts {
  readonly key: string;
  readonly answers: FlagAnswer[];
  readonly texts: Text[];
}

/** Flags whose answers are made as they are asked for have more than this, which are not worth keeping. */
const maxTextsOfFlag = 16;

/** What the protocol says about a flag whose definition is in error. */
const errorCodes: Readonly<Record<string, string>> = { PARSE_ERROR: 'PARSE_ERROR', GENERAL: 'GENERAL' };

/** OFREP has no DEFAULT: a rule that chose nothing is unknown to it. */
const reasons: Readonly<Record<string, string>> = { DEFAULT: 'UNKNOWN' };

export class OfrepService {
  readonly #feed: ConfigurationFeed;
  readonly #environments: Environments;
  readonly #nowMs: () => number;
  /** By answer, so that views take over what they share with the one before. */
  readonly #texts = new WeakMap<FlagAnswer, { readonly key: string; readonly text: Text }>();
  readonly #flags = new WeakMap<EnvironmentView, readonly FlagTexts[]>();
  readonly #tails = new WeakMap<EnvironmentView, { readonly epoch: string; readonly text: Text }>();
  /** By the context itself: who hands in the same object asks the same. */
  readonly #bulks = new WeakMap<EvaluationContext, Bulk>();

  constructor(feed: ConfigurationFeed, environments: Environments, nowMs: () => number = Date.now) {
    this.#feed = feed;
    this.#environments = environments;
    this.#nowMs = nowMs;
  }

  single(scope: ResourceScope, key: string, request: unknown, audience: Audience): OfrepResult {
    const context = contextOf(request);
    if ('errorCode' in context) return { status: 400, body: { key, ...context } as OfrepFailure };
    const view = this.#environments.view(scope);
    if (view.compiled.hasFlag(key)) return this.#flag(view, key, context);
    const isHidden = audience === 'client' && view.sensitiveKeys.has(key);
    const value = isHidden ? undefined : view.compiled.config(key, context, this.#nowMs());
    if (value !== undefined) return { status: 200, body: { key, value, reason: 'STATIC' } };
    return { status: 404, body: { key, errorCode: 'FLAG_NOT_FOUND', errorDetails: `There is no flag '${key}' here.` } };
  }

  /**
   * `etag` without quotes; `body` is the answer's JSON, made when it is asked for. `isKept`: the same request object comes again, so the
   * answer is kept for it. Answers that nobody asks for again are only more to collect.
   */
  bulk(scope: ResourceScope, request: unknown, isKept = false): Pick<Bulk, 'etag' | 'body'> | OfrepResult {
    const context = contextOf(request);
    if ('errorCode' in context) return { status: 400, body: context as OfrepFailure };
    const view = this.#environments.view(scope);
    if (!isKept) return this.#bulk(view, context);
    const known = this.#bulks.get(context);
    if (known?.view === view && known.epoch === this.#feed.epoch) return known;
    const made = this.#bulk(view, context);
    this.#bulks.set(context, made);
    return made;
  }

  /** The ETag covers the set's revision and the context, and where time makes a difference, the answer itself. */
  #bulk(view: EnvironmentView, context: EvaluationContext): Bulk {
    const { epoch } = this.#feed;
    const plain = `${epoch}.${view.revision}.${hashOf(canonical(context as JsonValue))}`;
    if (!isIndependentOfTime(view.document)) {
      const body = (): JsonBody => this.#bulkBody(view, context);
      return {
        ...{ view, epoch, body },
        get etag() {
          return `${plain}.${hashOf(body())}`;
        },
      };
    }
    let kept: JsonBody | undefined;
    const body = (): JsonBody => {
      kept ??= this.#bulkBody(view, context);
      return kept;
    };
    return { view, epoch, etag: plain, body };
  }

  #flag(view: EnvironmentView, key: string, context: EvaluationContext): OfrepResult {
    const answer = view.compiled.flag(key, context, this.#nowMs());
    if (answer.reason !== 'ERROR') return { status: 200, body: toAnswer(key, answer) };
    const errorCode = errorCodes[answer.errorCode ?? ''] ?? 'GENERAL';
    return {
      status: 400,
      body: { key, errorCode, errorDetails: answer.errorMessage ?? 'the flag cannot be evaluated' },
    };
  }

  /** The answer's JSON, put together from texts that are kept: answers are shared between evaluations, so most were written before. */
  #bulkBody(view: EnvironmentView, context: EvaluationContext): JsonBody {
    const nowMs = this.#nowMs();
    const { compiled } = view;
    const flags = this.#flagsOf(view);
    const parts = new Array<string>(flags.length);
    const tail = this.#tailOf(view);
    let isPlain = tail.isAscii;
    for (let at = 0; at < flags.length; at += 1) {
      const flag = flags[at] as FlagTexts;
      const answer = compiled.flag(flag.key, context, nowMs);
      const known = flag.answers.indexOf(answer);
      const text = known < 0 ? this.#newText(flag, answer) : (flag.texts[known] as Text);
      parts[at] = text.json;
      isPlain &&= text.isAscii;
    }
    return toJsonBody(`{"flags":[${parts.join(',')}],${tail.json}`, isPlain);
  }

  #flagsOf(view: EnvironmentView): readonly FlagTexts[] {
    let flags = this.#flags.get(view);
    if (flags === undefined) {
      flags = view.compiled.flagKeys().map((key) => ({ key, answers: [], texts: [] }));
      this.#flags.set(view, flags);
    }
    return flags;
  }

  /** What follows the flags: the same for everybody. */
  #tailOf(view: EnvironmentView): Text {
    const { epoch } = this.#feed;
    const known = this.#tails.get(view);
    if (known?.epoch === epoch) return known.text;
    const query = new URLSearchParams();
    if (view.appId !== null) query.set('app_id', view.appId);
    if (view.environment !== null) query.set('environment', view.environment);
    const requestUri = `/ofrep/v1/stream${query.size > 0 ? `?${query}` : ''}`;
    const rest: Omit<OfrepBulkAnswer, 'flags'> = {
      metadata: { revision: view.revision, epoch },
      eventStreams: [{ type: 'sse', endpoint: { requestUri }, inactivityDelaySec: 120 }],
    };
    const text = toText(JSON.stringify(rest).slice(1));
    this.#tails.set(view, { epoch, text });
    return text;
  }

  #newText({ key, answers, texts }: FlagTexts, answer: FlagAnswer): Text {
    const text = this.#textOf(key, answer);
    if (answers.length < maxTextsOfFlag) {
      answers.push(answer);
      texts.push(text);
    }
    return text;
  }

  #textOf(key: string, answer: FlagAnswer): Text {
    const known = this.#texts.get(answer);
    if (known?.key === key) return known.text;
    const text = toText(JSON.stringify(toAnswer(key, answer)));
    this.#texts.set(answer, { key, text });
    return text;
  }
}

const toText = (json: string): Text => ({ json, isAscii: isAscii(json) });

function toAnswer(key: string, answer: FlagAnswer): OfrepAnswer {
  if (answer.reason === 'ERROR')
    return { key, errorCode: errorCodes[answer.errorCode ?? ''] ?? 'GENERAL', errorDetails: answer.errorMessage ?? '' };
  return {
    key,
    reason: reasons[answer.reason] ?? answer.reason,
    ...(answer.value === undefined ? {} : { value: answer.value }),
    ...(answer.variant === undefined ? {} : { variant: answer.variant }),
    ...(Object.keys(answer.metadata).length === 0 ? {} : { metadata: answer.metadata }),
  };
}

const hashOf = (text: string | Buffer): string => hash('sha256', text, 'base64url').slice(0, 16);

/** By the rule itself, which nobody changes: whether it looks at the clock. */
const timely = new WeakMap<object, boolean>();

function looksAtTime(rule: JsonValue | undefined): boolean {
  if (typeof rule === 'string') return rule.startsWith('$flagd');
  if (typeof rule !== 'object' || rule === null) return false;
  let known = timely.get(rule);
  if (known === undefined) {
    known = Object.values(rule).some((part) => looksAtTime(part as JsonValue));
    timely.set(rule, known);
  }
  return known;
}

const timeless = new WeakMap<EnvironmentDocument, boolean>();

/** Rollouts have windows, Unleash has dates and chance. */
function isIndependentOfTime(document: EnvironmentDocument): boolean {
  let known = timeless.get(document);
  if (known === undefined) {
    const { flags, flagCandidates = [], unleash } = document;
    const rules = [
      ...Object.values(flags.flags).map(({ targeting }) => targeting),
      ...Object.values(flags.$evaluators ?? {}),
    ];
    known = flagCandidates.length === 0 && unleash === undefined && !rules.some(looksAtTime);
    timeless.set(document, known);
  }
  return known;
}

/** Errors as values: what the protocol answers with 400. */
function contextOf(request: unknown): EvaluationContext | OfrepFailure {
  const bad = (errorDetails: string): OfrepFailure => ({ errorCode: 'INVALID_CONTEXT', errorDetails });
  if (typeof request !== 'object' || request === null || Array.isArray(request))
    return bad('The body must be an object.');
  const { context = {} } = request as { readonly context?: unknown };
  if (typeof context !== 'object' || context === null || Array.isArray(context))
    return bad('The context must be an object.');
  const { targetingKey } = context as { readonly targetingKey?: unknown };
  if (targetingKey !== undefined && typeof targetingKey !== 'string') return bad('The targetingKey must be a text.');
  return context as EvaluationContext;
}

/** JSON with sorted keys: the same context in another order is the same. */
function canonical(value: JsonValue | undefined): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one as JsonValue)).join(',')}]`;
  const entries = Object.entries(value as Readonly<Record<string, JsonValue>>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}
