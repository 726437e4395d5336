/** The worker's side: every store is the primary's, asked over the relay. Nothing is opened and nothing is locked here. */
import type { Cache } from '../ports/cache.port.js';
import type { EventBus } from '../ports/event-bus.port.js';
import type { KeyValueStore, Lease, WatchOptions } from '../ports/key-value-store.port.js';
import type { RateLimitStore } from '../ports/rate-limit-store.port.js';
import type { Stores } from '../stores.js';
import type { Relay } from './relay.js';
import { plainStores, type WatchEvent } from './served-stores.js';

export function relayedStores(relay: Relay): Stores {
  return {
    keyValueStore: relayedKeyValueStore(relay),
    ...(Object.fromEntries(plainStores.map((name) => [name, relayed(relay, name)])) as Pick<
      Stores,
      (typeof plainStores)[number]
    >),
    cache: relayedCache(relay),
    bus: unusedBus,
    pool: undefined,
    // Searches are the control plane's, to which a worker passes its calls.
    vectors: undefined,
    close: async () => undefined,
  };
}

/** Every method a call; `close` is the primary's business. */
function relayed<T extends object>(relay: Relay, target: string, own: Partial<T> = {}): T {
  const methods = new Map<PropertyKey, unknown>(Object.entries({ close: async () => undefined, ...own }));
  return new Proxy({} as T, {
    get: (_none, name) => {
      // What has a `then` would be taken for a promise.
      if (typeof name !== 'string' || name === 'then') return undefined;
      const known = methods.get(name);
      if (known !== undefined) return known;
      const method = (...args: readonly unknown[]): Promise<unknown> => relay.call(target, name, ...args);
      methods.set(name, method);
      return method;
    },
  });
}

function relayedKeyValueStore(relay: Relay): KeyValueStore {
  return relayed<KeyValueStore>(relay, 'keyValueStore', {
    watch: ({ prefix, afterRevision, onBatch, onResync, onHealth }: WatchOptions) => {
      const end = relay.follow('watch', { prefix, afterRevision }, (event) => {
        const told = event as WatchEvent;
        if (told.kind === 'batch') onBatch(told.batch);
        else if (told.kind === 'resync') onResync(told.range);
        else onHealth?.(told.isConnected);
      });
      return { close: async () => end() };
    },
    grantLease: async (ttlMs): Promise<Lease> => {
      const id = (await relay.call('leases', 'grant', ttlMs)) as string;
      return {
        id,
        lost: relay.call('leases', 'lost', id).then(
          () => undefined,
          () => undefined,
        ),
        release: async () => void (await relay.call('leases', 'release', id)),
      };
    },
  });
}

function relayedCache(relay: Relay): Cache {
  return relayed<Cache>(relay, 'cache', {
    subscribe: async (channel, onMessage, onGap) => {
      const end = relay.follow('cache', channel, (event) => {
        const { message } = event as { readonly message?: string };
        if (message === undefined) onGap?.();
        else onMessage(message);
      });
      return async () => end();
    },
  });
}

/** Counters that are the primary's: exact over all workers of this process, at the price of a message each. */
export const relayedRateLimits = (relay: Relay): RateLimitStore => relayed(relay, 'rateLimits');

const nobody = { end: async () => undefined };

/** A worker publishes no events and consumes none: that is the primary's role. */
const unusedBus: EventBus = {
  publish: async () => undefined,
  consume: async () => nobody,
  listen: async () => nobody,
  backlog: async () => ({ waiting: 0, dead: 0 }),
  isHealthy: async () => true,
  close: async () => undefined,
};
