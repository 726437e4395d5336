/**
 * Reads the one request that everybody makes of the data listener: a plain `POST /v1/data/…` over HTTP/1.1 whose head has come in one
 * piece, with a declared length. It is stricter than RFC 9112: whatever is not exactly that, even where it is allowed, is no plain call and
 * is Node's to read and to answer or to refuse.
 */

export interface PlainHead {
  /** As it came, to know it again. */
  readonly text: string;
  /** Below `/v1/data/`, as it came. */
  readonly path: string;
  readonly requestId: string | undefined;
  readonly headBytes: number;
  readonly bodyBytes: number;
}

const start = 'POST /v1/data/';
const end = Buffer.from('\r\n\r\n');
const maxHeadBytes = 8 * 1024;

const requestLine = /^POST \/v1\/data\/([A-Za-z0-9\-._~%!$&'()*+,;=:@/]*) HTTP\/1\.1$/;
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible ASCII and spaces; no tabs. */
const headerValue = /^[\x20-\x7e]*$/;
/** What changes how a message is framed, read or answered. */
const notPlain = new Set([
  ...['transfer-encoding', 'content-encoding', 'expect', 'te', 'trailer', 'upgrade', 'connection', 'proxy-connection'],
  ...['keep-alive', 'origin'],
]);

/**
 * The head of a piece that is one plain call or, with all of its head, the beginning of one; undefined for anything else. `last` is the head
 * of the call before on the same connection: clients send the same again and again.
 */
export function readPlainHead(piece: Buffer, last: PlainHead | undefined): PlainHead | undefined {
  const headBytes = piece.indexOf(end) + end.length;
  if (headBytes < end.length || headBytes > maxHeadBytes) return undefined;
  const text = piece.toString('latin1', 0, headBytes);
  const head = last?.text === text ? last : parseHead(text);
  return head !== undefined && piece.length <= headBytes + head.bodyBytes ? head : undefined;
}

function parseHead(text: string): PlainHead | undefined {
  if (!text.startsWith(start)) return undefined;
  const [first = '', ...lines] = text.slice(0, -end.length).split('\r\n');
  const path = requestLine.exec(first)?.[1];
  const headers = headersOf(lines);
  const length = headers?.get('content-length');
  if (path === undefined || headers?.has('host') !== true || length === undefined || !/^[0-9]{1,9}$/.test(length))
    return undefined;
  return { text, path, requestId: headers.get('x-request-id'), headBytes: text.length, bodyBytes: Number(length) };
}

/** Undefined when one stands twice or is more than this reads. */
function headersOf(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const given = line.slice(colon + 1);
    if (!headerName.test(name) || !headerValue.test(given)) return undefined;
    const value = given.trim();
    const isKeepAlive = name === 'connection' && value.toLowerCase() === 'keep-alive';
    if (headers.has(name) || (notPlain.has(name) && !isKeepAlive)) return undefined;
    headers.set(name, value);
  }
  return headers;
}
