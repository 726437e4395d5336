/**
 * The embedded gateway: the one public address. Finds the route, runs its plugins as one compiled chain, proxies. `node:http` in and
 * undici out: no framework on the data path. A reload swaps the whole table at once; a wrong file leaves the old one in force.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { BailiwickError } from '@bailiwick/contract';
import type { ProblemAnswer } from '../http/problems.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { type ServerSpan, startServerSpan } from '../telemetry/tracing.js';
import type { GatewayFile, RouteDefinition, UpstreamDefinition } from './apisix-file.js';
import type { Exchange, Handler, PluginServices, Refusal } from './plugin.js';
import { plugins } from './plugins/index.js';
import { requestIdPattern } from './plugins/request-id.js';
import { handOver, proxy } from './proxy.js';
import { readRequestPath } from './request-path.js';
import { type RouteMatch, Router } from './router.js';
import { type LocalServices, Upstream } from './upstream.js';

export interface GatewayOptions {
  readonly services: PluginServices;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly toProblem: (error: unknown, requestId: string) => ProblemAnswer;
  readonly upstreamTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly localServices: LocalServices;
  /** `/livez`, `/readyz`, `/metrics`: answered here, without a token. Undefined: not one of them. */
  readonly ownAnswer: (
    path: string,
  ) => Promise<{ readonly status: number; readonly type: string; readonly body: string }> | undefined;
}

interface CompiledRoute {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly chain: readonly Handler[];
  readonly upstream: Upstream;
}

interface Table {
  readonly router: Router<CompiledRoute>;
  readonly upstreams: readonly Upstream[];
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  #table: Table | undefined;
  #isStopping = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: 32 * 1024,
        requestTimeout: 300_000,
        headersTimeout: 15_000,
        keepAliveTimeout: 65_000,
        connectionsCheckingInterval: 5_000,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxHeadersCount = 200;
    this.#server.on('clientError', (error, socket) => answerBrokenRequest(error, socket));
  }

  /** Puts a file's routes in force, all at once; requests on their way end under the old ones. */
  load(file: GatewayFile): void {
    const shared = new Map(
      (file.upstreams ?? []).map((definition) => [
        String(definition.id),
        this.#upstream(definition, definition.timeout),
      ]),
    );
    const created: Upstream[] = [...shared.values()];
    const matchers = file.routes
      .filter((route) => route.status !== 0)
      .map((route) => {
        const upstream = route.upstream
          ? this.#upstream(route.upstream, route.timeout ?? route.upstream.timeout)
          : shared.get(String(route.upstream_id));
        if (!upstream) throw new Error(`route ${route.id} has no upstream`);
        if (route.upstream) created.push(upstream);
        return {
          paths: route.uris ?? [route.uri ?? '/'],
          hosts: route.hosts ?? (route.host === undefined ? [] : [route.host]),
          methods: route.methods ?? [],
          priority: route.priority ?? 0,
          target: this.#compile(route, upstream),
        };
      });
    const before = this.#table;
    this.#table = { router: new Router(matchers), upstreams: created };
    for (const upstream of before?.upstreams ?? []) void upstream.close();
  }

  #upstream(definition: UpstreamDefinition, timeout: UpstreamDefinition['timeout']): Upstream {
    return new Upstream(
      definition,
      {
        connectMs: (timeout?.connect ?? 5) * 1000,
        readMs: timeout ? timeout.read * 1000 : this.#options.upstreamTimeoutMs,
      },
      this.#options.localServices,
    );
  }

  #compile(route: RouteDefinition, upstream: Upstream): CompiledRoute {
    const chain = Object.entries(route.plugins ?? {})
      .flatMap(([name, configuration]) => {
        const plugin = plugins.get(name);
        return plugin
          ? [{ priority: plugin.priority, access: plugin.compile(configuration, this.#options.services).access }]
          : [];
      })
      .sort((a, b) => b.priority - a.priority)
      .map(({ access }) => access);
    return { id: String(route.id), labels: route.labels ?? {}, chain, upstream };
  }

  /** Resolves with the port it listens on. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** Stops accepting, lets requests on their way finish within `graceMs`, then cuts. */
  async close(graceMs = 10_000): Promise<void> {
    this.#isStopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
    await Promise.all((this.#table?.upstreams ?? []).map((upstream) => upstream.close()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedNs = process.hrtime.bigint();
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    if (this.#isStopping) response.setHeader('connection', 'close');
    let route = 'none';
    let exchange: Exchange | undefined;
    let span: ServerSpan | undefined;
    try {
      const target = readRequestPath(request.url ?? '/');
      if (target.kind === 'refused')
        throw new BailiwickError('invalid', {
          reason: 'gateway.bad_path',
          message: `The gateway refuses this address: ${target.why}.`,
        });
      const own =
        request.method === 'GET' || request.method === 'HEAD' ? this.#options.ownAnswer(target.path) : undefined;
      if (own) {
        route = 'own';
        const { status, type, body } = await own;
        response
          .writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-request-id': requestId })
          .end(request.method === 'HEAD' ? undefined : body);
        return;
      }
      const match = this.#table?.router.find(request.method ?? 'GET', hostOf(request), target.path);
      if (!match)
        throw new BailiwickError('not-found', {
          reason: 'gateway.no_route',
          message: 'No route of the gateway fits this request.',
        });
      route = match.target.id;
      exchange = exchangeOf(request, response, target, match, requestId);
      span = startServerSpan(`${exchange.method} ${route}`, request.headers, {
        'http.request.method': exchange.method,
        'url.path': exchange.path,
      });
      const refusal = await runChain(match.target.chain, exchange);
      if (refusal) this.#refuse(response, refusal, exchange.requestId);
      else if (match.target.upstream.local) await handOver(exchange, match.target.upstream.local, span.headers);
      else
        await proxy(exchange, match.target.upstream, {
          maxBodyBytes: this.#options.maxBodyBytes,
          traceHeaders: span.headers,
        });
    } catch (error) {
      this.#fail(response, error, exchange?.requestId ?? requestId);
    } finally {
      this.#finish(request, response, {
        route,
        startedNs,
        requestId: exchange?.requestId ?? requestId,
        exchange,
        span,
      });
    }
  }

  #refuse(response: ServerResponse, refusal: Refusal, requestId: string): void {
    const problem = this.#options.toProblem(refusal.body, requestId);
    send(
      response,
      { ...problem, status: refusal.status, headers: { ...problem.headers, ...refusal.headers } },
      requestId,
    );
  }

  #fail(response: ServerResponse, error: unknown, requestId: string): void {
    const problem = this.#options.toProblem(error, requestId);
    if (problem.isFault && problem.status === 500)
      this.#options.logger.error({ request_id: requestId, error }, 'gateway request failed');
    if (response.headersSent) response.destroy();
    else send(response, problem, requestId);
  }

  #finish(
    request: IncomingMessage,
    response: ServerResponse,
    about: {
      route: string;
      startedNs: bigint;
      requestId: string;
      exchange: Exchange | undefined;
      span: ServerSpan | undefined;
    },
  ): void {
    const seconds = Number(process.hrtime.bigint() - about.startedNs) / 1e9;
    const status = response.statusCode;
    about.span?.end(status);
    this.#options.metrics.gatewayRequest({ route: about.route, status }, seconds);
    this.#options.logger.info({
      request_id: about.requestId,
      method: request.method,
      path: about.exchange?.path ?? (request.url ?? '').split('?', 1)[0],
      status,
      latency_ms: Math.round(seconds * 1e6) / 1000,
      route: about.route,
      ...(about.exchange?.caller ? { actor: about.exchange.caller.actor } : {}),
      ...(about.exchange?.decisionId === undefined ? {} : { decision_id: about.exchange.decisionId }),
      ...(about.span?.traceId === undefined ? {} : { trace_id: about.span.traceId }),
    });
  }
}

