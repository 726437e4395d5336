/**
 * The request's variables by nginx's and APISIX's names (`remote_addr`, `http_x_tenant`, `arg_page`, `cookie_sid`, `uri_param_id`,
 * `consumer_name` …), for conditions, limits' keys, hashing, rewriting and logs. A name is looked up once, at compile time; what comes of
 * it is a function of the exchange.
 */
import { hostname } from 'node:os';
import type { Exchange } from './exchange.js';

export type VariableValue = string | number | boolean | undefined;
export type ReadVariable = (exchange: Exchange) => VariableValue;

const machine = hostname();
const seconds = (ms: number): string => (ms / 1000).toFixed(3);
const requestUri = (exchange: Exchange): string =>
  exchange.query === '' ? exchange.rawPath : `${exchange.rawPath}?${exchange.query}`;

const fixed: Readonly<Record<string, ReadVariable>> = {
  uri: (exchange) => exchange.path,
  document_uri: (exchange) => exchange.path,
  request_uri: requestUri,
  upstream_uri: (exchange) => exchange.upstreamPath,
  method: (exchange) => exchange.method,
  request_method: (exchange) => exchange.method,
  scheme: (exchange) => (exchange.isTls ? 'https' : 'http'),
  https: (exchange) => (exchange.isTls ? 'on' : ''),
  host: (exchange) => exchange.host,
  hostname: () => machine,
  args: (exchange) => exchange.query,
  query_string: (exchange) => exchange.query,
  is_args: (exchange) => (exchange.query === '' ? '' : '?'),
  remote_addr: (exchange) => exchange.remoteAddress,
  remote_port: (exchange) => exchange.request.socket.remotePort,
  server_addr: (exchange) => exchange.request.socket.localAddress,
  server_port: (exchange) => exchange.request.socket.localPort,
  server_name: (exchange) => exchange.host,
  server_protocol: (exchange) => `HTTP/${exchange.request.httpVersion}`,
  request: (exchange) => `${exchange.method} ${requestUri(exchange)} HTTP/${exchange.request.httpVersion}`,
  content_type: (exchange) => exchange.header('content-type'),
  content_length: (exchange) => exchange.header('content-length'),
  request_id: (exchange) => exchange.requestId,
  route_id: (exchange) => exchange.route?.id,
  route_name: (exchange) => exchange.route?.name,
  service_id: (exchange) => exchange.route?.serviceId,
  service_name: (exchange) => exchange.route?.serviceName,
  matched_uri: (exchange) => exchange.route?.uri,
  consumer_name: (exchange) => exchange.consumer?.username,
  consumer_group_id: (exchange) => exchange.consumer?.groupId,
  status: (exchange) => exchange.status,
  body_bytes_sent: (exchange) => exchange.sentBytes,
  bytes_sent: (exchange) => exchange.sentBytes,
  request_length: (exchange) => Number(exchange.header('content-length') ?? 0),
  request_time: (exchange) => seconds(performance.now() - exchange.startedMs),
  balancer_ip: (exchange) => exchange.upstreamAddress.replace(/:\d+$/, ''),
  balancer_port: (exchange) => exchange.upstreamAddress.slice(exchange.upstreamAddress.lastIndexOf(':') + 1),
  upstream_addr: (exchange) => exchange.upstreamAddress,
  upstream_status: (exchange) => (exchange.upstreamStatus === 0 ? undefined : exchange.upstreamStatus),
  upstream_response_time: (exchange) => (exchange.upstreamMs < 0 ? undefined : seconds(exchange.upstreamMs)),
  msec: () => seconds(Date.now()),
  time_iso8601: () => new Date().toISOString(),
  redis_cmd_line: () => undefined,
};

const families: readonly (readonly [prefix: string, read: (name: string) => ReadVariable])[] = [
  [
    'http_',
    (name) => {
      const header = name.toLowerCase().replaceAll('_', '-');
      return (exchange) => exchange.header(header);
    },
  ],
  ['arg_', (name) => (exchange) => argument(exchange.query, name)],
  ['cookie_', (name) => (exchange) => cookie(exchange.header('cookie'), name)],
  ['uri_param_', (name) => (exchange) => exchange.parameters[name]],
  [
    'sent_http_',
    (name) => {
      const header = name.replaceAll('_', '-');
      return (exchange) => exchange.head?.get(header);
    },
  ],
];

/** Never fails: a name that nobody knows is a variable that a plugin may set. */
export function readerOf(name: string): ReadVariable {
  const known = Object.hasOwn(fixed, name) ? fixed[name] : undefined;
  if (known) return known;
  for (const [prefix, read] of families) if (name.startsWith(prefix)) return read(name.slice(prefix.length));
  return (exchange) => exchange.ownVariable(name);
}

/** The first value of a query parameter, decoded. */
export function argument(query: string, name: string): string | undefined {
  if (query === '') return undefined;
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    if (decodeQuery(equals < 0 ? part : part.slice(0, equals)) === name)
      return equals < 0 ? '' : decodeQuery(part.slice(equals + 1));
  }
  return undefined;
}

export function decodeQuery(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

export function cookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim();
  }
  return undefined;
}

/** A text with `$name` and `${name}` in it, compiled; a variable without a value is empty. */
export function templateOf(text: string): (exchange: Exchange) => string {
  if (!text.includes('$')) return () => text;
  const parts: (string | ReadVariable)[] = [];
  let last = 0;
  for (const match of text.matchAll(/\$(?:\{([A-Za-z_][\w-]*)\}|([A-Za-z_]\w*))/g)) {
    parts.push(text.slice(last, match.index), readerOf(match[1] ?? match[2] ?? ''));
    last = match.index + match[0].length;
  }
  parts.push(text.slice(last));
  return (exchange) => {
    let result = '';
    for (const part of parts) result += typeof part === 'string' ? part : (part(exchange) ?? '');
    return result;
  };
}
