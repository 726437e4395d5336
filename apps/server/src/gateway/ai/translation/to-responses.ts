/** What a library's model has answered, as OpenAI responses: whole or as server-sent events. Nothing is kept, so `store` is false. */
import type {
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
} from '@ai-sdk/provider';
import type { Json } from '../llm-call.js';
import { numberOf } from './content.js';
import type { AnswerHead } from './to-chat.js';

/** Members of the request that an answer repeats, with what stands for them when they are absent. */
const repeated: Json = {
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: null,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  tools: [],
  top_p: null,
};

function responseOf({ id, created, model }: AnswerHead, body: Json, more: Json): Json {
  return {
    id,
    object: 'response',
    created_at: created,
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    model,
    output: [],
    previous_response_id: null,
    store: false,
    truncation: 'disabled',
    usage: null,
    ...Object.fromEntries(Object.entries(repeated).map(([name, none]) => [name, body[name] ?? none])),
    ...more,
  };
}

const usageOf = ({ inputTokens, outputTokens }: LanguageModelV3Usage): Json => {
  const [input, output] = [numberOf(inputTokens.total) ?? 0, numberOf(outputTokens.total) ?? 0];
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: inputTokens.cacheRead ?? 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: outputTokens.reasoning ?? 0 },
    total_tokens: input + output,
  };
};

function ended({ unified }: LanguageModelV3FinishReason, usage: LanguageModelV3Usage, output: readonly Json[]): Json {
  const cut = { length: 'max_output_tokens', 'content-filter': 'content_filter' }[unified as string];
  return {
    status: cut === undefined ? 'completed' : 'incomplete',
    incomplete_details: cut === undefined ? null : { reason: cut },
    output,
    usage: usageOf(usage),
  };
}

const partOf = (text: string): Json => ({ type: 'output_text', text, annotations: [] });

const messageItem = (id: string, status: string, content: readonly Json[]): Json => ({
  type: 'message',
  id,
  role: 'assistant',
  status,
  content,
});

const callItem = (id: string, status: string, call: { callId: string; name: string; written: string }): Json => ({
  type: 'function_call',
  id,
  call_id: call.callId,
  name: call.name,
  arguments: call.written,
  status,
});

export function responsesAnswer(result: LanguageModelV3GenerateResult, head: AnswerHead, body: Json): Json {
  const texts = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  const calls = result.content.flatMap((part) => (part.type === 'tool-call' ? [part] : []));
  const output = [
    ...(texts.length === 0 ? [] : [messageItem(itemId(head, 0), 'completed', [partOf(texts.join(''))])]),
    ...calls.map(({ toolCallId: callId, toolName: name, input: written }, index) =>
      callItem(itemId(head, index + 1), 'completed', { callId, name, written }),
    ),
  ];
  return responseOf(head, body, ended(result.finishReason, result.usage, output));
}

const itemId = ({ id }: AnswerHead, index: number): string => `${id.replace(/^resp_/, 'item_')}_${index}`;

/** Turns one part into the events it means: items are opened and closed one after the other. */
export function responsesEvents(head: AnswerHead, body: Json): (part: LanguageModelV3StreamPart) => readonly string[] {
  const stream = new ResponseEvents(head, body);
  return (part) => stream.take(part);
}

interface OpenItem {
  readonly key: string;
  readonly id: string;
  /** Undefined: a text. */
  readonly call: { readonly callId: string; readonly name: string } | undefined;
  written: string;
}

class ResponseEvents {
  readonly #head: AnswerHead;
  readonly #body: Json;
  readonly #output: Json[] = [];
  #open: OpenItem | undefined;
  #number = 0;

  constructor(head: AnswerHead, body: Json) {
    this.#head = head;
    this.#body = body;
  }

  take(part: LanguageModelV3StreamPart): readonly string[] {
    switch (part.type) {
      case 'stream-start': {
        const response = responseOf(this.#head, this.#body, {});
        return [this.#event('created', { response }), this.#event('in_progress', { response })];
      }
      case 'text-delta':
        return part.delta === '' ? [] : [...this.#begin(`text-${part.id}`, undefined), this.#more(part.delta)];
      case 'tool-input-start':
        return this.#begin(part.id, { callId: part.id, name: part.toolName });
      case 'tool-input-delta':
        return part.delta === '' ? [] : [this.#more(part.delta)];
      case 'tool-call':
        return this.#call(part.toolCallId, part.toolName, part.input);
      case 'text-end':
        return this.#close();
      case 'finish': {
        const closing = this.#close();
        const response = responseOf(this.#head, this.#body, ended(part.finishReason, part.usage, this.#output));
        return [...closing, this.#event(String(response['status']), { response })];
      }
      default:
        return [];
    }
  }

  /** A call that came in pieces is whole now; others come in one piece. */
  #call(callId: string, name: string, written: string): readonly string[] {
    if (this.#output.some((item) => item['call_id'] === callId)) return [];
    const begun = this.#begin(callId, { callId, name });
    const missing = this.#open?.written === '' && written !== '' ? [this.#more(written)] : [];
    return [...begun, ...missing, ...this.#close()];
  }

  #begin(key: string, call: OpenItem['call']): readonly string[] {
    if (this.#open?.key === key) return [];
    const before = this.#close();
    const id = itemId(this.#head, this.#output.length);
    this.#open = { key, id, call, written: '' };
    const item = call ? callItem(id, 'in_progress', { ...call, written: '' }) : messageItem(id, 'in_progress', []);
    const added = this.#event('output_item.added', { output_index: this.#output.length, item });
    return call
      ? [...before, added]
      : [...before, added, this.#event('content_part.added', { ...this.#at(id), part: partOf('') })];
  }

  #more(delta: string): string {
    const open = this.#open;
    if (!open) return '';
    open.written += delta;
    return open.call
      ? this.#event('function_call_arguments.delta', { item_id: open.id, output_index: this.#output.length, delta })
      : this.#event('output_text.delta', { ...this.#at(open.id), delta });
  }

  #close(): readonly string[] {
    const open = this.#open;
    if (!open) return [];
    this.#open = undefined;
    const { id, call, written } = open;
    const index = this.#output.length;
    const item = call
      ? callItem(id, 'completed', { ...call, written })
      : messageItem(id, 'completed', [partOf(written)]);
    const done = call
      ? [this.#event('function_call_arguments.done', { item_id: id, output_index: index, arguments: written })]
      : [
          this.#event('output_text.done', { ...this.#at(id), text: written }),
          this.#event('content_part.done', { ...this.#at(id), part: partOf(written) }),
        ];
    const ending = this.#event('output_item.done', { output_index: index, item });
    this.#output.push(item);
    return [...done, ending];
  }

  #at(id: string): Json {
    return { item_id: id, output_index: this.#output.length, content_index: 0 };
  }

  #event(name: string, more: Json): string {
    const type = `response.${name}`;
    const data = JSON.stringify({ type, sequence_number: this.#number, ...more });
    this.#number += 1;
    return `event: ${type}\ndata: ${data}\n\n`;
  }
}
