/**
 * The embedded gateway: the one public address. Finds the route, runs its plugins as one compiled chain, proxies. `node:http` in and kept
 * connections of our own out: no framework on the data path. A reload swaps the whole table at once; a wrong file leaves the old one in
 * force.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { isBailiwickError } from '@bailiwick/contract';
import { orderedId } from '../decisions/ordered-id.js';
import type { ProblemAnswer } from '../http/problems.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { isTracing, type ServerSpan, startServerSpan, traceIdIn } from '../telemetry/tracing.js';
import { answerBrokenRequest } from './broken-request.js';
import { asAnswer, type Chain, type ResponsePhases } from './chain.js';
import { Exchange, type UpstreamTarget } from './exchange.js';
import { badCertificate, badPath, noRoute, noUpstream } from './gateway-refusals.js';
import { KeptState } from './kept-state.js';
import { listenOn } from './listen-on.js';
import type { Outcome, PluginServices } from './plugin.js';
import { plugins } from './plugins/index.js';
import { requestIdPattern } from './plugins/request-id.js';
import { handOver, proxy } from './proxy.js';
import { readRequestPath } from './request-path.js';
import type { GatewayFile } from './resource-schemas.js';
import { withResolved } from './secret-references.js';
import { SecretResolver, type SecretSources } from './secret-resolver.js';
import { sendAnswer } from './send-answer.js';
import { type CompiledRoute, Table } from './table.js';
import { clientCertificateFault, findServerName, type ServerName, serverNames } from './tls.js';
import type { LocalServices } from './upstreams/upstream-node.js';
import { isWebsocketRequest, type TunnelOptions, tunnel } from './websocket.js';

export interface GatewayOptions {
  readonly services: PluginServices;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly toProblem: (error: unknown, requestId: string) => ProblemAnswer;
  readonly upstreamTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly localServices: LocalServices;
  readonly secrets: SecretSources;
  /** How long a secret is used before it is asked for again, in milliseconds. */
  readonly secretCacheMs: number;
  /** After each answer, for whoever counts. Must not throw. */
  readonly onAnswer?: (exchange: Exchange, status: number) => void;
  /** `/livez`, `/readyz`, `/metrics`: answered here, without a token. Undefined: not one of them. */
  readonly ownAnswer: (
    path: string,
  ) => Promise<{ readonly status: number; readonly type: string; readonly body: string }> | undefined;
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

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
  /** What a client that wants a WebSocket sent after its handshake. */
  readonly upgradeHead: Buffer | undefined;
}

/** How long a table that was replaced stays open, in milliseconds. */
const retireMs = 10_000;

