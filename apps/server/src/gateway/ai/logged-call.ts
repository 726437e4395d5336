/**
 * `logging` of `ai-proxy` and `ai-proxy-multi`, as APISIX words it: numbers (`llm_summary`), and what was asked and answered
 * (`llm_request`, `llm_response_text`), for the access log and `http-logger`. Texts are those after the guard's redaction, and bounded.
 */
import type { Exchange } from '../exchange.js';
import { isObject } from './answer-texts.js';
import type { Json, LlmCall } from './llm-call.js';

export interface LoggingConfiguration {
  readonly summaries: boolean;
  readonly payloads: boolean;
}

/** Of what was asked, and of what was answered; more is cut off. In bytes. */
const maxLoggedBytes = 256 * 1024;

export function summaryOf(exchange: Exchange, call: LlmCall): Json {
  const { usage } = call;
  const { user } = call.body;
  return {
    request_model: call.requestedModel,
    model: call.model,
    stream: call.isStream,
    tool_count: call.tools.length,
    has_tool_calls: call.callsTools,
    ...(call.firstByteMs < 0 ? {} : { duration: Math.round(call.firstByteMs) }),
    ...(exchange.upstreamMs < 0 ? {} : { upstream_response_time: Math.round(exchange.upstreamMs) }),
    ...(typeof user === 'string' ? { end_user_id: user.slice(0, 200) } : {}),
    ...(usage
      ? {
          prompt_tokens: usage.inputTokens,
          completion_tokens: usage.outputTokens,
          total_tokens: usage.inputTokens + usage.outputTokens,
          cache_read_input_tokens: usage.cachedTokens,
        }
      : {}),
  };
}

/** What the client asked, in its own format. */
export function requestOf({ body, isStream }: LlmCall): Json {
  const messages = body['messages'] ?? body['input'] ?? null;
  const text = JSON.stringify(messages);
  if (text.length <= maxLoggedBytes) return { messages, stream: isStream };
  return { messages: text.slice(0, maxLoggedBytes), stream: isStream, truncated: true };
}

/** Collects an answer on its way to the client. */
export class LoggedAnswer {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    // A stream's events are many times larger than its text.
    if (this.#bytes < maxLoggedBytes * 16) this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
  }

  text(): string {
    const all = Buffer.concat(this.#chunks).toString('utf8');
    const isStream = /^(?:data|event|:)/.test(all.trimStart());
    const values = isStream ? all.split('\n').flatMap(eventOf) : [parsed(all)];
    return values.map(spoken).join('').slice(0, maxLoggedBytes);
  }
}

function eventOf(line: string): readonly unknown[] {
  return line.startsWith('data:') && !line.includes('[DONE]') ? [parsed(line.slice(5))] : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : listOf(value).map(partText).join(''));
const partText = (part: Json): string => (typeof part['text'] === 'string' ? part['text'] : '');

/** What the model says in a whole answer or in one event, in any of the formats. */
function spoken(value: unknown): string {
  if (!isObject(value)) return '';
  const { type } = value;
  if (type === 'response.output_text.delta') return textOf(value['delta']);
  if (typeof type === 'string' && type.startsWith('response.')) return '';
  if (type === 'content_block_delta') return isObject(value['delta']) ? partText(value['delta']) : '';
  const choices = listOf(value['choices']).map((choice) => {
    const message = choice['message'] ?? choice['delta'];
    return isObject(message) ? textOf(message['content']) : '';
  });
  const items = listOf(value['output']).map((item) => textOf(item['content']));
  return [...choices, ...items, type === 'message' ? textOf(value['content']) : ''].join('');
}
