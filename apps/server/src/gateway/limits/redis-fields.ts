/** The `redis_*` fields that the limiting plugins share, as APISIX has them, and the store that they and `policy` name. */
import { Type } from '@sinclair/typebox';
import type { RateLimitStore, RedisLocation } from '../../ports/rate-limit-store.port.js';
import type { PluginScope } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

/** Of one server. */
export const singleRedisFields = {
  redis_host: Type.Optional(Type.String({ minLength: 2 })),
  redis_port: Type.Optional(Type.Integer({ minimum: 1 })),
  redis_username: Type.Optional(Type.String({ minLength: 1 })),
  redis_password: Type.Optional(Type.String()),
  redis_database: Type.Optional(Type.Integer({ minimum: 0 })),
  redis_timeout: Type.Optional(Type.Integer({ minimum: 1 })),
  redis_ssl: Type.Optional(Type.Boolean()),
  redis_ssl_verify: Type.Optional(Type.Boolean()),
  redis_keepalive_timeout: Type.Optional(Type.Integer({ minimum: 1000 })),
  redis_keepalive_pool: Type.Optional(Type.Integer({ minimum: 1 })),
};

const optional = {
  ...singleRedisFields,
  redis_cluster_nodes: Type.Optional(
    Type.Array(Type.String({ minLength: 2, maxLength: 100, pattern: ':[0-9]+$' }), { minItems: 1 }),
  ),
  redis_cluster_name: Type.Optional(Type.String()),
  redis_cluster_ssl: Type.Optional(Type.Boolean()),
  redis_cluster_ssl_verify: Type.Optional(Type.Boolean()),
};

/** For `limit-req` and `limit-conn`. */
export const redisFields = {
  policy: oneOf(['local', 'redis', 'redis-cluster'], { default: 'local' }),
  ...optional,
};

/** For `limit-count`, which knows Sentinel too. */
export const redisFieldsWithSentinel = {
  ...optional,
  policy: oneOf(['local', 'redis', 'redis-cluster', 'redis-sentinel'], { default: 'local' }),
  redis_sentinels: Type.Optional(
    Type.Array(
      Type.Object({ host: Type.String({ minLength: 2 }), port: Type.Integer({ minimum: 1, maximum: 65_535 }) }, closed),
      { minItems: 1 },
    ),
  ),
  redis_master_name: Type.Optional(Type.String({ minLength: 1 })),
  redis_role: Type.Optional(oneOf(['master', 'slave'])),
  redis_connect_timeout: Type.Optional(Type.Integer({ minimum: 1 })),
  redis_read_timeout: Type.Optional(Type.Integer({ minimum: 1 })),
  sentinel_username: Type.Optional(Type.String({ minLength: 1 })),
  sentinel_password: Type.Optional(Type.String()),
};

export interface RedisConfiguration {
  readonly policy: 'local' | 'redis' | 'redis-cluster' | 'redis-sentinel';
  readonly redis_host?: string | undefined;
  readonly redis_port?: number | undefined;
  readonly redis_username?: string | undefined;
  readonly redis_password?: string | undefined;
  readonly redis_database?: number | undefined;
  readonly redis_timeout?: number | undefined;
  readonly redis_ssl?: boolean | undefined;
  readonly redis_ssl_verify?: boolean | undefined;
  readonly redis_cluster_nodes?: readonly string[] | undefined;
  readonly redis_cluster_name?: string | undefined;
  readonly redis_cluster_ssl?: boolean | undefined;
  readonly redis_cluster_ssl_verify?: boolean | undefined;
  readonly redis_sentinels?: readonly { readonly host: string; readonly port: number }[] | undefined;
  readonly redis_master_name?: string | undefined;
  readonly redis_role?: 'master' | 'slave' | undefined;
  readonly redis_connect_timeout?: number | undefined;
  readonly sentinel_username?: string | undefined;
  readonly sentinel_password?: string | undefined;
}

const needed: Readonly<Record<RedisConfiguration['policy'], readonly (keyof RedisConfiguration)[]>> = {
  local: [],
  redis: ['redis_host'],
  'redis-cluster': ['redis_cluster_nodes', 'redis_cluster_name'],
  'redis-sentinel': ['redis_sentinels', 'redis_master_name'],
};

/** What the policy needs and does not have. */
export function missingRedisField(configuration: RedisConfiguration): string | undefined {
  const missing = needed[configuration.policy].filter((name) => configuration[name] === undefined);
  return missing.length === 0 ? undefined : `policy ${configuration.policy} needs ${missing.join(' and ')}`;
}

/** The store of the configuration, kept as long as the configuration is. */
export function storeOf(plugin: string, configuration: RedisConfiguration, scope: PluginScope): RateLimitStore {
  const location = locationOf(configuration);
  const key = location ? `redis/${JSON.stringify(location)}` : `${plugin}/local`;
  return scope.kept.keep(
    key,
    () => scope.services.openRateLimits(location),
    (store) => store.close(),
  );
}

export function locationOf(configuration: RedisConfiguration): RedisLocation | undefined {
  const timeoutMs = configuration.redis_timeout ?? 1000;
  const { redis_username: username, redis_password: password, redis_database: database = 0 } = configuration;
  switch (configuration.policy) {
    case 'redis':
      return {
        kind: 'single',
        host: configuration.redis_host ?? '',
        port: configuration.redis_port ?? 6379,
        tls: { isOn: configuration.redis_ssl ?? false, isVerified: configuration.redis_ssl_verify ?? false },
        database,
        username,
        password,
        timeoutMs,
      };
    case 'redis-cluster':
      return {
        kind: 'cluster',
        nodes: configuration.redis_cluster_nodes ?? [],
        tls: {
          isOn: configuration.redis_cluster_ssl ?? false,
          isVerified: configuration.redis_cluster_ssl_verify ?? false,
        },
        password,
        timeoutMs,
      };
    case 'redis-sentinel':
      return {
        kind: 'sentinel',
        sentinels: configuration.redis_sentinels ?? [],
        masterName: configuration.redis_master_name ?? '',
        role: configuration.redis_role ?? 'master',
        database,
        username,
        password,
        sentinelUsername: configuration.sentinel_username,
        sentinelPassword: configuration.sentinel_password,
        timeoutMs: configuration.redis_connect_timeout ?? 1000,
      };
    default:
      return undefined;
  }
}
