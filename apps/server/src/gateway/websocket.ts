/** WebSocket through the gateway: the handshake goes upstream as any request; after a 101 bytes flow both ways with backpressure. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { BailiwickError } from '@bailiwick/contract';
import type { Exchange, UpstreamTarget } from './exchange.js';
import { hostFor, requestHead } from './upstream-request.js';
import type { Connection, ResponseReceiver, UpstreamError } from './upstreams/connection.js';
import type { Timeouts } from './upstreams/upstream-node.js';

export const isWebsocketRequest = (request: IncomingMessage): boolean =>
  request.method === 'GET' &&
  request.headers.upgrade?.toLowerCase() === 'websocket' &&
  request.headers['content-length'] === undefined &&
  request.headers['transfer-encoding'] === undefined;

export interface TunnelOptions {
  readonly traceHeaders: Readonly<Record<string, string>>;
  readonly timeouts: Timeouts;
  /** What the client sent after its handshake already. */
  readonly first: Buffer;
}

/** `onDone` once: with a refusal while nothing has been sent, without when the tunnel has ended. */
export function tunnel(
  exchange: Exchange,
  upstream: UpstreamTarget,
  options: TunnelOptions,
  onDone: (error?: unknown) => void,
): void {
  const node = upstream.pick(exchange, undefined);
  if (!node) {
    onDone(unreachable());
    return;
  }
  const client = exchange.request.socket as Duplex;
  const host = hostFor(exchange, upstream, node);
  const head = requestHead(exchange, host, {
    traceHeaders: options.traceHeaders,
    contentLength: undefined,
    isChunked: false,
    isUpgrade: true,
  });
  exchange.upstreamAddress = node.address;
  node.active += 1;
  let isOpen = false;
  let isDone = false;
  const done = (error?: unknown): void => {
    if (isDone) return;
    isDone = true;
    node.active -= 1;
    onDone(error);
  };
  const refusal: Buffer[] = [];
  const receiver: ResponseReceiver = {
    onHead: (status, raw, connection) => {
      exchange.upstreamStatus = status;
      exchange.status = status;
      exchange.source = 'upstream';
      client.write(headText(status, raw));
      if (status !== 101) return;
      isOpen = true;
      join(client, connection, options.first, done);
    },
    onData: (chunk) => void refusal.push(chunk),
    onPause: () => undefined,
    onEnd: () => {
      if (isOpen) return;
      client.end(Buffer.concat(refusal));
      done();
    },
    onError: (error: UpstreamError) => {
      if (exchange.status === 0) done(unreachable(error));
      else {
        client.destroy();
        done();
      }
    },
  };
  const { sendMs, readMs } = options.timeouts;
  const request = {
    method: 'GET',
    head,
    body: undefined,
    isChunked: false,
    onBodyChunk: undefined,
    sendTimeoutMs: sendMs,
    readTimeoutMs: readMs,
  };
  const giveUp = node.pool.send(request, receiver, host.replace(/:\d+$/, ''));
  client.once('close', () => {
    if (!isOpen) giveUp();
    done();
  });
}

/** A refusal's body has come from upstream whole or ends with the connection: its framing is replaced by that. */
function headText(status: number, raw: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${status === 101 ? 'Switching Protocols' : 'Refused'}\r\n`;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (status !== 101 && /^(content-length|transfer-encoding|connection|keep-alive)$/i.test(name)) continue;
    text += `${name}: ${raw[at + 1] ?? ''}\r\n`;
  }
  return `${text}${status === 101 ? '' : 'connection: close\r\n'}\r\n`;
}

function join(client: Duplex, connection: Connection, first: Buffer, done: () => void): void {
  const { socket, first: answered } = connection.takeOver();
  if (answered.length > 0) client.write(answered);
  if (first.length > 0) socket.write(first);
  client.pipe(socket);
  socket.pipe(client);
  const end = (): void => {
    client.destroy();
    socket.destroy();
    done();
  };
  client.on('error', end).on('close', end);
  socket.on('error', end).on('close', end);
  socket.resume();
}

const unreachable = (cause?: unknown): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'gateway.upstream_unreachable',
    message: 'The service behind this route cannot be reached.',
    retryAfterSeconds: 2,
    cause,
  });
