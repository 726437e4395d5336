/**
 * The embedded gateway: the one public address. Finds the route, runs its plugins as one compiled chain, proxies. `node:http` in and kept
 * connections of our own out: no framework on the data path. A reload swaps the whole table at once; a wrong file leaves the old one in
 * force.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { BailiwickError } from '@bailiwick/contract';
import type { ProblemAnswer } from '../http/problems.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { type ServerSpan, startServerSpan } from '../telemetry/tracing.js';
import { answerBrokenRequest } from './broken-request.js';
import { asAnswer, type Chain, type ResponsePhases } from './chain.js';
import { Exchange } from './exchange.js';
import { KeptState } from './kept-state.js';
import type { Outcome, PluginServices } from './plugin.js';
import { plugins } from './plugins/index.js';
import { requestIdPattern } from './plugins/request-id.js';
import { handOver, proxy } from './proxy.js';
import { readRequestPath } from './request-path.js';
import type { GatewayFile } from './resource-schemas.js';
import { sendAnswer } from './send-answer.js';
import { type CompiledRoute, Table } from './table.js';
import type { LocalServices } from './upstreams/upstream-node.js';

export interface GatewayOptions {
  readonly services: PluginServices;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly toProblem: (error: unknown, requestId: string) => ProblemAnswer;
  readonly upstreamTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly localServices: LocalServices;
  /** After each answer, for whoever counts. Must not throw. */
  readonly onAnswer?: (exchange: Exchange, status: number) => void;
  /** `/livez`, `/readyz`, `/metrics`: answered here, without a token. Undefined: not one of them. */
  readonly ownAnswer: (
    path: string,
  ) => Promise<{ readonly status: number; readonly type: string; readonly body: string }> | undefined;
}

const noPhases: ResponsePhases = {
  beforeProxy: undefined,
  requestFilter: undefined,
  headerFilter: undefined,
  bodyFilter: undefined,
  log: [],
};

