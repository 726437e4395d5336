/** The head of the request that goes upstream: what the client sent, without what belongs to its own connection, with what plugins changed. */
import { BailiwickError } from '@bailiwick/contract';
import type { Exchange, UpstreamTarget } from './exchange.js';
import type { UpstreamNode } from './upstreams/upstream-node.js';

/** RFC 9110 7.6.1, and what the gateway says itself; `expect` has been answered here. */
const dropped = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'expect',
  'http2-settings',
  'host',
  'x-forwarded-for',
  'x-real-ip',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'forwarded',
]);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const badValue = /[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/;
const goodName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const badTarget = /[\u0000-\u0020\u007f]|[^\u0000-\u007f]/;
const goodHost = /^[A-Za-z0-9._~!$&'()*+,;=:[\]%-]*$/;

export interface HeadOptions {
  readonly traceHeaders: Readonly<Record<string, string>>;
  /** Bytes of a body whose length is known; undefined: none, or chunked. */
  readonly contentLength: number | undefined;
  readonly isChunked: boolean;
  /** For `Upgrade: websocket`. */
  readonly isUpgrade: boolean;
}

/** The `Host` the upstream sees. */
export function hostFor(exchange: Exchange, upstream: UpstreamTarget, node: UpstreamNode): string {
  if (exchange.upstreamHost !== undefined) return exchange.upstreamHost;
  if (upstream.passHost === 'node') return node.authority;
  if (upstream.passHost === 'rewrite') return upstream.rewrittenHost ?? node.authority;
  return exchange.request.headers.host ?? node.authority;
}

/** Throws `gateway.bad_header` (500) when a plugin's text could break the head apart. */
export function requestHead(exchange: Exchange, host: string, options: HeadOptions): string {
  const { request, upstreamHeaders: changed } = exchange;
  const target =
    exchange.upstreamQuery === '' ? exchange.upstreamPath : `${exchange.upstreamPath}?${exchange.upstreamQuery}`;
  if (badTarget.test(target) || !goodHost.test(host)) throw badHeader('the address');
  let head = `${exchange.upstreamMethod} ${target} HTTP/1.1\r\nhost: ${host}\r\n`;
  const listed = connectionNames(request.headers.connection);
  const raw = request.rawHeaders;
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    // Some upstreams read `X_User` as `X-User`: what may not come in the one spelling may not come in the other.
    const known = name.includes('_') ? name.replaceAll('_', '-') : name;
    if (dropped.has(known) || changed.has(known) || changed.has(name) || options.traceHeaders[known] !== undefined)
      continue;
    if (listed?.has(name)) continue;
    head += `${name}: ${raw[at + 1] ?? ''}\r\n`;
  }
  head += forwardingHeaders(exchange);
  for (const name in options.traceHeaders)
    if (!changed.has(name)) head += `${name}: ${options.traceHeaders[name] ?? ''}\r\n`;
  if (changed.size > 0) head += changedHeaders(changed);
  if (options.contentLength !== undefined) head += `content-length: ${options.contentLength}\r\n`;
  if (options.isChunked) head += 'transfer-encoding: chunked\r\n';
  if (options.isUpgrade) head += 'connection: upgrade\r\nupgrade: websocket\r\n';
  return `${head}\r\n`;
}

/** Headers that the client's Connection names belong to that connection only. */
function connectionNames(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
}

/** The last in the list is the one who spoke to us; what came before is the client's word. */
function forwardingHeaders(exchange: Exchange): string {
  const { request, remoteAddress, upstreamHeaders: changed } = exchange;
  const before = request.headers['x-forwarded-for'];
  const list =
    before === undefined ? remoteAddress : `${Array.isArray(before) ? before.join(', ') : before}, ${remoteAddress}`;
  let text = '';
  if (!changed.has('x-forwarded-for')) text += `x-forwarded-for: ${list}\r\n`;
  if (!changed.has('x-real-ip')) text += `x-real-ip: ${remoteAddress}\r\n`;
  if (!changed.has('x-forwarded-proto')) text += `x-forwarded-proto: ${exchange.isTls ? 'https' : 'http'}\r\n`;
  if (!changed.has('x-forwarded-host')) text += `x-forwarded-host: ${request.headers.host ?? ''}\r\n`;
  if (!changed.has('x-forwarded-port')) text += `x-forwarded-port: ${request.socket.localPort ?? ''}\r\n`;
  return text;
}

/** What frames the message is the gateway's to say, never a plugin's. */
const framing = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade', 'host']);

function changedHeaders(changed: Exchange['upstreamHeaders']): string {
  let text = '';
  for (const [name, value] of changed) {
    if (value === undefined || framing.has(name)) continue;
    if (typeof value === 'string') text += headerLine(name, value);
    else for (const one of value) text += headerLine(name, one);
  }
  return text;
}

function headerLine(name: string, value: string): string {
  if (!goodName.test(name) || badValue.test(value)) throw badHeader(`the header ${JSON.stringify(name.slice(0, 64))}`);
  return `${name}: ${value}\r\n`;
}

const badHeader = (what: string): BailiwickError =>
  new BailiwickError('internal', {
    reason: 'gateway.bad_header',
    message: 'A plugin made a request that cannot be sent.',
    operatorMessage: `${what} holds characters that HTTP does not allow`,
  });
