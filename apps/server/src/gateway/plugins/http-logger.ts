/** `http-logger`: sends a record of every request to a URL, in batches, after the answer has gone. Callers' credentials are never in it. */
import { hostname } from 'node:os';
import { type Static, Type } from '@sinclair/typebox';
import { BatchSender } from '../batch-sender.js';
import type { Exchange } from '../exchange.js';
import { type Condition, checkExpression, compileExpression } from '../expression.js';
import type { Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';
import { templateOf } from '../variables.js';

const format = Type.Optional(Type.Record(Type.String(), Type.Unknown()));
const expression = Type.Optional(Type.Array(Type.Array(Type.Unknown()), { minItems: 1 }));

const schema = Type.Object(
  {
    uri: Type.String({ pattern: '^https?://([\\da-zA-Z._-]+|\\[[\\da-fA-F:]+\\])(:\\d+)?' }),
    auth_header: Type.Optional(Type.String()),
    /** Seconds, as all of them here. */
    timeout: Type.Integer({ minimum: 1, default: 3 }),
    name: Type.String({ default: 'http logger' }),
    max_retry_count: Type.Integer({ minimum: 0, default: 0 }),
    retry_delay: Type.Integer({ minimum: 0, default: 1 }),
    buffer_duration: Type.Integer({ minimum: 1, default: 60 }),
    inactive_timeout: Type.Integer({ minimum: 1, default: 5 }),
    batch_max_size: Type.Integer({ minimum: 1, default: 1000 }),
    concat_method: oneOf(['json', 'new_line'], { default: 'json' }),
    ssl_verify: Type.Boolean({ default: false }),
    include_req_body: Type.Boolean({ default: false }),
    include_req_body_expr: expression,
    include_resp_body: Type.Boolean({ default: false }),
    include_resp_body_expr: expression,
    max_req_body_bytes: Type.Integer({ minimum: 1, default: 524_288 }),
    max_resp_body_bytes: Type.Integer({ minimum: 1, default: 524_288 }),
    log_format: format,
    log_format_extra: format,
  },
  closed,
);

const metadataSchema = Type.Object(
  { log_format: format, log_format_extra: format, max_pending_entries: Type.Integer({ minimum: 1, default: 8192 }) },
  closed,
);

type Configuration = Static<typeof schema>;
type Entry = Record<string, unknown>;

interface Bodies {
  request: Buffer[];
  response: Buffer[];
  requestBytes: number;
  responseBytes: number;
}

export const httpLogger: Plugin<Configuration> = {
  name: 'http-logger',
  priority: 410,
  schema,
  metadataSchema,
  check: (configuration) => {
    for (const name of ['include_req_body_expr', 'include_resp_body_expr'] as const) {
      const wrong = checkExpression(configuration[name] ?? []);
      if (wrong !== undefined) return `${name}: ${wrong}`;
    }
    return undefined;
  },
  compile: (configuration, scope) => {
    const { metadata } = scope;
    const sender = scope.kept.keep(
      `http-logger/${scope.owner.kind}/${scope.owner.id}/${JSON.stringify([configuration, metadata])}`,
      () => new BatchSender(configuration, Number(metadata['max_pending_entries'] ?? 8192), scope.logger),
      (one) => one.close(),
    );
    const written = (configuration.log_format ?? metadata['log_format']) as Entry | undefined;
    const extra = (configuration.log_format_extra ?? metadata['log_format_extra']) as Entry | undefined;
    const format = written && compileFormat(written);
    const more = extra && compileFormat(extra);
    const key = {};
    const bodies = (exchange: Exchange): Bodies => {
      const known = exchange.stateOf<Bodies>(key) ?? { request: [], response: [], requestBytes: 0, responseBytes: 0 };
      exchange.keepState(key, known);
      return known;
    };
    const wantsRequest = wants(configuration.include_req_body, configuration.include_req_body_expr);
    const wantsResponse = wants(configuration.include_resp_body, configuration.include_resp_body_expr);
    return {
      ...(wantsRequest
        ? { requestFilter: (exchange, chunk) => keepRequest(bodies(exchange), chunk, configuration.max_req_body_bytes) }
        : {}),
      ...(wantsResponse
        ? { bodyFilter: (exchange, chunk) => keepResponse(bodies(exchange), chunk, configuration.max_resp_body_bytes) }
        : {}),
      log: (exchange) => {
        const entry = format ? { ...format(exchange), ...common(exchange) } : fullEntry(exchange);
        Object.assign(entry, more?.(exchange), exchange.llm?.logged);
        const kept = exchange.stateOf<Bodies>(key);
        const target = (name: 'request' | 'response'): Entry => {
          entry[name] = typeof entry[name] === 'object' && entry[name] !== null ? entry[name] : {};
          return entry[name] as Entry;
        };
        if (kept && wantsRequest?.(exchange)) target('request')['body'] = Buffer.concat(kept.request).toString('utf8');
        if (kept && wantsResponse?.(exchange))
          target('response')['body'] = Buffer.concat(kept.response).toString('utf8');
        sender.add(entry);
      },
    };
  },
};

const wants = (isOn: boolean, written: readonly unknown[] | undefined): Condition | undefined =>
  isOn ? (written ? compileExpression(written) : () => true) : undefined;

function keepRequest(bodies: Bodies, chunk: Buffer, maxBytes: number): Buffer {
  if (bodies.requestBytes < maxBytes) bodies.request.push(chunk.subarray(0, maxBytes - bodies.requestBytes));
  bodies.requestBytes += chunk.length;
  return chunk;
}

function keepResponse(bodies: Bodies, chunk: Buffer, maxBytes: number): Buffer {
  if (bodies.responseBytes < maxBytes) bodies.response.push(chunk.subarray(0, maxBytes - bodies.responseBytes));
  bodies.responseBytes += chunk.length;
  return chunk;
}

/** A value `$name` is a variable's; other values stand as they are. */
function compileFormat(written: Entry): (exchange: Exchange) => Entry {
  const fields = Object.entries(written).map(([name, value]) => {
    if (typeof value === 'string') return [name, templateOf(value)] as const;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return [name, compileFormat(value as Entry)] as const;
    return [name, () => value] as const;
  });
  return (exchange) => Object.fromEntries(fields.map(([name, read]) => [name, read(exchange)]));
}

const common = (exchange: Exchange): Entry => ({
  ...(exchange.route ? { route_id: exchange.route.id } : {}),
  ...(exchange.route?.serviceId ? { service_id: exchange.route.serviceId } : {}),
});

const machine = hostname();
const hidden =
  /^(authorization|proxy-authorization|cookie|set-cookie|apikey|x-api-key|x-access-token|x-userinfo|x-id-token)$/i;

function shown(headers: Readonly<Record<string, unknown>>): Entry {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, hidden.test(name) ? '[redacted]' : value]),
  );
}

