/**
 * Sends one exchange upstream and its answer back, streaming both ways without buffering: chooses a node, tries another one where that is
 * safe, runs the response's filters, and lets go of the upstream when the client goes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BailiwickError, isBailiwickError } from '@bailiwick/contract';
import type { ResponsePhases } from './chain.js';
import { bodyTooLarge, type Exchange, type UpstreamTarget } from './exchange.js';
import { ResponseHead } from './response-head.js';
import { endWith, sendHead } from './send-answer.js';
import { hostFor, requestHead } from './upstream-request.js';
import { type Connection, type ResponseReceiver, UpstreamError, type UpstreamRequest } from './upstreams/connection.js';
import type { Timeouts, UpstreamNode } from './upstreams/upstream-node.js';

export interface ProxyOptions {
  readonly phases: ResponsePhases;
  /** `traceparent`, `tracestate`. */
  readonly traceHeaders: Readonly<Record<string, string>>;
  /** The route's, over the upstream's. */
  readonly timeouts: Timeouts;
}

/** RFC 9110 7.6.1. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** May be asked again when it is not known whether the first upstream acted (RFC 9110 9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Says that it has no body, where others need not (RFC 9110 8.6). */
const saysItsLength = new Set(['POST', 'PUT', 'PATCH']);

/** `onDone` once: with a refusal while nothing has been sent, without when the answer has gone or broken off. */
export function proxy(
  exchange: Exchange,
  upstream: UpstreamTarget,
  options: ProxyOptions,
  onDone: (error?: unknown) => void,
): void {
  new Forwarding(exchange, upstream, options, onDone).start();
}

class Forwarding implements ResponseReceiver {
  readonly #exchange: Exchange;
  readonly #upstream: UpstreamTarget;
  readonly #options: ProxyOptions;
  readonly #onDone: (error?: unknown) => void;
  readonly #startedMs = performance.now();
  #node: UpstreamNode | undefined;
  #tried: Set<UpstreamNode> | undefined;
  #attempts = 0;
  #sentMs = 0;
  #giveUp: (() => void) | undefined;
  #connection: Connection | undefined;
  #held: Buffer | undefined;
  #body: Buffer | undefined;
  #isBodyBegun = false;
  #streamedBytes = 0;
  #isDone = false;

  constructor(exchange: Exchange, upstream: UpstreamTarget, options: ProxyOptions, onDone: (error?: unknown) => void) {
    this.#exchange = exchange;
    this.#upstream = upstream;
    this.#options = options;
    this.#onDone = onDone;
  }

