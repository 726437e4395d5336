/** The kept-alive connections to one node: the last used first, bounded in number, age and requests, as APISIX's `keepalive_pool`. */
import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Connection, type ResponseReceiver, UpstreamError, type UpstreamRequest } from './connection.js';

export interface PoolOptions {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  /** Idle connections kept. */
  readonly size: number;
  readonly idleTimeoutMs: number;
  /** Requests after which a connection is closed. */
  readonly requests: number;
  /** Undefined: plain TCP. */
  readonly tls: ConnectionOptions | undefined;
  /** Judges what a name resolves to; undefined: the system's answer as it is. */
  readonly lookup?: LookupFunction;
}

export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  #sessions: Buffer | undefined;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** `authority` (`host:port` or `host`) holds the TLS name to ask for. The returned function gives the request up. */
  send(request: UpstreamRequest, receiver: ResponseReceiver, authority: string): () => void {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      const idleMs = performance.now() - connection.idleSinceMs;
      if (connection.isUsable && idleMs < Math.min(this.#options.idleTimeoutMs, connection.promisedIdleMs)) {
        const chosen = connection;
        chosen.send(request, receiver);
        return () => chosen.abort();
      }
      connection.socket.destroy();
    }
    return this.#connect(request, receiver, authority.replace(/:\d+$/, ''));
  }

  #connect(request: UpstreamRequest, receiver: ResponseReceiver, serverName: string): () => void {
    const socket = this.#open(serverName);
    let isSettled = false;
    let given: Connection | undefined;
    const fail = (error: UpstreamError): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      socket.destroy();
      receiver.onError(error);
    };
    const timer = setTimeout(
      () =>
        fail(
          new UpstreamError('connect-timeout', 'the upstream did not accept a connection in time', { isUnsent: true }),
        ),
      this.#options.connectTimeoutMs,
    );
    const onError = (cause: Error): void =>
      fail(new UpstreamError('refused', cause.message, { isUnsent: true, cause }));
    const onClose = (): void =>
      fail(new UpstreamError('refused', 'the upstream closed while connecting', { isUnsent: true }));
    socket.once('error', onError).once('close', onClose);
    socket.once(this.#options.tls ? 'secureConnect' : 'connect', () => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose);
      given = new Connection(
        socket,
        (one) => this.#free(one),
        (one) => this.#all.delete(one),
      );
      this.#all.add(given);
      given.send(request, receiver);
    });
    return () => {
      if (given) given.abort();
      else if (!isSettled) {
        isSettled = true;
        clearTimeout(timer);
        socket.on('error', () => undefined);
        socket.destroy();
      }
    };
  }

  #open(serverName: string): Socket {
    const { host, port, tls } = this.#options;
    const lookup = this.#options.lookup ? { lookup: this.#options.lookup } : {};
    if (!tls) return connectTcp({ host, port, noDelay: true, ...lookup });
    const name = /^[\d.]+$|:/.test(serverName) ? {} : { servername: serverName };
    const session = this.#sessions === undefined ? {} : { session: this.#sessions };
    const socket = connectTls({ host, port, ...lookup, ...tls, ...name, ...session, ALPNProtocols: ['http/1.1'] });
    socket.on('session', (ticket) => {
      this.#sessions = ticket;
    });
    return socket;
  }

  #free(connection: Connection): void {
    if (this.#isClosed || connection.served >= this.#options.requests || this.#idle.length >= this.#options.size) {
      connection.socket.destroy();
      return;
    }
    connection.idleSinceMs = performance.now();
    this.#idle.push(connection);
    this.#timer ??= setTimeout(() => this.#sweep(), Math.min(5_000, this.#options.idleTimeoutMs + 1)).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    const kept = this.#idle.filter((one) => {
      const isKept = one.isUsable && now - one.idleSinceMs < Math.min(this.#options.idleTimeoutMs, one.promisedIdleMs);
      if (!isKept) one.socket.destroy();
      return isKept;
    });
    this.#idle.splice(0, this.#idle.length, ...kept);
    if (kept.length > 0)
      this.#timer = setTimeout(() => this.#sweep(), Math.min(5_000, this.#options.idleTimeoutMs + 1)).unref();
  }

  /** Idle connections close now, busy ones when their answer ends. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const connection of this.#idle.splice(0)) connection.socket.destroy();
  }

  /** Cuts everything. */
  destroy(): void {
    this.close();
    for (const connection of this.#all) connection.socket.destroy();
  }
}
