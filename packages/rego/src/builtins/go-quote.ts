/** Go's quoted strings and runes beyond the plain `strconv.Quote`. */
import { quote } from '../values/index.js';

export const quoteGo: (text: string) => string = quote;

/** `strconv.QuoteToASCII`. */
export function quoteAscii(text: string): string {
  return quote(text).replace(/[^\u0020-\u007e]/gu, (character) => {
    const point = character.codePointAt(0) as number;
    const hex = point.toString(16);
    return point > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/** `strconv.QuoteRune`, or the ASCII form. */
export function quoteRune(character: string, ascii = false): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  const quoted = ascii ? quoteAscii(character) : quote(character);
  return `'${quoted.slice(1, -1)}'`;
}
