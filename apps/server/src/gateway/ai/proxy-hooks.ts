/** What `ai-proxy` and `ai-proxy-multi` have in common: they read the call before any decision, make it, and tell what came of it. */
import { Type } from '@sinclair/typebox';
import type { Registry } from 'prom-client';
import type { Exchange } from '../exchange.js';
import type { PluginHooks, PluginScope } from '../plugin.js';
import { closed } from '../resource-schemas.js';
import type { ConnectionConfiguration, Instance } from './instance.js';
import type { LlmCall, Price } from './llm-call.js';
import { llmMetrics } from './llm-metrics.js';
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
    refused: ({ requestId }: Exchange, { provider, instance, model }: LlmCall, about: object) =>
      scope.logger.warn(
        { request_id: requestId, provider, instance, model: model.slice(0, 200), ...about },
        'a provider of language models has refused a call',
      ),
  };
}

/** Hooks that make the call by a plan. The first instance is chosen before the policy is asked, so that it knows whom it judges. */
export function proxyHooks(plan: CallPlan, maxBodyBytes: number, instances: readonly Instance[]): PluginHooks {
  const key = {};
  return {
    rewrite: async (exchange) => {
      const call = await readCall(exchange, maxBodyBytes);
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
      plan.metrics.ended(call, exchange.status, (performance.now() - exchange.startedMs) / 1000);
    },
    close: () => {
      for (const instance of instances) instance.close();
    },
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
