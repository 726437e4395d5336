/** Raw HTTP for tests of what parsers disagree about: texts over TCP, and upstreams that answer with raw texts. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a raw text over TCP is answered with until the connection ends, or is silent for `quietMs`. */
export const exchangeRaw = (port: number, text: string | Buffer, quietMs = 250): Promise<string> =>
  new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setTimeout(quietMs, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });

export interface SeenRequest {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export interface StrictUpstream {
  readonly port: number;
  readonly requests: SeenRequest[];
  /** Everything that could be read in two ways. */
  readonly ambiguities: string[];
  stop(): Promise<void>;
}

/** Reads requests by the letter of RFC 9112, keeps what could be read otherwise, and answers each with its request line in `x-line`. */
export async function startStrictUpstream(): Promise<StrictUpstream> {
  const requests: SeenRequest[] = [];
  const ambiguities: string[] = [];
  const server = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (
        let rest = readOne(text, requests, ambiguities, socket);
        rest !== undefined;
        rest = readOne(text, requests, ambiguities, socket)
      )
        text = rest;
    });
  });
  const port = await listen(server);
  return { port, requests, ambiguities, stop: async () => await close(server) };
}

function readOne(text: string, requests: SeenRequest[], ambiguities: string[], socket: Socket): string | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...headers] = text.slice(0, end).split('\r\n');
  for (const header of headers)
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: ?[^\r\n\0]*$/.test(header))
      ambiguities.push(`header ${JSON.stringify(header)}`);
  if (!/^[A-Z]+ \/[^\s]* HTTP\/1\.1$/.test(line)) ambiguities.push(`line ${JSON.stringify(line)}`);
  const valuesOf = (name: RegExp): string[] =>
    headers.filter((one) => name.test(one.split(':', 1)[0] ?? '')).map((one) => one.slice(one.indexOf(':') + 1).trim());
  const lengths = valuesOf(/^content.?length$/i);
  const encodings = valuesOf(/^transfer.?encoding$/i);
  if (lengths.length + encodings.length > 1) ambiguities.push(`framing ${JSON.stringify([lengths, encodings])}`);
  if (encodings.some((one) => one !== 'chunked') || lengths.some((one) => !/^\d+$/.test(one)))
    ambiguities.push(`framing ${JSON.stringify([lengths, encodings])}`);
  const read =
    encodings.length > 0 ? readChunks(text.slice(end + 4)) : readLength(text.slice(end + 4), Number(lengths[0] ?? 0));
  if (!read) return undefined;
  requests.push({ line, headers, body: read.body });
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-line: ${line}\r\n\r\nok`);
  return read.rest;
}

const readLength = (text: string, length: number) =>
  text.length < length ? undefined : { body: text.slice(0, length), rest: text.slice(length) };

function readChunks(text: string): { body: string; rest: string } | undefined {
  let body = '';
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = Number.parseInt(text.slice(at, end), 16);
    if (size === 0) return text.length < end + 4 ? undefined : { body, rest: text.slice(end + 4) };
    if (text.length < end + 2 + size + 2) return undefined;
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

/** Answers every connection's first bytes with what `answer` gives for them; it may also do to the socket what it likes. */
export async function startRawUpstream(
  answer: (request: string, socket: Socket) => string | undefined,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const text = answer(chunk.toString('latin1'), socket);
      if (text !== undefined && !socket.destroyed) socket.write(text, 'latin1');
    });
  });
  const port = await listen(server);
  return { port, stop: async () => await close(server) };
}

const sockets = new WeakMap<Server, Set<Socket>>();

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  sockets.set(server, open);
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function close(server: Server): Promise<void> {
  for (const socket of sockets.get(server) ?? []) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}
