/**
 * One HTTP call to a provider's endpoint, over the gateway's own kept connections: head first, the body as it comes, bytes untouched.
 * Redirects are never followed; giving up closes the connection.
 */
import { BailiwickError } from '@bailiwick/contract';
import { type Connection, type ResponseReceiver, UpstreamError } from '../upstreams/connection.js';
import { ConnectionPool } from '../upstreams/connection-pool.js';
import { guardedLookup } from './endpoint-guard.js';

export interface TransportOptions {
  readonly url: URL;
  readonly sslVerify: boolean;
  readonly keepaliveMs: number;
  readonly keepaliveSize: number;
  readonly timeoutMs: number;
}

export interface ProviderResponse {
  readonly status: number;
  /** name, value, name, value … as they came. */
  readonly raw: readonly string[];
  /** Ends early, without an error, when the call was given up. Throws `UpstreamError`. */
  readonly body: AsyncIterable<Buffer>;
  /**
   * All of the body instead, for what does not stream: one promise, whatever number of chunks. `observe` sees each. Rejects with
   * `UpstreamError`, `llm.answer_too_large`, `llm.given_up`.
   */
  whole(maxBytes: number, observe: (chunk: Buffer) => void): Promise<Buffer>;
  header(name: string): string | undefined;
  /** The client has gone, or nobody wants the rest. */
  abort(): void;
}

/** What of an `AbortSignal` a call needs; making a real one costs more than the rest of the call. */
export interface Cancellation {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
}

/** Chunks that have arrived and were not yet taken; above this the provider has to wait. */
const highWaterBytes = 256 * 1024;

export class Transport {
  readonly #pool: ConnectionPool;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    const { url } = options;
    this.#options = options;
    const isTls = url.protocol === 'https:';
    const lookup = guardedLookup(url.hostname);
    this.#pool = new ConnectionPool({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (isTls ? 443 : 80),
      connectTimeoutMs: Math.min(options.timeoutMs, 10_000),
      size: options.keepaliveSize,
      idleTimeoutMs: options.keepaliveMs,
      requests: 10_000,
      tls: isTls ? { rejectUnauthorized: options.sslVerify } : undefined,
      ...(lookup ? { lookup } : {}),
    });
  }

  /** Resolves with the head. `path` with its query. Rejects with `UpstreamError`. */
  send(path: string, headers: readonly string[], body: Buffer, signal: Cancellation): Promise<ProviderResponse> {
    const { url, timeoutMs } = this.#options;
    const lines = [`POST ${path} HTTP/1.1`, `host: ${url.host}`, `content-length: ${body.length}`, ...headers];
    const head = `${lines.join('\r\n')}\r\n\r\n`;
    return new Promise((resolve, reject) => {
      const receiver = new Receiver(resolve, reject);
      const request = {
        method: 'POST',
        head,
        body,
        isChunked: false,
        onBodyChunk: undefined,
        sendTimeoutMs: timeoutMs,
        readTimeoutMs: timeoutMs,
      };
      const giveUp = this.#pool.send(request, receiver, url.hostname.replace(/^\[|\]$/g, ''));
      receiver.onAbort(giveUp);
      if (signal.aborted) receiver.abort();
      else signal.addEventListener('abort', () => receiver.abort(), { once: true });
    });
  }

  close(): void {
    this.#pool.close();
  }
}

interface Collecting {
  readonly maxBytes: number;
  readonly observe: (chunk: Buffer) => void;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

class Receiver implements ResponseReceiver {
  readonly #resolve: (response: ProviderResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isDone = false;
  #isPaused = false;
  #error: UpstreamError | undefined;
  #wake: (() => void) | undefined;
  #connection: Connection | undefined;
  #giveUp: (() => void) | undefined;
  #collecting: Collecting | undefined;

  constructor(resolve: (response: ProviderResponse) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onAbort(giveUp: () => void): void {
    this.#giveUp = giveUp;
  }

  abort(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#giveUp?.();
    this.#reject(givenUp());
    this.#collecting?.reject(givenUp());
    this.#wake?.();
  }

  onHead(status: number, raw: string[], connection: Connection): void {
    if (status < 200) return;
    this.#connection = connection;
    this.#resolve({
      status,
      raw,
      body: this.#read(),
      whole: (maxBytes, observe) => this.#whole(maxBytes, observe),
      header: (name) => {
        for (let at = 0; at < raw.length; at += 2) if (raw[at]?.toLowerCase() === name) return raw[at + 1];
        return undefined;
      },
      abort: () => this.abort(),
    });
  }

  onData(chunk: Buffer, connection: Connection): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#collecting) {
      this.#collect(this.#collecting, chunk);
      return;
    }
    if (this.#bytes > highWaterBytes && !this.#isPaused) {
      this.#isPaused = true;
      connection.pause();
    }
    this.#wake?.();
  }

  onPause(): void {}

  onEnd(): void {
    this.#isDone = true;
    this.#collecting?.resolve(this.#joined());
    this.#wake?.();
  }

  onError(error: UpstreamError): void {
    this.#isDone = true;
    this.#error = error;
    this.#reject(error);
    this.#collecting?.reject(error);
    this.#wake?.();
  }

  #whole(maxBytes: number, observe: (chunk: Buffer) => void): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const collecting = { maxBytes, observe, resolve, reject };
      this.#collecting = collecting;
      for (const chunk of this.#chunks) this.#collect(collecting, chunk);
      if (this.#error) reject(this.#error);
      else if (this.#isDone) resolve(this.#joined());
      else if (this.#isPaused) this.#connection?.resume();
    });
  }

  #collect({ maxBytes, observe, reject }: Collecting, chunk: Buffer): void {
    observe(chunk);
    if (this.#bytes <= maxBytes) return;
    reject(answerTooLarge(maxBytes));
    this.abort();
  }

  #joined(): Buffer {
    return this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#bytes);
  }

  async *#read(): AsyncGenerator<Buffer> {
    for (;;) {
      const { length } = this.#chunks;
      if (length > 0) {
        const all = length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks);
        this.#chunks.length = 0;
        this.#bytes = 0;
        if (this.#isPaused && !this.#isDone) {
          this.#isPaused = false;
          this.#connection?.resume();
        }
        yield all;
        continue;
      }
      if (this.#error) throw this.#error;
      if (this.#isDone) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}

export const answerTooLarge = (maxBytes: number): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'llm.answer_too_large',
    message: `The provider's answer is larger than ${maxBytes} bytes.`,
  });

const givenUp = (): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'llm.given_up',
    message: 'The client has gone before the provider answered.',
  });

export const isTimeout = (error: unknown): boolean =>
  error instanceof UpstreamError && (error.fault === 'timeout' || error.fault === 'connect-timeout');
