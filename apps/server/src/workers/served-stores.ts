/** The primary's side: its stores, for one worker. What a worker holds (leases, watches, places in a limit) is given back when it is gone. */
import type { Cache } from '../ports/cache.port.js';
import type { KeyValueStore, Lease, WatchOptions } from '../ports/key-value-store.port.js';
import type { RateLimitStore } from '../ports/rate-limit-store.port.js';
import type { Stores } from '../stores.js';
import type { Relay, Target } from './relay.js';

export type WatchEvent =
  | { readonly kind: 'batch'; readonly batch: Parameters<WatchOptions['onBatch']>[0] }
  | { readonly kind: 'resync'; readonly range: Parameters<WatchOptions['onResync']>[0] }
  | { readonly kind: 'health'; readonly isConnected: boolean };

/** Stores that are nothing but calls. */
export const plainStores = [
  'policyArchive',
  'auditLog',
  'decisionStore',
  'resources',
  'deliveries',
  'documents',
  'secrets',
] as const satisfies readonly (keyof Stores)[];

/** Returns the function that gives back what the worker held. */
export function serveStores(relay: Relay, stores: Stores, rateLimits: RateLimitStore): () => Promise<void> {
  for (const name of plainStores) relay.serve(name, boundTo(stores[name]));
  const giveBackLeases = serveKeyValueStore(relay, stores.keyValueStore);
  serveCache(relay, stores.cache);
  const giveBackPlaces = serveRateLimits(relay, rateLimits);
  return async () => {
    await Promise.all([giveBackPlaces(), giveBackLeases()]);
  };
}

/** A store's methods as a target; stores are classes, whose methods need them. */
function boundTo(store: object): Target {
  return new Proxy(
    {},
    {
      get: (_none, method) => {
        const found: unknown = Reflect.get(store, method);
        return typeof found === 'function' && method !== 'close' ? found.bind(store) : undefined;
      },
    },
  );
}

function serveKeyValueStore(relay: Relay, store: KeyValueStore): () => Promise<void> {
  const leases = new Map<string, Lease>();
  relay.serve('keyValueStore', boundTo(store));
  relay.serve('leases', {
    grant: async (ttlMs: number) => {
      const lease = await store.grantLease(ttlMs);
      leases.set(lease.id, lease);
      return lease.id;
    },
    lost: async (id: string) => {
      await leases.get(id)?.lost;
      leases.delete(id);
    },
    release: async (id: string) => {
      const lease = leases.get(id);
      leases.delete(id);
      await lease?.release();
    },
  });
  relay.serveSource('watch', (args, emit: (event: WatchEvent) => void) => {
    const { prefix, afterRevision } = args as Pick<WatchOptions, 'prefix' | 'afterRevision'>;
    const watch = store.watch({
      prefix,
      afterRevision,
      onBatch: (batch) => emit({ kind: 'batch', batch }),
      onResync: (range) => emit({ kind: 'resync', range }),
      onHealth: (isConnected) => emit({ kind: 'health', isConnected }),
    });
    return () => watch.close();
  });
  return async () => {
    const held = [...leases.values()];
    leases.clear();
    await Promise.all(held.map((lease) => lease.release().catch(() => undefined)));
  };
}

function serveCache(relay: Relay, cache: Cache): void {
  relay.serve('cache', boundTo(cache));
  relay.serveSource('cache', async (channel, emit) =>
    cache
      .subscribe(
        channel as string,
        (message) => emit({ message }),
        () => emit({}),
      )
      // Who cannot be told by the cache asks by himself, as on a cache that is away.
      .catch(() => () => undefined),
  );
}

/** `enter` and `leave` are counted, because a worker that dies leaves nothing by itself. */
function serveRateLimits(relay: Relay, limits: RateLimitStore): () => Promise<void> {
  const places = new Map<string, number>();
  const change = (key: string, by: number): void => {
    const next = (places.get(key) ?? 0) + by;
    if (next > 0) places.set(key, next);
    else places.delete(key);
  };
  relay.serve('rateLimits', {
    countFixed: (...args: Parameters<RateLimitStore['countFixed']>) => limits.countFixed(...args),
    countSliding: (...args: Parameters<RateLimitStore['countSliding']>) => limits.countSliding(...args),
    reserve: (...args: Parameters<RateLimitStore['reserve']>) => limits.reserve(...args),
    settle: (...args: Parameters<RateLimitStore['settle']>) => limits.settle(...args),
    leak: (...args: Parameters<RateLimitStore['leak']>) => limits.leak(...args),
    enter: async (key: string, most: number, ttlMs: number) => {
      const present = await limits.enter(key, most, ttlMs);
      if (present <= most) change(key, 1);
      return present;
    },
    leave: async (key: string) => {
      change(key, -1);
      await limits.leave(key);
    },
  });
  return async () => {
    const held = [...places];
    places.clear();
    for (const [key, count] of held) for (let one = 0; one < count; one += 1) await limits.leave(key);
  };
}
