/** Pieces that every format has: texts, pictures, tools, what a tool came to. */
import type { LanguageModelV3FilePart, LanguageModelV3FunctionTool, LanguageModelV3TextPart } from '@ai-sdk/provider';
import type { Json } from '../llm-call.js';
import { badCall } from '../read-call.js';

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

export const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

export const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

export const unsupported = (what: string): never => {
  throw badCall('not_translatable', `${what} cannot be passed on to this provider.`);
};

/** A text, or parts of `type: text`, as one text. */
export function joinedText(content: unknown): string {
  if (typeof content === 'string') return content;
  return list(content)
    .map((part) => textOf(part['text']))
    .join('');
}

/** An address stays an address: the gateway fetches nothing that a request names. */
export function picture(url: string): LanguageModelV3FilePart {
  const [, mediaType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(url) ?? [];
  if (mediaType !== undefined && data !== undefined) return { type: 'file', mediaType, data };
  if (!/^https:\/\//.test(url) || !URL.canParse(url))
    return unsupported('A picture that is neither data nor an https address');
  return { type: 'file', mediaType: 'image/*', data: new URL(url) };
}

export const text = (value: string): LanguageModelV3TextPart => ({ type: 'text', text: value });

export function functionTool(
  name: unknown,
  description: unknown,
  schema: unknown,
  strict?: unknown,
): LanguageModelV3FunctionTool {
  return {
    type: 'function',
    name: textOf(name),
    ...(typeof description === 'string' ? { description } : {}),
    inputSchema: isObject(schema) ? schema : { type: 'object', properties: {} },
    ...(typeof strict === 'boolean' ? { strict } : {}),
  };
}

/** The JSON of a tool call's arguments. Models do write what is none: then the text itself is passed on. */
export function parsedArguments(written: unknown): unknown {
  if (typeof written !== 'string') return written ?? {};
  try {
    return written === '' ? {} : (JSON.parse(written) as unknown);
  } catch {
    return written;
  }
}

/** Without members that are undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}
