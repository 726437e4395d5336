/** A tracer of its own for the gateway's `opentelemetry` plugin: its collector and its ids are the plugin's, not the process's. */
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  type SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

export interface RouteTracerOptions {
  /** `host:port`, or a whole URL. */
  readonly address: string;
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  readonly batch: {
    readonly max_queue_size?: number;
    readonly max_export_batch_size?: number;
    /** Seconds. */
    readonly batch_timeout?: number;
  };
}

export interface ParentContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: ParentContext | undefined;
  readonly attributes: Attributes;
}

export interface RouteTracer {
  /** Undefined until the SDK is loaded. */
  tracer(): Tracer | undefined;
  start(span: SpanStart): Span;
  /** Sends what waits. */
  stop(): Promise<void>;
}

export function startTracer(options: RouteTracerOptions): RouteTracer {
  let provider: NodeTracerProvider | undefined;
  let isStopped = false;
  // The SDK asks for ids while it makes a span, so the next one's can be told beforehand.
  const next = { traceId: '', spanId: '' };
  const loading = load(options, next).then(async (loaded) => {
    if (isStopped) await loaded.shutdown();
    else provider = loaded;
  });
  loading.catch(() => undefined);
  return {
    tracer: () => provider?.getTracer('apisix'),
    start: ({ name, kind, traceId, spanId, parent, attributes }) => {
      next.traceId = traceId;
      next.spanId = spanId;
      const context = parent
        ? trace.setSpanContext(ROOT_CONTEXT, {
            traceId,
            spanId: parent.spanId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: true,
          })
        : ROOT_CONTEXT;
      return (provider?.getTracer('apisix') ?? trace.getTracer('apisix')).startSpan(
        name,
        { kind, attributes },
        context,
      );
    },
    stop: async () => {
      isStopped = true;
      await provider?.shutdown();
    },
  };
}

async function load(
  { address, timeoutMs, headers, resource, batch }: RouteTracerOptions,
  next: { readonly traceId: string; readonly spanId: string },
): Promise<NodeTracerProvider> {
  const [
    { NodeTracerProvider: Provider, BatchSpanProcessor, AlwaysOnSampler },
    { OTLPTraceExporter },
    { resourceFromAttributes },
  ] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const base = /^https?:\/\//.test(address) ? address.replace(/\/$/, '') : `http://${address}`;
  const exporter = new OTLPTraceExporter({
    url: `${base}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: timeoutMs,
  });
  return new Provider({
    resource: resourceFromAttributes({ ...resource }),
    // Sampled or not is settled before a span is made.
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        ...(batch.max_queue_size === undefined ? {} : { maxQueueSize: batch.max_queue_size }),
        ...(batch.max_export_batch_size === undefined ? {} : { maxExportBatchSize: batch.max_export_batch_size }),
        ...(batch.batch_timeout === undefined ? {} : { scheduledDelayMillis: batch.batch_timeout * 1000 }),
      }),
    ],
  });
}

/** W3C trace context, version 00. */
export function parseTraceparent(header: string | undefined): ParentContext | undefined {
  const [, traceId, spanId, flags] =
    /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags ?? '0', 16) & 1) === 1 };
}

/** By the trace's id, so that all services decide alike. */
export function shouldSample(
  name: 'always_on' | 'always_off' | 'trace_id_ratio',
  fraction: number,
  traceId: string,
): boolean {
  if (name === 'always_on') return true;
  if (name === 'always_off') return false;
  return Number.parseInt(traceId.slice(-13), 16) / 2 ** 52 < fraction;
}
