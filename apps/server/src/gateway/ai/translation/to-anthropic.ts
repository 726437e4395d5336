/** What a library's model has answered, as Anthropic messages: whole or as server-sent events. */
import type {
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
} from '@ai-sdk/provider';
import type { Json } from '../llm-call.js';
import { numberOf, parsedArguments } from './content.js';
import type { AnswerHead } from './to-chat.js';

const stopReason = ({ unified }: LanguageModelV3FinishReason): string =>
  ({
    stop: 'end_turn',
    length: 'max_tokens',
    'content-filter': 'refusal',
    'tool-calls': 'tool_use',
    error: 'end_turn',
    other: 'end_turn',
  })[unified];

const usageOf = ({ inputTokens, outputTokens }: LanguageModelV3Usage): Json => {
  const cached = inputTokens.cacheRead ?? 0;
  return {
    input_tokens: Math.max(0, (numberOf(inputTokens.total) ?? 0) - cached),
    output_tokens: numberOf(outputTokens.total) ?? 0,
    ...(cached > 0 ? { cache_read_input_tokens: cached } : {}),
  };
};

export function anthropicAnswer(result: LanguageModelV3GenerateResult, { id, model }: AnswerHead): Json {
  const content = result.content.flatMap((part): readonly Json[] => {
    if (part.type === 'text') return [{ type: 'text', text: part.text }];
    if (part.type !== 'tool-call') return [];
    return [{ type: 'tool_use', id: part.toolCallId, name: part.toolName, input: parsedArguments(part.input) }];
  });
  return {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: stopReason(result.finishReason),
    stop_sequence: null,
    usage: usageOf(result.usage),
  };
}

/** Turns one part into the events it means: blocks are opened and closed one after the other. */
export function anthropicEvents({ id, model }: AnswerHead): (part: LanguageModelV3StreamPart) => readonly string[] {
  let index = -1;
  let open: string | undefined;
  const streamed = new Set<string>();
  const event = (type: string, more: Json): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const close = (): readonly string[] => {
    if (open === undefined) return [];
    open = undefined;
    return [event('content_block_stop', { index })];
  };
  const start = (key: string, block: Json): readonly string[] => {
    const before = close();
    open = key;
    index += 1;
    return [...before, event('content_block_start', { index, content_block: block })];
  };
  const json = (partial: string): string =>
    event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: partial } });
  const tool = (key: string, name: string) => start(key, { type: 'tool_use', id: key, name, input: {} });
  return (part) => {
    switch (part.type) {
      case 'stream-start': {
        const usage = { input_tokens: 0, output_tokens: 0 };
        const message = {
          id,
          type: 'message',
          role: 'assistant',
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage,
        };
        return [event('message_start', { message })];
      }
      case 'text-start':
        return start(`text-${part.id}`, { type: 'text', text: '' });
      case 'text-delta':
        if (part.delta === '') return [];
        return [event('content_block_delta', { index, delta: { type: 'text_delta', text: part.delta } })];
      case 'tool-input-start':
        return tool(part.id, part.toolName);
      case 'tool-input-delta':
        streamed.add(part.id);
        return [json(part.delta)];
      case 'tool-call':
        if (streamed.has(part.toolCallId)) return [];
        return [
          ...(open === part.toolCallId ? [] : tool(part.toolCallId, part.toolName)),
          json(part.input),
          ...close(),
        ];
      case 'text-end':
      case 'tool-input-end':
        return streamed.has(part.id) || part.type === 'text-end' ? close() : [];
      case 'finish':
        return [
          ...close(),
          event('message_delta', {
            delta: { stop_reason: stopReason(part.finishReason), stop_sequence: null },
            usage: usageOf(part.usage),
          }),
          event('message_stop', {}),
        ];
      default:
        return [];
    }
  };
}
