/** What calls of language models used, cost and took, for Prometheus. Labels come from the configuration, never from what clients write. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { LlmCall } from './llm-call.js';

const labels = ['provider', 'model', 'project'] as const;

export interface LlmMetrics {
  /** After the answer has gone. `seconds`: from the request's begin. */
  ended(call: LlmCall, status: number, seconds: number): void;
  /** Another instance is asked after one has failed. */
  fellBack(call: LlmCall): void;
}

const known = new WeakMap<Registry, LlmMetrics>();

/** Once a registry: routes share them. */
export function llmMetrics(registry: Registry): LlmMetrics {
  const found = known.get(registry);
  if (found) return found;
  const made = create(registry);
  known.set(registry, made);
  return made;
}

function create(registry: Registry): LlmMetrics {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const tokens = counter('bailiwick_llm_tokens_total', 'Tokens, by direction.', [...labels, 'direction']);
  const cost = counter('bailiwick_llm_cost_total', 'Cost in the currency of the price table.', labels);
  const calls = counter('bailiwick_llm_calls_total', 'Calls, by status.', [...labels, 'status']);
  const fallbacks = counter('bailiwick_llm_fallbacks_total', 'Attempts after a failed one, by who was asked.', labels);
  const cache = counter('bailiwick_llm_cache_total', 'Answers looked up in the cache.', ['project', 'result']);
  const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
  const latency = new Histogram({
    name: 'bailiwick_llm_call_seconds',
    help: 'From the request to the end of the answer.',
    labelNames: [...labels],
    buckets,
    registers,
  });
  const firstByte = new Histogram({
    name: 'bailiwick_llm_first_byte_seconds',
    help: "From the provider's call to the first byte of its answer.",
    labelNames: [...labels],
    buckets,
    registers,
  });
  const of = (call: LlmCall) => ({ provider: call.provider, model: modelLabel(call), project: call.project ?? '' });
  // The series of a call are looked up once: prom-client makes a key of the labels each time.
  const seriesOf = bounded((call: LlmCall) => {
    const own = of(call);
    return {
      latency: latency.labels(own),
      firstByte: firstByte.labels(own),
      input: tokens.labels({ ...own, direction: 'input' }),
      output: tokens.labels({ ...own, direction: 'output' }),
      byStatus: bounded((status: number) => calls.labels({ ...own, status: String(status) }), String),
    };
  }, labelKey);
  return {
    ended: (call, status, seconds) => {
      const series = seriesOf(call);
      series.byStatus(status).inc();
      series.latency.observe(seconds);
      if (call.cache !== undefined) cache.inc({ project: call.project ?? '', result: call.cache });
      if (call.firstByteMs >= 0) series.firstByte.observe(call.firstByteMs / 1000);
      const { usage } = call;
      if (!usage) return;
      series.input.inc(usage.inputTokens);
      series.output.inc(usage.outputTokens);
      const money = call.costOf(usage);
      if (money > 0) cost.inc(of(call), money);
    },
    fellBack: (call) => fallbacks.inc(of(call)),
  };
}

/** A model that the client chose freely would be a label without bounds: it is told only when the price table knows it or the file says it. */
const modelLabel = (call: LlmCall): string => (call.price || call.model !== call.requestedModel ? call.model : 'other');

const labelKey = (call: LlmCall): string => `${call.provider}\n${modelLabel(call)}\n${call.project ?? ''}`;

/** `make`, once a key; begins anew when there are many, because a project's name can come from a token. */
function bounded<T, R>(make: (about: T) => R, keyOf: (about: T) => string): (about: T) => R {
  const known = new Map<string, R>();
  return (about) => {
    const key = keyOf(about);
    let found = known.get(key);
    if (found === undefined) {
      if (known.size >= 1_000) known.clear();
      found = make(about);
      known.set(key, found);
    }
    return found;
  };
}
