/**
 * Answers for one context, asked of the server: flags by OFREP in bulk, configuration by `configs/fetch`. For keys that must not see rules. Both
 * are asked again when OFREP's stream says that something changed, when it comes back, and by poll while it is away; the two enter together,
 * and only when they are of one revision.
 */

import type { DataSource, ErrorCode, Reason } from './answer.js';
import type { BackoffOptions } from './backoff.js';
import type { ChangedKeys } from './changed-keys.js';
import { EventStream } from './event-stream.js';
import type { Frame } from './frames.js';
import { type EvaluationContext, isObject, isSameJson, type JsonObject, type JsonValue } from './json.js';
import { Poll } from './poll.js';
import { MalformedData } from './snapshot.js';
import { messageData, SingleFlight, type Source, type SourceHost } from './source.js';
import type { Transport } from './transport.js';
import { type Answer, configNotFound, type World } from './world.js';

/** What the server answered for one context; kept in storage as it is. */
export interface RemoteAnswers {
  readonly epoch: string;
  readonly revision: number;
  readonly context: EvaluationContext;
  readonly flags: readonly RemoteFlag[];
  readonly configs: Readonly<Record<string, JsonValue>>;
}

interface RemoteFlag {
  readonly key: string;
  readonly value?: JsonValue;
  readonly variant?: string;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  readonly errorCode?: string;
  readonly errorDetails?: string;
}

