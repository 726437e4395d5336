/** What a scenario works on: a provider of ours in the state it asks for, OpenFeature's client, and what came of it. */
import {
  type BeforeHookContext,
  type EvaluationContext,
  type EvaluationDetails,
  type Client as FeatureClient,
  type FlagValue,
  type Hook,
  type JsonValue,
  OpenFeature,
  ProviderStatus,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import { createClient } from '../src/client.js';
import { BailiwickProvider } from '../src/openfeature-server.js';
import type { EnvironmentSnapshot } from '../src/snapshot.js';

/** A provider that remembers the context it was given: the merged one. */
class RememberingProvider extends BailiwickProvider {
  seen: EvaluationContext = {};

  override async resolveBooleanEvaluation(
    key: string,
    defaultValue: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    this.seen = context;
    return await super.resolveBooleanEvaluation(key, defaultValue, context);
  }
}

/** OpenFeature's test flags in our form. Their conditions are written in CEL; there are three, each said here in JsonLogic. */
export function snapshotOfTestFlags(testFlags: Record<string, TestFlag>): EnvironmentSnapshot {
  const flags = Object.fromEntries(
    Object.entries({ ...testFlags, 'context-aware': contextAware }).map(([key, flag]) => {
      const { variants, defaultVariant, disabled, flagMetadata, contextEvaluator } = flag;
      const targeting = contextEvaluator === undefined ? undefined : conditions[contextEvaluator];
      if (contextEvaluator !== undefined && targeting === undefined)
        throw new Error(`the condition of '${key}' is new; say it in JsonLogic: ${contextEvaluator}`);
      const definition = {
        state: disabled === true ? 'DISABLED' : 'ENABLED',
        variants,
        ...(defaultVariant === undefined ? {} : { defaultVariant }),
        ...(targeting === undefined ? {} : { targeting }),
        ...(flagMetadata == null ? {} : { metadata: flagMetadata }),
      };
      return [key, definition];
    }),
  );
  return { epoch: 'features', revision: 1, document: { entries: [], flags: { flags } } };
}

export interface TestFlag {
  readonly variants: Readonly<Record<string, unknown>>;
  readonly defaultVariant?: string | null;
  readonly disabled?: boolean;
  readonly flagMetadata?: Readonly<Record<string, string | number | boolean>> | null;
  readonly contextEvaluator?: string;
}

const is = (name: string, value: string | number | boolean) => ({ '==': [{ var: name }, value] });
const conditions: Readonly<Record<string, unknown>> = {
  "email == 'ballmer@macrosoft.com' ? 'zero' : ''": { if: [is('email', 'ballmer@macrosoft.com'), 'zero', null] },
  "!customer && email == 'ballmer@macrosoft.com' && age > 10 ? 'internal' : ''": {
    if: [
      { and: [{ '!': [{ var: 'customer' }] }, is('email', 'ballmer@macrosoft.com'), { '>': [{ var: 'age' }, 10] }] },
      'internal',
      null,
    ],
  },
  'context-aware': {
    if: [
      { and: [is('fn', 'Sulisław'), is('ln', 'Świętopełk'), is('age', 29), is('customer', false)] },
      'internal',
      null,
    ],
  },
};

/** The deprecated feature names it, the flags' file no longer has it: as the scenario describes it. */
const contextAware: TestFlag = {
  variants: { internal: 'INTERNAL', external: 'EXTERNAL' },
  defaultVariant: 'external',
  contextEvaluator: 'context-aware',
};

const address = { url: 'http://127.0.0.1:9', apiKey: 'bwk_features', sendsUsage: false } as const;

type State = 'stable' | 'not ready' | 'error' | 'fatal' | 'stale';

export class FeatureWorld {
  readonly #snapshot: EnvironmentSnapshot;
  readonly #domain: string;
  readonly hookCalls: { readonly stage: string; readonly details?: EvaluationDetails<FlagValue>; error?: unknown }[] =
    [];
  readonly order: string[] = [];
  readonly contexts: Record<string, EvaluationContext> = {};
  levels: readonly string[] = [];
  flag = { type: '', key: '', fallback: '' };
  context: EvaluationContext = {};
  contextBefore = '';
  optionHooks: Hook[] = [];
  isPromise = false;
  details: EvaluationDetails<FlagValue> | undefined;
  provider: RememberingProvider | undefined;
  client: FeatureClient;

  constructor(snapshot: EnvironmentSnapshot, domain: string) {
    this.#snapshot = snapshot;
    this.#domain = domain;
    this.client = OpenFeature.getClient(domain);
  }

  /** Puts our provider into the state by what its server does. */
  async provide(state: State): Promise<void> {
    const snapshot = this.#snapshot;
    const options = { readyTimeoutMs: state === 'error' ? 30 : 1_000 };
    const use = (fetch: () => Promise<Response>, more = {}) =>
      new RememberingProvider(createClient({ ...address, fetch, reconnectBaseMs: 5, ...more }), options);
    const refused = async () => new Response('{"detail": "no such key"}', { status: 401 });
    const away = async () => await Promise.reject(new Error('nobody there'));
    const silent = async () => await new Promise<Response>(() => undefined);
    const once = async () => new Response(firstFrameOnly(snapshot));
    const providers: Record<State, () => RememberingProvider> = {
      stable: () => new RememberingProvider(createClient({ isOffline: true, snapshot, sendsUsage: false })),
      'not ready': () => use(silent),
      error: () => use(away),
      fatal: () => use(refused),
      stale: () => use(once, { heartbeatMs: 10, reconnectBaseMs: 60_000 }),
    };
    this.provider = providers[state]();
    if (state === 'not ready') OpenFeature.setProvider(this.#domain, this.provider);
    else await OpenFeature.setProviderAndWait(this.#domain, this.provider).catch(() => undefined);
    const endMs = Date.now() + 2_000;
    while (state === 'stale' && this.client.providerStatus !== ProviderStatus.STALE && Date.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  hook(name: string): Hook {
    return {
      before: () => void this.note('before', name),
      after: (_about, details) => void this.note('after', name, details),
      error: (_about, error) => void this.note('error', name, undefined, error),
      finally: (_about, details) => void this.note('finally', name, details),
    };
  }

  note(stage: string, name: string, details?: EvaluationDetails<FlagValue>, error?: unknown): void {
    this.hookCalls.push({
      stage,
      ...(details === undefined ? {} : { details }),
      ...(error === undefined ? {} : { error }),
    });
    this.order.push(`${stage} ${name}`);
  }

  /** With the contexts of the levels a scenario named. */
  async evaluateMerged(): Promise<void> {
    const { API = {}, Transaction = {}, Client = {}, Invocation = {} } = this.contexts;
    OpenFeature.setContext(API);
    this.client.setContext(Client);
    const before = this.contexts['Before Hooks'];
    const hooks: Hook[] = before === undefined ? [] : [{ before: (_about: BeforeHookContext) => before }];
    await new Promise<void>((resolve, reject) => {
      OpenFeature.setTransactionContext(Transaction, () => {
        this.client.getBooleanValue('boolean-flag', false, Invocation, { hooks }).then(() => resolve(), reject);
      });
    });
    OpenFeature.setContext({});
  }

  async evaluate(): Promise<void> {
    const { type, key, fallback } = this.flag;
    const options = { hooks: this.optionHooks };
    const ask = (): Promise<EvaluationDetails<FlagValue>> => {
      if (type === 'boolean') return this.client.getBooleanDetails(key, fallback === 'true', this.context, options);
      if (type === 'string') return this.client.getStringDetails(key, fallback, this.context, options);
      if (type === 'object')
        return this.client.getObjectDetails(key, JSON.parse(fallback) as JsonValue, this.context, options);
      return this.client.getNumberDetails(key, Number(fallback), this.context, options);
    };
    const asked = ask();
    this.isPromise = asked instanceof Promise && this.details === undefined;
    this.details = await asked;
  }
}

/** A stream that sends all there is, and then nothing any more. */
function firstFrameOnly(snapshot: EnvironmentSnapshot): ReadableStream<Uint8Array> {
  const text = `event: put\ndata: ${JSON.stringify(snapshot)}\n\n`;
  return new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) });
}
