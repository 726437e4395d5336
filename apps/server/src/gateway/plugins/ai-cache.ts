/**
 * `ai-cache`: answers that were given before, found exactly or by the nearness of the question, within one project. In this process or in a Redis that several share; one that is away is a miss. What
 * failed, was cut off or calls tools is not kept.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { AnswerStore, KeptAnswer } from '../../ports/answer-store.port.js';
import { AnswerCache } from '../ai/answer-cache.js';
import { exactKey, type MatchOptions, semanticKey } from '../ai/cache-key.js';
import { Embedder } from '../ai/embedder.js';
import { failMode, whenUnreadable } from '../ai/fail-mode.js';
import type { LlmCall } from '../ai/llm-call.js';
import type { Exchange } from '../exchange.js';
import { locationOf, singleRedisFields } from '../limits/redis-fields.js';
import type { Answer, Outcome, Plugin, PluginScope } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';
import { readerOf } from '../variables.js';

const flag = Type.Boolean({ default: true });

const embeddingFields = {
  api_key: Type.String(),
  dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Milliseconds. */
  timeout: Type.Integer({ minimum: 1, default: 5000 }),
  ssl_verify: flag,
};

const schema = Type.Object(
  {
    policy: oneOf(['local', 'redis'], { default: 'redis' }),
    ...singleRedisFields,
    layers: Type.Array(oneOf(['exact', 'semantic']), { minItems: 1, uniqueItems: true, default: ['exact'] }),
    /** Seconds, as in `semantic`. */
    exact: Type.Object({ ttl: Type.Integer({ minimum: 1, default: 3600 }) }, { ...closed, default: {} }),
    semantic: Type.Optional(
      Type.Object(
        {
          similarity_threshold: Type.Number({ minimum: 0, maximum: 1, default: 0.95 }),
          /** Nearest questions that are looked at until one still has its answer. */
          top_k: Type.Integer({ minimum: 1, default: 1 }),
          ttl: Type.Integer({ minimum: 1, default: 86_400 }),
          distance_metric: oneOf(['cosine'], { default: 'cosine' }),
          vector_search: Type.Optional(
            Type.Object(
              {
                redis: Type.Object(
                  { index: Type.String({ minLength: 1, default: 'ai-cache' }) },
                  { ...closed, default: {} },
                ),
              },
              closed,
            ),
          ),
          embedding: Type.Object(
            {
              openai: Type.Optional(
                Type.Object(
                  {
                    model: Type.String(),
                    endpoint: Type.String({ pattern: '^https?://', default: 'https://api.openai.com/v1/embeddings' }),
                    ...embeddingFields,
                  },
                  closed,
                ),
              ),
              /** The endpoint names deployment and version of the API. */
              azure_openai: Type.Optional(
                Type.Object({ endpoint: Type.String({ pattern: '^https?://' }), ...embeddingFields }, closed),
              ),
            },
            { ...closed, oneOf: [{ required: ['openai'] }, { required: ['azure_openai'] }] },
          ),
          match: Type.Object(
            {
              message_countback: Type.Integer({ minimum: 1, default: 1 }),
              ignore_system_prompts: flag,
              ignore_assistant_prompts: flag,
              ignore_tool_prompts: flag,
            },
            { ...closed, default: {} },
          ),
        },
        closed,
      ),
    ),
    cache_key: Type.Object(
      {
        include_consumer: Type.Boolean({ default: false }),
        include_vars: Type.Array(Type.String(), { default: [] }),
        share_across_routes: Type.Boolean({ default: false }),
      },
      { ...closed, default: {} },
    ),
    bypass_on: Type.Optional(
      Type.Array(Type.Object({ header: Type.String({ minLength: 1 }), equals: Type.String() }, closed), {
        minItems: 1,
      }),
    ),
    cache_headers: flag,
    /** What becomes of a request that no `ai-proxy` has read as a call. */
    fail_mode: failMode,
    max_cache_body_size: Type.Integer({ minimum: 0, default: 1_048_576 }),
  },
  closed,
);

const metadataSchema = Type.Object(
  {
    max_bytes: Type.Optional(Type.Integer({ minimum: 1024 })),
    /** Answers that call tools are kept too. */
    tool_calls: Type.Optional(Type.Boolean()),
  },
  closed,
);

type Configuration = Static<typeof schema>;
const defaultMaxBytes = 64 * 1024 * 1024;

/** What one exchange keeps from the look-up to the end of its answer. */
interface Kept {
  readonly near: { readonly scope: string; readonly vector: Float32Array } | undefined;
  readonly chunks: Buffer[];
  bytes: number;
}