const reasons: readonly string[] = ['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'DEFAULT'];
const maxTries = 5;
const bodyTimeoutMs = 30_000;

export class RemoteWorld implements World {
  readonly answers: RemoteAnswers;
  readonly source: DataSource;
  readonly #flags: ReadonlyMap<string, RemoteFlag>;

  constructor(answers: RemoteAnswers, source: DataSource) {
    this.answers = answers;
    this.source = source;
    this.#flags = new Map(answers.flags.map((flag) => [flag.key, flag]));
  }

  get epoch(): string {
    return this.answers.epoch;
  }

  get revision(): number {
    return this.answers.revision;
  }

  config(key: string, context: EvaluationContext): Answer {
    const other = this.#refuseOther(context);
    if (other !== undefined) return other;
    if (!Object.hasOwn(this.answers.configs, key)) return configNotFound(key);
    return { value: this.answers.configs[key], reason: 'STATIC' };
  }

  flag(key: string, context: EvaluationContext): Answer {
    const other = this.#refuseOther(context);
    if (other !== undefined) return other;
    const flag = this.#flags.get(key);
    if (flag === undefined)
      return { reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND', errorMessage: `there is no flag '${key}' here` };
    if (flag.errorCode !== undefined)
      return { reason: 'ERROR', errorCode: flag.errorCode as ErrorCode, errorMessage: flag.errorDetails };
    const { value, variant, metadata, reason = 'UNKNOWN' } = flag;
    return { value, variant, metadata, reason: reasons.includes(reason) ? (reason as Reason) : 'UNKNOWN' };
  }

  hasFlag(key: string): boolean {
    return this.#flags.has(key);
  }

  hasConfig(key: string): boolean {
    return Object.hasOwn(this.answers.configs, key);
  }

  configKeys(): readonly string[] {
    return Object.keys(this.answers.configs).sort();
  }

  flagKeys(): readonly string[] {
    return [...this.#flags.keys()].sort();
  }

  /** An answer for somebody else would be wrong: that is said instead. */
  #refuseOther(context: EvaluationContext): Answer | undefined {
    if (context === this.answers.context || isSameJson(context, this.answers.context)) return undefined;
    if (Object.keys(context).length === 0) return undefined;
    const errorMessage = 'this client has answers for one context only: give it with setContext() first';
    return { reason: 'ERROR', errorCode: 'GENERAL', errorMessage };
  }
}

/** Throws `MalformedData`. */
export function toRemoteAnswers(value: unknown): RemoteAnswers {
  const isRight =
    isObject(value) &&
    typeof value['epoch'] === 'string' &&
    Number.isSafeInteger(value['revision']) &&
    isObject(value['context']) &&
    isObject(value['configs']) &&
    Array.isArray(value['flags']) &&
    value['flags'].every((flag) => isObject(flag) && typeof flag['key'] === 'string');
  if (!isRight) throw new MalformedData('answers of the server were refused: they are not of the expected form');
  return value as unknown as RemoteAnswers;
}

interface Scope {
  readonly appId: string | null;
  readonly environment: string | null;
}

function scopeOfKey(claims: Readonly<Record<string, unknown>>): Scope {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return { appId: text(claims['app_id']), environment: text(claims['environment']) };
}

/** Half of the answers, with what a 304 is asked by. */
interface Part {
  readonly context: EvaluationContext;
  readonly etag: string | null;
  readonly epoch: string;
  readonly revision: number;
}

interface ConfigPart extends Part {
  readonly values: JsonObject;
  readonly isStale: boolean;
}

interface FlagPart extends Part {
  readonly flags: readonly RemoteFlag[];
}

export interface RemoteSourceOptions {
  readonly transport: Transport;
  readonly host: SourceHost;
  readonly initial: RemoteWorld | undefined;
  readonly context: EvaluationContext;
  readonly heartbeatMs: number;
  readonly pollMs: number;
  readonly backoff: BackoffOptions;
}

export class RemoteSource implements Source {
  readonly #options: RemoteSourceOptions;
  readonly #end = new AbortController();
  readonly #flight = new SingleFlight();
  readonly #poll: Poll;
  #world: RemoteWorld | undefined;
  #context: EvaluationContext;
  #stream: EventStream | undefined;
  #isBack = true;
  #keyScope: Scope | undefined;
  #configsKnown: ConfigPart | undefined;
  #flagsKnown: FlagPart | undefined;

  constructor(options: RemoteSourceOptions) {
    this.#options = options;
    this.#world = options.initial;
    this.#context = options.context;
    const { pollMs: everyMs, backoff, host } = options;
    const poll = async (): Promise<void> => {
      host.count('polls');
      await this.refresh({}).catch((error: unknown) => this.#fail(error));
    };
    this.#poll = new Poll({ everyMs, random: backoff.random, poll });
  }

  get world(): RemoteWorld | undefined {
    return this.#world;
  }

  start(): void {
    const { transport, heartbeatMs, backoff, host } = this.#options;
    this.#again();
    this.#stream = new EventStream({
      backoff,
      silenceMs: 2 * heartbeatMs,
      open: async (signal) =>
        await transport.request('/ofrep/v1/stream', { signal, headers: { accept: 'text/event-stream' } }),
      onFrame: (frame) => this.#onFrame(frame),
      onDown: (error) => {
        host.count('reconnects');
        this.#isBack = false;
        this.#poll.start();
        this.#fail(error);
      },
    });
  }

  /** Whose answers are wanted from now on. Rejects when they cannot be had now; the next poll or notice tries again. */
  async setContext(context: EvaluationContext): Promise<void> {
    this.#context = context;
    await this.refresh({});
  }

  refresh({ minRevision, signal }: { minRevision?: number; signal?: AbortSignal }): Promise<void> {
    if (minRevision !== undefined) return this.#fetch(minRevision, signal);
    return this.#flight.run(() => this.#fetch(undefined, undefined));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    this.#poll.stop();
    await this.#stream?.stop();
  }

  #fail(error: unknown): void {
    if (!this.#end.signal.aborted) this.#options.host.onFailure(error);
  }

  #again(): void {
    this.#options.host.count('refetches');
    this.refresh({}).catch((error: unknown) => {
      this.#poll.start();
      this.#fail(error);
    });
  }

  #onFrame({ event, data }: Frame): void {
    const { host } = this.#options;
    host.count('frames');
    this.#poll.stop();
    // What happened while the stream was away was not noticed.
    const hasMissed = !this.#isBack;
    this.#isBack = true;
    try {
      const said = messageData(data);
      const { revision, stale, type } = isObject(said) ? said : {};
      const isAhead = typeof revision === 'number' && this.#world !== undefined && revision > this.#world.revision;
      if (hasMissed || isAhead || (event === 'message' && type === 'refetchEvaluation')) this.#again();
      host.onContact(stale === true);
    } catch (error) {
      host.count('refusedFrames');
      this.#fail(error);
      this.#again();
    }
  }

  async #fetch(minRevision: number | undefined, given: AbortSignal | undefined): Promise<void> {
    const bounds = [this.#end.signal, AbortSignal.timeout(bodyTimeoutMs), ...(given === undefined ? [] : [given])];
    const signal = AbortSignal.any(bounds);
    for (let attempt = 1; ; attempt += 1) {
      const context = this.#context;
      const configs = await this.#configs(context, minRevision, signal);
      const flags = await this.#flags(context, signal);
      // Another context was set, or something changed between the two.
      const isOne = flags.epoch === configs.epoch && flags.revision === configs.revision;
      if (context === this.#context && isOne) {
        const { epoch, revision } = flags;
        this.#enter({ epoch, revision, context, flags: flags.flags, configs: configs.values });
        this.#options.host.onContact(configs.isStale);
        return;
      }
      if (attempt >= maxTries && context === this.#context)
        throw new Error('the server changes faster than it can be asked');
    }
  }

  async #configs(
    context: EvaluationContext,
    minRevision: number | undefined,
    signal: AbortSignal,
  ): Promise<ConfigPart> {
    const known = this.#configsKnown?.context === context ? this.#configsKnown : undefined;
    const { appId, environment } = await this.#scope(signal);
    const response = await this.#options.transport.request('/api/v1/configs/fetch', {
      ...{ signal, method: 'POST', isUnscoped: true },
      headers: known?.etag == null ? {} : { 'if-none-match': known.etag },
      body: {
        ...{ app_id: appId, environment, context },
        ...(minRevision === undefined ? {} : { min_revision: minRevision }),
      },
    });
    if (response.status === 304 && known !== undefined) return known;
    const answer: unknown = await response.json();
    if (!isObject(answer) || !isObject(answer['values']) || !Number.isSafeInteger(answer['revision']))
      throw new MalformedData('an answer of configs/fetch is not of the expected form');
    this.#configsKnown = {
      context,
      etag: response.headers.get('etag'),
      epoch: String(answer['epoch']),
      revision: answer['revision'] as number,
      values: answer['values'] as JsonObject,
      isStale: answer['stale'] === true,
    };
    return this.#configsKnown;
  }

  async #flags(context: EvaluationContext, signal: AbortSignal): Promise<FlagPart> {
    const known = this.#flagsKnown?.context === context ? this.#flagsKnown : undefined;
    const response = await this.#options.transport.request('/ofrep/v1/evaluate/flags', {
      ...{ signal, method: 'POST', body: { context } },
      headers: known?.etag == null ? {} : { 'if-none-match': known.etag },
    });
    if (response.status === 304 && known !== undefined) return known;
    const answer: unknown = await response.json();
    const metadata = isObject(answer) && isObject(answer['metadata']) ? answer['metadata'] : {};
    if (!isObject(answer) || !Array.isArray(answer['flags']) || !Number.isSafeInteger(metadata['revision']))
      throw new MalformedData('an answer of OFREP is not of the expected form');
    this.#flagsKnown = {
      context,
      etag: response.headers.get('etag'),
      epoch: String(metadata['epoch']),
      revision: metadata['revision'] as number,
      flags: answer['flags'] as readonly RemoteFlag[],
    };
    return this.#flagsKnown;
  }

  /** `configs/fetch` wants to be told; what was not given is what the key is for. */
  async #scope(signal: AbortSignal): Promise<Scope> {
    const { appId, environment } = this.#options.transport.scope;
    if (appId !== undefined) return { appId, environment: environment ?? null };
    this.#keyScope ??= scopeOfKey(await this.#options.transport.whoAmI(signal));
    return this.#keyScope;
  }

  #enter(answers: RemoteAnswers): void {
    const before = this.#world;
    const isOlder =
      before !== undefined &&
      before.epoch === answers.epoch &&
      answers.revision < before.revision &&
      isSameJson(before.answers.context, answers.context);
    if (isOlder) {
      this.#options.host.count('refusedFrames');
      return;
    }
    const world = new RemoteWorld(toRemoteAnswers(answers), 'server');
    this.#world = world;
    this.#options.host.onWorld(world, changedAnswers(before?.answers, answers));
  }
}

function changedAnswers(before: RemoteAnswers | undefined, after: RemoteAnswers): ChangedKeys {
  const flagsOf = (answers: RemoteAnswers | undefined): ReadonlyMap<string, unknown> =>
    new Map(answers?.flags.map((flag) => [flag.key, flag]));
  const configsOf = (answers: RemoteAnswers | undefined): ReadonlyMap<string, unknown> =>
    new Map(Object.entries(answers?.configs ?? {}));
  const different = (old: ReadonlyMap<string, unknown>, now: ReadonlyMap<string, unknown>): readonly string[] =>
    [...new Set([...old.keys(), ...now.keys()])].filter((key) => !isSameJson(old.get(key), now.get(key))).sort();
  return {
    configs: different(configsOf(before), configsOf(after)),
    flags: different(flagsOf(before), flagsOf(after)),
  };
}
