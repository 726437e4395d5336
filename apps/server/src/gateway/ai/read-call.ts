/** Reads what a client wants of a language model: strictly, because policy and provider must understand the same. */
import { BailiwickError } from '@bailiwick/contract';
import { JsonSyntaxError, parseStrictJson } from '../../http/strict-json.js';
import type { Exchange } from '../exchange.js';
import { projectOf } from '../plugins/opa.js';
import { LlmCall, type LlmKind } from './llm-call.js';

/** Deep enough for every JSON schema of a tool; recursion in providers' libraries is safe below. */
const maxDepth = 64;

/** Undefined: neither path nor body says which of the formats it is. */
export function kindOf(path: string, body: Readonly<Record<string, unknown>>): LlmKind | undefined {
  if (path.endsWith('/messages')) return 'anthropic-messages';
  if (path.endsWith('/responses')) return 'openai-responses';
  if (path.endsWith('/embeddings')) return 'openai-embeddings';
  if (Array.isArray(body['messages'])) return 'openai-chat';
  return body['input'] === undefined ? undefined : 'openai-responses';
}

export const badCall = (reason: string, message: string): BailiwickError =>
  new BailiwickError('invalid', { reason: `llm.${reason}`, message });

/** The call of this exchange, read once. Throws `llm.bad_body` or `llm.unknown_format` (400), `gateway.body_too_large` (413). */
export async function readCall(exchange: Exchange, maxBytes?: number): Promise<LlmCall> {
  if (exchange.llm) return exchange.llm;
  const bytes = await exchange.readBody(maxBytes);
  if (bytes.length === 0) throw badCall('empty_body', 'The request has no body.');
  const body = parseBody(bytes);
  const kind = kindOf(exchange.path, body);
  if (!kind || !hasContent(kind, body))
    throw badCall(
      'unknown_format',
      'The body is none of the formats that this gateway knows: chat completions, responses, embeddings, Anthropic messages.',
    );
  const call = new LlmCall({ kind, body, bytes, project: projectOf(exchange) });
  exchange.llm = call;
  return call;
}

const hasContent = (kind: LlmKind, body: Readonly<Record<string, unknown>>): boolean =>
  kind === 'openai-chat' || kind === 'anthropic-messages'
    ? Array.isArray(body['messages'])
    : body['input'] !== undefined;

/** A JSON object; duplicate keys are refused, so that nobody can show the policy one model and the provider another. */
export function parseBody(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseStrictJson(bytes, { maxDepth });
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw badCall('bad_body', `The body cannot be read: ${error.message}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badCall('bad_body', 'The body is not a JSON object.');
  return value as Record<string, unknown>;
}
