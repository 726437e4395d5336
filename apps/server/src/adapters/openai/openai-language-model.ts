/** A language model behind OpenAI's chat completions, streamed: a route of our own gateway, which takes the key from the vault and applies the AI policies. */
import { BailiwickError, type ErrorKind } from '@bailiwick/contract';
import type {
  LanguageModel,
  ModelCaller,
  ModelEvent,
  ModelMessage,
  ModelUsage,
} from '../../ports/language-model.port.js';

export interface OpenAiLanguageModelOptions {
  /** Up to and including `/chat/completions`. */
  readonly url: string;
  /** Empty: the route decides. */
  readonly model: string;
  readonly maxTokens: number;
  /** Until the first byte, and between two. */
  readonly timeoutMs: number;
}

interface Delta {
  readonly model?: string;
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
  readonly error?: unknown;
}

const maxEventChars = 1_000_000;

function fault(kind: ErrorKind, reason: string, message: string, operatorMessage?: string, cause?: unknown) {
  return new BailiwickError(kind, {
    ...{ reason, message, cause },
    ...(operatorMessage === undefined ? {} : { operatorMessage }),
    ...(kind === 'unavailable' ? { retryAfterSeconds: 5 } : {}),
  });
}

const unavailable = (why: string, cause?: unknown) =>
  fault('unavailable', 'model.unavailable', 'The language model does not answer. Try again later.', why, cause);

export class OpenAiLanguageModel implements LanguageModel {
  readonly #options: OpenAiLanguageModelOptions;

  constructor(options: OpenAiLanguageModelOptions) {
    this.#options = options;
  }

  async *answer(
    messages: readonly ModelMessage[],
    caller: ModelCaller,
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent> {
    const patience = new Patience(this.#options.timeoutMs, signal);
    try {
      const response = await this.#ask(messages, caller, patience);
      if (!response.body) throw unavailable('no body');
      let model: string | null = null;
      let usage: ModelUsage | null = null;
      for await (const delta of deltasOf(response.body, patience)) {
        if (delta.error !== undefined) throw unavailable('the stream ended with an error');
        model = delta.model ?? model;
        if (delta.usage)
          usage = {
            inputTokens: delta.usage.prompt_tokens ?? 0,
            outputTokens: delta.usage.completion_tokens ?? 0,
          };
        const text = delta.choices?.[0]?.delta?.content ?? '';
        if (text !== '') yield { kind: 'text', text };
      }
      yield { kind: 'end', model, usage };
    } finally {
      patience.end();
    }
  }

  async #ask(messages: readonly ModelMessage[], caller: ModelCaller, patience: Patience): Promise<Response> {
    const { url, model, maxTokens } = this.#options;
    let response: Response;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-request-id': caller.requestId,
          'x-bailiwick-project': caller.project,
          ...(caller.authorization === undefined ? {} : { authorization: caller.authorization }),
          ...(caller.traceparent === undefined ? {} : { traceparent: caller.traceparent }),
        },
        body: JSON.stringify({
          ...(model === '' ? {} : { model }),
          ...{ messages, max_tokens: maxTokens, temperature: 0, stream: true },
          stream_options: { include_usage: true },
        }),
        redirect: 'error',
        signal: patience.signal,
      });
    } catch (cause) {
      patience.throwIfCallerLeft();
      throw unavailable('no answer', cause);
    }
    patience.restart();
    if (response.ok) return response;
    await response.body?.cancel().catch(() => undefined);
    throw refusal(response.status);
  }
}

function refusal(status: number): BailiwickError {
  if (status === 401 || status === 403)
    return fault('forbidden', 'model.denied', 'A policy does not let this question go to the language model.');
  if (status === 429)
    return fault('rate-limited', 'model.limited', 'The limit of the language model is reached. Try again later.');
  if (status === 400 || status === 413)
    return fault('unprocessable', 'model.refused', 'The gateway or the model refused the prompt.', `status ${status}`);
  return unavailable(`status ${status}`);
}

/** Server-sent events as their JSON; ends at `[DONE]`. A stream that ends without it is broken off. */
async function* deltasOf(body: ReadableStream<Uint8Array>, patience: Patience): AsyncGenerator<Delta> {
  const decoder = new TextDecoder();
  let buffered = '';
  try {
    for await (const bytes of body) {
      patience.restart();
      buffered += decoder.decode(bytes, { stream: true });
      if (buffered.length > maxEventChars) throw unavailable('an event too long');
      const lines = buffered.split(/\r?\n/);
      buffered = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.startsWith('data:')) continue;
        const data = line.slice('data:'.length).trim();
        if (data === '[DONE]') return;
        yield parse(data);
      }
    }
  } catch (cause) {
    patience.throwIfCallerLeft();
    throw cause instanceof BailiwickError ? cause : unavailable('the stream broke off', cause);
  }
  throw unavailable('the stream ended before its end');
}

function parse(data: string): Delta {
  try {
    return JSON.parse(data) as Delta;
  } catch (cause) {
    throw unavailable('an event that is not JSON', cause);
  }
}

/** A time-out that starts again with every sign of life, and the caller's own signal. */
class Patience {
  readonly #own = new AbortController();
  readonly #caller: AbortSignal;
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout;
  readonly signal: AbortSignal;

  constructor(timeoutMs: number, caller: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.#caller = caller;
    this.signal = AbortSignal.any([this.#own.signal, caller]);
    this.#timer = this.#start();
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#own.abort();
  }

  throwIfCallerLeft(): void {
    this.#caller.throwIfAborted();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => this.#own.abort(new Error('too slow')), this.#timeoutMs).unref();
  }
}
