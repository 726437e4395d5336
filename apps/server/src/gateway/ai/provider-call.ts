/**
 * Asks one instance after the other until one answers, within the bounds of the configuration and never after the first byte has gone to the
 * client; gates (limits, the policy) are asked before each. Leaving clients take the provider's call with them.
 */
import { BailiwickError, isBailiwickError } from '@bailiwick/contract';
import type { Exchange } from '../exchange.js';
import type { Answer, Outcome } from '../plugin.js';
import { UpstreamError } from '../upstreams/connection.js';
import { type Backend, type BackendAnswer, type BackendRequest, native } from './backend.js';
import { type ErrorTeller, safeEvent, withoutErrors } from './error-events.js';
import { askGates } from './gates.js';
import { gathered } from './gathered.js';
import type { Instance } from './instance.js';
import { Leaving } from './leaving.js';
import type { Json, LlmCall, Price } from './llm-call.js';
import type { LlmMetrics } from './llm-metrics.js';
import { clientError, credentialsError, faultOf, maskedForOperators, refusalHeaders } from './provider-refusal.js';
import { answerTooLarge, isTimeout } from './transport.js';

export interface CallPlan {
  /** An instance that was not tried yet, the next best first. */
  readonly next: (exchange: Exchange, tried: ReadonlySet<Instance>) => Instance | undefined;
  /** Whether another instance may be asked after this status; 0: no answer at all, 504: a time-out. */
  readonly fallsBackOn: (status: number) => boolean;
  /** Whether another instance may be asked when a gate refuses this one. */
  readonly fallsBackOnLimit: boolean;
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** No further attempt is begun after this. Milliseconds. */
  readonly retryWithinMs: number;
  readonly observed: (instance: Instance, isGood: boolean) => void;
  readonly priceOf: (model: string) => Price | undefined;
  readonly metrics: LlmMetrics;
  readonly maxResponseBytes: number;
  readonly maxStreamMs: number | undefined;
  /** How long pieces of a burst are held back at most, in milliseconds. */
  readonly flushIntervalMs: number;
  /** Hears what a provider says is wrong, masked. */
  readonly refused: (
    exchange: Exchange,
    call: LlmCall,
    about: { readonly status: number; readonly said: string },
  ) => void;
}

/** Answers that are larger are cut off when nothing else is configured. */
export const defaultMaxResponseBytes = 64 * 1024 * 1024;
/** Of what a provider says is wrong, no more is read. */
const maxRefusalBytes = 1024 * 1024;

/** Makes the call's facts those of an instance. */
export function choose(call: LlmCall, instance: Instance, plan: Pick<CallPlan, 'priceOf'>): void {
  call.instance = instance.name;
  call.provider = instance.provider;
  call.model = instance.modelFor(call);
  call.price = plan.priceOf(call.model);
  const most = instance.configuration.override?.llm_options?.max_tokens;
  if (most !== undefined) call.maxTokens = most;
}

const requestOf = (exchange: Exchange, call: LlmCall, instance: Instance, leaving: Leaving): BackendRequest => ({
  exchange,
  call,
  instance,
  leaving,
  get signal() {
    return leaving.signal;
  },
});

type Attempt =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly status: number; readonly answer: Answer; readonly isRetryable: boolean };

export async function callProvider(
  exchange: Exchange,
  call: LlmCall,
  first: Instance | undefined,
  plan: CallPlan,
): Promise<Outcome> {
  const leaving = new Leaving(exchange.response);
  const tried = new Set<Instance>();
  const began = performance.now();
  let last: Answer | undefined;
  for (let instance = first; instance; instance = plan.next(exchange, tried)) {
    tried.add(instance);
    choose(call, instance, plan);
    const refusal = await askGates(exchange);
    if (refusal) {
      last ??= refusal;
      if (!plan.fallsBackOnLimit) return last;
      continue;
    }
    call.attempts += 1;
    call.isComplete = false;
    call.rawUsage = undefined;
    if (call.attempts > 1) plan.metrics.fellBack(call);
    const attempt = await tryOne(requestOf(exchange, call, instance, leaving), plan);
    if (attempt.kind === 'answer') {
      plan.observed(instance, true);
      return attempt.answer;
    }
    last = attempt.answer;
    if (leaving.aborted) return last;
    plan.observed(instance, false);
    const mayRetry =
      attempt.isRetryable &&
      plan.fallsBackOn(attempt.status) &&
      call.attempts <= plan.maxRetries &&
      performance.now() - began < plan.retryWithinMs;
    if (!mayRetry) return last;
  }
  return last ?? noInstance();
}

const noInstance = (): Answer => ({
  status: 503,
  body: new BailiwickError('unavailable', {
    reason: 'llm.no_instance',
    message: 'No instance of a language model can be asked at the moment.',
    retryAfterSeconds: 1,
  }),
});

async function tryOne(request: Parameters<Backend>[0], plan: CallPlan): Promise<Attempt> {
  const { instance, call } = request;
  let answer: BackendAnswer | undefined;
  const began = performance.now();
  try {
    const backend =
      instance.nativePath(call.kind) === undefined ? (await import('./translation/backend.js')).translated : native;
    answer = await backend(request);
    request.exchange.source = 'upstream';
    request.exchange.upstreamStatus = answer.status;
    request.exchange.upstreamAddress = instance.url.host;
    if (answer.status >= 300) return await refusedBy(answer, request, plan);
    if (answer.isStream) return await streamed(answer, request, plan, began);
    return await wholeAnswer(answer, request, plan, began);
  } catch (error) {
    answer?.abort();
    return failureOf(error);
  }
}

