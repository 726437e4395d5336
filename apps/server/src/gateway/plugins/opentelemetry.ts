/**
 * `opentelemetry`: a span for every sampled request, sent to the collector of `plugin_metadata` by OTLP, with W3C trace context to the
 * upstream. Exporter and batches are OpenTelemetry's own; the SDK is loaded when a route first uses the plugin.
 */
import { randomBytes } from 'node:crypto';
import { type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { type Static, Type } from '@sinclair/typebox';
import { type ParentContext, parseTraceparent, shouldSample, startTracer } from '../../telemetry/route-tracer.js';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';
import { readerOf } from '../variables.js';

const fraction = Type.Object(
  { fraction: Type.Number({ minimum: 0, maximum: 1, default: 0 }) },
  { ...closed, default: {} },
);
const names = Type.Optional(Type.Array(Type.String({ minLength: 1 })));

const schema = Type.Object(
  {
    sampler: Type.Object(
      {
        name: oneOf(['always_on', 'always_off', 'trace_id_ratio', 'parent_base'], { default: 'always_off' }),
        options: Type.Object(
          {
            fraction: Type.Number({ minimum: 0, maximum: 1, default: 0 }),
            root: Type.Object(
              {
                name: oneOf(['always_on', 'always_off', 'trace_id_ratio'], { default: 'always_off' }),
                options: fraction,
              },
              { ...closed, default: {} },
            ),
          },
          { ...closed, default: {} },
        ),
      },
      { ...closed, default: {} },
    ),
    additional_attributes: names,
    additional_header_prefix_attributes: names,
  },
  closed,
);

const scalars = Type.Optional(Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.Number(), Type.String()])));

const metadataSchema = Type.Object(
  {
    trace_id_source: oneOf(['x-request-id', 'random'], { default: 'random' }),
    resource: scalars,
    collector: Type.Object(
      {
        address: Type.String({ default: '127.0.0.1:4318' }),
        /** Seconds. */
        request_timeout: Type.Integer({ minimum: 1, default: 3 }),
        request_headers: scalars,
      },
      { ...closed, default: {} },
    ),
    batch_span_processor: Type.Object(
      {
        max_queue_size: Type.Optional(Type.Integer({ minimum: 1 })),
        max_export_batch_size: Type.Optional(Type.Integer({ minimum: 1 })),
        /** Seconds. */
        batch_timeout: Type.Optional(Type.Number({ minimum: 0 })),
      },
      { ...closed, default: {} },
    ),
    set_ngx_var: Type.Boolean({ default: false }),
  },
  closed,
);

type Configuration = Static<typeof schema>;
type Metadata = Static<typeof metadataSchema>;

const noMetadata: Metadata = {
  trace_id_source: 'random',
  collector: { address: '127.0.0.1:4318', request_timeout: 3 },
  batch_span_processor: {},
  set_ngx_var: false,
};

export const opentelemetry: Plugin<Configuration> = {
  name: 'opentelemetry',
  priority: 12_009,
  schema,
  metadataSchema,
  compile: (configuration, scope) => {
    const metadata = { ...noMetadata, ...(scope.metadata as Partial<Metadata>) };
    const tracing = scope.kept.keep(
      `opentelemetry/${JSON.stringify(metadata)}`,
      () =>
        startTracer({
          address: metadata.collector.address,
          timeoutMs: metadata.collector.request_timeout * 1000,
          headers: textsOf(metadata.collector.request_headers),
          resource: { 'service.name': 'APISIX', ...metadata.resource },
          batch: metadata.batch_span_processor,
        }),
      (one) => one.stop(),
    );
    const { name: sampler, options } = configuration.sampler;
    const root = sampler === 'parent_base' ? options.root : { name: sampler, options };
    const attributes = (configuration.additional_attributes ?? []).map((name) => [name, readerOf(name)] as const);
    const prefixes = (configuration.additional_header_prefix_attributes ?? []).map((prefix) => prefix.toLowerCase());
    const key = {};
    return {
      rewrite: (exchange) => {
        const parent = parseTraceparent(exchange.header('traceparent'));
        const traceId = parent?.traceId ?? traceIdOf(exchange, metadata.trace_id_source);
        const isSampled =
          sampler === 'parent_base' && parent
            ? parent.isSampled
            : shouldSample(root.name as 'always_on', root.options.fraction, traceId);
        const spanId = randomBytes(8).toString('hex');
        const tracer: Tracer | undefined = isSampled ? tracing.tracer() : undefined;
        const span = tracer && beginSpan(tracing.start, { exchange, traceId, spanId, parent });
        if (span) exchange.keepState(key, span);
        exchange.traceId = traceId;
        exchange.upstreamHeaders.set(
          'traceparent',
          `00-${traceId}-${span?.spanContext().spanId ?? spanId}-${isSampled ? '01' : '00'}`,
        );
        if (metadata.set_ngx_var) {
          exchange.setVariable('opentelemetry_trace_id', traceId);
          exchange.setVariable('opentelemetry_span_id', span?.spanContext().spanId ?? spanId);
        }
        return undefined;
      },
      log: (exchange) => {
        const span = exchange.stateOf<Span>(key);
        if (!span) return;
        for (const [name, read] of attributes) {
          const value = read(exchange);
          if (value !== undefined) span.setAttribute(name, value);
        }
        for (const [name, value] of Object.entries(exchange.request.headers))
          if (prefixes.some((prefix) => name.startsWith(prefix.replace(/\*$/, ''))))
            span.setAttribute(name, String(value));
        for (const [name, value] of Object.entries(exchange.llm?.spanAttributes() ?? {}))
          span.setAttribute(name, typeof value === 'object' ? [...value] : value);
        span.setAttribute('http.response.status_code', exchange.status);
        if (exchange.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  },
};

const textsOf = (values: Readonly<Record<string, unknown>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, String(value)]));

/** A request id that is 16 bytes in hexadecimal, dashes aside, can be a trace's id. */
function traceIdOf(exchange: Exchange, source: Metadata['trace_id_source']): string {
  const text = exchange.requestId.replaceAll('-', '').toLowerCase();
  return source === 'x-request-id' && /^(?!0{32})[0-9a-f]{32}$/.test(text) ? text : randomBytes(16).toString('hex');
}

function beginSpan(
  start: ReturnType<typeof startTracer>['start'],
  about: {
    readonly exchange: Exchange;
    readonly traceId: string;
    readonly spanId: string;
    readonly parent: ParentContext | undefined;
  },
): Span {
  const { exchange, traceId, spanId, parent } = about;
  return start({
    name: `${exchange.method} ${exchange.route?.uri ?? exchange.path}`,
    kind: SpanKind.SERVER,
    traceId,
    spanId,
    parent,
    attributes: {
      'http.request.method': exchange.method,
      'url.path': exchange.path,
      'server.address': exchange.host,
      'client.address': exchange.remoteAddress,
      'apisix.route_id': exchange.route?.id ?? '',
      'apisix.route_name': exchange.route?.name ?? '',
    },
  });
}
