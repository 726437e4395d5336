/** The texts of a call in whatever format: who says what. */
import type { Json, LlmCall } from './llm-call.js';

export interface Spoken {
  readonly role: string;
  readonly text: string;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** In the order in which the model reads them: instructions first. */
export function spokenIn({ kind, body }: LlmCall): readonly Spoken[] {
  const found: Spoken[] = [];
  const instructions = kind === 'anthropic-messages' ? body['system'] : body['instructions'];
  if (instructions !== undefined) found.push({ role: 'system', text: textIn(instructions) });
  const list = body['messages'] ?? body['input'];
  if (typeof list === 'string') found.push({ role: 'user', text: list });
  else if (Array.isArray(list))
    for (const one of list) {
      if (typeof one === 'string') found.push({ role: 'user', text: one });
      else if (isObject(one)) found.push({ role: roleOf(one), text: textIn(one['content'] ?? one['output']) });
    }
  return found;
}

const roleOf = (message: Json): string => {
  if (typeof message['role'] === 'string') return message['role'];
  return message['type'] === 'function_call_output' ? 'tool' : 'user';
};

/** Parts joined by spaces. Results of tools, which Anthropic nests in messages, are texts too. */
function textIn(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part) => {
      if (typeof part === 'string') return part;
      if (!isObject(part)) return '';
      return typeof part['text'] === 'string' ? part['text'] : textIn(part['content']);
    })
    .join(' ');
}
