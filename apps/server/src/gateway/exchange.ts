/**
 * One request on its way through the gateway: what came in, what plugins have found out, what will go upstream, what came back. A class
 * with every field present from the start, so that all exchanges have one shape for the engine.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BailiwickError } from '@bailiwick/contract';
import type { Caller } from '../decisions/decision-service.js';
import type { LlmCall } from './ai/llm-call.js';
import type { ResponseHead } from './response-head.js';
import type { LocalService, Timeouts, UpstreamNode } from './upstreams/upstream-node.js';

/** What plugins may know of the route that was found. */
export interface RouteFacts {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The path of the route that matched, as written: `/a/*`. */
  readonly uri: string;
  /** The resources as they stand in the file, for plugins that pass them on (`opa` with `with_route`). */
  readonly route: Readonly<Record<string, unknown>>;
  readonly service: Readonly<Record<string, unknown>> | undefined;
}

/** Who an authentication plugin found, and what plugins he brings. */
export interface Consumer {
  readonly username: string;
  readonly groupId: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Plugins of the consumer over those of its group; credentials are not among them. */
  readonly plugins: Readonly<Record<string, unknown>>;
}

/** An upstream as the proxy needs it; `upstreams/upstream.ts` is the one there is. */
export interface UpstreamTarget {
  readonly id: string;
  readonly passHost: 'pass' | 'node' | 'rewrite';
  readonly rewrittenHost: string | undefined;
  readonly timeouts: Timeouts;
  /** Attempts after the first. */
  readonly retries: number;
  /** Milliseconds after which no further attempt is begun; 0: no bound. */
  readonly retryTimeoutMs: number;
  /** Set when the only node is a service of this process. */
  readonly local: LocalService | undefined;
  /** A node that was not tried yet. */
  pick(exchange: Exchange, tried: ReadonlySet<UpstreamNode> | undefined): UpstreamNode | undefined;
  /** What an attempt came to: a status, or why there was none. */
  observed(node: UpstreamNode, outcome: number | 'timeout' | 'connection'): void;
}

export interface RequestTarget {
  readonly path: string;
  readonly raw: string;
  readonly query: string;
}

const noParameters: Readonly<Record<string, string>> = Object.freeze({});

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** Decoded once, free of dot segments; what router and policy see. */
  readonly path: string;
  /** The path as it came. */
  readonly rawPath: string;
  /** The query without `?`, as it came. */
  readonly query: string;
  /** Lower case, without the port. */
  readonly host: string;
  readonly remoteAddress: string;
  readonly isTls: boolean;
  /** Epoch milliseconds. */
  readonly startedAtMs: number;
  /** `performance.now()` at the start. */
  readonly startedMs: number;
  readonly maxBodyBytes: number;

  parameters: Readonly<Record<string, string>> = noParameters;
  route: RouteFacts | undefined;
  /** Who an authentication plugin found among the file's consumers. */
  consumer: Consumer | undefined;
  /** Whose verified claims the policy sees. */
  caller: Caller | undefined;
  decisionId: string | undefined;
  requestId: string;
  traceId: string | undefined;

  /** What an LLM call is about, once an `ai-*` plugin has read it. */
  llm: LlmCall | undefined;

  /** What the upstream will see; plugins may change these. */
  upstreamMethod: string;
  upstreamPath: string;
  upstreamQuery: string;
  /** The `Host` that goes upstream, when a plugin says it. */
  upstreamHost: string | undefined;
  /** The upstream that was chosen instead of the route's (`traffic-split`). */
  upstream: UpstreamTarget | undefined;
  /** Set on (text, texts) or taken from (undefined) the request that goes upstream; lower-case names. */
  readonly upstreamHeaders = new Map<string, string | readonly string[] | undefined>();

  /** The answer's head, once there is one. */
  head: ResponseHead | undefined;
  status = 0;
  /** Where the answer came from. */
  source: 'gateway' | 'upstream' = 'gateway';
  /** Bytes of the answer's body that were sent. */
  sentBytes = 0;
  /** `host:port` that was asked last. */
  upstreamAddress = '';
  upstreamStatus = 0;
  /** Milliseconds from the request to the head of the upstream's answer; -1 when there was none. */
  upstreamMs = -1;
  /** True when a plugin waits for the whole body or has replaced it. */
  isBodyBuffered = false;

  #body: Promise<Buffer> | undefined;
  #replacedBody: Buffer | undefined;
  #variables: Map<string, string | number | boolean> | undefined;
  #state: Map<object, unknown> | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
    about: {
      readonly requestId: string;
      readonly host: string;
      readonly isTls: boolean;
      readonly maxBodyBytes: number;
    },
  ) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? 'GET';
    this.path = target.path;
    this.rawPath = target.raw;
    this.query = target.query;
    this.host = about.host;
    this.remoteAddress = plainAddress(request.socket.remoteAddress ?? '');
    this.isTls = about.isTls;
    this.startedAtMs = Date.now();
    this.startedMs = performance.now();
    this.maxBodyBytes = about.maxBodyBytes;
    this.requestId = about.requestId;
    this.upstreamMethod = this.method;
    this.upstreamPath = target.raw;
    this.upstreamQuery = target.query;
  }

  /** `name` in lower case; a header that came twice is joined. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === 'string' || value === undefined ? value : value.join(', ');
  }

  get hasBody(): boolean {
    const { headers } = this.request;
    const length = headers['content-length'];
    return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
  }

  /**
   * The whole request body, for plugins that must see it; it then goes upstream from memory. The same bytes at every call, or those that
   * `replaceBody` put there. Throws `gateway.body_too_large` (413) above the limit.
   */
  readBody(maxBytes = this.maxBodyBytes): Promise<Buffer> {
    this.isBodyBuffered = true;
    if (this.#replacedBody) return Promise.resolve(this.#replacedBody);
    this.#body ??= readWhole(this.request, this.response, maxBytes);
    return this.#body;
  }

  /** What goes upstream instead of the client's body. */
  replaceBody(body: Buffer): void {
    this.isBodyBuffered = true;
    this.#replacedBody = body;
  }

  /** Variables that plugins set for each other, for limits' keys and for logs: `llm_model`, `apisix_trace_id` … */
  setVariable(name: string, value: string | number | boolean): void {
    this.#variables ??= new Map();
    this.#variables.set(name, value);
  }

  ownVariable(name: string): string | number | boolean | undefined {
    return this.#variables?.get(name);
  }

  /** What one plugin keeps for itself between its phases; `key` is the plugin's own object. */
  stateOf<T>(key: object): T | undefined {
    return this.#state?.get(key) as T | undefined;
  }

  keepState(key: object, value: unknown): void {
    this.#state ??= new Map();
    this.#state.set(key, value);
  }
}

/** An IPv4 address that comes through an IPv6 socket in its plain form. */
export const plainAddress = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;

export const bodyTooLarge = (maxBytes: number): BailiwickError =>
  new BailiwickError('too-large', {
    reason: 'gateway.body_too_large',
    message: `The body is larger than the ${maxBytes} bytes that the gateway passes on.`,
  });

/** By events: an iterator of the stream costs several times as much for the one chunk that most bodies are. */
function readWhole(request: IncomingMessage, response: ServerResponse, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(bodyTooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      // What still comes is nobody's: the connection ends with the answer.
      request.off('data', onData).pause();
      response.shouldKeepAlive = false;
      reject(bodyTooLarge(maxBytes));
    };
    request.on('data', onData);
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes)));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new Error('the client went away before its body was whole'));
    });
  });
}
