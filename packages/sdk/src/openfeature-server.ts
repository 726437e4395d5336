/** The OpenFeature provider for servers: rules are evaluated in this process, for the context of each call. */
import {
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderFatalError,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import type { Client } from './client.js';
import { plainContext, resolve } from './openfeature.js';
import { RequestFailure } from './transport.js';

export interface BailiwickProviderOptions {
  /** How long `initialize` waits for the server before it goes on with what was kept. Default: 5,000. */
  readonly readyTimeoutMs?: number;
}

/** `await OpenFeature.setProviderAndWait(new BailiwickProvider(createClient({ … })))` */
export class BailiwickProvider implements Provider {
  readonly metadata = { name: 'bailiwick' } as const;
  readonly runsOn = 'server';
  readonly events = new OpenFeatureEventEmitter();
  readonly #client: Client;
  readonly #options: BailiwickProviderOptions;
  #stops: (() => unknown)[] = [];

  /** The client becomes the provider's: it is closed with it. */
  constructor(client: Client, options: BailiwickProviderOptions = {}) {
    this.#client = client;
    this.#options = options;
  }

  /** Rejects when there is nothing to answer from: fatally when the key was refused. */
  async initialize(): Promise<void> {
    const { readyTimeoutMs: timeoutMs = 5_000 } = this.#options;
    const { source, error } = await this.#client.ready({ timeoutMs });
    this.#follow();
    if (error instanceof RequestFailure && error.isRefusal) throw new ProviderFatalError(error.message);
    if (source === 'none') throw new Error(error?.message ?? 'the server was not heard in time, and nothing was kept');
  }

  async onClose(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    await this.#client.close();
  }

  async resolveBooleanEvaluation(
    key: string,
    defaultValue: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return resolve(this.#client, key, defaultValue, plainContext(context));
  }

  async resolveStringEvaluation(
    key: string,
    defaultValue: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return resolve(this.#client, key, defaultValue, plainContext(context));
  }

  async resolveNumberEvaluation(
    key: string,
    defaultValue: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return resolve(this.#client, key, defaultValue, plainContext(context));
  }

  async resolveObjectEvaluation<T extends JsonValue>(
    key: string,
    defaultValue: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    return resolve(this.#client, key, defaultValue, plainContext(context));
  }

  #follow(): void {
    let isFirst = this.#client.status().state === 'starting';
    this.#stops = [
      this.#client.on('change', ({ keys }) =>
        this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...keys] }),
      ),
      this.#client.on('stale', () => this.events.emit(ProviderEvents.Stale, { message: 'the server is not heard' })),
      this.#client.on('live', () => this.events.emit(ProviderEvents.Ready)),
      this.#client.on('error', (error) => {
        // What there is stays good until it is stale; without anything every evaluation is in error.
        if (isFirst && this.#client.status().source === 'none')
          this.events.emit(ProviderEvents.Error, { message: error.message });
        isFirst = false;
      }),
    ];
  }
}
