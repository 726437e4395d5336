/**
 * Text to index terms, for documents and questions alike: lower case without diacritics, words stemmed with Porter's algorithm where they
 * are Latin, pairs of characters where a script has no blanks between words (Chinese, Japanese, Thai …).
 */
import { stemmer } from 'stemmer';

const word = /[\p{L}\p{N}\p{M}]+/gu;
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/u;
const everyUnspaced = new RegExp(unspaced.source, 'gu');
const plainLatin = /^[a-z]+$/;
/** Longer "words" are not language: base64, hashes. They are cut, so that they still match themselves. */
const maxTermChars = 64;
const maxKnownStems = 200_000;

const stems = new Map<string, string>();

function stemOf(term: string): string {
  if (!plainLatin.test(term)) return term;
  const known = stems.get(term);
  if (known !== undefined) return known;
  if (stems.size >= maxKnownStems) stems.clear();
  const stem = stemmer(term);
  stems.set(term, stem);
  return stem;
}

function pushPairs(run: string, terms: string[]): void {
  const characters = [...run];
  if (characters.length === 1) terms.push(run);
  for (let at = 0; at + 1 < characters.length; at += 1) terms.push(`${characters[at]}${characters[at + 1]}`);
}

/** Terms in the order of the text, repeated as they repeat. */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const [found] of text.normalize('NFKD').toLowerCase().matchAll(word)) {
    const bare = found.replace(/\p{M}+/gu, '');
    if (bare === '') continue;
    if (!unspaced.test(bare)) {
      terms.push(stemOf(bare.slice(0, maxTermChars)));
      continue;
    }
    const rest = bare.replace(everyUnspaced, (run) => {
      pushPairs(run, terms);
      return ' ';
    });
    for (const part of rest.split(' ')) if (part !== '') terms.push(part.slice(0, maxTermChars));
  }
  return terms;
}
