/**
 * One kept-alive connection to an upstream: one request at a time, its answer streamed to the caller, backpressure both ways. Timeouts are
 * looked after by a coarse sweep over the busy connections, so that a request pays for no timer.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { BrokenResponse, ResponseParser } from './response-parser.js';

export type UpstreamFault = 'refused' | 'connect-timeout' | 'timeout' | 'broken' | 'closed';

export class UpstreamError extends Error {
  readonly fault: UpstreamFault;
  /** Nothing can have been acted on: never connected, or a kept connection that was closed before it answered. */
  readonly isUnsent: boolean;

  constructor(
    fault: UpstreamFault,
    message: string,
    options: { readonly isUnsent?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.isUnsent = options.isUnsent ?? false;
  }
}

export interface UpstreamRequest {
  readonly method: string;
  /** Request line and headers with the empty line, as Latin-1. */
  readonly head: string;
  /** None, bytes in memory, or the client's body as it comes. */
  readonly body: Buffer | IncomingMessage | undefined;
  /** A streamed body without a Content-Length goes chunked. */
  readonly isChunked: boolean;
  /** Sees every chunk of a streamed body; may throw. */
  readonly onBodyChunk: ((chunk: Buffer, isLast: boolean) => Buffer) | undefined;
  readonly sendTimeoutMs: number;
  readonly readTimeoutMs: number;
}

export interface ResponseReceiver {
  onHead(status: number, raw: string[], connection: Connection): void;
  onData(chunk: Buffer, connection: Connection): void;
  /** All that arrived at once has been handed over: whatever is held back goes out now. */
  onPause(): void;
  onEnd(): void;
  /** Once, before `onHead` or after it; nothing follows. */
  onError(error: UpstreamError): void;
}

/** Bodies up to here go out as one text with the head: Latin-1 keeps every byte, and one piece is cheaper to send than two. */
const smallBytes = 8 * 1024;

const busy = new Set<Connection>();
let sweeper: NodeJS.Timeout | undefined;
const sweepEveryMs = 100;

function watchOver(connection: Connection): void {
  busy.add(connection);
  sweeper ??= setInterval(() => {
    const now = performance.now();
    for (const one of busy) one.checkTime(now);
    if (busy.size === 0) {
      clearInterval(sweeper);
      sweeper = undefined;
    }
  }, sweepEveryMs);
}

export class Connection {
  readonly socket: Socket;
  readonly #parser = new ResponseParser();
  readonly #onFree: (connection: Connection) => void;
  readonly #onGone: (connection: Connection) => void;
  #receiver: ResponseReceiver | undefined;
  #request: UpstreamRequest | undefined;
  #isBodySent = true;
  #isTunnel = false;
  #isPaused = false;
  #activeMs = 0;
  /** Requests it has carried. */
  served = 0;
  /** `performance.now()` at which it became idle. */
  idleSinceMs = 0;