export const aiCache: Plugin<Configuration> = {
  name: 'ai-cache',
  priority: 1035,
  schema,
  metadataSchema,
  check: ({ layers, semantic, policy, redis_host: host }) => {
    if (policy === 'redis' && host === undefined) return 'policy redis needs redis_host';
    if (policy === 'local' && semantic?.vector_search) return 'vector_search is for policy redis';
    if (!layers.includes('exact')) return "layers must have 'exact'";
    return layers.includes('semantic') && !semantic ? 'the semantic layer needs semantic' : undefined;
  },
  compile: (configuration, scope) => {
    const { max_bytes: maxBytes = defaultMaxBytes, tool_calls: keepsToolCalls = false } = scope.metadata as Static<
      typeof metadataSchema
    >;
    const cache = answersOf(configuration, maxBytes, scope);
    const unreachable =
      (exchange: Exchange) =>
      (error: unknown): undefined => {
        scope.logger.warn({ request_id: exchange.requestId, error }, 'the cache of answers cannot be asked');
        return undefined;
      };
    const scopeOf = keyScope(configuration, scope);
    const semantic = configuration.layers.includes('semantic') ? configuration.semantic : undefined;
    const embedder = semantic && embedderOf(semantic.embedding);
    const isBypassed = bypass(configuration);
    const state = {};

    const lookNear = async (exchange: Exchange, call: LlmCall): Promise<Outcome> => {
      if (!semantic || !embedder) return undefined;
      const about = semanticKey(call, scopeOf(exchange), semantic.match as MatchOptions);
      if (about.text === '' || hasMedia(call)) return undefined;
      try {
        const vector = await embedder.embed(about.text);
        const found = await cache.nearest(about.scope, vector, {
          threshold: semantic.similarity_threshold,
          candidates: semantic.top_k,
        });
        if (found) return replay(exchange, call, found, 'semantic-hit');
        exchange.keepState(state, { near: { scope: about.scope, vector }, chunks: [], bytes: 0 } satisfies Kept);
      } catch (error) {
        scope.logger.warn({ request_id: exchange.requestId, error }, 'the semantic cache cannot be asked');
      }
      return undefined;
    };

    return {
      access: (exchange) => {
        const { llm: call } = exchange;
        if (!call) return whenUnreadable(configuration.fail_mode, 'ai-cache', exchange, scope.logger);
        if (isBypassed(exchange)) {
          call.cache = 'bypass';
          return undefined;
        }
        const found = cache.get(exactKey(call, scopeOf(exchange)));
        const go = (answer: KeptAnswer | undefined): Outcome | Promise<Outcome> => {
          if (answer) return replay(exchange, call, answer, 'hit');
          call.cache = 'miss';
          exchange.keepState(state, { near: undefined, chunks: [], bytes: 0 } satisfies Kept);
          return embedder ? lookNear(exchange, call) : undefined;
        };
        return found instanceof Promise ? found.catch(unreachable(exchange)).then(go) : go(found);
      },
      headerFilter: (exchange, head) => {
        const status = exchange.llm?.cache;
        if (configuration.cache_headers && status !== undefined)
          head.set('X-AI-Cache-Status', status === 'semantic-hit' ? 'HIT-SEMANTIC' : status.toUpperCase());
      },
      bodyFilter: (exchange, chunk, isLast) => {
        const { llm: call } = exchange;
        const kept = call?.cache === 'miss' ? exchange.stateOf<Kept>(state) : undefined;
        if (!call || !kept) return chunk;
        kept.bytes += chunk.length;
        if (kept.bytes <= configuration.max_cache_body_size) kept.chunks.push(Buffer.from(chunk));
        else kept.chunks.length = 0;
        if (!isLast || kept.bytes > configuration.max_cache_body_size) return chunk;
        if (exchange.status !== 200 || !call.isComplete || (!keepsToolCalls && call.callsTools)) return chunk;
        const key = exactKey(call, scopeOf(exchange));
        const contentType = exchange.head?.get('content-type') ?? 'application/json';
        const keep = async (): Promise<void> => {
          await cache.set(key, { contentType, body: Buffer.concat(kept.chunks) }, configuration.exact.ttl * 1000);
          if (kept.near && semantic) await cache.addNear(kept.near.scope, kept.near.vector, key, semantic.ttl * 1000);
        };
        keep().catch(unreachable(exchange));
        return chunk;
      },
      close: () => embedder?.close(),
    };
  },
};

/** Kept as long as the configuration is. */
function answersOf(configuration: Configuration, maxBytes: number, scope: PluginScope): AnswerStore {
  const location = locationOf(configuration);
  if (!location) return scope.kept.keep(`ai-cache/${maxBytes}`, () => new AnswerCache(maxBytes));
  const index = configuration.semantic?.vector_search?.redis.index ?? 'ai-cache';
  return scope.kept.keep(
    `ai-cache/${index}/${JSON.stringify(location)}`,
    () => scope.services.openAnswers(location, index),
    (store) => void store.close(),
  );
}

/** Pictures and sound are not in the text that is compared. */
const hasMedia = ({ body }: LlmCall): boolean =>
  /"(?:image_url|image|input_image|input_audio|source|file)"/.test(JSON.stringify(body['messages'] ?? body['input']));

/** The schema has one of the two. */
function embedderOf({ openai, azure_openai: azure }: NonNullable<Configuration['semantic']>['embedding']) {
  const one = openai ?? azure;
  if (!one) return undefined;
  const { endpoint, dimensions, timeout: timeoutMs, ssl_verify: sslVerify } = one;
  const headers = openai ? [`authorization: Bearer ${one.api_key}`] : [`api-key: ${one.api_key}`];
  return new Embedder({ endpoint, headers, model: openai?.model, dimensions, timeoutMs, sslVerify });
}

function keyScope(
  { cache_key: key }: Configuration,
  { owner }: PluginScope,
): (exchange: Exchange) => readonly unknown[] {
  const variables = key.include_vars.map((name) => readerOf(name.replace(/^\$/, '')));
  return (exchange) => [
    key.share_across_routes ? null : `${owner.kind}/${owner.id}`,
    key.include_consumer ? (exchange.consumer?.username ?? exchange.caller?.actor ?? null) : null,
    variables.map((read) => read(exchange) ?? null),
  ];
}

function bypass({ bypass_on: rules = [] }: Configuration): (exchange: Exchange) => boolean {
  return (exchange) => rules.some(({ header, equals }) => exchange.header(header.toLowerCase()) === equals);
}

function replay(exchange: Exchange, call: LlmCall, found: KeptAnswer, how: 'hit' | 'semantic-hit'): Answer {
  call.cache = how;
  exchange.setVariable('llm_cache', how);
  const headers = { 'content-type': found.contentType, age: String(Math.floor((Date.now() - found.storedMs) / 1000)) };
  return { status: 200, headers, body: found.body };
}
