/** What a library's model has answered, as OpenAI chat completions: whole or as server-sent events. */
import type {
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
} from '@ai-sdk/provider';
import type { Json } from '../llm-call.js';
import { numberOf } from './content.js';

/** Id, creation time in epoch seconds and model of one answer. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export const finishReason = ({ unified }: LanguageModelV3FinishReason): string =>
  ({
    stop: 'stop',
    length: 'length',
    'content-filter': 'content_filter',
    'tool-calls': 'tool_calls',
    error: 'stop',
    other: 'stop',
  })[unified];

export function chatUsage({ inputTokens, outputTokens }: LanguageModelV3Usage): Json {
  const [input, output] = [numberOf(inputTokens.total) ?? 0, numberOf(outputTokens.total) ?? 0];
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    ...(inputTokens.cacheRead ? { prompt_tokens_details: { cached_tokens: inputTokens.cacheRead } } : {}),
  };
}

export function chatAnswer(result: LanguageModelV3GenerateResult, { id, created, model }: AnswerHead): Json {
  const texts = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  const calls = result.content.flatMap((part) =>
    part.type === 'tool-call'
      ? [{ id: part.toolCallId, type: 'function', function: { name: part.toolName, arguments: part.input } }]
      : [],
  );
  const content = texts.length === 0 && calls.length > 0 ? null : texts.join('');
  const message = { role: 'assistant', content, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: [{ index: 0, message, finish_reason: finishReason(result.finishReason) }],
    usage: chatUsage(result.usage),
  };
}

/** Turns one part into the events it means. `withUsage`: the client asked for it (`stream_options.include_usage`). */
export function chatEvents(
  { id, created, model }: AnswerHead,
  withUsage: boolean,
): (part: LanguageModelV3StreamPart) => readonly string[] {
  const calls = new Map<string, number>();
  const streamed = new Set<string>();
  let isBegun = false;
  const event = (choices: readonly unknown[], more: Json = {}): string =>
    `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model, choices, ...more })}\n\n`;
  const delta = (value: Json): readonly string[] => {
    const first = isBegun ? {} : { role: 'assistant' };
    isBegun = true;
    return [event([{ index: 0, delta: { ...first, ...value }, finish_reason: null }])];
  };
  const begin = (callId: string, name: string, written: string): readonly string[] => {
    const index = calls.size;
    calls.set(callId, index);
    return delta({ tool_calls: [{ index, id: callId, type: 'function', function: { name, arguments: written } }] });
  };
  return (part) => {
    switch (part.type) {
      case 'text-delta':
        return delta({ content: part.delta });
      case 'tool-input-start':
        return begin(part.id, part.toolName, '');
      case 'tool-input-delta':
        streamed.add(part.id);
        return delta({ tool_calls: [{ index: calls.get(part.id) ?? 0, function: { arguments: part.delta } }] });
      case 'tool-call':
        // Some providers give a call in one piece.
        if (!calls.has(part.toolCallId)) return begin(part.toolCallId, part.toolName, part.input);
        if (streamed.has(part.toolCallId)) return [];
        return delta({ tool_calls: [{ index: calls.get(part.toolCallId) ?? 0, function: { arguments: part.input } }] });
      case 'finish':
        return [
          event([{ index: 0, delta: {}, finish_reason: finishReason(part.finishReason) }]),
          ...(withUsage ? [event([], { usage: chatUsage(part.usage) })] : []),
          'data: [DONE]\n\n',
        ];
      default:
        return [];
    }
  };
}
