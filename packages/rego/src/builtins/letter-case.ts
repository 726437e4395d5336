/**
 * Upper and lower case as Go maps them: one code point to one code point. JavaScript maps some
 * characters to several (ß to SS) and looks at context (final sigma); those fall back to the
 * character itself or to its simple mapping.
 */

const ASCII = /^[\u0020-\u007f]*$/;

/** Simple mappings where JavaScript's full mapping has several characters, or where Go differs. */
const LOWER: ReadonlyMap<string, string> = new Map([['\u0130', 'i']]);
const TITLE_BASES: readonly (readonly [number, number])[] = [
  [0x1f80, 8],
  [0x1f90, 8],
  [0x1fa0, 8],
];
const UPPER: ReadonlyMap<string, string> = new Map([
  ['\u1fb3', '\u1fbc'],
  ['\u1fc3', '\u1fcc'],
  ['\u1ff3', '\u1ffc'],
  ...TITLE_BASES.flatMap(([base, count]) =>
    Array.from(
      { length: count },
      (_, i) => [String.fromCodePoint(base + i), String.fromCodePoint(base + i + 8)] as const,
    ),
  ),
]);

function mapEach(text: string, convert: (character: string) => string, special: ReadonlyMap<string, string>): string {
  let out = '';
  for (const character of text) {
    const mapped = special.get(character) ?? convert(character);
    out += [...mapped].length === 1 ? mapped : character;
  }
  return out;
}

export function lower(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return mapEach(text, (character) => character.toLowerCase(), LOWER);
}

export function upper(text: string): string {
  if (ASCII.test(text)) return text.toUpperCase();
  return mapEach(text, (character) => character.toUpperCase(), UPPER);
}