async function runChain(chain: readonly Handler[], exchange: Exchange): Promise<Refusal | undefined> {
  for (const handler of chain) {
    const outcome = handler(exchange);
    const refusal = outcome instanceof Promise ? await outcome : outcome;
    if (refusal) return refusal;
  }
  return undefined;
}

function exchangeOf(
  request: IncomingMessage,
  response: ServerResponse,
  target: { path: string; raw: string; query: string },
  match: RouteMatch<CompiledRoute>,
  requestId: string,
): Exchange {
  return {
    request,
    response,
    method: request.method ?? 'GET',
    path: target.path,
    query: target.query,
    parameters: match.parameters,
    labels: match.target.labels,
    upstreamPath: target.raw,
    requestId,
    caller: undefined,
    decisionId: undefined,
    upstreamHeaders: new Map(),
  };
}

const hostOf = (request: IncomingMessage): string => (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();

function send(response: ServerResponse, problem: ProblemAnswer, requestId: string): void {
  if (response.destroyed) return;
  response.writeHead(problem.status, { ...problem.headers, 'x-request-id': requestId });
  response.end(JSON.stringify(problem.body));
}

/** What Node's parser refuses: smuggling attempts, oversized headers. The connection cannot be trusted any more. */
function answerBrokenRequest(
  error: Error & { code?: string },
  socket: { writable: boolean; end(text: string): unknown; destroy(): unknown },
): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const [status, title] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request'];
  const body = JSON.stringify({
    type: 'about:blank',
    title,
    status,
    code: 'validation_error',
    reason: 'gateway.broken_request',
    detail: 'The request is not well-formed HTTP.',
    request_id: '',
  });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