  /** `onFree`: may carry the next request. `onGone`: is closed. */
  constructor(socket: Socket, onFree: (connection: Connection) => void, onGone: (connection: Connection) => void) {
    this.socket = socket;
    this.#onFree = onFree;
    this.#onGone = onGone;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#feed(chunk));
    socket.on('end', () => this.#closed());
    socket.on('error', (error) => this.#fail('closed', error));
    socket.on('close', () => {
      this.#closed();
      this.#onGone(this);
    });
  }

  /** How long the upstream will keep it, when it has said so, in milliseconds. */
  get promisedIdleMs(): number {
    const seconds = this.#parser.keepAliveSeconds;
    return seconds === undefined ? Number.POSITIVE_INFINITY : Math.max(0, seconds * 1000 - 500);
  }

  get isUsable(): boolean {
    return !this.socket.destroyed && !this.socket.readableEnded && this.socket.writable;
  }

  send(request: UpstreamRequest, receiver: ResponseReceiver): void {
    this.#receiver = receiver;
    this.#request = request;
    this.#activeMs = performance.now();
    this.served += 1;
    this.#parser.begin(request.method, this);
    watchOver(this);
    const { body, head } = request;
    if (body === undefined) this.socket.write(head, 'latin1');
    else if (Buffer.isBuffer(body) && body.length <= smallBytes)
      this.socket.write(head + body.toString('latin1'), 'latin1');
    else if (Buffer.isBuffer(body)) {
      this.socket.cork();
      this.socket.write(head, 'latin1');
      this.socket.write(body);
      this.socket.uncork();
    } else this.#stream(request, body);
  }

  #stream(request: UpstreamRequest, source: IncomingMessage): void {
    this.#isBodySent = false;
    this.socket.write(request.head, 'latin1');
    const write = (chunk: Buffer, isLast: boolean): void => {
      if (this.#request !== request) return;
      this.#activeMs = performance.now();
      const sent = this.#filterChunk(request, chunk, isLast);
      if (!sent) return;
      let isFlowing = true;
      if (sent.length > 0) isFlowing = this.#writeChunk(sent, request.isChunked);
      if (isLast) {
        if (request.isChunked) this.socket.write('0\r\n\r\n', 'latin1');
        this.#isBodySent = true;
      } else if (!isFlowing) {
        source.pause();
        this.socket.once('drain', () => source.resume());
      }
    };
    source.on('data', (chunk: Buffer) => write(chunk, false));
    source.once('end', () => write(Buffer.alloc(0), true));
    // A client that goes away mid-body must not be taken for one that has finished.
    source.once('close', () => {
      if (!this.#isBodySent && this.#request === request) this.abort();
    });
    source.resume();
  }

  #filterChunk(request: UpstreamRequest, chunk: Buffer, isLast: boolean): Buffer | undefined {
    if (!request.onBodyChunk) return chunk;
    try {
      return request.onBodyChunk(chunk, isLast);
    } catch (cause) {
      this.#fail('broken', cause);
      return undefined;
    }
  }

  #writeChunk(chunk: Buffer, isChunked: boolean): boolean {
    if (!isChunked) return this.socket.write(chunk);
    this.socket.cork();
    this.socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    this.socket.write(chunk);
    const isFlowing = this.socket.write('\r\n', 'latin1');
    this.socket.uncork();
    return isFlowing;
  }

  /** The receiver has gone: the upstream need not go on. */
  abort(): void {
    this.#receiver = undefined;
    this.#release();
    this.socket.destroy();
  }

  pause(): void {
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#activeMs = performance.now();
    this.socket.resume();
  }

  /** After a 101: the socket is the caller's, with what had come already. */
  takeOver(): { readonly socket: Socket; readonly first: Buffer } {
    this.#isTunnel = true;
    this.#release();
    for (const event of ['data', 'end', 'error']) this.socket.removeAllListeners(event);
    return { socket: this.socket, first: this.#parser.rest };
  }

  checkTime(now: number): void {
    const request = this.#request;
    if (!request) return;
    const limitMs = this.#isBodySent ? request.readTimeoutMs : request.sendTimeoutMs;
    // While the client is slow to take, the upstream is not to blame.
    if (this.#isPaused || now - this.#activeMs < limitMs) return;
    this.#fail('timeout', undefined);
  }

  onHead(status: number, raw: string[]): void {
    this.#receiver?.onHead(status, raw, this);
  }

  onData(chunk: Buffer): void {
    this.#receiver?.onData(chunk, this);
  }

  onEnd(isReusable: boolean): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    const isFree = isReusable && this.#isBodySent;
    this.#release();
    if (isFree) this.#onFree(this);
    else this.socket.destroy();
    receiver?.onEnd();
  }

  #feed(chunk: Buffer): void {
    if (this.#isTunnel) return;
    this.#activeMs = performance.now();
    const receiver = this.#receiver;
    try {
      this.#parser.feed(chunk);
    } catch (error) {
      if (!(error instanceof BrokenResponse)) throw error;
      this.#fail('broken', error);
      return;
    }
    receiver?.onPause();
  }

  #closed(): void {
    if (this.#isTunnel) return;
    if (this.#receiver) {
      try {
        this.#parser.finish();
      } catch (error) {
        this.#fail('closed', error);
      }
    }
    this.#release();
    if (!this.socket.destroyed) this.socket.destroy();
  }

  #fail(fault: UpstreamFault, cause: unknown): void {
    const receiver = this.#receiver;
    const isUnsent = fault === 'closed' && this.served > 1 && this.#parser.isUntouched;
    this.#receiver = undefined;
    this.#release();
    this.socket.destroy();
    receiver?.onError(
      cause instanceof Error && Symbol.for('bailiwick.error') in cause
        ? new UpstreamError('broken', cause.message, { cause })
        : new UpstreamError(fault, cause instanceof Error ? cause.message : `the upstream did not answer in time`, {
            isUnsent,
            cause,
          }),
    );
  }

  #release(): void {
    this.#request = undefined;
    this.#isBodySent = true;
    busy.delete(this);
  }
}
