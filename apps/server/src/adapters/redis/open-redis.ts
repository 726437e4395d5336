/** Redis clients by setting: one server, a Sentinel group or a cluster; bounded waits, no commands queued while it is away. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';

export interface RedisSettings {
  /** `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. Names password and database also for the other two. */
  readonly url: string;
  /** `host:port` of each Sentinel; with `masterName`. */
  readonly sentinels?: readonly string[];
  readonly masterName?: string;
  /** `host:port` of some nodes of a cluster. */
  readonly clusterNodes?: readonly string[];
  /** The bound of connecting and of each command. */
  readonly timeoutMs?: number;
  readonly onError?: (error: Error) => void;
}

export type RedisClient = Redis | Cluster;

const splitAddress = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
};

/** Connects at once and reconnects for ever, at most 2 s apart. */
export function openRedis(settings: RedisSettings): RedisClient {
  const timeoutMs = settings.timeoutMs ?? 1_000;
  const url = new URL(settings.url);
  const database = Number(url.pathname.slice(1) || 0);
  const common: Omit<RedisOptions, 'replyMapping'> = {
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A command is refused while there is no connection: the caller goes on without the cache.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
  };
  const client = connect(settings, common, url, database);
  client.on('error', (error: Error) => settings.onError?.(error));
  return client;
}

function connect(
  settings: RedisSettings,
  common: Omit<RedisOptions, 'replyMapping'>,
  url: URL,
  database: number,
): RedisClient {
  if (settings.clusterNodes && settings.clusterNodes.length > 0)
    return new Cluster(settings.clusterNodes.map(splitAddress), {
      redisOptions: common,
      enableOfflineQueue: false,
      clusterRetryStrategy: (times) => Math.min(100 * times, 2_000),
    });
  if (settings.sentinels && settings.sentinels.length > 0)
    return new Redis({
      ...common,
      db: database,
      sentinels: settings.sentinels.map(splitAddress),
      name: settings.masterName ?? 'mymaster',
      sentinelRetryStrategy: (times) => Math.min(100 * times, 1_000),
    });
  return new Redis({ ...common, db: database, host: url.hostname, port: Number(url.port || 6379) });
}

/** Waits for the first connection, at most `timeoutMs`; false when there was none (it goes on trying). */
export async function whenConnected(client: RedisClient, timeoutMs: number): Promise<boolean> {
  if (client.status === 'ready') return true;
  return await new Promise((resolve) => {
    const end = (isReady: boolean) => (): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      resolve(isReady);
    };
    const onReady = end(true);
    const timer = setTimeout(end(false), timeoutMs);
    client.once('ready', onReady);
  });
}
