/** What the gateway sends to clients: the head of any answer through the header filters, and whole answers of its own. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { isBailiwickError } from '@bailiwick/contract';
import { endInOneWrite } from '../http/one-write.js';
import type { ProblemAnswer } from '../http/problems.js';
import type { ResponsePhases } from './chain.js';
import type { Exchange } from './exchange.js';
import type { Answer } from './plugin.js';
import { ResponseHead } from './response-head.js';

export const serverHeader = 'Bailiwick';

/** Runs the header filters and hands the head to Node, which sends it with the first bytes of the body. */
export function sendHead(exchange: Exchange, head: ResponseHead, phases: Pick<ResponsePhases, 'headerFilter'>): void {
  exchange.head = head;
  phases.headerFilter?.(exchange, head);
  exchange.status = head.status;
  head.raw.push('Server', serverHeader);
  exchange.response.writeHead(head.status, head.raw);
}

/** Bodies up to here go out as one text with the head. */
const smallBytes = 8 * 1024;

/** Ends with the last or only piece: a small one of known length in one write with the head. Latin-1 text keeps every byte. */
export function endWith(response: ServerResponse, body: Buffer): void {
  if (response.chunkedEncoding || body.length > smallBytes) response.end(body);
  else endInOneWrite(response, body.toString('latin1'));
}

type ToProblem = (error: unknown, requestId: string) => ProblemAnswer;

interface Prepared {
  readonly status: number;
  readonly raw: string[];
  readonly body: Buffer | AsyncIterable<Uint8Array>;
}

/** Sends a plugin's answer or a refusal, through the header and body filters. `onDone` when it has gone. */
export function sendAnswer(
  exchange: Exchange,
  answer: Answer,
  phases: Pick<ResponsePhases, 'headerFilter' | 'bodyFilter'>,
  about: { readonly toProblem: ToProblem; readonly onDone: (error?: unknown) => void },
): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    about.onDone();
    return;
  }
  const prepared = prepare(answer, exchange, about.toProblem);
  const head = new ResponseHead(prepared.status, prepared.raw);
  if (!head.has('x-request-id')) head.add('x-request-id', exchange.requestId);
  if (!Buffer.isBuffer(prepared.body)) {
    sendHead(exchange, head, phases);
    streamBody(exchange, prepared.body, phases).then(() => about.onDone(), about.onDone);
    return;
  }
  if (!phases.bodyFilter) head.set('content-length', String(prepared.body.length));
  sendHead(exchange, head, phases);
  const body = phases.bodyFilter ? phases.bodyFilter(exchange, prepared.body, true) : prepared.body;
  exchange.sentBytes += body.length;
  if (exchange.method === 'HEAD' || head.status === 204 || head.status === 304) response.end();
  else endWith(response, body);
  about.onDone();
}

async function streamBody(
  exchange: Exchange,
  body: AsyncIterable<Uint8Array>,
  phases: Pick<ResponsePhases, 'bodyFilter'>,
): Promise<void> {
  const { response } = exchange;
  let hasBegun = false;
  const write = async (chunk: Buffer): Promise<void> => {
    if (chunk.length === 0) return;
    hasBegun = true;
    exchange.sentBytes += chunk.length;
    if (!response.write(chunk)) await drained(response);
  };
  try {
    // A first piece that is there already goes out with the head, in one packet; one that is still to come does not hold it back.
    setImmediate(() => {
      if (!hasBegun && !response.destroyed) response.flushHeaders();
    });
    for await (const piece of body) {
      if (response.destroyed) return;
      const chunk = Buffer.isBuffer(piece) ? piece : Buffer.from(piece);
      await write(phases.bodyFilter ? phases.bodyFilter(exchange, chunk, false) : chunk);
    }
    if (phases.bodyFilter) await write(phases.bodyFilter(exchange, Buffer.alloc(0), true));
    hasBegun = true;
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  }
}

const drained = (response: Exchange['response']): Promise<void> =>
  new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    response.on('drain', settle).on('close', settle);
  });

function prepare(answer: Answer, exchange: Exchange, toProblem: ToProblem): Prepared {
  const { body } = answer;
  const headers = new ResponseHead(answer.status, []);
  for (const [name, value] of Object.entries(answer.headers ?? {}))
    for (const one of typeof value === 'string' ? [value] : value) headers.add(name, one);
  const asType = (type: string, bytes: Buffer): Prepared => {
    if (!headers.has('content-type')) headers.add('content-type', type);
    return { status: answer.status, raw: headers.raw, body: bytes };
  };
  if (isBailiwickError(body)) {
    const problem = toProblem(body, exchange.requestId);
    for (const [name, value] of Object.entries(problem.headers)) if (!headers.has(name)) headers.add(name, value);
    const status = answer.status === 500 ? problem.status : answer.status;
    return { status, raw: headers.raw, body: Buffer.from(JSON.stringify({ ...problem.body, status })) };
  }
  if (body === undefined || body === '') {
    if (answer.status < 400) return { status: answer.status, raw: headers.raw, body: Buffer.alloc(0) };
    return asType('text/html; charset=utf-8', Buffer.from(errorPage(answer.status)));
  }
  if (typeof body === 'string') return asType('text/plain; charset=utf-8', Buffer.from(body));
  if (body instanceof Uint8Array)
    return asType('application/octet-stream', Buffer.isBuffer(body) ? body : Buffer.from(body));
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
    return { status: answer.status, raw: headers.raw, body: body as AsyncIterable<Uint8Array> };
  // APISIX says text/plain of the JSON that its plugins refuse with.
  return asType('text/plain; charset=utf-8', Buffer.from(JSON.stringify(body)));
}

function errorPage(status: number): string {
  const title = `${status} ${reasons[status] ?? STATUS_CODES[status] ?? 'Error'}`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`;
}

/** As nginx words them. */
const reasons: Readonly<Record<number, string>> = { 503: 'Service Temporarily Unavailable', 504: 'Gateway Time-out' };
