/** Sends one exchange upstream and its answer back, streaming both ways without buffering. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { BailiwickError } from '@bailiwick/contract';
import type { Dispatcher } from 'undici';
import type { Exchange } from './plugin.js';
import type { Upstream } from './upstream.js';

/** RFC 9110 7.6.1; `expect` has been answered here. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
]);

export interface ProxyOptions {
  readonly maxBodyBytes: number;
  /** `traceparent`, `tracestate`. */
  readonly traceHeaders: Readonly<Record<string, string>>;
}

/** Resolves when the answer has been sent whole; rejects with a refusal while nothing has been sent, destroys the response after that. */
export async function proxy(exchange: Exchange, upstream: Upstream, options: ProxyOptions): Promise<void> {
  const node = upstream.pick();
  if (!node)
    throw new BailiwickError('unavailable', {
      reason: 'gateway.no_node',
      message: 'The service behind this route has no node.',
      retryAfterSeconds: 5,
    });
  const { request } = exchange;
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > options.maxBodyBytes) throw tooLarge(options.maxBodyBytes);
  const hasBody = declared > 0 || request.headers['transfer-encoding'] !== undefined;
  await new Promise<void>((resolve, reject) => {
    node.pool.dispatch(
      {
        method: exchange.method as Dispatcher.HttpMethod,
        path: exchange.query === '' ? exchange.upstreamPath : `${exchange.upstreamPath}?${exchange.query}`,
        headers: upstreamHeaders(exchange, upstream.passesHost ? undefined : node.authority, options.traceHeaders),
        body: hasBody ? Readable.from(limited(exchange, options.maxBodyBytes, reject), { objectMode: false }) : null,
      },
      responder(exchange, resolve, reject),
    );
  });
}

/** Gives the exchange to a service of this process: the same request and response, without a connection between. */
export async function handOver(
  exchange: Exchange,
  service: (request: IncomingMessage, response: ServerResponse) => void,
  traceHeaders: Readonly<Record<string, string>>,
): Promise<void> {
  const { request, response } = exchange;
  // Nobody stands between the client and us, so what it says of those who do is not to be believed.
  for (const name of ['x-forwarded-for', 'x-real-ip', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'])
    delete request.headers[name];
  for (const [name, value] of exchange.upstreamHeaders) {
    if (value === undefined) delete request.headers[name];
    else request.headers[name] = value;
  }
  Object.assign(request.headers, traceHeaders);
  request.url = exchange.query === '' ? exchange.upstreamPath : `${exchange.upstreamPath}?${exchange.query}`;
  await new Promise<void>((resolve) => {
    response.once('close', resolve);
    service(request, response);
  });
}

function responder(
  exchange: Exchange,
  resolve: () => void,
  reject: (error: unknown) => void,
): Dispatcher.DispatchHandler {
  const { response } = exchange;
  let abort: (() => void) | undefined;
  let isDone = false;
  const onClose = (): void => {
    // The client went away: the upstream need not go on.
    if (!isDone) abort?.();
  };
  response.once('close', onClose);
  const finish = (error?: unknown): void => {
    if (isDone) return;
    isDone = true;
    response.off('close', onClose);
    if (error !== undefined && !response.headersSent) {
      reject(asRefusal(error));
      return;
    }
    if (error !== undefined) response.destroy();
    resolve();
  };
  return {
    onRequestStart(controller) {
      abort = () => controller.abort(new Error('the client went away'));
      if (response.destroyed) abort();
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200) return;
      for (const name in headers) {
        const value = headers[name];
        if (value !== undefined && !hopByHop.has(name) && !response.hasHeader(name)) response.setHeader(name, value);
      }
      response.writeHead(status);
      response.flushHeaders();
    },
    onResponseData(controller, chunk) {
      if (response.write(chunk)) return;
      controller.pause();
      response.once('drain', () => controller.resume());
    },
    onResponseEnd() {
      response.end(() => finish());
    },
    onResponseError(_controller, error) {
      finish(error);
    },
  };
}

function upstreamHeaders(
  exchange: Exchange,
  host: string | undefined,
  traceHeaders: Readonly<Record<string, string>>,
): string[] {
  const { request, upstreamHeaders: changed } = exchange;
  const listed =
    request.headers.connection
      ?.toLowerCase()
      .split(',')
      .map((name) => name.trim()) ?? [];
  const result: string[] = [];
  const raw = request.rawHeaders;
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    if (
      hopByHop.has(name) ||
      listed.includes(name) ||
      changed.has(name) ||
      isForwarding(name) ||
      traceHeaders[name] !== undefined
    )
      continue;
    if (name === 'host' && host !== undefined) continue;
    result.push(name, raw[index + 1] ?? '');
  }
  if (host !== undefined) result.push('host', host);
  for (const [name, value] of changed) if (value !== undefined) result.push(name, value);
  for (const name in traceHeaders) result.push(name, traceHeaders[name] ?? '');
  // The last in the list is the one who spoke to us; what came before is the client's word.
  const address = request.socket.remoteAddress ?? '';
  const before = request.headers['x-forwarded-for'];
  result.push(
    'x-forwarded-for',
    before === undefined ? address : `${Array.isArray(before) ? before.join(', ') : before}, ${address}`,
  );
  result.push('x-real-ip', address, 'x-forwarded-proto', 'http', 'x-forwarded-host', request.headers.host ?? '');
  return result;
}

const isForwarding = (name: string): boolean =>
  name === 'x-forwarded-for' ||
  name === 'x-real-ip' ||
  name === 'x-forwarded-proto' ||
  name === 'x-forwarded-host' ||
  name === 'forwarded';

/** The request's body, ended with an error when it grows beyond the limit. */
async function* limited(
  exchange: Exchange,
  maxBytes: number,
  reject: (error: unknown) => void,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      const error = tooLarge(maxBytes);
      reject(error);
      throw error;
    }
    yield chunk;
  }
}

const tooLarge = (max: number): BailiwickError =>
  new BailiwickError('too-large', {
    reason: 'gateway.body_too_large',
    message: `The body is larger than the ${max} bytes that the gateway passes on.`,
  });

function asRefusal(error: unknown): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
    return new BailiwickError('timeout', {
      reason: 'gateway.upstream_timeout',
      message: 'The service behind this route did not answer in time.',
      cause: error,
    });
  if (typeof error === 'object' && error !== null && Symbol.for('bailiwick.error') in error) return error;
  return new BailiwickError('unavailable', {
    reason: 'gateway.upstream_unreachable',
    message: 'The service behind this route cannot be reached.',
    retryAfterSeconds: 2,
    cause: error,
    operatorMessage: code,
  });
}
