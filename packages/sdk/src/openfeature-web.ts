/** The OpenFeature provider for browsers: answers for one context at a time, which OpenFeature reconciles when it changes. */
import {
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  type ResolutionDetails,
} from '@openfeature/web-sdk';
import type { Client } from './client.js';
import { plainContext, resolve } from './openfeature.js';
import { RequestFailure } from './transport.js';

export interface BailiwickWebProviderOptions {
  /** How long `initialize` waits for the server before it goes on with what was kept. Default: 5,000. */
  readonly readyTimeoutMs?: number;
}

/** `OpenFeature.setProvider(new BailiwickWebProvider(createClient({ evaluation: 'remote', … })))` */
export class BailiwickWebProvider implements Provider {
  readonly metadata = { name: 'bailiwick-web' } as const;
  readonly runsOn = 'client';
  readonly events = new OpenFeatureEventEmitter();
  readonly #client: Client;
  readonly #options: BailiwickWebProviderOptions;
  #stops: (() => unknown)[] = [];

  /** The client becomes the provider's: it is closed with it. */
  constructor(client: Client, options: BailiwickWebProviderOptions = {}) {
    this.#client = client;
    this.#options = options;
  }

  /** Rejects when there is nothing to answer from: fatally when the key was refused. */
  async initialize(context: EvaluationContext = {}): Promise<void> {
    const { readyTimeoutMs: timeoutMs = 5_000 } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    await this.#client.setContext(plainContext(context), { signal });
    const { source, error } = await this.#client.ready({ timeoutMs, signal });
    this.#stops = [
      this.#client.on('change', ({ keys }) =>
        this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...keys] }),
      ),
      this.#client.on('stale', () => this.events.emit(ProviderEvents.Stale, { message: 'the server is not heard' })),
      this.#client.on('live', () => this.events.emit(ProviderEvents.Ready)),
    ];
    if (error instanceof RequestFailure && error.isRefusal) throw new ProviderFatalError(error.message);
    if (source === 'none') throw new Error(error?.message ?? 'the server was not heard in time, and nothing was kept');
  }

  /** OpenFeature calls the provider reconciling until this resolves, and in error when it rejects. */
  async onContextChange(_old: EvaluationContext, context: EvaluationContext): Promise<void> {
    if (await this.#client.setContext(plainContext(context))) return;
    throw new Error(this.#client.status().error?.message ?? 'answers for the new context could not be had');
  }

  async onClose(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    await this.#client.close();
  }

  resolveBooleanEvaluation(key: string, defaultValue: boolean): ResolutionDetails<boolean> {
    return resolve(this.#client, key, defaultValue, undefined);
  }

  resolveStringEvaluation(key: string, defaultValue: string): ResolutionDetails<string> {
    return resolve(this.#client, key, defaultValue, undefined);
  }

  resolveNumberEvaluation(key: string, defaultValue: number): ResolutionDetails<number> {
    return resolve(this.#client, key, defaultValue, undefined);
  }

  resolveObjectEvaluation<T extends JsonValue>(key: string, defaultValue: T): ResolutionDetails<T> {
    return resolve(this.#client, key, defaultValue, undefined);
  }
}
