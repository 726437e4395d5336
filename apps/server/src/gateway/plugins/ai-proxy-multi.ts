/** `ai-proxy-multi`: several instances of language models, balanced, with a fallback to the next one within bounds. */
import { type Static, Type } from '@sinclair/typebox';
import { connectionFields, Instance, instanceFault, instanceFields } from '../ai/instance.js';
import { InstanceBalancer } from '../ai/instance-balancer.js';
import { planParts, proxyHooks, proxyMetadata } from '../ai/proxy-hooks.js';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';
import { readerOf, templateOf } from '../variables.js';

const strategies = ['rate_limiting', 'http_429', 'http_5xx'] as const;

const schema = Type.Object(
  {
    balancer: Type.Object(
      {
        algorithm: oneOf(['chash', 'roundrobin'], { default: 'roundrobin' }),
        hash_on: oneOf(['vars', 'header', 'cookie', 'consumer', 'vars_combinations'], { default: 'vars' }),
        key: Type.Optional(Type.String()),
      },
      { ...closed, default: { algorithm: 'roundrobin' } },
    ),
    instances: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 100 }),
          weight: Type.Integer({ minimum: 0 }),
          priority: Type.Integer({ default: 0 }),
          ...instanceFields,
        },
        closed,
      ),
      { minItems: 1 },
    ),
    fallback_strategy: Type.Optional(
      Type.Union([oneOf(['instance_health_and_rate_limiting', 'http_429', 'http_5xx']), Type.Array(oneOf(strategies))]),
    ),
    fallback_http_statuses: Type.Optional(
      Type.Array(Type.Integer({ minimum: 400, maximum: 599 }), { minItems: 1, uniqueItems: true }),
    ),
    /** Attempts after the first; without it every instance may be asked once. */
    max_retries: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Milliseconds from the first attempt after which no other is begun. */
    retry_on_failure_within_ms: Type.Optional(Type.Integer({ minimum: 1 })),
    ...connectionFields,
  },
  closed,
);

type Configuration = Static<typeof schema>;

export const aiProxyMulti: Plugin<Configuration> = {
  name: 'ai-proxy-multi',
  priority: 1041,
  schema,
  metadataSchema: proxyMetadata,
  check: ({ instances, balancer }) => {
    const names = new Set(instances.map(({ name }) => name));
    if (names.size < instances.length) return 'two instances have the same name';
    if (balancer.algorithm === 'chash' && balancer.hash_on !== 'consumer' && balancer.key === undefined)
      return 'balancer.algorithm chash needs balancer.key';
    for (const one of instances) {
      const fault = instanceFault(one);
      if (fault !== undefined) return `instance '${one.name}': ${fault}`;
    }
    return undefined;
  },
  compile: (configuration, scope) => {
    const all = configuration.instances.map((one) => ({
      instance: new Instance(one, configuration),
      weight: one.weight,
      priority: one.priority,
    }));
    const balancer = new InstanceBalancer(all, hashKey(configuration.balancer));
    const plan = {
      ...planParts(configuration, scope),
      ...fallbackOf(configuration),
      next: (exchange: Exchange, tried: ReadonlySet<Instance>) => balancer.next(exchange, tried),
      observed: (instance: Instance, isGood: boolean) => balancer.observed(instance, isGood),
      maxRetries: configuration.max_retries ?? all.length - 1,
      retryWithinMs: configuration.retry_on_failure_within_ms ?? Number.POSITIVE_INFINITY,
    };
    return proxyHooks(
      plan,
      configuration.max_req_body_size,
      all.map(({ instance }) => instance),
    );
  },
};

function fallbackOf({ fallback_strategy: strategy, fallback_http_statuses: statuses = [] }: Configuration) {
  const given = strategy === undefined ? [] : typeof strategy === 'string' ? [strategy] : strategy;
  const isOn = (name: (typeof strategies)[number] | 'instance_health_and_rate_limiting'): boolean =>
    (given as readonly string[]).includes(name);
  return {
    fallsBackOn: (status: number) =>
      statuses.includes(status) || (status === 429 && isOn('http_429')) || (status >= 500 && isOn('http_5xx')),
    fallsBackOnLimit: isOn('rate_limiting') || isOn('instance_health_and_rate_limiting'),
  };
}

function hashKey({
  algorithm,
  hash_on: kind,
  key = '',
}: Configuration['balancer']): ((exchange: Exchange) => string) | undefined {
  if (algorithm !== 'chash') return undefined;
  if (kind === 'vars_combinations') return templateOf(key);
  const names = {
    vars: key,
    header: `http_${key.toLowerCase().replaceAll('-', '_')}`,
    cookie: `cookie_${key}`,
    consumer: 'consumer_name',
  };
  const read = readerOf(names[kind]);
  return (exchange) => String(read(exchange) ?? exchange.remoteAddress);
}
