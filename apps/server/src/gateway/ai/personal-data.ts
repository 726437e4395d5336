/**
 * Finds personal data in text and puts a mark in its place: e-mail addresses, phone numbers, IBANs (checked by their digits), payment cards
 * (checked by Luhn), and patterns of the operator's own on the linear-time engine. `StreamRedactor` does the same to a text that comes in pieces: whatever the
 * pieces are, what goes out is what `redact` makes of the whole.
 */
import { compileRegex } from '@bailiwick/rego';

export const personalDataKinds = ['email', 'phone', 'iban', 'credit_card'] as const;
export type PersonalDataKind = (typeof personalDataKinds)[number];

interface Found {
  readonly start: number;
  readonly end: number;
  readonly mark: string;
}

type Finder = (text: string) => readonly Found[];

/** No single piece of personal data that we look for is longer than this; a run without a break that is longer is none. In characters. */
const longestMatch = 256;

interface Pattern {
  readonly regex: RegExp;
  /** Which part of a match it really is, as offsets; undefined: none. */
  readonly part: (found: string) => readonly [start: number, end: number] | undefined;
}

const patterns: Readonly<Record<PersonalDataKind, Pattern>> = {
  email: {
    regex: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![A-Za-z0-9-])/g,
    part: (found) => [0, found.length],
  },
  iban: {
    regex: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,10}(?![A-Za-z0-9])/g,
    part: (found) => groupsWhere(found, (own) => isIban(own.replaceAll(' ', '')), true),
  },
  credit_card: {
    regex: /(?<![\d+])\d(?:[ -]?\d){12,60}(?!\d)/g,
    part: (found) =>
      groupsWhere(found, (own) => {
        const digits = own.replace(/[ -]/g, '');
        return digits.length >= 13 && digits.length <= 19 && isLuhn(digits);
      }),
  },
  phone: {
    regex:
      /(?<![\w+])(?:\+\d{1,3}(?:[ .-]?\(\d{1,5}\))?(?:[ .-]?\d{1,12}){1,6}|(?<!\d[ -])(?:\(\d{2,5}\)(?:[ .-]?\d{2,8}){1,4}|0\d{1,4}(?:[ ./-]\d{2,8}){2,4}|\d{3}[.-]\d{3}[.-]\d{4}))(?!\w)/g,
    part: (found) =>
      groupsWhere(
        found,
        (own) => {
          const digits = own.replace(/\D/g, '').length;
          return digits >= 8 && digits <= 15;
        },
        true,
      ),
  },
};

/** The longest run of whole groups that is real, the earliest first. */
function groupsWhere(
  found: string,
  isReal: (part: string) => boolean,
  isFromStart = false,
): readonly [number, number] | undefined {
  const groups = [...found.matchAll(/[^ .-]+/g)].map(({ index, 0: group }) => [index, index + group.length] as const);
  for (const [start] of isFromStart ? groups.slice(0, 1) : groups)
    for (let last = groups.length - 1; last >= 0; last -= 1) {
      const end = groups[last]?.[1] ?? 0;
      if (end > start && isReal(found.slice(start, end))) return [start, end];
    }
  return undefined;
}

export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0 && !/^0+$/.test(digits);
}

/** ISO 13616: the remainder of the rearranged number by 97 is 1. */
export function isIban(text: string): boolean {
  if (text.length < 15 || text.length > 34) return false;
  let remainder = 0;
  for (const character of text.slice(4) + text.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

export interface CustomPattern {
  readonly name: string;
  readonly pattern: string;
}

export class Redactor {
  readonly #finders: readonly Finder[];

  /** Throws what `compileRegex` throws for a pattern of the operator's that is none. */
  constructor(kinds: readonly PersonalDataKind[], custom: readonly CustomPattern[] = []) {
    this.#finders = [
      // What is checked by its digits goes before what only looks like a number.
      ...(['email', 'iban', 'credit_card', 'phone'] as const).filter((kind) => kinds.includes(kind)).map(builtIn),
      ...custom.map(own),
    ];
  }

  redact(text: string): string {
    let parts: readonly Part[] = [{ text, isMark: false }];
    for (const find of this.#finders)
      parts = parts.flatMap((part) => (part.isMark ? [part] : divided(part.text, find(part.text))));
    return parts.map((part) => part.text).join('');
  }

  /** Where anything is found, each kind looked for by itself: no cut may be made inside. */
  spans(text: string): readonly Pick<Found, 'start' | 'end'>[] {
    return this.#finders.flatMap((find) => find(text));
  }
}

interface Part {
  readonly text: string;
  /** Nothing is looked for in it any more. */
  readonly isMark: boolean;
}

function divided(text: string, found: readonly Found[]): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const { start, end, mark } of found) {
    parts.push({ text: text.slice(at, start), isMark: false }, { text: mark, isMark: true });
    at = end;
  }
  parts.push({ text: text.slice(at), isMark: false });
  return parts;
}

const builtIn =
  (kind: PersonalDataKind): Finder =>
  (written) => {
    const { regex, part } = patterns[kind];
    // JSON inside of text (code blocks): an escape is no part of what follows it.
    const text = written.replace(/\\(?:u[0-9a-fA-F]{4}|[nrtbf"/\\])/g, (found) => ' '.repeat(found.length));
    const found: Found[] = [];
    regex.lastIndex = 0;
    for (let match = regex.exec(text); match; match = regex.exec(text)) {
      const real = part(match[0]);
      if (!real) continue;
      const [start, end] = [match.index + real[0], match.index + real[1]];
      found.push({ start, end, mark: `[${kind.toUpperCase()}]` });
      // What follows in the same run may be another one.
      regex.lastIndex = end;
    }
    return found;
  };

function own({ name, pattern }: CustomPattern): Finder {
  const regex = compileRegex(pattern);
  return (text) =>
    regex
      .findAll(text, -1, () => undefined)
      .flatMap((slots) => {
        const [start = 0, end = 0] = slots as readonly number[];
        // A match that a stream could not hold back is no match anywhere.
        return end > start && end - start <= longestMatch ? [{ start, end, mark: `[${name.toUpperCase()}]` }] : [];
      });
}
