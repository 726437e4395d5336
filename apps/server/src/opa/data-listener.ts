/**
 * The listener for a private network (`BAILIWICK_OPA_ADDRESS`): OPA's REST API without tokens. The call that everybody makes, a plain
 * `POST /v1/data/…`, is answered here without a framework; everything else goes to the application.
 */
import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { parseNumber, stringifyJson, type Value } from '@bailiwick/rego';
import type { FastifyInstance } from 'fastify';
import { parseStrictJson } from '../http/strict-json.js';
import { answerData, type DataParts, type DataQuestion } from './data-evaluation.js';

export interface DataListenerOptions {
  readonly maxBodyBytes: number;
  readonly maxJsonDepth: number;
  /** Answers what is not a plain data call. */
  readonly application: FastifyInstance;
}

const prefix = '/v1/data/';

export function createDataListener(parts: DataParts, options: DataListenerOptions): Server {
  const json = { maxDepth: options.maxJsonDepth, onBigNumber: parseNumber };
  const { application } = options;

  const answer = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    try {
      const document = (body.length === 0 ? {} : parseStrictJson(body, json)) as { readonly input?: Value } | null;
      if (typeof document !== 'object' || document === null || Array.isArray(document))
        throw new TypeError('no object');
      const { value, decisionId } = await answerData(parts, questionOf(request), document.input);
      const id = decisionId === undefined ? '' : `"decision_id":"${decisionId}"${value === undefined ? '' : ','}`;
      const text = `{${id}${value === undefined ? '' : `"result":${stringifyJson(value)}`}}\n`;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    } catch {
      // Refusals and faults are rare: the application is asked the same and words them.
      const headers = { 'content-type': String(request.headers['content-type'] ?? 'application/json') };
      const worded = await application.inject({ method: 'POST', url: request.url ?? prefix, headers, payload: body });
      response.writeHead(worded.statusCode, worded.headers as OutgoingHttpHeaders);
      response.end(worded.rawPayload);
    }
  };

  const limits = { requestTimeout: 60_000, headersTimeout: 15_000, keepAliveTimeout: 65_000 };
  return createServer(limits, (request, response) => {
    if (!isPlainDataCall(request, options.maxBodyBytes)) {
      application.server.emit('request', request, response);
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => response.destroy());
    request.on('end', () => void answer(request, response, Buffer.concat(chunks)));
  });
}

/** Without a query, and with a declared length: a body that grows without end is the application's to refuse. */
function isPlainDataCall(request: IncomingMessage, maxBodyBytes: number): boolean {
  if (request.method !== 'POST' || request.url?.startsWith(prefix) !== true || request.url.includes('?')) return false;
  return Number(request.headers['content-length'] ?? Number.NaN) <= maxBodyBytes;
}

function questionOf(request: IncomingMessage): DataQuestion {
  return {
    path: (request.url ?? '').slice(prefix.length),
    project: undefined,
    claimedProject: undefined,
    isStrict: false,
    requestId: String(request.headers['x-request-id'] ?? randomUUID()),
  };
}
