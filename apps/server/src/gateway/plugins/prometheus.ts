/** `prometheus`: APISIX's metrics by route, service, consumer and node, on `/metrics` beside our own. */
import { type Static, Type } from '@sinclair/typebox';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed } from '../resource-schemas.js';

const schema = Type.Object({ prefer_name: Type.Boolean({ default: false }) }, closed);

const statusLabels = [
  'route',
  'matched_uri',
  'matched_host',
  'service',
  'consumer',
  'node',
  'request_type',
  'request_llm_model',
  'llm_model',
  'response_source',
] as const;
const latencyLabels = [
  'route',
  'service',
  'consumer',
  'node',
  'request_type',
  'request_llm_model',
  'llm_model',
] as const;

const disabled = (labels: readonly string[]) =>
  Type.Optional(Type.Array(Type.Unsafe<string>({ type: 'string', enum: [...labels] })));

const metadataSchema = Type.Object(
  {
    disabled_labels: Type.Optional(
      Type.Object(
        {
          http_status: disabled(statusLabels),
          http_latency: disabled(latencyLabels),
          bandwidth: disabled(latencyLabels),
        },
        closed,
      ),
    ),
  },
  closed,
);

interface Instruments {
  readonly status: Counter;
  readonly latency: Histogram;
  readonly bandwidth: Counter;
}

const known = new WeakMap<Registry, Instruments>();

/** Once a registry: routes share them. */
function instrumentsOf(registry: Registry): Instruments {
  const found = known.get(registry);
  if (found) return found;
  const registers = [registry];
  const made: Instruments = {
    status: new Counter({
      name: 'apisix_http_status',
      help: 'HTTP status codes per service.',
      labelNames: ['code', ...statusLabels],
      registers,
    }),
    latency: new Histogram({
      name: 'apisix_http_latency',
      help: 'HTTP request latency in milliseconds per service.',
      labelNames: ['type', ...latencyLabels],
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000],
      registers,
    }),
    bandwidth: new Counter({
      name: 'apisix_bandwidth',
      help: 'Bytes that went through, per service.',
      labelNames: ['type', ...latencyLabels],
      registers,
    }),
  };
  known.set(registry, made);
  return made;
}

export const prometheus: Plugin<Static<typeof schema>> = {
  name: 'prometheus',
  priority: 500,
  schema,
  metadataSchema,
  compile: ({ prefer_name: prefersName }, { services, metadata }) => {
    const { status, latency, bandwidth } = instrumentsOf(services.metrics.registry as Registry);
    const off = (metadata['disabled_labels'] ?? {}) as Readonly<Record<string, readonly string[] | undefined>>;
    const without = (labels: Record<string, string>, metric: string): Record<string, string> => {
      for (const name of off[metric] ?? []) labels[name] = '';
      return labels;
    };
    return {
      log: (exchange) => {
        const common = commonLabels(exchange, prefersName);
        const code = String(exchange.status);
        const { uri = '' } = exchange.route ?? {};
        status.inc(
          without(
            { ...common, code, matched_uri: uri, matched_host: exchange.host, response_source: exchange.source },
            'http_status',
          ),
        );
        const observe = (type: string, ms: number): void =>
          latency.observe(without({ ...common, type }, 'http_latency'), ms);
        const totalMs = performance.now() - exchange.startedMs;
        observe('request', totalMs);
        if (exchange.upstreamMs >= 0) observe('upstream', exchange.upstreamMs);
        observe('apisix', Math.max(0, totalMs - Math.max(0, exchange.upstreamMs)));
        bandwidth.inc(
          without({ ...common, type: 'ingress' }, 'bandwidth'),
          Number(exchange.header('content-length') ?? 0),
        );
        bandwidth.inc(without({ ...common, type: 'egress' }, 'bandwidth'), exchange.sentBytes);
      },
    };
  },
};

function commonLabels(exchange: Exchange, prefersName: boolean): Record<string, string> {
  const { route } = exchange;
  const model = (name: string): string => String(exchange.ownVariable(name) ?? '');
  return {
    route: (prefersName && route?.name ? route.name : route?.id) ?? '',
    service: (prefersName && route?.serviceName ? route.serviceName : route?.serviceId) ?? '',
    consumer: exchange.consumer?.username ?? '',
    node: exchange.upstreamAddress.replace(/:\d+$/, ''),
    request_type: String(exchange.ownVariable('request_type') ?? 'traditional_http'),
    request_llm_model: model('request_llm_model'),
    llm_model: model('llm_model'),
  };
}
