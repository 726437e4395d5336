/**
 * W3C trace context through the gateway and the control plane. Spans are made, and sent by OTLP, only when an endpoint is set; without
 * one the context is still passed on to upstreams.
 */
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';

const tracer = trace.getTracer('bailiwick');

let isOn = false;

/** Spans go somewhere. Without that there is no need to make any: what came in of the context goes on as it came. */
export const isTracing = (): boolean => isOn;

export interface Tracing {
  stop(): Promise<void>;
}

/** Loads the SDK only when there is somewhere to send to. */
export async function startTracing(endpoint: string, service: string, instanceId: string): Promise<Tracing> {
  if (endpoint === '') return { stop: async () => undefined };
  const [{ NodeTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const url = endpoint.endsWith('/v1/traces') ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/traces`;
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.instance.id': instanceId }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))],
  });
  provider.register();
  isOn = true;
  return {
    stop: async () => {
      isOn = false;
      await provider.shutdown();
    },
  };
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const getter: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => headers[name],
};

export interface ServerSpan {
  /** Headers to send on: `traceparent`, `tracestate`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly traceId: string | undefined;
  set(attributes: Readonly<Record<string, string | number | readonly string[]>>): void;
  end(status: number): void;
}

/** A span for a request that came in, as the child of the caller's when it sent one. */
export function startServerSpan(
  name: string,
  incoming: Headers,
  attributes: Readonly<Record<string, string>>,
): ServerSpan {
  const parent: Context = propagation.extract(ROOT_CONTEXT, incoming, getter);
  const span: Span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
  const headers: Record<string, string> = {};
  propagation.inject(trace.setSpan(parent, span), headers);
  // Without an SDK nothing is injected: what came in goes on as it came.
  const passedOn = headers['traceparent'] === undefined ? passThrough(incoming) : headers;
  return {
    headers: passedOn,
    traceId: traceIdIn(passedOn['traceparent']),
    set: (attributes) => {
      for (const [name, value] of Object.entries(attributes))
        span.setAttribute(name, typeof value === 'object' ? [...value] : value);
    },
    end: (status) => {
      span.setAttribute('http.response.status_code', status);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

export interface StepSpan {
  /** For calls that this step makes: `traceparent`, `tracestate`. */
  readonly headers: Readonly<Record<string, string>>;
  end(attributes: Readonly<Record<string, string | number>>): void;
  fail(): void;
}

/** A span for a step of our own work, as the child of what the headers say. */
export function startStepSpan(name: string, incoming: Headers): StepSpan {
  const parent: Context = propagation.extract(ROOT_CONTEXT, incoming, getter);
  const span: Span = tracer.startSpan(name, { kind: SpanKind.INTERNAL }, parent);
  const headers: Record<string, string> = {};
  propagation.inject(trace.setSpan(parent, span), headers);
  return {
    headers: headers['traceparent'] === undefined ? passThrough(incoming) : headers,
    end: (attributes) => {
      span.setAttributes({ ...attributes });
      span.end();
    },
    fail: () => {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** The trace's id in a `traceparent`. */
export const traceIdIn = (header: string | undefined): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(header ?? '')?.[1];

function passThrough(incoming: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['traceparent', 'tracestate']) {
    const value = incoming[name];
    if (typeof value === 'string') kept[name] = value;
  }
  return kept;
}

export function activeTraceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId;
}
