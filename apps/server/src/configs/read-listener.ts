/**
 * The reads that applications make all the time (effective configuration, OFREP), answered without a framework: an API key, a plain POST
 * with a declared length. Authenticated, decided by the platform policy and limited like everything else; only what is refused is
 * logged as a decision. Everything else, and whatever goes wrong here, is the application's to answer.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type ConfigFetch, isNoneMatch, quoteEtag } from '@bailiwick/contract';
import { parseNumber } from '@bailiwick/rego';
import type { FastifyInstance } from 'fastify';
import type { Caller, DecisionService } from '../decisions/decision-service.js';
import type { OfrepService } from '../flags/ofrep-service.js';
import { answerByApplication } from '../http/answer-by-application.js';
import type { BusyPoll } from '../http/busy-poll.js';
import type { CrossOrigin } from '../http/cross-origin.js';
import { type JsonBody, toJsonBody } from '../http/json-body.js';
import { endInOneWrite, whenAwake } from '../http/one-write.js';
import { parseStrictJson } from '../http/strict-json.js';
import { ApiKeys } from '../identity/api-keys.js';
import type { ResourceScope } from '../ports/resource-store.port.js';
import type { Metrics } from '../telemetry/metrics.js';
import { audienceOf, type FetchService } from './fetch-service.js';
import type { ReadRateLimits } from './rate-limits.js';
import { scopeOf, scopeOfCaller } from './scope.js';

export interface ReadListenerParts {
  readonly application: FastifyInstance;
  /** The application's own listener: for every other request. */
  readonly others: RequestListener;
  readonly apiKeys: ApiKeys;
  readonly decisions: DecisionService;
  readonly fetches: FetchService;
  readonly ofrep: OfrepService;
  readonly limits: ReadRateLimits;
  readonly crossOrigin: CrossOrigin;
  readonly metrics: Pick<Metrics, 'apiRequest'>;
  readonly busyPoll: BusyPoll;
  readonly maxJsonDepth: number;
}

const fetchPath = '/api/v1/configs/fetch';
const bulkPath = '/ofrep/v1/evaluate/flags';
const singlePath = `${bulkPath}/`;
const maxBodyBytes = 64 * 1024;
const maxKnownBodyBytes = 2 * 1024;
const maxKnownBodies = 2_000;
/** A power of two. */
const seenBodies = 4_096;
const keyPattern = /^[A-Za-z0-9._-]+$/;

interface Answer {
  readonly status: number;
  readonly etag?: string;
  /** Empty for 304. */
  readonly body: JsonBody;
}

type Read = (
  caller: Caller,
  body: ReadBody,
) => { readonly scope: ResourceScope; readonly answer: () => Answer | Promise<Answer> };

/** Anything that is not answered here: the application is asked the same, and words it. */
class NotHere extends Error {}

export function createReadListener(parts: ReadListenerParts): RequestListener {
  const bodies = new KnownBodies({ maxDepth: parts.maxJsonDepth, onBigNumber: parseNumber });
  const { application } = parts;

  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
    read: Read,
    body: Buffer,
  ): Promise<void> => {
    const startedMs = performance.now();
    const requestId = requestIdOf(request);
    try {
      const caller = parts.apiKeys.authenticate(credentialOf(request) ?? '');
      const { scope, answer: make } = read(caller, bodies.read(body));
      authorise(parts, request, caller, scope, requestId);
      const limited = parts.limits.take(caller.actor);
      if (limited) await limited;
      const made = await make();
      send(request, response, made, requestId, parts.crossOrigin);
      parts.busyPoll.answered();
      const seconds = (performance.now() - startedMs) / 1e3;
      parts.metrics.apiRequest({ method: 'POST', route: routeOf(request), status: made.status }, seconds);
    } catch {
      // Refusals and faults are rare, and the application words (and logs) them.
      const headers = { ...(request.headers as Record<string, string>), 'x-request-id': requestId };
      await answerByApplication(application, request, response, { headers, body });
    }
  };

  return (request, response) => {
    const read = readOf(request, parts);
    if (read === undefined) {
      parts.others(request, response);
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => response.destroy());
    request.on('end', () => void answer(request, response, read, Buffer.concat(chunks)));
  };
}

interface ReadBody {
  readonly json: unknown;
  /** It is kept: the same object comes with the same body again. */
  readonly isKept: boolean;
}

/**
 * Small bodies that came before: an application asks the same again and again, and what is kept of an answer is kept by its body. What comes
 * for the first time, as far as is remembered, is not kept: it may well be the last, and then is only more to collect.
 */
class KnownBodies {
  readonly #json: Parameters<typeof parseStrictJson>[1];
  readonly #known = new Map<string, ReadBody>();
  /** Hashes of bodies that came lately, each in the place that it gives itself. */
  readonly #seen = new Int32Array(seenBodies);

  constructor(json: Parameters<typeof parseStrictJson>[1]) {
    this.#json = json;
  }

