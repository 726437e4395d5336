/** What a client can be told, with its defaults. */
import type { SignedBootstrap } from './bootstrap.js';
import type { EvaluationContext } from './json.js';
import { type Clocks, systemClocks } from './server-clock.js';
import type { EnvironmentSnapshot } from './snapshot.js';
import type { ClientStorage } from './storage.js';
import type { Fetch } from './transport.js';

export interface ClientOptions {
  /** Where Bailiwick is: `https://bailiwick.example.com`. Not needed with `isOffline`. */
  readonly url?: string;
  /** An API key, or a function that gives the one of the moment. Not needed with `isOffline`. */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** For keys that name no app. */
  readonly appId?: string;
  readonly environment?: string;
  /**
   * `local`: rules are evaluated here (keys of kind `server`). `remote`: the server evaluates for the one context given with `setContext` (keys
   * of kind `client`). `auto`: local, and remote when the key turns out to be of kind `client`. Default: `auto`.
   */
  readonly evaluation?: 'auto' | 'local' | 'remote';
  /** Who asks, where an evaluation does not say. Default: nobody. */
  readonly context?: EvaluationContext;
  /** Keeps what was last known for the next start: `fileStorage(path)` of `@bailiwick/sdk/node`, `browserStorage(key)`. */
  readonly storage?: ClientStorage;
  /** What is kept longer than this is not used. Default: 7 days. */
  readonly storageMaxAgeMs?: number;
  /** Signed file (text or object) for a start without server and storage. */
  readonly bootstrap?: string | SignedBootstrap | (() => Promise<string | SignedBootstrap>);
  /** PEM; the bootstrap file must be signed by it. */
  readonly bootstrapPublicKey?: string;
  /** An environment given by the program itself, unsigned: for tests and tools. */
  readonly snapshot?: EnvironmentSnapshot;
  /** Never asks the network: storage, bootstrap and snapshot only. Default: false. */
  readonly isOffline?: boolean;
  /** How often the server sends a heartbeat. After two without a sign of life answers are `STALE`. Default: 15,000. */
  readonly heartbeatMs?: number;
  /** How often it is asked while the stream is away, ± 50 %. Default: 10,000. */
  readonly pollMs?: number;
  /** The first and the longest pause before the stream is opened again; with full jitter. Defaults: 500 and 30,000. */
  readonly reconnectBaseMs?: number;
  readonly reconnectCapMs?: number;
  /** Whether counts of use are sent, about every `usageMs`. Defaults: true and 60,000. */
  readonly sendsUsage?: boolean;
  readonly usageMs?: number;
  /** Ends the client like `close()`, but without sending what is left. */
  readonly signal?: AbortSignal;
  readonly fetch?: Fetch;
  /** For tests. */
  readonly clocks?: Clocks;
  readonly random?: () => number;
}

export type ResolvedOptions = ClientOptions &
  Required<
    Pick<
      ClientOptions,
      | 'url'
      | 'apiKey'
      | 'evaluation'
      | 'context'
      | 'storageMaxAgeMs'
      | 'isOffline'
      | 'heartbeatMs'
      | 'pollMs'
      | 'reconnectBaseMs'
      | 'reconnectCapMs'
      | 'sendsUsage'
      | 'usageMs'
      | 'fetch'
      | 'clocks'
      | 'random'
    >
  >;

const day = 86_400_000;

/** Throws `TypeError` saying what is missing: that is a fault of the program and shows at its first start. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const { url = '', apiKey = '', isOffline = false, bootstrap, bootstrapPublicKey } = options;
  if (!isOffline && !/^https?:\/\//.test(url)) throw new TypeError('createClient needs `url`: http(s)://…');
  if (!isOffline && apiKey === '') throw new TypeError('createClient needs `apiKey`');
  if (options.environment !== undefined && options.appId === undefined)
    throw new TypeError('an environment belongs to an app: give `appId` too');
  if (bootstrap !== undefined && bootstrapPublicKey === undefined)
    throw new TypeError('a bootstrap file needs `bootstrapPublicKey`, or anybody could have written it');
  const times = ['heartbeatMs', 'pollMs', 'reconnectBaseMs', 'reconnectCapMs', 'usageMs', 'storageMaxAgeMs'] as const;
  for (const name of times) {
    const given = options[name];
    if (given !== undefined && !(given > 0)) throw new TypeError(`\`${name}\` must be more than 0`);
  }
  return {
    ...{ evaluation: 'auto', context: {}, storageMaxAgeMs: 7 * day, heartbeatMs: 15_000, pollMs: 10_000 },
    ...{ reconnectBaseMs: 500, reconnectCapMs: 30_000, sendsUsage: true, usageMs: 60_000 },
    ...{ fetch: (address: string, init: RequestInit) => fetch(address, init), clocks: systemClocks },
    random: Math.random,
    ...withoutUndefined(options),
    ...{ url: url.replace(/\/+$/, ''), apiKey, isOffline },
  };
}

function withoutUndefined(options: ClientOptions): ClientOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ClientOptions;
}
