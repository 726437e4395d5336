/**
 * Reads usage, model and the reason of the end from a provider's answer while its bytes pass by unchanged: whole JSON, or server-sent events
 * of OpenAI (chat, responses) and Anthropic. Only events that can say something are parsed.
 */
import type { Json, LlmCall, TokenUsage } from './llm-call.js';
import { estimateText } from './llm-call.js';

const maxLineBytes = 4 * 1024 * 1024;
const newline = 10;

export class UsageReader {
  readonly #call: LlmCall;
  readonly #isStream: boolean;
  #rest: Buffer | undefined;
  #whole: Buffer[] | undefined;
  #deltaBytes = 0;
  #found: { inputTokens?: number; outputTokens?: number; cachedTokens?: number } = {};

  constructor(call: LlmCall, isStream: boolean) {
    this.#call = call;
    this.#isStream = isStream;
    if (!isStream) this.#whole = [];
  }

  feed(chunk: Buffer): void {
    if (!this.#isStream) {
      this.#whole?.push(chunk);
      return;
    }
    const all = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    const end = all.lastIndexOf(newline) + 1;
    this.#rest = end === all.length ? undefined : all.subarray(end);
    if (this.#rest && this.#rest.length > maxLineBytes) this.#rest = undefined;
    if (end > 0) this.#lines(all.toString('utf8', 0, end));
  }

  #lines(text: string): void {
    for (let at = 0; at < text.length; ) {
      let end = text.indexOf('\n', at);
      if (end < 0) end = text.length;
      if (text.startsWith('data:', at)) this.#data(text.slice(at + 5, end).trim());
      at = end + 1;
    }
  }

  #data(data: string): void {
    if (data === '[DONE]') {
      this.#call.isComplete = true;
      return;
    }
    this.#deltaBytes += Math.max(0, deltaLength(data));
    if (!worthReading.test(data)) {
      if (this.#call.responseModel === undefined) this.#note(data);
      return;
    }
    this.#note(data);
  }

  #note(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    if (isObject(value)) this.#take(value);
  }

  #take(value: Json): void {
    const inner = isObject(value['response'])
      ? value['response']
      : isObject(value['message'])
        ? value['message']
        : value;
    if (typeof inner['model'] === 'string') this.#call.responseModel = inner['model'].slice(0, 200);
    if (typeof inner['id'] === 'string') this.#call.responseId ??= inner['id'].slice(0, 200);
    for (const usage of [value['usage'], inner['usage']]) if (isObject(usage)) this.#usage(usage);
    const reason = reasonOf(value) ?? reasonOf(inner);
    if (reason !== undefined) this.#call.finishReason = reason.slice(0, 60);
    if (value['type'] === 'message_stop' || value['type'] === 'response.completed') this.#call.isComplete = true;
  }

  #usage(usage: Json): void {
    this.#call.rawUsage = { ...this.#call.rawUsage, ...usage };
    const input = count(usage['prompt_tokens']) ?? count(usage['input_tokens']);
    const output = count(usage['completion_tokens']) ?? count(usage['output_tokens']);
    const details = usage['prompt_tokens_details'] ?? usage['input_tokens_details'];
    const cachedIn = isObject(details) ? count(details['cached_tokens']) : undefined;
    // Anthropic counts what it read from and wrote to its cache beside `input_tokens`.
    const read = count(usage['cache_read_input_tokens']) ?? 0;
    const written = count(usage['cache_creation_input_tokens']) ?? 0;
    if (input !== undefined) this.#found.inputTokens = input + read + written;
    if (output !== undefined) this.#found.outputTokens = output;
    const cached = cachedIn ?? (read > 0 ? read : undefined);
    if (cached !== undefined) this.#found.cachedTokens = cached;
  }

  /** After the last byte, or when the call was given up. Returns the JSON of an answer that did not stream. */
  finish(): unknown {
    let whole: unknown;
    if (this.#whole) {
      const [first] = this.#whole;
      const text = (this.#whole.length === 1 && first ? first : Buffer.concat(this.#whole)).toString('utf8');
      this.#whole = undefined;
      try {
        whole = JSON.parse(text);
      } catch {
        whole = undefined;
      }
      if (isObject(whole)) {
        this.#take(whole);
        this.#call.isComplete = true;
      }
      this.#deltaBytes = text.length;
    } else if (this.#rest) {
      this.#lines(this.#rest.toString('utf8'));
      this.#rest = undefined;
    }
    this.#call.usage = this.#result();
    return whole;
  }

  #result(): TokenUsage {
    const { inputTokens, outputTokens, cachedTokens } = this.#found;
    return {
      inputTokens: inputTokens ?? this.#call.promptTokens,
      outputTokens: outputTokens ?? Math.ceil(this.#deltaBytes / 3.5),
      cachedTokens: cachedTokens ?? 0,
      isEstimated: inputTokens === undefined,
    };
  }
}

const worthReading =
  /"usage"\s*:\s*\{|"finish_reason"\s*:\s*"|"stop_reason"\s*:\s*"|"message_stop"|"response\.(?:completed|incomplete|failed)"/;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const count = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.ceil(value) : undefined;

function reasonOf(value: Json): string | undefined {
  const choice = Array.isArray(value['choices']) ? value['choices'][0] : undefined;
  const delta = value['delta'];
  for (const one of [
    isObject(choice) ? choice['finish_reason'] : undefined,
    value['stop_reason'],
    isObject(delta) ? delta['stop_reason'] : undefined,
    value['object'] === 'response' ? value['status'] : undefined,
  ])
    if (typeof one === 'string') return one;
  return undefined;
}

/** About how much text of the model an event carries: for streams whose provider never says what was used. */
function deltaLength(data: string): number {
  const at = data.search(/"(?:content|text|delta|arguments|partial_json)"\s*:\s*"/);
  if (at < 0) return 0;
  const from = data.indexOf('"', data.indexOf(':', at)) + 1;
  let end = from;
  while (end < data.length && data[end] !== '"') end += data[end] === '\\' ? 2 : 1;
  return estimateText(data.slice(from, end)) * 3.5;
}
