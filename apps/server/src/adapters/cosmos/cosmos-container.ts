/**
 * One Cosmos DB container, found or made when it is first used. Throttled requests (429) wait as long as the service says and are repeated
 * by the client within a bound; every call ends within a bound; faults of connection and service become `store.unavailable`.
 */

import {
  type Container,
  type ContainerRequest,
  CosmosClient,
  PartitionKeyKind,
  type SqlQuerySpec,
} from '@azure/cosmos';
import { BailiwickError } from '@bailiwick/contract';
import { storeUnavailable } from '../store-errors.js';

export interface CosmosOptions {
  /** `https://ACCOUNT.documents.azure.com:443/`; one with `http:` is an emulator, which knows no other regions. */
  readonly endpoint: string;
  readonly key: string;
  readonly database: string;
  readonly container: string;
  /** The bound of one request; a call waits at most twice as long for a throttled service. */
  readonly timeoutMs?: number;
}

const partitionKeyPath = '/project';
const uniquePath = '/uniqueKey';
/**
 * Each write is a request of its own: none of ours needs to be one with another, a throttled one is repeated by itself, and the client's
 * bulk calls wait a second for company.
 */
const writesAtOnce = 16;

async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(writesAtOnce, items.length) }, worker));
}

const definition = (id: string): ContainerRequest => ({
  id,
  partitionKey: { paths: [partitionKeyPath], kind: PartitionKeyKind.Hash },
  uniqueKeyPolicy: { uniqueKeys: [{ paths: [uniquePath] }] },
  // Items say themselves when they end; those that do not stay.
  defaultTtl: -1,
  indexingPolicy: {
    automatic: true,
    indexingMode: 'consistent',
    includedPaths: [{ path: '/*' }],
    excludedPaths: [{ path: '/content/?' }, { path: '/vector/?' }, { path: '/fault/?' }, { path: '/"_etag"/?' }],
    compositeIndexes: [
      [
        { path: '/created_at', order: 'descending' },
        { path: '/documentId', order: 'ascending' },
      ],
    ],
  },
});

/** The status of a service's answer that is an outcome, not a fault: 404 gone, 409 taken, 412 changed meanwhile. */
export function outcomeOf(error: unknown): 404 | 409 | 412 | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return code === 404 || code === 409 || code === 412 ? code : undefined;
}

/** The client's errors hold the request with its signature, which is for no log. */
function withoutRequest(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const { code } = error as { readonly code?: unknown };
  return new Error(code === undefined ? error.message : `${String(code)}: ${error.message}`);
}

export class CosmosContainer {
  readonly #client: CosmosClient;
  readonly #options: CosmosOptions;
  readonly #boundMs: number;
  #container: Promise<Container> | undefined;

  constructor(options: CosmosOptions) {
    const { endpoint, key, timeoutMs = 5_000 } = options;
    const isRegional = new URL(endpoint).protocol === 'https:';
    this.#options = options;
    this.#boundMs = 3 * timeoutMs;
    this.#client = new CosmosClient({
      ...{ endpoint, key, userAgentSuffix: 'bailiwick' },
      connectionPolicy: {
        requestTimeout: timeoutMs,
        enableEndpointDiscovery: isRegional,
        enableBackgroundEndpointRefreshing: isRegional,
        // No fixed interval: the service's own `x-ms-retry-after-ms` counts.
        retryOptions: { maxRetryAttemptCount: 20, maxWaitTimeInSeconds: Math.ceil((2 * timeoutMs) / 1000) },
      },
    });
  }

  /** Errors: outcomes (`outcomeOf`) pass through; `store.unavailable` for the rest. */
  async use<R>(work: (container: Container) => Promise<R>): Promise<R> {
    const run = async (): Promise<R> => await work(await this.#open());
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${this.#boundMs} ms`)), this.#boundMs);
    });
    try {
      return await Promise.race([run(), bound]);
    } catch (error) {
      if (outcomeOf(error) !== undefined || error instanceof BailiwickError) throw error;
      throw storeUnavailable('Cosmos DB', withoutRequest(error));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Undefined: there is none. */
  async read<T extends object>(project: string, id: string): Promise<(T & { readonly _etag: string }) | undefined> {
    const { resource } = await this.use((container) => container.item(id, project).read());
    return resource as (T & { readonly _etag: string }) | undefined;
  }

  /** All results. `project`: its partition only; undefined: every partition. */
  async query<T>(project: string | undefined, query: SqlQuerySpec): Promise<readonly T[]> {
    const options = project === undefined ? {} : { partitionKey: project };
    const { resources } = await this.use((container) => container.items.query<T>(query, options).fetchAll());
    return resources;
  }

  /** Results page by page, over every partition. */
  async *pages<T>(query: SqlQuerySpec, pageSize: number): AsyncIterable<readonly T[]> {
    const items = await this.use(async (container) => container.items.query<T>(query, { maxItemCount: pageSize }));
    while (items.hasMoreResults()) {
      const { resources } = await this.use(() => items.fetchNext());
      if (resources && resources.length > 0) yield resources;
    }
  }

  /** One by one, several at once: repeating it after a failure is safe. */
  async upsert(items: readonly object[]): Promise<void> {
    await inTurn(items, (item) => this.use((container) => container.items.upsert(item)));
  }

  /** One by one, several at once; harmless for those that are gone. */
  async remove(project: string, ids: readonly string[]): Promise<void> {
    await inTurn(ids, (id) =>
      this.use((container) => container.item(id, project).delete()).catch((error: unknown) => {
        if (outcomeOf(error) !== 404) throw error;
      }),
    );
  }

  close(): void {
    this.#client.dispose();
  }

  #open(): Promise<Container> {
    if (this.#container) return this.#container;
    const opened = this.#findOrMake();
    this.#container = opened;
    // A failure is not remembered: the next call tries again.
    opened.catch(() => {
      this.#container = undefined;
    });
    return opened;
  }

  async #findOrMake(): Promise<Container> {
    const { database: name, container: id } = this.#options;
    const { database } = await this.#client.databases.createIfNotExists({ id: name });
    const { container, resource } = await database.containers.createIfNotExists(definition(id));
    const isOurs =
      resource?.partitionKey?.paths[0] === partitionKeyPath &&
      resource.uniqueKeyPolicy?.uniqueKeys.some(({ paths }) => paths.length === 1 && paths[0] === uniquePath);
    if (isOurs) return container;
    throw new BailiwickError('internal', {
      reason: 'store.container_unfit',
      message: 'The document store is not set up as it must be. The log says how.',
      operatorMessage: `Cosmos DB's container '${id}' must have the partition key ${partitionKeyPath} and the unique key ${uniquePath}; neither can be changed later: name another container, which is then made.`,
    });
  }
}
