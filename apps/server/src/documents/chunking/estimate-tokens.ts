/**
 * How many tokens a text has for BERT's uncased WordPiece vocabulary (30,522 entries; all-MiniLM-L6-v2), without the vocabulary: from the
 * lengths of its words. The averages are measured on the words of SciFact, CISI and SQuAD, between general English (1.1 tokens a long word)
 * and biomedicine (2 and more). Per collection the sum is within 10 % of the tokenizer's, see `estimate-tokens.test.ts`; a single passage can
 * be further off. Cost: one pass over the characters, no allocation.
 */

/** Tokens of a word of so many Latin letters; beyond the end another 0.55 a letter. */
const tokensByLetters = [
  0, 1, 1, 1.02, 1.02, 1.04, 1.08, 1.11, 1.17, 1.26, 1.36, 1.52, 1.66, 1.82, 2.15, 2.5, 3.4, 3.9, 4.4, 4.9, 5.5,
] as const;
/** More for a long word with `x`, `y` or `z`: most are terms of a trade, which the vocabulary has in pieces. */
const tokensForRareLetters = 0.45;
const minRareLetters = 9;
/** Of a word with two capitals and more: the vocabulary has few abbreviations. */
const tokensByCapitals = [0, 1, 1.1, 1.68, 1.88, 2.25, 2.2] as const;
/** Of a number of so many digits; beyond the end half a token a digit. */
const tokensByDigits = [0, 1, 1, 1.27, 1.25, 2.5, 3, 4, 4.4, 5] as const;

const letters = (count: number): number => tokensByLetters[count] ?? tokensByLetters[20] + (count - 20) * 0.55;
const digits = (count: number): number => tokensByDigits[count] ?? count * 0.55;

const kinds = { blank: 0, letter: 1, digit: 2, mark: 3, ideograph: 4, syllable: 5, other: 6, ignored: 7 } as const;
type CharacterKind = (typeof kinds)[keyof typeof kinds];

/** By UTF-16 unit; a pair of surrogates counts as two halves of an ideograph or pictograph. */
function kindOf(code: number): CharacterKind {
  if (code < 0x80) {
    if (code <= 0x20 || code === 0x7f) return kinds.blank;
    const lower = code | 0x20;
    if (lower >= 0x61 && lower <= 0x7a) return kinds.letter;
    return code >= 0x30 && code <= 0x39 ? kinds.digit : kinds.mark;
  }
  if (code === 0xa0 || code === 0x3000 || (code >= 0x2000 && code <= 0x200a)) return kinds.blank;
  if (code >= 0xc0 && code < 0x250) return kinds.letter;
  if (code >= 0x300 && code < 0x370) return kinds.ignored;
  if (
    code < 0xc0 ||
    (code >= 0x2010 && code < 0x2c00) ||
    (code >= 0x3001 && code <= 0x303f) ||
    (code >= 0xff01 && code <= 0xff0f)
  )
    return kinds.mark;
  // One token a character: Han, which the tokenizer parts, and kana, of which its vocabulary has single ones.
  if ((code >= 0x3040 && code < 0xa000) || (code >= 0xf900 && code < 0xfb00)) return kinds.ideograph;
  // Taken apart into two or three letters each.
  if (code >= 0xac00 && code < 0xd7a4) return kinds.syllable;
  return kinds.other;
}

/** Per character of scripts of which the vocabulary knows letters and few words: Cyrillic, Greek, Arabic, Indic. */
const tokensPerOther = 0.85;
const tokensPerSyllable = 2.3;
const tokensPerKana = 1;

/** An estimate, not whole; sums of parts are sums of estimates. */
export function estimateTokens(text: string, start = 0, end = text.length): number {
  let tokens = 0;
  let inWord = 0;
  let capitals = 0;
  let isRare = false;
  let inNumber = 0;
  let inOther = 0;
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index);
    const kind = kindOf(code);
    if (kind === kinds.letter) {
      inWord++;
      if (code <= 0x5a) capitals++;
      else if (code >= 0x78 && code <= 0x7a) isRare = true;
      continue;
    }
    if (kind === kinds.digit) {
      inNumber++;
      continue;
    }
    if (kind === kinds.ignored) continue;
    if (kind === kinds.other) {
      // Half of a pair.
      inOther += code >= 0xd800 && code < 0xe000 ? 0.5 / tokensPerOther : 1;
      continue;
    }
    if (inWord + inNumber + inOther > 0) {
      tokens += wordTokens({ inWord, capitals, isRare, inNumber, inOther });
      inWord = capitals = inNumber = inOther = 0;
      isRare = false;
    }
    if (kind === kinds.mark) tokens += 1;
    else if (kind === kinds.ideograph) tokens += tokensPerKana;
    else if (kind === kinds.syllable) tokens += tokensPerSyllable;
  }
  return tokens + wordTokens({ inWord, capitals, isRare, inNumber, inOther });
}

interface WordShape {
  readonly inWord: number;
  readonly capitals: number;
  readonly isRare: boolean;
  readonly inNumber: number;
  readonly inOther: number;
}

function wordTokens({ inWord, capitals, isRare, inNumber, inOther }: WordShape): number {
  const abbreviation = capitals >= 2 ? tokensByCapitals[inWord] : undefined;
  const plain = letters(inWord) + (isRare && inWord >= minRareLetters ? tokensForRareLetters : 0);
  // A name such as `cd34` is cut at least where letters meet digits.
  const isMixed = inWord > 0 && inNumber > 0;
  const number = isMixed ? Math.max(0.9, digits(inNumber)) : digits(inNumber);
  return (abbreviation ?? plain) + number + (inOther === 0 ? 0 : Math.max(1, inOther * tokensPerOther));
}
