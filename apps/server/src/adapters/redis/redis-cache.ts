/** `Cache` on Redis. Counters are one script each, so that the window begins with the first count and no two counts are lost. */
import { BailiwickError } from '@bailiwick/contract';
import type { Cache, Counter } from '../../ports/cache.port.js';
import { callSafely } from '../call-safely.js';
import { openRedis, type RedisClient, type RedisSettings, whenConnected } from './open-redis.js';

const countScript = `
  local count = redis.call('INCRBY', KEYS[1], ARGV[1])
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    left = tonumber(ARGV[2])
  end
  return {count, left}`;

function unavailable(cause: unknown): BailiwickError {
  return new BailiwickError('unavailable', {
    reason: 'cache.unavailable',
    message: 'The cache cannot be reached at the moment.',
    retryAfterSeconds: 1,
    operatorMessage: `Redis: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  });
}

interface Channel {
  readonly onMessage: (message: string) => void;
  readonly onGap: (() => void) | undefined;
}

export class RedisCache implements Cache {
  readonly #client: RedisClient;
  readonly #settings: RedisSettings;
  readonly #prefix: string;
  readonly #channels = new Map<string, Set<Channel>>();
  /** Subscribing takes a connection of its own; it is opened for the first subscription. */
  #listener: RedisClient | undefined;

  constructor(settings: RedisSettings, prefix = 'bailiwick:') {
    this.#settings = settings;
    this.#prefix = prefix;
    this.#client = openRedis(settings);
  }

  /** Waits a moment for the first connection; a Redis that is away is no reason not to start. */
  static async open(settings: RedisSettings, prefix?: string): Promise<RedisCache> {
    const cache = new RedisCache(settings, prefix);
    await whenConnected(cache.#client, settings.timeoutMs ?? 1_000);
    return cache;
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#ask(() => this.#client.get(this.#prefix + key))) ?? undefined;
  }

  async set(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#ask(() => this.#client.set(this.#prefix + key, value, 'PX', Math.max(1, Math.round(ttlMs))));
  }

  async delete(key: string): Promise<void> {
    await this.#ask(() => this.#client.del(this.#prefix + key));
  }

  async increment(key: string, by: number, windowMs: number): Promise<Counter> {
    const [count, resetsInMs] = (await this.#ask(() =>
      this.#client.eval(countScript, 1, this.#prefix + key, by, Math.max(1, Math.round(windowMs))),
    )) as [number, number];
    return { count, resetsInMs };
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#ask(() => this.#client.publish(this.#prefix + channel, message));
  }

  async subscribe(
    channel: string,
    onMessage: (message: string) => void,
    onGap?: () => void,
  ): Promise<() => Promise<void>> {
    const name = this.#prefix + channel;
    const entry: Channel = { onMessage, onGap };
    const known = this.#channels.get(name);
    if (known) known.add(entry);
    else {
      this.#channels.set(name, new Set([entry]));
      await this.#listen(name);
    }
    return async () => {
      const entries = this.#channels.get(name);
      entries?.delete(entry);
      if (entries?.size !== 0) return;
      this.#channels.delete(name);
      await this.#listener?.unsubscribe(name).catch(() => undefined);
    };
  }

  async isHealthy(): Promise<boolean> {
    return await this.#client.ping().then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    this.#listener?.disconnect();
  }

  /** While Redis is away the subscription is made as soon as it is back. */
  async #listen(name: string): Promise<void> {
    if (!this.#listener) {
      const listener = openRedis(this.#settings);
      this.#listener = listener;
      listener.on('message', (channel: string, message: string) => {
        for (const { onMessage } of [...(this.#channels.get(channel) ?? [])]) callSafely(() => onMessage(message));
      });
      let isFirst = true;
      listener.on('ready', () => {
        const names = [...this.#channels.keys()];
        if (names.length > 0) listener.subscribe(...names).catch(() => undefined);
        if (!isFirst) for (const entries of this.#channels.values()) for (const { onGap } of entries) onGap?.();
        isFirst = false;
      });
      await whenConnected(listener, this.#settings.timeoutMs ?? 1_000);
    }
    if (this.#listener.status === 'ready') await this.#listener.subscribe(name).catch(() => undefined);
  }

  async #ask<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      throw unavailable(error);
    }
  }
}
