/**
 * The listener for a private network (`BAILIWICK_OPA_ADDRESS`): OPA's REST API without tokens. The call that everybody makes, a plain
 * `POST /v1/data/…`, is answered on its socket; other calls of `/v1/data/…` are answered through Node's HTTP, without a framework; everything
 * else goes to the application.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { parseNumber, stringifyJson, type Value } from '@bailiwick/rego';
import type { FastifyInstance } from 'fastify';
import { answerByApplication } from '../http/answer-by-application.js';
import type { BusyPoll } from '../http/busy-poll.js';
import { type JsonBody, toJsonBody } from '../http/json-body.js';
import { endInOneWrite } from '../http/one-write.js';
import { parseStrictJson } from '../http/strict-json.js';
import { answerData, type DataParts, type DataQuestion, type Outcome } from './data-evaluation.js';
import { PlainConnection } from './plain-connection.js';

export interface DataListenerOptions {
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  readonly busyPoll: BusyPoll;
  /** Answers what is not a plain data call. */
  readonly application: FastifyInstance;
}

const prefix = '/v1/data/';
const limits = { requestTimeout: 60_000, headersTimeout: 15_000, keepAliveTimeout: 65_000 };

export class DataListener {
  readonly #parts: DataParts;
  readonly #options: DataListenerOptions;
  readonly #server: Server;
  readonly #plain = new Map<Socket, PlainConnection>();

  constructor(parts: DataParts, options: DataListenerOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#server = createServer(limits, (request, response) => this.#handle(request, response));
    const [handOver] = this.#server.listeners('connection') as ((socket: Socket) => void)[];
    if (!handOver) throw new Error('the server has no listener');
    this.#server.removeAllListeners('connection');
    this.#server.on('connection', (socket: Socket) => this.#connect(socket, handOver));
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#server.once('error', reject).listen(port, host, resolve));
  }

  /** Lets the calls on their way finish. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    for (const connection of this.#plain.values()) connection.close();
    await closed;
  }

  #connect(socket: Socket, handOver: (socket: Socket) => void): void {
    const forget = (): void => void this.#plain.delete(socket);
    const { maxBodyBytes, busyPoll } = this.#options;
    const connection = new PlainConnection(socket, {
      maxBodyBytes,
      keepAliveMs: limits.keepAliveTimeout,
      answer: ({ path, requestId }, body) => {
        const outcome = this.#answer(path, body, () => requestId ?? randomUUID());
        if (outcome instanceof Promise) return outcome.then(bodyOf);
        busyPoll.answered();
        return bodyOf(outcome);
      },
      handOver: (taken) => {
        forget();
        socket.off('close', forget);
        handOver.call(this.#server, taken);
      },
    });
    this.#plain.set(socket, connection);
    socket.once('close', forget);
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (!isDataCall(request, this.#options.maxBodyBytes)) {
      this.#options.application.server.emit('request', request, response);
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => response.destroy());
    request.on('end', () => void this.#respond(request, response, Buffer.concat(chunks)));
  }

  async #respond(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const { url = prefix, headers } = request;
    try {
      const requestId = (): string => String(headers['x-request-id'] ?? randomUUID());
      const outcome = this.#answer(url.slice(prefix.length), body, requestId);
      const text = bodyOf(outcome instanceof Promise ? await outcome : outcome);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
      endInOneWrite(response, text);
      this.#options.busyPoll.answered();
    } catch {
      // Refusals and faults are rare.
      const type = String(headers['content-type'] ?? 'application/json');
      const asked = { headers: { 'content-type': type }, body };
      await answerByApplication(this.#options.application, request, response, asked);
    }
  }

  /** Throws or rejects for whatever is not answered with 200. */
  #answer(path: string, body: Buffer, requestId: DataQuestion['requestId']): Outcome | Promise<Outcome> {
    const json = { maxDepth: this.#options.maxJsonDepth, onBigNumber: parseNumber };
    const document = (body.length === 0 ? {} : parseStrictJson(body, json)) as { readonly input?: Value } | null;
    if (typeof document !== 'object' || document === null || Array.isArray(document)) throw new TypeError('no object');
    const question = { path, project: undefined, claimedProject: undefined, isStrict: false, requestId };
    return answerData(this.#parts, question, document.input);
  }
}

function bodyOf({ value, decisionId }: Outcome): JsonBody {
  const id = decisionId === undefined ? '' : `"decision_id":"${decisionId}"${value === undefined ? '' : ','}`;
  return toJsonBody(`{${id}${value === undefined ? '' : `"result":${stringifyJson(value)}`}}\n`);
}

/** Without a query, and with a plain body of declared length: one that grows without end, or is compressed, is the application's. */
function isDataCall({ method, url, headers }: IncomingMessage, maxBodyBytes: number): boolean {
  if (method !== 'POST' || url?.startsWith(prefix) !== true || url.includes('?')) return false;
  if (headers['content-encoding'] !== undefined) return false;
  return Number(headers['content-length'] ?? Number.NaN) <= maxBodyBytes;
}
