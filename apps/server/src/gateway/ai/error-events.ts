/** Errors that a provider tells in the midst of a stream, with 200 as its status: replaced, while all other bytes pass as they are. */
import type { Json, LlmCall } from './llm-call.js';
import { clientError, faultOf } from './provider-refusal.js';

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An event that is longer is no error. In bytes. */
const longestEvent = 1024 * 1024;

export interface ErrorTeller {
  readonly call: LlmCall;
  readonly requestId: string;
  /** Hears what the provider said. */
  readonly tell: (said: string) => void;
}

/** A piece that ends an event and holds no error is passed on untouched; what is cut off waits for its rest. */
export async function* withoutErrors(body: AsyncIterable<Buffer>, teller: ErrorTeller): AsyncGenerator<Buffer> {
  let rest: Buffer | undefined;
  for await (const chunk of body) {
    const all: Buffer = rest ? Buffer.concat([rest, chunk]) : chunk;
    const end = all.lastIndexOf('\n') + 1;
    rest = end < all.length && all.length - end < longestEvent ? all.subarray(end) : undefined;
    const ready = rest ? all.subarray(0, end) : all;
    if (ready.length > 0) yield replaced(ready, teller);
  }
  if (rest) yield replaced(rest, teller);
}

function replaced(bytes: Buffer, teller: ErrorTeller): Buffer {
  if (!bytes.includes('"error"')) return bytes;
  const text = bytes.toString('utf8');
  return Buffer.from(text.replace(/^data:(.*)$/gm, (line, data: string) => replacedLine(line, data, teller)));
}

function replacedLine(line: string, data: string, teller: ErrorTeller): string {
  if (!data.includes('"error"')) return line;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return line;
  }
  const next = isObject(value) ? safeEvent(value, data, teller) : undefined;
  return next ? `data: ${JSON.stringify(next)}` : line;
}

/** The event, or the answer, with our words for its error; undefined when there is none in it. */
export function safeEvent(value: Json, said: string, { call, requestId, tell }: ErrorTeller): Json | undefined {
  const response = isObject(value['response']) ? value['response'] : undefined;
  const inner = value['error'] ?? response?.['error'];
  const isError = value['type'] === 'error' || (inner !== undefined && inner !== null);
  if (!isError) return undefined;
  tell(said);
  const status = isObject(inner) && typeof inner['code'] === 'number' ? inner['code'] : 500;
  const fault = faultOf(status, isObject(inner) ? inner : value, call);
  const error = clientError(call.kind, fault, requestId);
  if (call.kind !== 'openai-responses') return error;
  const { message, code } = error['error'] as { readonly message: string; readonly code: string | null };
  const own = { code: code ?? 'server_error', message };
  if (response) return { ...value, response: { ...response, error: own } };
  if (value['object'] === 'response') return { ...value, error: own };
  return { type: 'error', ...own, param: null, sequence_number: value['sequence_number'] ?? 0 };
}
