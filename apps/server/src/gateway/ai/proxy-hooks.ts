/** What `ai-proxy` and `ai-proxy-multi` have in common: they read the call before any decision, make it, and tell what came of it. */
import { Type } from '@sinclair/typebox';
import type { Registry } from 'prom-client';
import type { Exchange } from '../exchange.js';
import type { PluginHooks, PluginScope } from '../plugin.js';
import { closed } from '../resource-schemas.js';
import { askGates } from './gates.js';
import type { ConnectionConfiguration, Instance } from './instance.js';
import type { LlmCall, Price } from './llm-call.js';
import { llmMetrics } from './llm-metrics.js';
import { LoggedAnswer, type LoggingConfiguration, requestOf, summaryOf } from './logged-call.js';
import { type CallPlan, callProvider, choose, defaultMaxResponseBytes } from './provider-call.js';
import { readCall } from './read-call.js';

const money = Type.Number({ minimum: 0 });

/** `plugin_metadata` of both: prices by model, for a million tokens. */
export const proxyMetadata = Type.Object(
  {
    prices: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object({ input: money, output: money, cached_input: Type.Optional(money) }, closed),
      ),
    ),
  },
  closed,
);

/** The parts of a plan that both have from their configuration. */
export function planParts(connection: ConnectionConfiguration, scope: PluginScope) {
  const prices = (scope.metadata['prices'] ?? {}) as Readonly<Record<string, Price>>;
  return {
    priceOf: (model: string): Price | undefined => (Object.hasOwn(prices, model) ? prices[model] : undefined),
    metrics: llmMetrics(scope.services.metrics.registry as Registry),
    maxResponseBytes: connection.max_response_bytes ?? defaultMaxResponseBytes,
    maxStreamMs: connection.max_stream_duration_ms,
    flushIntervalMs: connection.streaming_flush_interval_ms,
    refused: ({ requestId }: Exchange, { provider, instance, model }: LlmCall, about: object) =>
      scope.logger.warn(
        { request_id: requestId, provider, instance, model: model.slice(0, 200), ...about },
        'a provider of language models has refused a call',
      ),
  };
}

export interface ProxyOptions {
  readonly plan: CallPlan;
  readonly connection: ConnectionConfiguration;
  readonly instances: readonly Instance[];
  /**
   * Chooses the first instance by what is said, after the guard has seen it. The policy has then judged the plan's first one; about another it
   * is asked again before it is called.
   */
  readonly pick?: (exchange: Exchange, call: LlmCall) => Promise<Instance>;
}

/** Hooks that make the call by a plan. The first instance is chosen before the policy is asked, so that it knows whom it judges. */
export function proxyHooks({ plan, connection, instances, pick }: ProxyOptions): PluginHooks {
  const key = {};
  return {
    ...(pick
      ? {
          access: async (exchange) => {
            const { llm: call } = exchange;
            if (!call) return undefined;
            const picked = await pick(exchange, call);
            choose(call, picked, plan);
            exchange.keepState(key, picked);
            // Now, because an answer may come from the cache, which is before any provider.
            return await askGates(exchange);
          },
        }
      : {}),
    ...loggingHooks(connection.logging),
    rewrite: async (exchange) => {
      const call = await readCall(exchange, connection.max_req_body_size);
      const first = plan.next(exchange, new Set());
      if (first) choose(call, first, plan);
      exchange.keepState(key, first);
      tellVariables(exchange, call);
      return undefined;
    },
    beforeProxy: (exchange) => {
      const { llm: call } = exchange;
      return call && callProvider(exchange, call, exchange.stateOf<Instance>(key), plan);
    },
    log: (exchange) => {
      const { llm: call } = exchange;
      if (!call) return;
      tellVariables(exchange, call);
      if (connection.logging) call.logged = loggedOf(exchange, call, connection.logging);
      plan.metrics.ended(call, exchange.status, (performance.now() - exchange.startedMs) / 1000);
    },
    close: () => {
      for (const instance of instances) instance.close();
    },
  };
}

const answerKey = {};

function loggingHooks(logging: LoggingConfiguration | undefined): Pick<PluginHooks, 'bodyFilter'> {
  if (!logging?.payloads) return {};
  return {
    bodyFilter: (exchange, chunk) => {
      if (!exchange.llm) return chunk;
      const answer = exchange.stateOf<LoggedAnswer>(answerKey) ?? new LoggedAnswer();
      exchange.keepState(answerKey, answer);
      answer.push(chunk);
      return chunk;
    },
  };
}

function loggedOf(exchange: Exchange, call: LlmCall, { summaries, payloads }: LoggingConfiguration) {
  return {
    ...(summaries ? { llm_summary: summaryOf(exchange, call) } : {}),
    ...(payloads
      ? {
          llm_request: requestOf(call),
          llm_response_text: { content: exchange.stateOf<LoggedAnswer>(answerKey)?.text() ?? '' },
        }
      : {}),
  };
}

/** APISIX's variables, for logs and limits. */
function tellVariables(exchange: Exchange, call: LlmCall): void {
  exchange.setVariable('request_type', call.isStream ? 'ai_stream' : 'ai_chat');
  exchange.setVariable('request_llm_model', call.requestedModel);
  exchange.setVariable('llm_model', call.model);
  const { usage } = call;
  if (usage) {
    exchange.setVariable('llm_prompt_tokens', usage.inputTokens);
    exchange.setVariable('llm_completion_tokens', usage.outputTokens);
    exchange.setVariable('llm_total_tokens', usage.inputTokens + usage.outputTokens);
  }
  if (call.firstByteMs >= 0) exchange.setVariable('llm_time_to_first_token', Math.round(call.firstByteMs));
}
