/** Where texts of a model stand in calls and answers of every format, and how each is redacted: as text, or as the JSON that it should be. */

import { redactWhole } from './json-redactor.js';
import type { Json } from './llm-call.js';
import type { Redactor } from './personal-data.js';

/** Members whose text a model has written or reads. */
const textFields = new Set([
  'content',
  'text',
  'thinking',
  'reasoning',
  'reasoning_content',
  'refusal',
  'transcript',
  'summary',
  'input',
  'output',
  'instructions',
  'system',
  'code',
  'cited_text',
  'output_text',
  'message',
]);

/** Members that hold JSON as text. */
const jsonFields = new Set(['arguments', 'partial_json']);

export const isTextField = (name: string): boolean => textFields.has(name) || jsonFields.has(name);
export const isJsonField = (name: string): boolean => jsonFields.has(name);

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Arguments that are a structure: every string in it, and numbers that are cards. */
export function redactedStructure(value: unknown, redactor: Redactor): unknown {
  const text = JSON.stringify(value);
  const redacted = redactWhole(redactor, text, true);
  return redacted === text ? value : (JSON.parse(redacted) as unknown);
}

/**
 * A copy of an answer with every text in it redacted; the very value when nothing is found. `logprobs` repeat the text token by token, where
 * nothing can be found, and fall away.
 */
export function redactedAnswer(value: unknown, redactor: Redactor, name = ''): unknown {
  if (typeof value === 'string') return isTextField(name) ? redactWhole(redactor, value, isJsonField(name)) : value;
  if (Array.isArray(value)) {
    const next = value.map((one) => redactedAnswer(one, redactor, name));
    return next.some((one, index) => one !== value[index]) ? next : value;
  }
  if (!isObject(value)) return value;
  let result: Record<string, unknown> | undefined;
  for (const [key, own] of Object.entries(value)) {
    const next = redactedMember(key, own, redactor);
    if (next === own) continue;
    result ??= { ...value };
    result[key] = next;
  }
  return result ?? value;
}

/** One member of an object; `undefined` stays out of the JSON. */
export function redactedMember(name: string, value: unknown, redactor: Redactor): unknown {
  if (name === 'logprobs' && value !== null && value !== undefined) return Array.isArray(value) ? [] : null;
  // A document that Anthropic's format holds as plain text.
  if (name === 'source' && isObject(value) && value['type'] === 'text' && typeof value['data'] === 'string') {
    const data = redactWhole(redactor, value['data']);
    return data === value['data'] ? value : { ...value, data };
  }
  const isStructure = (name === 'input' || name === 'arguments') && isObject(value);
  return isStructure ? redactedStructure(value, redactor) : redactedAnswer(value, redactor, name);
}

/** Members of a request that carry what a person wrote or is. */
const spokenMembers = ['messages', 'input', 'system', 'instructions', 'prediction'] as const;

/** The same for what a client asks; `user`, `metadata` and a prompt's variables tell of persons, too. */
export function redactedCall(body: Record<string, unknown>, redactor: Redactor): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const name of spokenMembers) changes[name] = redactedAnswer(body[name], redactor, name);
  for (const name of ['user', 'safety_identifier'])
    if (typeof body[name] === 'string') changes[name] = redactWhole(redactor, body[name]);
  for (const name of ['metadata', 'prompt'])
    if (isObject(body[name])) changes[name] = redactedStructure(body[name], redactor);
  const changed = Object.entries(changes).filter(([name, value]) => value !== body[name]);
  return changed.length === 0 ? body : { ...body, ...Object.fromEntries(changed) };
}
