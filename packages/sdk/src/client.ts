/**
 * The client: answers from memory at once, and keeps the memory up to date behind the scenes. It begins with what was kept from an earlier run,
 * else with the bootstrap file; until there is anything the code's defaults count. Evaluating never throws and never waits.
 */
import type { Details, Widened } from './answer.js';
import { after, patience, Watchdog } from './backoff.js';
import type { ChangedKeys } from './changed-keys.js';
import type { ClientCounters, ClientEvents, ClientState, ClientStatus, WaitOptions } from './client-events.js';
import { Emitter } from './emitter.js';
import { answerQuestion, messageOf, type Question } from './evaluate.js';
import { shippedWorld, storedWorld } from './first-world.js';
import type { EvaluationContext, JsonObject, JsonType, JsonValue } from './json.js';
import { LocalSource } from './local-source.js';
import { type ClientOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { RemoteSource, RemoteWorld } from './remote-source.js';
import { ServerClock } from './server-clock.js';
import type { EnvironmentSnapshot } from './snapshot.js';
import type { Source, SourceHost } from './source.js';
import { storedText } from './storage.js';
import { RequestFailure, Transport } from './transport.js';
import { Usage } from './usage.js';
import { LocalWorld, type World } from './world.js';

/** Storage that answers later than this is not waited for at the start. */
const storageTimeoutMs = 2_000;
const saveDelayMs = 500;

/** Starts at once. Throws `TypeError` when the options cannot work. */
export function createClient(options: ClientOptions): Client {
  return new Client(resolveOptions(options));
}

export class Client {
  readonly #options: ResolvedOptions;
  readonly #clock: ServerClock;
  readonly #transport: Transport;
  readonly #usage: Usage;
  readonly #events = new Emitter<ClientEvents>((error) => this.#report(error));
  readonly #end = new AbortController();
  readonly #started: Promise<void>;
  readonly #counters = { frames: 0, reconnects: 0, refetches: 0, polls: 0, refusedFrames: 0 };
  readonly #own = { staleAnswers: 0, timesStale: 0, changes: 0 };
  readonly #host: SourceHost;
  readonly #watchdog: Watchdog;
  #world: World | undefined;
  #source: Source | undefined;
  #context: EvaluationContext;
  #lastContactMs: number | undefined;
  #isServerStale = false;
  #said: 'live' | 'stale' | undefined;
  #error: Error | undefined;
  #refusal: RequestFailure | undefined;
  #stopSaving: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** `createClient` checks the options. */
  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#clock = new ServerClock(options.clocks);
    const { url, apiKey, appId, environment, fetch } = options;
    this.#transport = new Transport({ url, apiKey, appId, environment, fetch, clock: this.#clock });
    this.#usage = new Usage({
      ...{ everyMs: options.usageMs, random: options.random },
      send: (body) => this.#sendUsage(body),
      onFailure: (error) => this.#report(error),
    });
    this.#watchdog = new Watchdog(2 * options.heartbeatMs + 1, () => this.#sayStale());
    this.#host = {
      onWorld: (world, changed) => this.#enter(world, changed),
      onContact: (isStale) => this.#hear(isStale),
      onFailure: (error) => this.#fail(error),
      count: (what) => {
        this.#counters[what] += 1;
      },
    };
    if (options.snapshot !== undefined) this.#begin(new LocalWorld(options.snapshot, 'bootstrap'));
    options.signal?.addEventListener('abort', () => void this.#stop(), { once: true });
    this.#started = options.signal?.aborted ? this.#stop() : this.#start();
  }

  // --- evaluating ---------------------------------------------------------------------------------------------------

  /** The effective value, or the default when there is none of the default's type. */
  config<T extends JsonValue | undefined>(key: string, defaultValue: T, context?: EvaluationContext): Widened<T> {
    return this.#ask('config', key, defaultValue, context).value as Widened<T>;
  }

  flag<T extends JsonValue | undefined>(key: string, defaultValue: T, context?: EvaluationContext): Widened<T> {
    return this.#ask('flag', key, defaultValue, context).value as Widened<T>;
  }

  configDetails<T extends JsonValue | undefined>(
    key: string,
    defaultValue: T,
    context?: EvaluationContext,
  ): Details<Widened<T>> {
    return this.#ask('config', key, defaultValue, context) as Details<Widened<T>>;
  }

  flagDetails<T extends JsonValue | undefined>(
    key: string,
    defaultValue: T,
    context?: EvaluationContext,
  ): Details<Widened<T>> {
    return this.#ask('flag', key, defaultValue, context) as Details<Widened<T>>;
  }

  /** A value of another type than the one in the name gives the default, whatever type the default is of. */
  booleanConfig(key: string, defaultValue: boolean, context?: EvaluationContext): boolean {
    return this.#ask('config', key, defaultValue, context, 'boolean').value as boolean;
  }

  stringConfig(key: string, defaultValue: string, context?: EvaluationContext): string {
    return this.#ask('config', key, defaultValue, context, 'string').value as string;
  }

  numberConfig(key: string, defaultValue: number, context?: EvaluationContext): number {
    return this.#ask('config', key, defaultValue, context, 'number').value as number;
  }

  objectConfig(key: string, defaultValue: JsonObject, context?: EvaluationContext): JsonObject {
    return this.#ask('config', key, defaultValue, context, 'object').value as JsonObject;
  }

  booleanFlag(key: string, defaultValue: boolean, context?: EvaluationContext): boolean {
    return this.#ask('flag', key, defaultValue, context, 'boolean').value as boolean;
  }

  stringFlag(key: string, defaultValue: string, context?: EvaluationContext): string {
    return this.#ask('flag', key, defaultValue, context, 'string').value as string;
  }

  numberFlag(key: string, defaultValue: number, context?: EvaluationContext): number {
    return this.#ask('flag', key, defaultValue, context, 'number').value as number;
  }

  objectFlag(key: string, defaultValue: JsonObject, context?: EvaluationContext): JsonObject {
    return this.#ask('flag', key, defaultValue, context, 'object').value as JsonObject;
  }

  hasFlag(key: string): boolean {
    return this.#world?.hasFlag(key) === true;
  }

  hasConfig(key: string): boolean {
    return this.#world?.hasConfig(key) === true;
  }

  /** In order of code units. */
  flagKeys(): readonly string[] {
    return this.#world?.flagKeys() ?? [];
  }

  configKeys(): readonly string[] {
    return this.#world?.configKeys() ?? [];
  }

  // --- keeping up to date -------------------------------------------------------------------------------------------

  /**
   * Resolves when the server was heard, when it refused the key, when the client is offline or closed, or after `timeoutMs`: with what there is
   * then. Rejects only with `mustBeLive`, when the server was not heard.
   */
  async ready(options: WaitOptions & { readonly mustBeLive?: boolean } = {}): Promise<ClientStatus> {
    await this.#until(() => this.#world?.source === 'server' || this.#refusal !== undefined, options);
    const status = this.status();
    if (options.mustBeLive === true && status.state !== 'live')
      throw this.#refusal ?? status.error ?? new Error('the server was not heard in time');
    return status;
  }

  /** Who asks, where an evaluation does not say. Resolves with true when answers are for this context; never rejects. */
  async setContext(context: EvaluationContext, { signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    this.#context = context;
    await this.#started;
    await this.#takeStored(context);
    if (!(this.#source instanceof RemoteSource)) return true;
    try {
      return await orAborted(this.#source.setContext(context), signal);
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** Asks the server now. Resolves with whether it answered; never rejects. */
  async refresh({ signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    await this.#started;
    if (this.#source === undefined || this.#end.signal.aborted) return false;
    try {
      return await orAborted(this.#source.refresh({}), signal);
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /**
   * Read what you wrote: resolves with true once everything up to a write's revision is in force here, with false after `timeoutMs`. The
   * server is asked until it has reached it. Never rejects.
   */
  async waitForRevision(revision: number, { timeoutMs = 5_000, signal }: WaitOptions = {}): Promise<boolean> {
    const own = new AbortController();
    const end = AbortSignal.any([own.signal, this.#end.signal, ...(signal === undefined ? [] : [signal])]);
    const timeout = patience(timeoutMs, end).then(() => own.abort());
    try {
      await Promise.race([this.#started, timeout]);
      return await this.#reach(revision, end);
    } finally {
      own.abort();
    }
  }

  async #reach(revision: number, end: AbortSignal): Promise<boolean> {
    while (!end.aborted) {
      const world = this.#world;
      if (world?.source === 'server' && world.revision >= revision) return true;
      if (this.#source === undefined) return false;
      try {
        await this.#source.refresh({ minRevision: revision, signal: end });
        return true;
      } catch (error) {
        if (end.aborted) break;
        this.#fail(error);
        const asked = error instanceof RequestFailure ? error.retryAfterMs : 0;
        await patience(Math.max(asked, this.#options.random() * this.#options.reconnectBaseMs), end);
      }
    }
    return this.#world?.source === 'server' && this.#world.revision >= revision;
  }

  /** Returns the function that ends it. */
  on<E extends keyof ClientEvents>(event: E, listener: (about: ClientEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  status(): ClientStatus {
    const { monotonicMs } = this.#clock;
    return {
      state: this.#state(monotonicMs),
      source: this.#world?.source ?? 'none',
      epoch: this.#world?.epoch,
      revision: this.#world?.revision ?? 0,
      ageMs: this.#lastContactMs === undefined ? undefined : monotonicMs - this.#lastContactMs,
      error: this.#error,
    };
  }

  /** For an application's own metrics. */
  counters(): ClientCounters {
    return { ...this.#counters, ...this.#own, droppedUsage: this.#usage.dropped };
  }

  /** What is in force, for tools: undefined with remote evaluation and without data. */
  snapshot(): EnvironmentSnapshot | undefined {
    return this.#world instanceof LocalWorld ? this.#world.snapshot : undefined;
  }

  /** Sends what was counted and keeps what is known, within `timeoutMs` (default 2,000); then ends everything. Never rejects. */
  async close({ timeoutMs = 2_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= (async () => {
      const flushed = Promise.all([this.#usage.stop(), this.#save()]);
      const enough = new AbortController();
      await Promise.race([flushed, patience(timeoutMs, enough.signal)]);
      enough.abort();
      await this.#stop();
    })();
    await this.#closing;
  }

  // --- within -------------------------------------------------------------------------------------------------------

  #ask(kind: Question['kind'], key: unknown, defaultValue: unknown, context: unknown, type?: JsonType) {
    const world = this.#world;
    const { monotonicMs } = this.#clock;
    const isStale = world !== undefined && this.#isStaleAt(monotonicMs);
    const question: Question = { kind, key, defaultValue, context: context ?? this.#context, type };
    const details = answerQuestion(question, { world, isStale, nowMs: this.#clock.nowMs() });
    if (details.reason === 'STALE') this.#own.staleAnswers += 1;
    if (this.#options.sendsUsage && details.key !== '') this.#usage.count(kind, details.key, details.variant);
    return details;
  }

  /** Offline the program decided so itself: then nothing is stale. */
  #isStaleAt(monotonicMs: number): boolean {
    if (this.#options.isOffline) return false;
    if (this.#isServerStale || this.#lastContactMs === undefined) return true;
    return monotonicMs - this.#lastContactMs > 2 * this.#options.heartbeatMs;
  }

  #state(monotonicMs: number): ClientState {
    if (this.#end.signal.aborted) return 'closed';
    if (this.#options.isOffline) return 'offline';
    if (this.#lastContactMs === undefined || this.#world?.source !== 'server') return 'starting';
    return this.#isStaleAt(monotonicMs) ? 'stale' : 'live';
  }

  async #start(): Promise<void> {
    const loaded = new AbortController();
    await Promise.race([this.#load(), patience(storageTimeoutMs, AbortSignal.any([loaded.signal, this.#end.signal]))]);
    loaded.abort();
    if (this.#end.signal.aborted || this.#options.isOffline) return;
    this.#useSource(this.#options.evaluation === 'remote' ? this.#remoteSource() : this.#localSource());
    if (this.#options.sendsUsage) this.#usage.start();
  }

  /** The newer of storage and bootstrap within one history; else storage, which was the server's. */
  async #load(): Promise<void> {
    const onFailure = (error: unknown): void => this.#fail(error);
    const kept = [shippedWorld(this.#options, onFailure), storedWorld(this.#options, this.#context, onFailure)];
    const worlds = await Promise.all(kept);
    // Too late: the server was faster.
    if (this.#world?.source === 'server') return;
    for (const world of worlds) {
      if (world === undefined) continue;
      const isOlder = this.#world?.epoch === world.epoch && world.revision < this.#world.revision;
      if (!isOlder) this.#begin(world);
    }
  }

  /** At the start nobody had said who asks: what was kept may be for them. */
  async #takeStored(context: EvaluationContext): Promise<void> {
    const isNeeded = (): boolean => this.#context === context && this.#world?.source !== 'server';
    if (!isNeeded()) return;
    const world = await storedWorld(this.#options, context, (error) => this.#fail(error));
    if (world instanceof RemoteWorld && isNeeded()) this.#begin(world);
  }

  #begin(world: World): void {
    const changed = { configs: world.configKeys(), flags: world.flagKeys() };
    this.#enter(world, changed);
  }

  #sourceOptions() {
    const { heartbeatMs, pollMs, reconnectBaseMs: baseMs, reconnectCapMs: capMs, random } = this.#options;
    return { transport: this.#transport, host: this.#host, heartbeatMs, pollMs, backoff: { baseMs, capMs, random } };
  }

  #localSource(): Source {
    const initial = this.#world instanceof LocalWorld ? this.#world : undefined;
    return new LocalSource({ ...this.#sourceOptions(), initial });
  }

  #remoteSource(): Source {
    const initial = this.#world instanceof RemoteWorld ? this.#world : undefined;
    return new RemoteSource({ ...this.#sourceOptions(), initial, context: this.#context });
  }

  #useSource(source: Source): void {
    this.#source = source;
    source.start();
  }

  #enter(world: World, changed: ChangedKeys): void {
    this.#world = world;
    if (world.source === 'server') this.#lastContactMs = this.#clock.monotonicMs;
    this.#scheduleSave();
    const keys = [...changed.configs, ...changed.flags];
    if (keys.length === 0) return;
    this.#own.changes += 1;
    const { epoch, revision } = world;
    this.#events.emit('change', { keys, ...changed, epoch, revision });
  }

  #hear(isStale: boolean): void {
    this.#lastContactMs = this.#clock.monotonicMs;
    this.#isServerStale = isStale;
    this.#error = undefined;
    this.#refusal = undefined;
    this.#watchdog.heard();
    if (isStale) {
      this.#sayStale();
      return;
    }
    if (this.#said === 'live') return;
    this.#said = 'live';
    this.#events.emit('live', this.status());
  }

  #sayStale(): void {
    if (this.#said === 'stale' || this.#end.signal.aborted) return;
    this.#said = 'stale';
    this.#own.timesStale += 1;
    this.#events.emit('stale', this.status());
  }

  #fail(error: unknown): void {
    if (error instanceof RequestFailure && error.isRefusal) void this.#onRefusal(error);
    else this.#report(error);
  }

  #report(error: unknown): void {
    if (this.#end.signal.aborted) return;
    this.#error = error instanceof Error ? error : new Error(messageOf(error));
    this.#events.emit('error', this.#error);
  }

  /** A key of kind `client` may not read rules: then the server evaluates. */
  async #onRefusal(error: RequestFailure): Promise<void> {
    if (this.#options.evaluation === 'auto' && this.#source instanceof LocalSource && error.status === 403) {
      const refused = this.#source;
      const claims = await this.#transport.whoAmI(this.#end.signal).catch(() => ({}) as Record<string, unknown>);
      if (claims['key_kind'] === 'client' && this.#source === refused && !this.#end.signal.aborted) {
        // What was there was rules of another key.
        if (this.#world instanceof LocalWorld && this.#world.source !== 'bootstrap') this.#world = undefined;
        this.#useSource(this.#remoteSource());
        await refused.stop();
        return;
      }
      if (this.#source !== refused) return;
    }
    this.#refusal = error;
    this.#report(error);
  }

  async #sendUsage(body: unknown): Promise<void> {
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(10_000)]);
    const response = await this.#transport.request('/api/v1/usage', { method: 'POST', body, signal });
    await response.body?.cancel();
  }

  #scheduleSave(): void {
    if (this.#options.storage === undefined || this.#stopSaving !== undefined) return;
    this.#stopSaving = after(saveDelayMs, () => {
      this.#stopSaving = undefined;
      void this.#save();
    });
  }

  /** Only what came from the server: the rest is there already. */
  async #save(): Promise<void> {
    const { storage, clocks, url } = this.#options;
    const world = this.#world;
    if (storage === undefined || world?.source !== 'server') return;
    try {
      const text = storedText(world, clocks.wallMs(), url);
      if (text !== undefined) await storage.write(text);
    } catch (error) {
      this.#report(new Error(`what is known cannot be kept: ${messageOf(error)}`, { cause: error }));
    }
  }

  /** Whether the condition held before the time was over. */
  async #until(holds: () => boolean, { timeoutMs = 5_000, signal }: WaitOptions): Promise<void> {
    const own = new AbortController();
    const end = AbortSignal.any([own.signal, this.#end.signal, ...(signal === undefined ? [] : [signal])]);
    void patience(timeoutMs, end).then(() => own.abort());
    if (this.#options.isOffline) {
      await Promise.race([this.#started, patience(timeoutMs, end)]);
      own.abort();
      return;
    }
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (!holds() && !end.aborted) return;
        for (const stop of stops) stop();
        end.removeEventListener('abort', check);
        own.abort();
        resolve();
      };
      const stops = (['live', 'stale', 'change', 'error'] as const).map((event) => this.#events.on(event, check));
      end.addEventListener('abort', check);
      check();
    });
  }

  async #stop(): Promise<void> {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#watchdog.stop();
    this.#stopSaving?.();
    await this.#source?.stop();
    this.#events.clear();
  }
}

/** True when the work is done, false when the signal came first. */
async function orAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<boolean> {
  const done = work.then(() => true);
  if (signal === undefined) return await done;
  const aborted = new Promise<false>((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
  // Who asked no longer listens.
  done.catch(() => undefined);
  return await Promise.race([done, aborted]);
}
