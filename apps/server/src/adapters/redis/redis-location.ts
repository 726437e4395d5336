/** A client for the Redis that a plugin's fields name: one server, a Sentinel's master, or a cluster. */
import { Cluster, Redis } from 'ioredis';
import type { RedisLocation } from '../../ports/rate-limit-store.port.js';

export function connectTo(location: RedisLocation): Redis | Cluster {
  const common = {
    connectTimeout: location.timeoutMs,
    commandTimeout: location.timeoutMs,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt: number) => Math.min(100 * attempt, 2_000),
    ...(location.password === undefined ? {} : { password: location.password }),
  };
  switch (location.kind) {
    case 'single':
      return new Redis({
        ...common,
        host: location.host,
        port: location.port,
        db: location.database,
        ...(location.username === undefined ? {} : { username: location.username }),
        ...(location.tls.isOn ? { tls: { rejectUnauthorized: location.tls.isVerified } } : {}),
      });
    case 'cluster':
      return new Cluster(
        location.nodes.map((node) => {
          const colon = node.lastIndexOf(':');
          return { host: node.slice(0, colon), port: Number(node.slice(colon + 1)) };
        }),
        {
          redisOptions: {
            ...common,
            ...(location.tls.isOn ? { tls: { rejectUnauthorized: location.tls.isVerified } } : {}),
          },
          clusterRetryStrategy: (attempt) => Math.min(100 * attempt, 2_000),
        },
      );
    case 'sentinel':
      return new Redis({
        ...common,
        sentinels: location.sentinels.map(({ host, port }) => ({ host, port })),
        name: location.masterName,
        role: location.role,
        db: location.database,
        ...(location.username === undefined ? {} : { username: location.username }),
        ...(location.sentinelUsername === undefined ? {} : { sentinelUsername: location.sentinelUsername }),
        ...(location.sentinelPassword === undefined ? {} : { sentinelPassword: location.sentinelPassword }),
      });
  }
}
