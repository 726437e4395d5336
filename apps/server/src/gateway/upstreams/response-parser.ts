/**
 * Reads HTTP/1.x answers from a connection, strictly (RFC 9112): what could be read in two ways ends the connection. Hand-written because
 * Node's own parser is not public; a head is split once as Latin-1 text, body chunks are passed on as the slices that arrived.
 */
export interface ResponseEvents {
  /** Once an answer; `raw` is name, value, name, value … in the case they came in. Not for 1xx, but for 101. */
  onHead(status: number, raw: string[]): void;
  onData(chunk: Buffer): void;
  /** `isReusable`: the connection may carry another request. */
  onEnd(isReusable: boolean): void;
}

export class BrokenResponse extends Error {
  readonly code = 'UPSTREAM_BROKEN_RESPONSE';
}

const maxHeadBytes = 64 * 1024;
const maxInformational = 16;
const empty = Buffer.alloc(0);

type State = 'idle' | 'head' | 'length' | 'until-close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'tunnel';

export class ResponseParser {
  #state: State = 'idle';
  #events: ResponseEvents | undefined;
  #isHeadRequest = false;
  #kept: Buffer = empty;
  #left = 0;
  #isKeptAlive = false;
  #informational = 0;
  /** Seconds that the upstream says it keeps an idle connection; undefined when it says nothing. */
  keepAliveSeconds: number | undefined;

  /** The next answer belongs to a request of this method. */
  begin(method: string, events: ResponseEvents): void {
    this.#state = 'head';
    this.#events = events;
    this.#isHeadRequest = method === 'HEAD';
    this.#kept = empty;
    this.#informational = 0;
  }

  /** Nothing of the answer has been seen. */
  get isUntouched(): boolean {
    return this.#state === 'head' && this.#kept.length === 0 && this.#informational === 0;
  }

  /** After a 101: bytes belong to the tunnel. */
  get rest(): Buffer {
    return this.#kept;
  }

  /** Throws `BrokenResponse`. */
  feed(input: Buffer): void {
    let chunk = this.#kept.length > 0 ? Buffer.concat([this.#kept, input]) : input;
    this.#kept = empty;
    while (chunk.length > 0) {
      const rest = this.#step(chunk);
      if (rest === undefined) return;
      chunk = rest;
    }
  }

  /** The upstream has closed. Throws when the answer was not whole. */
  finish(): void {
    if (this.#state === 'until-close') this.#end(false);
    else if (this.#state !== 'idle') throw new BrokenResponse('the upstream closed before its answer was whole');
  }

  /** Returns what is left of the chunk; undefined when more must come. */
  #step(chunk: Buffer): Buffer | undefined {
    switch (this.#state) {
      case 'head':
        return this.#readHead(chunk);
      case 'length':
        return this.#readCounted(chunk);
      case 'chunk':
        return this.#readCounted(chunk);
      case 'until-close':
        this.#events?.onData(chunk);
        return undefined;
      case 'chunk-size':
        return this.#readChunkSize(chunk);
      case 'chunk-end':
        return this.#readChunkEnd(chunk);
      case 'trailer':
        return this.#readTrailer(chunk);
      case 'tunnel':
        this.#kept = chunk;
        return undefined;
      case 'idle':
        throw new BrokenResponse('the upstream sent bytes that nobody asked for');
    }
  }

  #readHead(chunk: Buffer): Buffer | undefined {
    const end = chunk.indexOf('\r\n\r\n');
    if (end > maxHeadBytes || (end < 0 && chunk.length > maxHeadBytes))
      throw new BrokenResponse('the head of the answer is too long');
    if (end < 0) {
      this.#kept = chunk;
      return undefined;
    }
    const text = chunk.toString('latin1', 0, end);
    const rest = chunk.subarray(end + 4);
    const firstLine = text.indexOf('\r\n');
    const statusLine = firstLine < 0 ? text : text.slice(0, firstLine);
    const status = statusOf(statusLine);
    const raw = firstLine < 0 ? [] : splitHeaders(text, firstLine + 2);
    if (status < 200 && status !== 101) {
      this.#informational += 1;
      if (this.#informational > maxInformational) throw new BrokenResponse('too many 1xx answers');
      return rest;
    }
    this.#deliver(status, raw, statusLine.startsWith('HTTP/1.1'), rest);
    if (this.#state === 'tunnel') return undefined;
    return this.#state === 'idle' && rest.length > 0 ? this.#surplus() : rest;
  }

  /** Bytes beyond the end of an answer: it was whole, but the connection cannot be trusted. */
  #surplus(): Buffer | undefined {
    throw new BrokenResponse('the upstream sent more than its answer');
  }

  #deliver(status: number, raw: string[], isVersion11: boolean, rest: Buffer): void {
    const framing = framingOf(raw);
    this.keepAliveSeconds = framing.keepAliveSeconds;
    this.#isKeptAlive = isVersion11 ? !framing.isClose : framing.isKeepAlive;
    const hasNoBody = this.#isHeadRequest || status === 204 || status === 304;
    const hasSurplus = rest.length > 0;
    // What came with the 101 is the tunnel's already.
    if (status === 101) {
      this.#state = 'tunnel';
      this.#kept = rest;
    } else if (hasNoBody || framing.length === 0) this.#state = 'idle';
    else if (framing.isChunked) this.#state = 'chunk-size';
    else if (framing.length !== undefined) this.#state = 'length';
    else this.#state = 'until-close';
    this.#left = framing.length ?? 0;
    this.#events?.onHead(status, raw);
    if (this.#state === 'idle') this.#end(this.#isKeptAlive && !hasSurplus);
  }

  #readCounted(chunk: Buffer): Buffer | undefined {
    if (chunk.length < this.#left) {
      this.#left -= chunk.length;
      this.#events?.onData(chunk);
      return undefined;
    }
    const rest = chunk.subarray(this.#left);
    if (this.#left > 0) this.#events?.onData(rest.length === 0 ? chunk : chunk.subarray(0, this.#left));
    this.#left = 0;
    if (this.#state === 'chunk') {
      this.#state = 'chunk-end';
      return rest;
    }
    this.#end(this.#isKeptAlive && rest.length === 0);
    return rest.length > 0 ? this.#surplus() : undefined;
  }

  #readChunkSize(chunk: Buffer): Buffer | undefined {
    const end = chunk.indexOf('\r\n');
    if (end < 0) {
      if (chunk.length > 1024) throw new BrokenResponse('a chunk size is too long');
      this.#kept = chunk;
      return undefined;
    }
    const line = chunk.toString('latin1', 0, end);
    const match = /^([0-9a-fA-F]{1,12})(?:[ \t]*;[^\r\n]*)?$/.exec(line);
    if (!match?.[1]) throw new BrokenResponse('a chunk size is not a number');
    this.#left = Number.parseInt(match[1], 16);
    this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    return chunk.subarray(end + 2);
  }

  #readChunkEnd(chunk: Buffer): Buffer | undefined {
    if (chunk.length < 2) {
      this.#kept = chunk;
      return undefined;
    }
    if (chunk[0] !== 13 || chunk[1] !== 10) throw new BrokenResponse('a chunk does not end where it says');
    this.#state = 'chunk-size';
    return chunk.subarray(2);
  }

