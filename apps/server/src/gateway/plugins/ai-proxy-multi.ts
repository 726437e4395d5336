/** `ai-proxy-multi`: several instances of language models, balanced, with a fallback to the next one within bounds. */
import { type Static, Type } from '@sinclair/typebox';
import { Embedder } from '../ai/embedder.js';
import { connectionFields, Instance, instanceFault, instanceFields, texts } from '../ai/instance.js';
import { InstanceBalancer } from '../ai/instance-balancer.js';
import { type CheckedInstance, type InstanceHealth, watchInstances } from '../ai/instance-checks.js';
import type { LlmCall } from '../ai/llm-call.js';
import { planParts, proxyHooks, proxyMetadata } from '../ai/proxy-hooks.js';
import { type Picked, SemanticBalancer } from '../ai/semantic-balancer.js';
import type { Exchange } from '../exchange.js';
import type { Plugin, PluginHooks, PluginScope } from '../plugin.js';
import { activeCheck, closed, oneOf } from '../resource-schemas.js';
import type { ResponseHead } from '../response-head.js';
import { readerOf, templateOf } from '../variables.js';

const cosine = Type.Number({ minimum: -1, maximum: 1 });
const strategies = ['rate_limiting', 'http_429', 'http_5xx'] as const;

const schema = Type.Object(
  {
    balancer: Type.Object(
      {
        algorithm: oneOf(['chash', 'roundrobin', 'semantic'], { default: 'roundrobin' }),
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
          checks: Type.Optional(Type.Object({ active: activeCheck }, closed)),
          /** What is asked of it, for the semantic balancer; the least cosine in place of `semantic_opts.threshold`. */
          examples: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 64 })),
          threshold: Type.Optional(cosine),
          ...instanceFields,
        },
        closed,
      ),
      { minItems: 1 },
    ),
    semantic_opts: Type.Optional(
      Type.Object(
        {
          embeddings: Type.Object(
            {
              provider: oneOf(['openai', 'azure-openai']),
              model: Type.String({ minLength: 1 }),
              endpoint: Type.Optional(Type.String({ pattern: '^https?://' })),
              auth: Type.Object({ header: Type.Optional(texts), query: Type.Optional(texts) }, closed),
              /** Milliseconds. */
              timeout: Type.Integer({ minimum: 1, default: 3000 }),
              ssl_verify: Type.Boolean({ default: true }),
            },
            closed,
          ),
          threshold: Type.Number({ minimum: -1, maximum: 1, default: 0 }),
          /** An instance's name; default: the first. */
          fallback: Type.Optional(Type.String({ minLength: 1 })),
          /** Scores and choice in the answer's headers. */
          debugging: Type.Boolean({ default: false }),
        },
        closed,
      ),
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
  check: (configuration) => {
    const { instances, balancer } = configuration;
    const names = new Set(instances.map(({ name }) => name));
    if (names.size < instances.length) return 'two instances have the same name';
    if (balancer.algorithm === 'chash' && balancer.hash_on !== 'consumer' && balancer.key === undefined)
      return 'balancer.algorithm chash needs balancer.key';
    for (const one of instances) {
      const fault = instanceFault(one);
      if (fault !== undefined) return `instance '${one.name}': ${fault}`;
    }
    return semanticFault(configuration);
  },
  compile: (configuration, scope) => {
    const all = configuration.instances.map((one) => ({
      instance: new Instance(one, configuration),
      weight: one.weight,
      priority: one.priority,
      checks: one.checks,
    }));
    const instances = all.map(({ instance }) => instance);
    if (configuration.balancer.algorithm === 'semantic') return semanticHooks(configuration, scope, instances);
    const health = healthOf(configuration, all, scope);
    const balancer = new InstanceBalancer(all, hashKey(configuration.balancer), (name) => health.isHealthy(name));
    const plan = {
      ...planParts(configuration, scope),
      ...fallbackOf(configuration),
      next: (exchange: Exchange, tried: ReadonlySet<Instance>) => balancer.next(exchange, tried),
      observed: (instance: Instance, isGood: boolean) => balancer.observed(instance, isGood),
      maxRetries: configuration.max_retries ?? all.length - 1,
      retryWithinMs: configuration.retry_on_failure_within_ms ?? Number.POSITIVE_INFINITY,
    };
    return proxyHooks({ plan, connection: configuration, instances });
  },
};