const serverOptions = {
  maxHeaderSize: 32 * 1024,
  requestTimeout: 300_000,
  headersTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
} as const;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  readonly #kept = new KeptState();
  readonly #secrets: SecretResolver;
  #tlsServer: TlsServer | undefined;
  #file: GatewayFile | undefined;
  #table: Table | undefined;
  #names: readonly ServerName[] = [];
  readonly #retired = new Map<Table, NodeJS.Timeout>();
  /** Connections that Node has handed over and does not end by itself. */
  readonly #upgraded = new Set<Duplex>();
  readonly #unused = new Set<Duplex>();
  #isStopping = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#server = createServer(serverOptions, (request, response) => this.#handle(request, response, undefined));
    this.#prepare(this.#server);
    this.#secrets = new SecretResolver({
      sources: options.secrets,
      logger: options.logger,
      cacheMs: options.secretCacheMs,
      retryMs: Math.min(options.secretCacheMs, 5_000),
      onChange: () => this.#rebuild(),
    });
  }

  #prepare(server: Server | TlsServer): void {
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Duplex) => {
      this.#unused.add(socket);
      socket.once('close', () => this.#unused.delete(socket));
    });
    server.maxHeadersCount = 200;
    server.on('clientError', (error, socket) => answerBrokenRequest(error, socket));
  }

  /**
   * Puts a file's routes in force, all at once; requests on their way end under the old ones. Throws, and changes nothing, when it cannot.
   * Routes whose secrets are still being fetched answer 503 until `settled`.
   */
  load(file: GatewayFile): void {
    this.#secrets.use(file);
    this.#apply(file);
    this.#file = file;
  }

  /** Resolves when the secrets of the file in force have been fetched, or could not be. */
  async settled(): Promise<void> {
    await this.#secrets.settled();
  }

  /** Asks for all secrets again, now. */
  refreshSecrets(): void {
    this.#secrets.refresh();
  }

  #rebuild(): void {
    if (!this.#file) return;
    try {
      this.#apply(this.#file);
    } catch (error) {
      this.#options.logger.error(
        { error },
        'the gateway keeps its old routes: they cannot be compiled with the new secrets',
      );
    }
  }

  #apply(file: GatewayFile): void {
    this.#kept.begin();
    const { services, logger, localServices, upstreamTimeoutMs } = this.#options;
    const lookUp = (text: string): string => this.#secrets.lookUp(text);
    const names = serverNames(file.ssls, (definition) => withResolved(definition, lookUp));
    const table = new Table(file, {
      plugins,
      services,
      logger,
      kept: this.#kept,
      localServices,
      upstreamTimeoutMs,
      lookUp,
    });
    const before = this.#table;
    this.#table = table;
    this.#names = names;
    this.#listenForUpgrades(table.usesWebsockets);
    if (before) this.#retire(before);
  }

  /** Requests on their way may still ask what the old table's plugins hold: it closes when they have had time to end. */
  #retire(table: Table): void {
    const timer = setTimeout(() => {
      this.#retired.delete(table);
      void table.close();
      void this.#kept.sweep();
    }, retireMs);
    timer.unref();
    this.#retired.set(table, timer);
  }

  /** Without a listener Node takes a request that wants an upgrade for an ordinary one, which is right where no route has WebSockets. */
  #listenForUpgrades(isOn: boolean): void {
    for (const server of [this.#server, this.#tlsServer]) {
      server?.removeAllListeners('upgrade');
      if (isOn) server?.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => socket.end());
    // What is no WebSocket is answered as an ordinary request; one with a body cannot be, because Node has let go of its parser.
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
    if (hasBody) answerBrokenRequest(new Error('an upgrade with a body'), socket);
    else this.#handle(request, response, isWebsocketRequest(request) ? head : undefined);
  }

  /** A second listener, with TLS by the certificates of the file's `ssls`. Resolves with its port. */
  async listenTls(host: string, port: number): Promise<number> {
    const server = createTlsServer(
      {
        ...serverOptions,
        // A certificate is asked of everybody and judged a request later, when it is known which name it is for.
        requestCert: true,
        rejectUnauthorized: false,
        SNICallback: (name, settle) => {
          const found = findServerName(this.#names, name);
          if (found) settle(null, found.context);
          else settle(new Error('no certificate for this name'));
        },
      },
      (request, response) => this.#handle(request, response, undefined),
    );
    this.#prepare(server);
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#tlsServer = server;
    this.#listenForUpgrades(this.#table?.usesWebsockets === true);
    return await listenOn(server, host, port);
  }

  /** Resolves with the port it listens on. */
  async listen(host: string, port: number): Promise<number> {
    return await listenOn(this.#server, host, port);
  }

  /** Stops accepting, lets requests on their way finish within `graceMs`, then cuts. */
  async close(graceMs = 10_000): Promise<void> {
    this.#isStopping = true;
    const servers = [this.#server, ...(this.#tlsServer ? [this.#tlsServer] : [])];
    const closed = Promise.all(
      servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve()))),
    );
    for (const server of servers) server.closeIdleConnections();
    // Node does not count those as idle that have not carried a request yet.
    for (const socket of this.#unused) socket.destroy();
    const timer = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    await this.#secrets.close();
    for (const [table, timer] of this.#retired) {
      clearTimeout(timer);
      await table.close();
    }
    await this.#table?.close();
    for (const upstream of this.#table?.upstreams ?? []) upstream.destroy();
    await this.#kept.close();
  }

  #handle(request: IncomingMessage, response: ServerResponse, upgradeHead: Buffer | undefined): void {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : orderedId();
    this.#unused.delete(request.socket);
    if (this.#isStopping) response.setHeader('connection', 'close');
    const target = readRequestPath(request.url ?? '/');
    const isTls = 'encrypted' in request.socket;
    const about = { requestId, host: hostOf(request), isTls, maxBodyBytes: this.#options.maxBodyBytes };
    if (target.kind === 'refused') {
      const exchange = new Exchange(request, response, { path: '/', raw: '/', query: '' }, about);
      this.#refuse(unrouted(exchange), badPath(target.why));
      return;
    }
    const exchange = new Exchange(request, response, target, about);
    if (isTls) {
      const fault = clientCertificateFault(this.#names, request.socket as TLSSocket, {
        host: about.host,
        path: target.path,
      });
      if (fault !== undefined) {
        this.#refuse(unrouted(exchange), badCertificate(fault));
        return;
      }
    }
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
    this.#begin(exchange, match?.target, upgradeHead);
  }

  #begin(exchange: Exchange, route: CompiledRoute | undefined, upgradeHead: Buffer | undefined): void {
    const chain = route?.chain ?? this.#table?.globalChain;
    const span = isTracing()
      ? startServerSpan(`${exchange.method} ${route?.facts.id ?? 'none'}`, exchange.request.headers, {
          'http.request.method': exchange.method,
          'url.path': exchange.path,
        })
      : undefined;
    exchange.traceId = span?.traceId;
    const handling: Handling = { exchange, route, phases: noPhases, span, isFinished: false, upgradeHead };
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
    const traceHeaders = handling.span?.headers ?? noHeaders;
    if (upstream.local) {
      handOver(exchange, upstream.local, traceHeaders, () => this.#finish(handling));
      return;
    }
    const timeouts = route.timeouts ?? upstream.timeouts;
    const onDone = (error?: unknown): void =>
      error === undefined ? this.#finish(handling) : this.#refuse(handling, error);
    if (handling.upgradeHead && route.isWebsocket)
      this.#tunnel(handling, upstream, { traceHeaders, timeouts, first: handling.upgradeHead }, onDone);
    else proxy(exchange, upstream, { phases, traceHeaders, timeouts }, onDone);
  }

  #tunnel(
    handling: Handling,
    upstream: UpstreamTarget,
    options: TunnelOptions,
    onDone: (error?: unknown) => void,
  ): void {
    try {
      tunnel(handling.exchange, upstream, options, onDone);
    } catch (error) {
      onDone(error);
    }
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
    if (problem.isFault) this.#logRefusal(handling.exchange, problem, error);
    this.#answer(handling, { ...answer, status: problem.status });
  }

  /** A fault of our own is an error; an upstream or an issuer that is away is told in one line. */
  #logRefusal(exchange: Exchange, problem: ProblemAnswer, error: unknown): void {
    if (problem.status === 500) {
      this.#logFault(exchange, error);
      return;
    }
    const why = isBailiwickError(error) ? error.details.operatorMessage : undefined;
    const about = { request_id: exchange.requestId, route: exchange.route?.id, reason: problem.body.reason, why };
    this.#options.logger.warn(about, 'gateway request refused');
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
    if (exchange.llm) span?.set(exchange.llm.spanAttributes());
    span?.end(status);
    const route = exchange.route?.id ?? 'none';
    this.#options.metrics.gatewayRequest({ route, status }, seconds);
    this.#options.onAnswer?.(exchange, status);
    if (!this.#options.logger.isLevelEnabled('info')) return;
    const traceId = exchange.traceId ?? traceIdIn(exchange.header('traceparent'));
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
      ...(exchange.llm ? { llm: exchange.llm.summary(), ...exchange.llm.logged } : {}),
      ...(traceId === undefined ? {} : { trace_id: traceId }),
    });
  }
}

const unrouted = (exchange: Exchange): Handling => ({
  exchange,
  route: undefined,
  phases: noPhases,
  span: undefined,
  isFinished: false,
  upgradeHead: undefined,
});

const hostOf = (request: IncomingMessage): string => {
  const host = request.headers.host ?? '';
  const colon = host.lastIndexOf(':');
  return (colon > 0 && !host.endsWith(']') ? host.slice(0, colon) : host).toLowerCase();
};