function fullEntry(exchange: Exchange): Entry {
  const totalMs = performance.now() - exchange.startedMs;
  const scheme = exchange.isTls ? 'https' : 'http';
  const address = exchange.query === '' ? exchange.rawPath : `${exchange.rawPath}?${exchange.query}`;
  return {
    request: {
      url: `${scheme}://${exchange.host}:${exchange.request.socket.localPort ?? ''}${address}`,
      uri: address,
      method: exchange.method,
      headers: shown(exchange.request.headers),
      querystring: Object.fromEntries(new URLSearchParams(exchange.query)),
      size: Number(exchange.header('content-length') ?? 0),
    },
    response: { status: exchange.status, headers: shown(exchange.head?.toObject() ?? {}), size: exchange.sentBytes },
    server: { hostname: machine, version: 'bailiwick' },
    upstream: exchange.upstreamAddress,
    ...common(exchange),
    ...(exchange.consumer ? { consumer: { username: exchange.consumer.username } } : {}),
    client_ip: exchange.remoteAddress,
    start_time: exchange.startedAtMs,
    latency: totalMs,
    ...(exchange.upstreamMs < 0 ? {} : { upstream_latency: exchange.upstreamMs }),
    apisix_latency: Math.max(0, totalMs - Math.max(0, exchange.upstreamMs)),
  };
}