  /** Throws as `parseStrictJson`. Whoever gets the body does not change it. */
  read(body: Buffer): ReadBody {
    if (body.length > maxKnownBodyBytes) return { json: parseStrictJson(body, this.#json), isKept: false };
    const text = body.toString('latin1');
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const isKept = this.#isSeen(body);
    const read = { json: parseStrictJson(body, this.#json), isKept };
    if (!isKept) return read;
    if (this.#known.size >= maxKnownBodies) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.set(text, read);
    return read;
  }

  #isSeen(body: Buffer): boolean {
    let hash = body.length;
    for (const byte of body) hash = (Math.imul(hash, 31) + byte) | 0;
    hash ^= hash >>> 15;
    const place = hash & (seenBodies - 1);
    const isSeen = this.#seen[place] === hash;
    this.#seen[place] = hash;
    return isSeen;
  }
}

/** What is asked, when it is one of the plain reads. */
function readOf(request: IncomingMessage, parts: ReadListenerParts): Read | undefined {
  const { url = '' } = request;
  if (request.method !== 'POST' || !(Number(request.headers['content-length'] ?? Number.NaN) <= maxBodyBytes))
    return undefined;
  if (!ApiKeys.isApiKey(credentialOf(request) ?? '') || request.headers['content-encoding'] !== undefined)
    return undefined;
  if (request.headers['content-type']?.startsWith('application/json') !== true) return undefined;
  if (url === fetchPath) return (caller, { json }) => fetchRead(parts, request, caller, json);
  if (url === bulkPath) return (caller, body) => bulkRead(parts, request, caller, body);
  const key = url.startsWith(singlePath) ? url.slice(singlePath.length) : '';
  if (keyPattern.test(key)) return (caller, { json }) => singleRead(parts, key, caller, json);
  return undefined;
}

function fetchRead(
  parts: ReadListenerParts,
  request: IncomingMessage,
  caller: Caller,
  body: unknown,
): ReturnType<Read> {
  const plain = plainFetch(body);
  return {
    scope: scopeOf(plain.app_id, plain.environment),
    answer: async () => {
      const fetched = await parts.fetches.fetch(plain, audienceOf(caller.claims));
      const isKnown = isNoneMatch(request.headers['if-none-match'], fetched.etag);
      return { status: isKnown ? 304 : 200, etag: fetched.etag, body: isKnown ? '' : fetched.body() };
    },
  };
}

/** Bodies with anything beyond scope, context and keys are checked against the schema by the application. */
function plainFetch(body: unknown): ConfigFetch {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new NotHere();
  const { app_id, environment, context, keys, ...rest } = body as Record<string, unknown>;
  const isName = (name: unknown): boolean => name === undefined || name === null || typeof name === 'string';
  const isContext =
    context === undefined || (typeof context === 'object' && context !== null && !Array.isArray(context));
  const isKeys =
    keys === undefined || (Array.isArray(keys) && keys.length <= 1_000 && keys.every((key) => typeof key === 'string'));
  if (Object.keys(rest).length > 0 || !isName(app_id) || !isName(environment) || !isContext || !isKeys)
    throw new NotHere();
  return body as ConfigFetch;
}

function bulkRead(
  parts: ReadListenerParts,
  request: IncomingMessage,
  caller: Caller,
  { json, isKept }: ReadBody,
): ReturnType<Read> {
  const scope = scopeOfCaller({ caller, query: undefined });
  return {
    scope,
    answer: () => {
      const result = parts.ofrep.bulk(scope, json, isKept);
      if ('status' in result) return { status: result.status, body: toJsonBody(JSON.stringify(result.body)) };
      const isKnown = isNoneMatch(request.headers['if-none-match'], result.etag);
      return { status: isKnown ? 304 : 200, etag: result.etag, body: isKnown ? '' : result.body() };
    },
  };
}

function singleRead(parts: ReadListenerParts, key: string, caller: Caller, body: unknown): ReturnType<Read> {
  const scope = scopeOfCaller({ caller, query: undefined });
  return {
    scope,
    answer: () => {
      const { status, body: answer } = parts.ofrep.single(scope, key, body, audienceOf(caller.claims));
      return { status, body: toJsonBody(JSON.stringify(answer)) };
    },
  };
}

function authorise(
  { decisions }: ReadListenerParts,
  request: IncomingMessage,
  caller: Caller,
  { appId, environment }: ResourceScope,
  requestId: string,
): void {
  const { url = '' } = request;
  // Without spreading: this is made for every request.
  const decision = decisions.decide({
    caller,
    method: 'POST',
    path: url,
    query: {},
    project: undefined,
    requestId,
    headers: request.headers as Record<string, string>,
    action: url === fetchPath ? 'config.fetch' : 'flag.evaluate',
    facts: { resource: { kind: 'environment', app_id: appId, environment } },
    isLoggedOnlyWhenDenied: true,
  });
  // Asked again, it is refused (and audited) by the application.
  if (!decision.allowed) throw new NotHere();
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, etag, body }: Answer,
  requestId: string,
  crossOrigin: CrossOrigin,
): void {
  const headers = ['x-request-id', requestId, 'x-content-type-options', 'nosniff'];
  if (etag !== undefined) headers.push('etag', quoteEtag(etag), 'cache-control', 'private, no-cache');
  const { origin } = request.headers;
  if (origin !== undefined)
    for (const [name, value] of Object.entries(crossOrigin.headersFor(request.url ?? '', origin) ?? {}))
      headers.push(name, value);
  if (status === 304) {
    response.writeHead(304, headers);
    whenAwake(() => response.end());
    return;
  }
  headers.push('content-type', 'application/json; charset=utf-8', 'content-length', String(body.length));
  response.writeHead(status, headers);
  endInOneWrite(response, body);
}

const routeOf = ({ url = '' }: IncomingMessage): string => (url.startsWith(singlePath) ? `${singlePath}:key` : url);

function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._~-]{1,128}$/.test(given) ? given : randomUUID();
}

function credentialOf(request: IncomingMessage): string | undefined {
  const apiKey = request.headers['x-api-key'];
  if (typeof apiKey === 'string') return apiKey;
  const { authorization } = request.headers;
  return authorization?.startsWith('Bearer ') === true ? authorization.slice('Bearer '.length) : undefined;
}
