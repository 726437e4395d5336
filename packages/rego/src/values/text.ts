/** Values as OPA prints terms: Go-quoted strings, `{1, 2}` for sets, `set()` for the empty one. */
import { BigNumber, numberText } from './big-number.js';
import { entriesOf, RegoSet } from './collections.js';
import type { ObjectValue, Value } from './types.js';
import { work } from './work.js';

const PLAIN = /^[ !#-[\]-~]*$/;
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const NAMED: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** A string in double quotes with Go's escapes (strconv.Quote). */
export function quote(text: string): string {
  work(text.length >> 5);
  if (PLAIN.test(text)) return `"${text}"`;
  let out = '"';
  for (const character of text)
    out += NAMED[character] ?? (PRINTABLE.test(character) ? character : escapeCharacter(character));
  return `${out}"`;
}

function escapeCharacter(character: string): string {
  const point = character.codePointAt(0) as number;
  if (point >= 0xd800 && point <= 0xdfff) return '\ufffd';
  if (point < 0x80) return `\\x${point.toString(16).padStart(2, '0')}`;
  if (point < 0x10000) return `\\u${point.toString(16).padStart(4, '0')}`;
  return `\\U${point.toString(16).padStart(8, '0')}`;
}

/** A value as OPA prints a term. */
export function formatTerm(value: Value): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || value instanceof BigNumber) return numberText(value);
  if (typeof value !== 'object' || value === null) return String(value);
  work(2);
  if (Array.isArray(value)) return `[${value.map(formatTerm).join(', ')}]`;
  if (value instanceof RegoSet) {
    return value.size === 0 ? 'set()' : `{${value.sorted().map(formatTerm).join(', ')}}`;
  }
  const parts: string[] = [];
  for (const [key, member] of entriesOf(value as ObjectValue)) parts.push(`${formatTerm(key)}: ${formatTerm(member)}`);
  return `{${parts.join(', ')}}`;
}