function noteFirstByte({ call, exchange }: Parameters<Backend>[0], began: number): void {
  if (call.firstByteMs < 0) call.firstByteMs = performance.now() - began;
  if (exchange.upstreamMs < 0) exchange.upstreamMs = performance.now() - exchange.startedMs;
}

async function wholeAnswer(
  answer: BackendAnswer,
  request: Parameters<Backend>[0],
  plan: CallPlan,
  began: number,
): Promise<Attempt> {
  const body = await whole(answer, plan.maxResponseBytes);
  noteFirstByte(request, began);
  // Whoever has read the usage has parsed the answer.
  if (!request.call.isComplete) return brokenAnswer('The provider answered with what is no JSON.');
  const { status, headers } = answer;
  if (!body.includes('"error"')) return { kind: 'answer', answer: { status, headers, body } };
  const text = body.toString('utf8');
  const safe = safeEvent(JSON.parse(text) as Json, text, tellerOf(request, plan, status));
  return { kind: 'answer', answer: { status, headers, body: safe ? Buffer.from(JSON.stringify(safe)) : body } };
}

const tellerOf = (
  { call, exchange, instance }: Parameters<Backend>[0],
  plan: CallPlan,
  status: number,
): ErrorTeller => ({
  call,
  requestId: exchange.requestId,
  tell: (said) => plan.refused(exchange, call, { status, said: maskedForOperators(said, call, instance) }),
});

/** Status and time to come again are the provider's; what it says is told to operators alone. */
async function refusedBy(answer: BackendAnswer, request: Parameters<Backend>[0], plan: CallPlan): Promise<Attempt> {
  const { status } = answer;
  const { call, exchange } = request;
  const isRetryable = plan.fallsBackOn(status);
  if (status < 400) {
    answer.abort();
    return brokenAnswer('The provider answered with a redirect, which is never followed.');
  }
  const said = (await whole(answer, maxRefusalBytes).catch(() => undefined))?.toString('utf8') ?? '';
  tellerOf(request, plan, status).tell(said);
  const refusal = (shown: number, headers: Readonly<Record<string, string>>, body: Json): Attempt => ({
    kind: 'failed',
    status,
    isRetryable,
    answer: { status: shown, headers, body: Buffer.from(JSON.stringify(body)) },
  });
  if (status === 401 || status === 403)
    return refusal(502, refusalHeaders({}), credentialsError(call.kind, status, exchange.requestId));
  const fault = faultOf(status, parsedJson(said), call);
  return refusal(status, refusalHeaders(answer.headers), clientError(call.kind, fault, exchange.requestId));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const brokenAnswer = (message: string): Attempt => ({
  kind: 'failed',
  status: 502,
  isRetryable: false,
  answer: { status: 502, body: new BailiwickError('unavailable', { reason: 'llm.bad_answer', message }) },
});

function failureOf(error: unknown): Attempt {
  if (isBailiwickError(error))
    return { kind: 'failed', status: 500, isRetryable: false, answer: { status: 500, body: error } };
  const status = isTimeout(error) ? 504 : 502;
  const kind = isTimeout(error) ? 'timeout' : 'unavailable';
  const message = isTimeout(error)
    ? 'The provider did not answer in time.'
    : 'The provider cannot be reached or broke off.';
  const operatorMessage = error instanceof Error ? error.message : String(error);
  if (!(error instanceof UpstreamError) && status !== 504 && !(error instanceof Error)) throw error;
  return {
    kind: 'failed',
    status,
    isRetryable: true,
    answer: {
      status,
      body: new BailiwickError(kind, { reason: `llm.provider_${kind}`, message, operatorMessage, cause: error }),
    },
  };
}

async function whole(answer: BackendAnswer, maxBytes: number): Promise<Buffer> {
  if (answer.whole) return await answer.whole(maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      answer.abort();
      throw answerTooLarge(maxBytes);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes);
}

/** The head goes to the client with the first byte: until then another instance can still be asked. */
async function streamed(
  answer: BackendAnswer,
  request: Parameters<Backend>[0],
  plan: CallPlan,
  began: number,
): Promise<Attempt> {
  const pieces = withoutErrors(answer.body, tellerOf(request, plan, answer.status));
  const body = plan.flushIntervalMs > 0 ? gathered(pieces, plan.flushIntervalMs) : pieces;
  const iterator = body[Symbol.asyncIterator]();
  const first = await iterator.next();
  noteFirstByte(request, began);
  if (first.done === true) {
    if (request.leaving.aborted) return brokenAnswer('The client has gone.');
    return { ...brokenAnswer('The provider ended its stream before it began.'), isRetryable: true } as Attempt;
  }
  const headers = { 'cache-control': 'no-store', ...answer.headers };
  return {
    kind: 'answer',
    answer: { status: answer.status, headers, body: bounded(first.value, iterator, answer, plan) },
  };
}

async function* bounded(
  first: Buffer,
  rest: AsyncIterator<Buffer>,
  answer: BackendAnswer,
  { maxResponseBytes, maxStreamMs }: CallPlan,
): AsyncGenerator<Buffer> {
  let isLate = false;
  const timer =
    maxStreamMs === undefined
      ? undefined
      : setTimeout(() => {
          isLate = true;
          answer.abort();
        }, maxStreamMs);
  let bytes = first.length;
  try {
    yield first;
    for (;;) {
      const next = await rest.next();
      if (isLate) throw new Error('the stream took longer than max_stream_duration_ms');
      if (next.done === true) return;
      bytes += next.value.length;
      if (bytes > maxResponseBytes) throw new Error('the stream is larger than max_response_bytes');
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
    answer.abort();
    await rest.return?.();
  }
}