/** One exchange with what the gateway itself keeps of it. */
interface Handling {
  readonly exchange: Exchange;
  readonly route: CompiledRoute | undefined;
  phases: ResponsePhases;
  readonly span: ServerSpan | undefined;
  isFinished: boolean;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  readonly #kept = new KeptState();
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
      (request, response) => this.#handle(request, response),
    );
    this.#server.maxHeadersCount = 200;
    this.#server.on('clientError', (error, socket) => answerBrokenRequest(error, socket));
  }

  /** Puts a file's routes in force, all at once; requests on their way end under the old ones. Throws, and changes nothing, when it cannot. */
  load(file: GatewayFile): void {
    this.#kept.begin();
    const { services, logger, localServices, upstreamTimeoutMs } = this.#options;
    const table = new Table(file, {
      plugins,
      services,
      logger,
      kept: this.#kept,
      localServices,
      upstreamTimeoutMs,
      lookUp: (text) => {
        throw new BailiwickError('unavailable', {
          reason: 'gateway.secret_unresolved',
          message: 'A secret that this route needs cannot be had now.',
          operatorMessage: text,
        });
      },
    });
    const before = this.#table;
    this.#table = table;
    void before?.close();
    void this.#kept.sweep();
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
    await this.#table?.close();
    for (const upstream of this.#table?.upstreams ?? []) upstream.destroy();
    await this.#kept.close();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    if (this.#isStopping) response.setHeader('connection', 'close');
    const target = readRequestPath(request.url ?? '/');
    const about = { requestId, host: hostOf(request), isTls: false, maxBodyBytes: this.#options.maxBodyBytes };
    if (target.kind === 'refused') {
      const exchange = new Exchange(request, response, { path: '/', raw: '/', query: '' }, about);
      this.#refuse(unrouted(exchange), badPath(target.why));
      return;
    }
    const exchange = new Exchange(request, response, target, about);
    const own =
      exchange.method === 'GET' || exchange.method === 'HEAD' ? this.#options.ownAnswer(target.path) : undefined;
    if (own) {
      void this.#answerOwn(exchange, own);
      return;
    }
    const match = this.#table?.router.find(exchange);
    if (match) {
      exchange.parameters = match.parameters;
      const { facts } = match.target;
      exchange.route = facts.uri === match.uri ? facts : { ...facts, uri: match.uri };
    }
    this.#begin(exchange, match?.target);
  }

  #begin(exchange: Exchange, route: CompiledRoute | undefined): void {
    const chain = route?.chain ?? this.#table?.globalChain;
    const span = startServerSpan(`${exchange.method} ${route?.facts.id ?? 'none'}`, exchange.request.headers, {
      'http.request.method': exchange.method,
      'url.path': exchange.path,
    });
    exchange.traceId = span.traceId;
    const handling: Handling = { exchange, route, phases: noPhases, span, isFinished: false };
    try {
      const outcome = chain?.run(exchange);
      if (outcome instanceof Promise)
        outcome.then(
          (settled) => this.#afterChain(handling, chain, settled),
          (error: unknown) => this.#failAfterChain(handling, chain, error),
        );
      else this.#afterChain(handling, chain, outcome);
    } catch (error) {
      this.#failAfterChain(handling, chain, error);
    }
  }

  #failAfterChain(handling: Handling, chain: Chain | undefined, error: unknown): void {
    handling.phases = chain?.responsePhases(handling.exchange) ?? noPhases;
    this.#refuse(handling, error);
  }

  #afterChain(handling: Handling, chain: Chain | undefined, outcome: Outcome): void {
    const { exchange } = handling;
    handling.phases = chain?.responsePhases(exchange) ?? noPhases;
    if (outcome) {
      this.#answer(handling, outcome);
      return;
    }
    if (!handling.route) {
      this.#refuse(handling, noRoute());
      return;
    }
    const { beforeProxy } = handling.phases;
    if (!beforeProxy) {
      this.#forward(handling, handling.route);
      return;
    }
    const { route } = handling;
    Promise.resolve()
      .then(() => beforeProxy(exchange))
      .then(
        (answer) => (answer ? this.#answer(handling, answer) : this.#forward(handling, route)),
        (error: unknown) => this.#refuse(handling, error),
      );
  }

  #forward(handling: Handling, route: CompiledRoute): void {
    const { exchange, phases } = handling;
    const upstream = exchange.upstream ?? route.upstream;
    if (!upstream) {
      this.#refuse(handling, noUpstream());
      return;
    }
    const traceHeaders = handling.span?.headers ?? {};
    if (upstream.local) {
      handOver(exchange, upstream.local, traceHeaders, () => this.#finish(handling));
      return;
    }
    const timeouts = route.timeouts ?? upstream.timeouts;
    proxy(exchange, upstream, { phases, traceHeaders, timeouts }, (error) => {
      if (error === undefined) this.#finish(handling);
      else this.#refuse(handling, error);
    });
  }

  #answer(handling: Handling, answer: NonNullable<Outcome>): void {
    try {
      sendAnswer(handling.exchange, answer, handling.phases, {
        toProblem: this.#options.toProblem,
        onDone: (error) => {
          if (error !== undefined) this.#logFault(handling.exchange, error);
          this.#finish(handling);
        },
      });
    } catch (error) {
      this.#logFault(handling.exchange, error);
      if (!handling.exchange.response.headersSent) handling.exchange.response.writeHead(500).end();
      else handling.exchange.response.destroy();
      this.#finish(handling);
    }
  }

  /** Ends the exchange with what an error means. */
  #refuse(handling: Handling, error: unknown): void {
    const answer = asAnswer(error);
    const problem = this.#options.toProblem(answer.body, handling.exchange.requestId);
    if (problem.isFault) this.#logFault(handling.exchange, error);
    this.#answer(handling, { ...answer, status: problem.status });
  }

  #logFault(exchange: Exchange, error: unknown): void {
    this.#options.logger.error(
      { request_id: exchange.requestId, route: exchange.route?.id, error },
      'gateway request failed',
    );
  }

  async #answerOwn(
    exchange: Exchange,
    own: Promise<{ readonly status: number; readonly type: string; readonly body: string }>,
  ): Promise<void> {
    const handling = unrouted(exchange);
    try {
      const { status, type, body } = await own;
      this.#answer(handling, { status, headers: { 'content-type': type, 'cache-control': 'no-store' }, body });
    } catch (error) {
      this.#refuse(handling, error);
    }
  }

  #finish(handling: Handling): void {
    if (handling.isFinished) return;
    handling.isFinished = true;
    const { exchange, phases, span } = handling;
    const { status } = exchange;
    for (const log of phases.log) {
      try {
        log(exchange);
      } catch (error) {
        this.#logFault(exchange, error);
      }
    }
    const seconds = (performance.now() - exchange.startedMs) / 1000;
    span?.end(status);
    const route = exchange.route?.id ?? 'none';
    this.#options.metrics.gatewayRequest({ route, status }, seconds);
    this.#options.onAnswer?.(exchange, status);
    if (!this.#options.logger.isLevelEnabled('info')) return;
    this.#options.logger.info({
      request_id: exchange.requestId,
      method: exchange.method,
      path: exchange.path,
      status,
      latency_ms: Math.round(seconds * 1e6) / 1000,
      route,
      ...(exchange.caller ? { actor: exchange.caller.actor } : {}),
      ...(exchange.consumer ? { consumer: exchange.consumer.username } : {}),
      ...(exchange.decisionId === undefined ? {} : { decision_id: exchange.decisionId }),
      ...(exchange.traceId === undefined ? {} : { trace_id: exchange.traceId }),
    });
  }
}

const unrouted = (exchange: Exchange): Handling => ({
  exchange,
  route: undefined,
  phases: noPhases,
  span: undefined,
  isFinished: false,
});

/** `error_msg` beside the problem's members is what APISIX says. */
const noRoute = (): BailiwickError =>
  new BailiwickError('not-found', {
    reason: 'gateway.no_route',
    message: 'No route of the gateway fits this request.',
    extra: { error_msg: '404 Route Not Found' },
  });

const badPath = (why: string): BailiwickError =>
  new BailiwickError('invalid', { reason: 'gateway.bad_path', message: `The gateway refuses this address: ${why}.` });

const noUpstream = (): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'gateway.no_upstream',
    message: 'This route leads nowhere: it has no upstream and none of its plugins answered.',
  });

const hostOf = (request: IncomingMessage): string => {
  const host = request.headers.host ?? '';
  const colon = host.lastIndexOf(':');
  return (colon > 0 && !host.endsWith(']') ? host.slice(0, colon) : host).toLowerCase();
};