  start(): void {
    const exchange = this.#exchange;
    exchange.response.once('close', () => this.#clientClosed());
    if (!exchange.isBodyBuffered) {
      this.#attempt();
      return;
    }
    exchange.readBody().then(
      (body) => {
        this.#body = body;
        this.#attempt();
      },
      (error: unknown) => this.#finish(error),
    );
  }

  #attempt(): void {
    const node = this.#upstream.pick(this.#exchange, this.#tried);
    if (!node) {
      this.#finish(noNode());
      return;
    }
    this.#node = node;
    this.#attempts += 1;
    this.#exchange.upstreamAddress = node.address;
    try {
      const host = hostFor(this.#exchange, this.#upstream, node);
      const request = this.#request(host);
      node.active += 1;
      this.#sentMs = performance.now();
      this.#giveUp = node.pool.send(request, this, host);
    } catch (error) {
      this.#finish(error);
    }
  }

  #request(host: string): UpstreamRequest {
    const { request, maxBodyBytes, upstreamMethod } = this.#exchange;
    const { phases, timeouts, traceHeaders } = this.#options;
    const declared = request.headers['content-length'];
    if (Number(declared ?? 0) > maxBodyBytes) throw bodyTooLarge(maxBodyBytes);
    const filter = phases.requestFilter;
    const streams = this.#body === undefined && this.#exchange.hasBody;
    const isChunked = streams && (declared === undefined || filter !== undefined);
    const contentLength =
      this.#body === undefined
        ? streams && !isChunked
          ? Number(declared)
          : declared === '0' || (!streams && saysItsLength.has(upstreamMethod))
            ? 0
            : undefined
        : this.#body.length;
    return {
      method: upstreamMethod,
      head: requestHead(this.#exchange, host, { traceHeaders, contentLength, isChunked, isUpgrade: false }),
      body: this.#body ?? (streams ? request : undefined),
      isChunked,
      onBodyChunk: streams ? this.#countBody : undefined,
      sendTimeoutMs: timeouts.sendMs,
      readTimeoutMs: timeouts.readMs,
    };
  }

  readonly #countBody = (chunk: Buffer, isLast: boolean): Buffer => {
    this.#isBodyBegun = true;
    this.#streamedBytes += chunk.length;
    if (this.#streamedBytes > this.#exchange.maxBodyBytes) throw bodyTooLarge(this.#exchange.maxBodyBytes);
    const filter = this.#options.phases.requestFilter;
    return filter ? filter(this.#exchange, chunk, isLast) : chunk;
  };

  onHead(status: number, raw: string[], connection: Connection): void {
    const exchange = this.#exchange;
    if (status === 101) {
      this.#giveUp?.();
      this.onError(new UpstreamError('broken', 'the upstream changed protocols without being asked'));
      return;
    }
    this.#connection = connection;
    exchange.upstreamStatus = status;
    exchange.upstreamMs = performance.now() - this.#sentMs;
    if (this.#node) {
      this.#upstream.observed(this.#node, status);
      this.#node.measured(exchange.upstreamMs, performance.now());
    }
    exchange.source = 'upstream';
    const head = new ResponseHead(status, endToEnd(raw));
    try {
      sendHead(exchange, head, this.#options.phases);
    } catch (error) {
      this.#giveUp?.();
      this.#finish(error);
    }
  }

  onData(chunk: Buffer): void {
    if (this.#isDone) return;
    if (this.#held) this.#write(this.#held);
    this.#held = this.#filtered(chunk, false);
  }

  onPause(): void {
    if (this.#isDone || this.#exchange.status === 0) return;
    const held = this.#held;
    this.#held = undefined;
    if (held && held.length > 0) this.#write(held);
    else this.#exchange.response.flushHeaders();
  }

  onEnd(): void {
    if (this.#isDone) return;
    const { response } = this.#exchange;
    let last = this.#held;
    this.#held = undefined;
    if (this.#options.phases.bodyFilter) {
      const rest = this.#filtered(Buffer.alloc(0), true);
      last = last && rest ? Buffer.concat([last, rest]) : (rest ?? last);
    }
    if (this.#isDone) return;
    if (last && last.length > 0) {
      this.#exchange.sentBytes += last.length;
      endWith(response, last);
    } else response.end();
    this.#finish();
  }

  onError(error: UpstreamError): void {
    if (this.#isDone) return;
    const node = this.#node;
    if (node)
      this.#upstream.observed(
        node,
        error.fault === 'timeout' || error.fault === 'connect-timeout' ? 'timeout' : 'connection',
      );
    if (this.#exchange.status !== 0) {
      // What has been sent cannot be taken back: the client must see that it is not whole.
      this.#exchange.response.destroy();
      this.#finish();
      return;
    }
    this.#exchange.source = 'gateway';
    if (!this.#mayTryAgain(error)) {
      this.#finish(asRefusal(error));
      return;
    }
    if (node) {
      node.active -= 1;
      this.#node = undefined;
      // A kept connection that had gone stale says nothing of the node.
      if (error.fault === 'closed' && error.isUnsent) this.#attempts -= 1;
      else {
        this.#tried ??= new Set();
        this.#tried.add(node);
      }
    }
    this.#attempt();
  }

  #mayTryAgain(error: UpstreamError): boolean {
    const { retries, retryTimeoutMs } = this.#upstream;
    if (this.#isBodyBegun || this.#exchange.response.destroyed || isBailiwickError(error.cause)) return false;
    const isStale = error.fault === 'closed' && error.isUnsent;
    const isSafe = idempotent.has(this.#exchange.upstreamMethod) || (error.isUnsent && !isStale);
    if (!isSafe) return false;
    if (isStale) return true;
    if (retryTimeoutMs > 0 && performance.now() - this.#startedMs >= retryTimeoutMs) return false;
    return this.#attempts <= retries;
  }

  #filtered(chunk: Buffer, isLast: boolean): Buffer | undefined {
    const filter = this.#options.phases.bodyFilter;
    if (!filter) return chunk;
    try {
      return filter(this.#exchange, chunk, isLast);
    } catch (error) {
      this.#giveUp?.();
      this.#exchange.response.destroy();
      this.#finish(error);
      return undefined;
    }
  }

  #write(chunk: Buffer): void {
    if (chunk.length === 0) return;
    const { response } = this.#exchange;
    this.#exchange.sentBytes += chunk.length;
    if (response.write(chunk)) return;
    this.#connection?.pause();
    response.once('drain', () => this.#connection?.resume());
  }

  /** The client went away: the upstream need not go on. */
  #clientClosed(): void {
    if (this.#isDone) return;
    this.#giveUp?.();
    this.#finish();
  }

  #finish(error?: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#node) this.#node.active -= 1;
    this.#onDone(error);
  }
}

/** Without what belongs to the upstream's connection, and without its `Server`: that is the gateway. */
function endToEnd(raw: string[]): string[] {
  let kept = 0;
  let listed: ReadonlySet<string> | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (name.length === 10 && name.toLowerCase() === 'connection') listed = namesIn(raw[at + 1] ?? '');
  }
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    if (hopByHop.has(name) || name === 'server' || listed?.has(name)) continue;
    raw[kept] = raw[at] ?? '';
    raw[kept + 1] = raw[at + 1] ?? '';
    kept += 2;
  }
  raw.length = kept;
  return raw;
}

function namesIn(connection: string): ReadonlySet<string> | undefined {
  if (/^(keep-alive|close)$/i.test(connection)) return undefined;
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
}

const saidOfOthers = ['x-forwarded-for', 'x-real-ip', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'] as const;

/** Gives the exchange to a service of this process: the same request and response, without a connection between. */
export function handOver(
  exchange: Exchange,
  service: (request: IncomingMessage, response: ServerResponse) => void,
  traceHeaders: Readonly<Record<string, string>>,
  onDone: () => void,
): void {
  const { request, response } = exchange;
  const { headers } = request;
  // Nobody stands between the client and us, so what it says of those who do is not to be believed. Deleting what is not there costs too.
  for (const name of saidOfOthers) if (headers[name] !== undefined) delete headers[name];
  // The log lines of both, and the answer, have one id.
  headers['x-request-id'] = exchange.requestId;
  for (const [name, value] of exchange.upstreamHeaders) {
    if (value === undefined) delete headers[name];
    else headers[name] = typeof value === 'string' ? value : value.join(', ');
  }
  Object.assign(headers, traceHeaders);
  request.url =
    exchange.upstreamQuery === '' ? exchange.upstreamPath : `${exchange.upstreamPath}?${exchange.upstreamQuery}`;
  response.once('close', () => {
    exchange.status = response.statusCode;
    onDone();
  });
  service(request, response);
}

const noNode = (): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'gateway.no_node',
    message: 'The service behind this route has no node.',
    retryAfterSeconds: 5,
  });

function asRefusal(error: UpstreamError): unknown {
  if (isBailiwickError(error.cause)) return error.cause;
  if (error.fault === 'timeout' || error.fault === 'connect-timeout')
    return new BailiwickError('timeout', {
      reason: 'gateway.upstream_timeout',
      message: 'The service behind this route did not answer in time.',
      cause: error,
    });
  return new BailiwickError('unavailable', {
    reason: 'gateway.upstream_unreachable',
    message: 'The service behind this route cannot be reached.',
    retryAfterSeconds: 2,
    cause: error,
    operatorMessage: error.message,
  });
}
