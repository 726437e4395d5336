/**
 * Upper and lower case as Go maps them: one code point to one code point. JavaScript maps some
 * characters to several (ß to SS) and looks at context (final sigma); those fall back to the
 * character itself or to its simple mapping.
 */

import { work } from '../values/index.js';

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

const RUNS = /[\u0020-\u007f]+|[^\u0020-\u007f]/gu;

/** Plain runs go at once; every other character is mapped by itself, and remembered for the rest of the text. */
function mapRuns(text: string, convert: (run: string) => string, special: ReadonlyMap<string, string>): string {
  const known = new Map<string, string>();
  return text.replace(RUNS, (run) => {
    work(2);
    if (run.charCodeAt(0) < 0x80 && run.charCodeAt(0) >= 0x20) return convert(run);
    let mapped = known.get(run);
    if (mapped === undefined) {
      const full = special.get(run) ?? convert(run);
      mapped = [...full].length === 1 ? full : run;
      known.set(run, mapped);
    }
    return mapped;
  });
}

export function lower(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return mapRuns(text, (run) => run.toLowerCase(), LOWER);
}

export function upper(text: string): string {
  if (ASCII.test(text)) return text.toUpperCase();
  return mapRuns(text, (run) => run.toUpperCase(), UPPER);
}
