/** By what an answer is found again: everything that the model sees, who asked in whose name, and nothing else. */
import { createHash } from 'node:crypto';
import type { Json, LlmCall } from './llm-call.js';
import { spokenIn } from './messages.js';

/** Says nothing about the answer. */
const irrelevant = new Set(['user', 'metadata', 'safety_identifier', 'prompt_cache_key', 'store']);

/** JSON with sorted keys: two bodies that mean the same have the same text. */
export function normalised(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(normalised).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${normalised((value as Json)[name])}`);
  return `{${members.join(',')}}`;
}

const digest = (parts: readonly unknown[]): string =>
  createHash('sha256').update(normalised(parts)).digest('base64url');

const without = (body: Json, names: ReadonlySet<string>): Json =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.has(name)));

/** `scope`: route, consumer and variables as the configuration wants them. A project never finds another one's answers. */
export const exactKey = (call: LlmCall, scope: readonly unknown[]): string =>
  digest([call.kind, call.project ?? null, call.provider, call.model, scope, without(call.body, irrelevant)]);

export interface MatchOptions {
  readonly message_countback: number;
  readonly ignore_system_prompts: boolean;
  readonly ignore_assistant_prompts: boolean;
  readonly ignore_tool_prompts: boolean;
}

const conversation = new Set([...irrelevant, 'messages', 'input', 'system', 'instructions']);

/** What is compared by nearness, and the scope in which it is: all else that the model sees must be the same. */
export function semanticKey(
  call: LlmCall,
  scope: readonly unknown[],
  match: MatchOptions,
): { readonly scope: string; readonly text: string } {
  const isIgnored = (role: string): boolean =>
    (match.ignore_system_prompts && (role === 'system' || role === 'developer')) ||
    (match.ignore_assistant_prompts && role === 'assistant') ||
    (match.ignore_tool_prompts && role === 'tool');
  const spoken = spokenIn(call).filter(({ role }) => !isIgnored(role));
  const text = spoken
    .slice(-match.message_countback)
    .map((one) => one.text)
    .join('\n');
  const rest = without(call.body, conversation);
  return { scope: digest([call.kind, call.project ?? null, call.provider, call.model, scope, rest]), text };
}
