/**
 * Gets one page at a time: http and https only, never from a private, loopback, link-local or metadata address unless that is allowed. That is
 * judged where the socket is opened, for every redirect anew, so a name that answers differently the second time gains nothing.
 */
import type { lookup } from 'node:dns';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { Agent, type Dispatcher, request } from 'undici';
import { guardedLookup, isPrivateAddress } from '../../notifications/safe-fetch.js';
import { connectorError, isConnectorError } from './connector.js';

export interface WebLimits {
  readonly maxBytes: number;
  /** For one page, its redirects included. */
  readonly maxSeconds: number;
  readonly maxRedirects: number;
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface WebClient {
  /** `mayVisit` is asked before each request. Errors: `connector.*`. */
  get(
    url: string,
    headers: Readonly<Record<string, string>>,
    more?: { readonly mayVisit?: (url: string) => Promise<void>; readonly signal?: AbortSignal },
  ): Promise<WebAnswer>;
  close(): Promise<void>;
}

export interface WebClientOptions {
  readonly mayBePrivate: boolean;
  readonly limits: WebLimits;
  /** Which addresses are refused; replaced by tests. */
  readonly isRefused?: (address: string) => boolean;
  /** Looks names up; replaced by tests. */
  readonly resolve?: typeof lookup;
}

const decoders: Readonly<Record<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>>> =
  {
    gzip: promisify(gunzip),
    'x-gzip': promisify(gunzip),
    deflate: promisify(inflate),
    br: promisify(brotliDecompress),
  };

/** Errors: `connector.invalid_address`. Without fragment; as URLs are written when they mean the same. */
export function webAddress(given: string): string {
  if (!URL.canParse(given)) throw connectorError('connector.invalid_address');
  const url = new URL(given);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw connectorError('connector.invalid_address', 'Only http and https are read.');
  if (url.username !== '' || url.password !== '')
    throw connectorError('connector.invalid_address', 'Credentials do not belong into an address.');
  url.hash = '';
  return url.href;
}

export function openWebClient({
  mayBePrivate,
  limits,
  isRefused = isPrivateAddress,
  resolve,
}: WebClientOptions): WebClient {
  const agent = new Agent({
    connect: {
      timeout: limits.maxSeconds * 1000,
      ...(mayBePrivate
        ? {}
        : { lookup: guardedLookup(() => connectorError('connector.private_address'), isRefused, resolve) }),
    },
    connections: 4,
    maxHeaderSize: 64 * 1024,
  });

  /** An address instead of a name is connected to without being looked up. */
  function checkLiteral(url: string): void {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    if (!mayBePrivate && isIP(host) !== 0 && isRefused(host)) throw connectorError('connector.private_address');
  }

  async function read(body: Dispatcher.ResponseData['body'], encoding: string): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limits.maxBytes) throw connectorError('connector.too_large');
      parts.push(chunk);
    }
    const whole = Buffer.concat(parts);
    if (encoding === '' || encoding === 'identity') return whole;
    const decode = decoders[encoding];
    if (!decode) throw connectorError('connector.unreachable', 'Its encoding is not known.');
    return decode(whole, { maxOutputLength: limits.maxBytes }).catch((error: NodeJS.ErrnoException) => {
      throw connectorError(
        error.code === 'ERR_BUFFER_TOO_LARGE' ? 'connector.too_large' : 'connector.unreachable',
        undefined,
        error,
      );
    });
  }

  async function hop(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<WebAnswer> {
    const answer = await request(url, {
      dispatcher: agent,
      signal,
      headers: { ...headers, 'accept-encoding': 'identity' },
    });
    const flat: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers))
      flat[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
    return {
      status: answer.statusCode,
      headers: flat,
      body: await read(answer.body, (flat['content-encoding'] ?? '').toLowerCase()),
    };
  }

  const get: WebClient['get'] = async (url, headers, { mayVisit, signal } = {}) => {
    const timeout = AbortSignal.timeout(limits.maxSeconds * 1000);
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    let at = webAddress(url);
    try {
      for (let redirects = 0; redirects <= limits.maxRedirects; redirects++) {
        checkLiteral(at);
        await mayVisit?.(at);
        const answer = await hop(at, headers, either);
        const location = answer.headers['location'];
        if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer;
        if (!URL.canParse(location, at)) throw connectorError('connector.unreachable', 'It leads to no address.');
        at = webAddress(new URL(location, at).href);
      }
    } catch (error) {
      if (isConnectorError(error)) throw error;
      if (isConnectorError((error as Error).cause)) throw (error as Error).cause;
      signal?.throwIfAborted();
      throw connectorError(timeout.aborted ? 'connector.takes_too_long' : 'connector.unreachable', undefined, error);
    }
    throw connectorError('connector.unreachable', 'It leads from page to page without end.');
  };

  return { get, close: () => agent.close() };
}
