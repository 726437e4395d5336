/**
 * A provider that does not take the client's format as it is: a library translates request and answer, streams and tool calls, in both
 * directions. All formats: responses are asked for as a chat, embeddings in the provider's own form where it has them.
 */
import { APICallError, type LanguageModelV3StreamPart, type LanguageModelV3Usage } from '@ai-sdk/provider';
import { isBailiwickError } from '@bailiwick/contract';
import type { Backend, BackendAnswer } from '../backend.js';
import type { Instance } from '../instance.js';
import type { Json, LlmCall, LlmKind } from '../llm-call.js';
import { badCall } from '../read-call.js';
import { isObject } from './content.js';
import { embedded } from './embeddings.js';
import { fromAnthropic } from './from-anthropic.js';
import { fromChat } from './from-chat.js';
import { fromResponses } from './from-responses.js';
import { embeddingModelOf, modelOf } from './models.js';
import { anthropicAnswer, anthropicEvents } from './to-anthropic.js';
import { type AnswerHead, chatAnswer, chatEvents } from './to-chat.js';
import { responsesAnswer, responsesEvents } from './to-responses.js';

interface Format {
  readonly read: typeof fromChat;
  readonly answer: typeof responsesAnswer;
  readonly events: (head: AnswerHead, body: Json) => (part: LanguageModelV3StreamPart) => readonly string[];
  readonly idPrefix: string;
}

const formats: Partial<Record<LlmKind, Format>> = {
  'openai-chat': {
    read: fromChat,
    answer: chatAnswer,
    events: (head, body) => {
      const options = body['stream_options'];
      return chatEvents(head, isObject(options) && options['include_usage'] === true);
    },
    idPrefix: 'chatcmpl-',
  },
  'anthropic-messages': {
    read: fromAnthropic,
    answer: anthropicAnswer,
    events: anthropicEvents,
    idPrefix: 'msg_',
  },
  'openai-responses': { read: fromResponses, answer: responsesAnswer, events: responsesEvents, idPrefix: 'resp_' },
};

export const translated: Backend = async ({ exchange, call, instance, signal }) => {
  const body = instance.bodyFor(call);
  const format = formats[call.kind];
  if (!format) return await embeddings(call, instance, { body, instance, signal });
  const options = { ...format.read(body), abortSignal: signal };
  const model = modelOf(instance, call.model, signal);
  const head = { id: format.idPrefix + exchange.requestId, created: Math.floor(Date.now() / 1000), model: call.model };
  try {
    if (body['stream'] !== true) {
      const result = await model.doGenerate(options);
      take(call, result.usage, result.finishReason.unified);
      return wholeAnswer(200, format.answer(result, head, body));
    }
    const { stream } = await model.doStream(options);
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      isStream: true,
      body: written(stream, format.events(head, body), call),
      abort: () => undefined,
    };
  } catch (error) {
    return refusal(error);
  }
};

async function embeddings(
  call: LlmCall,
  instance: Instance,
  about: Parameters<typeof embedded>[2],
): Promise<BackendAnswer> {
  const model = embeddingModelOf(instance, call.model, about.signal);
  if (!model) throw badCall('no_embeddings', `The provider ${instance.provider} has no embeddings.`);
  try {
    return wholeAnswer(200, await embedded(model, call, about));
  } catch (error) {
    return refusal(error);
  }
}

function take(call: LlmCall, { inputTokens, outputTokens }: LanguageModelV3Usage, reason: string): void {
  call.finishReason = reason;
  call.isComplete = true;
  call.usage = {
    inputTokens: inputTokens.total ?? call.promptTokens,
    outputTokens: outputTokens.total ?? 0,
    cachedTokens: inputTokens.cacheRead ?? 0,
    isEstimated: inputTokens.total === undefined,
  };
}

const wholeAnswer = (status: number, body: Json, headers: Record<string, string> = {}): BackendAnswer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  isStream: false,
  body: only(Buffer.from(JSON.stringify(body))),
  abort: () => undefined,
});

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** A status that the provider has given, and what it said; anything else is a failure of the call. */
function refusal(error: unknown): BackendAnswer {
  if (isBailiwickError(error)) throw error;
  if (!APICallError.isInstance(error) || error.statusCode === undefined || error.statusCode < 300) throw causeOf(error);
  const retryAfter = error.responseHeaders?.['retry-after'];
  return {
    ...wholeAnswer(error.statusCode, {}, retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    body: only(Buffer.from(error.responseBody ?? JSON.stringify({ error: { message: error.message } }))),
  };
}

/** What the transport has thrown, out of the library's wrapping. */
function causeOf(error: unknown): unknown {
  let found = error;
  for (let depth = 0; depth < 4 && found instanceof Error; depth += 1) {
    if ('fault' in found) return found;
    found = found.cause;
  }
  return error;
}

async function* written(
  stream: ReadableStream<LanguageModelV3StreamPart>,
  eventsOf: (part: LanguageModelV3StreamPart) => readonly string[],
  call: LlmCall,
): AsyncGenerator<Buffer> {
  let isFinished = false;
  for await (const part of stream as unknown as AsyncIterable<LanguageModelV3StreamPart>) {
    if (part.type === 'error') throw causeOf(part.error);
    if (part.type === 'finish') {
      isFinished = true;
      if (part.finishReason.unified === 'error') throw new Error('the provider ended its stream with an error');
      // A library gives a stream that broke off an end of its own, without the provider's reason.
      if (part.finishReason.raw === undefined && part.finishReason.unified === 'other')
        throw new Error('the provider broke its stream off');
      take(call, part.usage, part.finishReason.unified);
    }
    const events = eventsOf(part);
    if (events.length > 0) yield Buffer.from(events.join(''));
  }
  if (!isFinished) throw new Error('the provider broke its stream off');
}