/** What is known of the instances outlives a reload as long as their checks stay. */
function healthOf(
  { instances }: Configuration,
  all: readonly CheckedInstance[],
  { kept, owner, logger }: PluginScope,
): Pick<InstanceHealth, 'isHealthy'> {
  if (all.every(({ checks }) => checks === undefined)) return { isHealthy: () => true };
  const about = instances.map(({ name, override, checks }) => [name, override?.endpoint, checks]);
  return kept.keep(
    `ai-proxy-multi/${owner.kind}/${owner.id}/${JSON.stringify(about)}`,
    () =>
      watchInstances(all, (instance, isHealthy) =>
        logger.warn({ route: owner.id, instance, healthy: isHealthy }, 'an instance of language models has changed'),
      ),
    (health) => health.stop(),
  );
}

function semanticFault({ balancer, semantic_opts: options, instances }: Configuration): string | undefined {
  const isSemantic = balancer.algorithm === 'semantic';
  if (!isSemantic)
    return options || instances.some((one) => one.examples ?? one.threshold)
      ? 'semantic_opts, examples and threshold are for balancer.algorithm semantic'
      : undefined;
  if (!options) return 'balancer.algorithm semantic needs semantic_opts';
  const { embeddings, fallback } = options;
  if (embeddings.provider === 'azure-openai' && embeddings.endpoint === undefined)
    return 'semantic_opts.embeddings.endpoint must be the full address of an azure-openai deployment';
  if (embeddings.endpoint !== undefined && !URL.canParse(embeddings.endpoint))
    return `'${embeddings.endpoint}' is no address`;
  if (fallback !== undefined && !instances.some(({ name }) => name === fallback))
    return `semantic_opts.fallback names the instance '${fallback}', which is not there`;
  if (Object.values(embeddings.auth.header ?? {}).some((value) => /[\r\n\0]/.test(value)))
    return 'semantic_opts.embeddings.auth.header has a line break in a value';
  const bare = instances.find(({ examples }) => examples === undefined);
  if (bare) return `instance '${bare.name}' needs examples`;
  // As in APISIX: what does not take part is not to look as if it did.
  return instances.some(({ checks }) => checks) ? 'checks are not for balancer.algorithm semantic' : undefined;
}

/** The choice is made by what the user asks; a failure of the chosen one is told to the client, as in APISIX. */
function semanticHooks(configuration: Configuration, scope: PluginScope, instances: readonly Instance[]): PluginHooks {
  const options = configuration.semantic_opts as NonNullable<Configuration['semantic_opts']>;
  const { embeddings } = options;
  const fallback = instances.find(({ name }) => name === options.fallback) ?? (instances[0] as Instance);
  const embedder = new Embedder({
    endpoint: embeddings.endpoint ?? 'https://api.openai.com/v1/embeddings',
    headers: Object.entries(embeddings.auth.header ?? {}).map(([name, value]) => `${name}: ${value}`),
    query: embeddings.auth.query,
    model: embeddings.model,
    dimensions: undefined,
    timeoutMs: embeddings.timeout,
    sslVerify: embeddings.ssl_verify,
  });
  const balancer = new SemanticBalancer({
    instances: configuration.instances.map(({ examples = [], threshold = options.threshold }, at) => ({
      instance: instances[at] as Instance,
      examples,
      threshold,
    })),
    fallback,
    embedder,
    logger: scope.logger,
  });
  const plan = {
    ...planParts(configuration, scope),
    next: (_exchange: Exchange, tried: ReadonlySet<Instance>) => (tried.size === 0 ? fallback : undefined),
    fallsBackOn: () => false,
    fallsBackOnLimit: false,
    maxRetries: 0,
    retryWithinMs: 0,
    observed: () => undefined,
  };
  const key = {};
  const pick = async (exchange: Exchange, call: LlmCall): Promise<Instance> => {
    const picked = await balancer.pick(call, exchange.requestId);
    exchange.keepState(key, picked);
    return picked.instance;
  };
  const hooks = proxyHooks({ plan, connection: configuration, instances, pick });
  return {
    ...hooks,
    ...(options.debugging ? { headerFilter: (exchange, head) => showChoice(exchange.stateOf<Picked>(key), head) } : {}),
    close: async () => {
      balancer.close();
      await hooks.close?.();
    },
  };
}

function showChoice(picked: Picked | undefined, head: ResponseHead): void {
  if (!picked) return;
  const scores = picked.scores.map(({ name, score }) => `${name}:${score.toFixed(4)}`).join(',');
  // Names are the operator's own, of any characters.
  head.set('X-AI-Semantic-Scores', scores.replace(/[^\x20-\x7e]/g, '?'));
  head.set(
    'X-AI-Semantic-Picked-Instance',
    picked.isFallback ? 'fallback' : picked.instance.name.replace(/[^\x20-\x7e]/g, '?'),
  );
}

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