  /** Trailers are dropped, as nginx does. */
  #readTrailer(chunk: Buffer): Buffer | undefined {
    const end = chunk.indexOf('\r\n');
    if (end < 0 || chunk.length > maxHeadBytes) {
      if (chunk.length > maxHeadBytes) throw new BrokenResponse('the trailers are too long');
      this.#kept = chunk;
      return undefined;
    }
    const rest = chunk.subarray(end + 2);
    if (end > 0) return rest;
    this.#end(this.#isKeptAlive && rest.length === 0);
    return rest.length > 0 ? this.#surplus() : undefined;
  }

  #end(isReusable: boolean): void {
    this.#state = 'idle';
    const events = this.#events;
    this.#events = undefined;
    events?.onEnd(isReusable);
  }
}

function statusOf(line: string): number {
  const match = /^HTTP\/1\.[01] ([1-9][0-9]{2})(?: [^\r\n\0]*)?$/.exec(line);
  if (!match) throw new BrokenResponse('the upstream does not speak HTTP/1.1');
  return Number(match[1]);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const badValue = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const goodName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function splitHeaders(text: string, from: number): string[] {
  const raw: string[] = [];
  let at = from;
  while (at < text.length) {
    let end = text.indexOf('\r\n', at);
    if (end < 0) end = text.length;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon >= end) throw new BrokenResponse('a header has no colon');
    const name = text.slice(at, colon);
    const value = text.slice(colon + 1, end).trim();
    if (!goodName.test(name) || badValue.test(value)) throw new BrokenResponse('a header is not well formed');
    raw.push(name, value);
    at = end + 2;
  }
  return raw;
}

interface Framing {
  length: number | undefined;
  isChunked: boolean;
  isClose: boolean;
  isKeepAlive: boolean;
  keepAliveSeconds: number | undefined;
}

function framingOf(raw: readonly string[]): Framing {
  const framing: Framing = {
    length: undefined,
    isChunked: false,
    isClose: false,
    isKeepAlive: false,
    keepAliveSeconds: undefined,
  };
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    // Only these four lengths matter, so that most names need no lower case.
    if (name.length === 14 || name.length === 17 || name.length === 10)
      readFraming(framing, name.toLowerCase(), raw[at + 1] ?? '');
  }
  if (framing.isChunked && framing.length !== undefined)
    throw new BrokenResponse('the answer has both Content-Length and Transfer-Encoding');
  return framing;
}

function readFraming(framing: Framing, name: string, value: string): void {
  switch (name) {
    case 'content-length': {
      const length = /^[0-9]{1,15}$/.test(value) ? Number(value) : Number.NaN;
      if (Number.isNaN(length) || (framing.length !== undefined && framing.length !== length))
        throw new BrokenResponse('the Content-Length of the answer is not one number');
      framing.length = length;
      break;
    }
    case 'transfer-encoding':
      if (framing.isChunked || value.toLowerCase() !== 'chunked')
        throw new BrokenResponse('the Transfer-Encoding of the answer is not understood');
      framing.isChunked = true;
      break;
    case 'connection':
      framing.isClose ||= /\bclose\b/i.test(value);
      framing.isKeepAlive ||= /\bkeep-alive\b/i.test(value);
      break;
    case 'keep-alive': {
      const seconds = /timeout=([0-9]+)/i.exec(value)?.[1];
      if (seconds !== undefined) framing.keepAliveSeconds = Number(seconds);
      break;
    }
    default:
  }
}
