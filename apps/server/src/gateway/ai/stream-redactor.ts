/**
 * Redacts a text that comes in pieces. Text is cut where no match can reach across, which depends on the text alone and not on its pieces:
 * after a line break, or in a line that grows too long. So every chunking gives the same.
 */
import type { Redactor } from './personal-data.js';

/** A line is held back until it ends, or until it has this many characters; then it is cut at its last space before. */
const longestLine = 400;
/** And where it has no such space, so many. */
const longestRun = 800;
/** No kind of personal data that has spaces inside is longer. In characters. */
const longestSpaced = 100;

export class StreamRedactor {
  readonly #redactor: Redactor;
  #held = '';
  /** Whether anything has been found so far. */
  isChanged = false;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** What can be let go now; may be empty. */
  push(piece: string): string {
    this.#held += piece;
    let result = '';
    for (let end = this.#cut(); end > 0; end = this.#cut()) {
      result += this.#redacted(this.#held.slice(0, end));
      this.#held = this.#held.slice(end);
    }
    return result;
  }

  /** The rest, at the end. */
  flush(): string {
    const rest = this.#redacted(this.#held);
    this.#held = '';
    return rest;
  }

  #cut(): number {
    return cutOf(this.#held, (line) => this.#redactor.spans(line));
  }

  #redacted(text: string): string {
    const result = this.#redactor.redact(text);
    this.isChanged ||= result !== text;
    return result;
  }
}

/** Where the first stretch that stands for itself ends; 0: not yet. */
function cutOf(text: string, spansIn: Redactor['spans']): number {
  const newline = text.indexOf('\n');
  if (newline >= 0 && newline < longestLine) return newline + 1;
  if (text.length < longestLine) return 0;
  const line = text.slice(0, longestLine);
  // Numbers and addresses have single spaces inside: a cut is made between two words of letters.
  for (let at = longestLine - 2; at > longestLine / 4; at -= 1) {
    if (line[at] === ' ' && isWordBefore(line, at) && isLetter(line[at + 1] ?? '')) return at + 1;
    if (isIdeograph(line[at] ?? '') && isIdeograph(line[at + 1] ?? '')) return at + 1;
  }
  if (newline >= 0 && newline < longestRun) return newline + 1;
  return text.length < longestRun ? 0 : cutBetween(text.slice(0, longestRun), spansIn);
}

/** Numbers after numbers: at a space where nothing is found. What is not all there at the end is shorter than the distance to it. */
function cutBetween(run: string, spansIn: Redactor['spans']): number {
  if (!run.includes(' ')) return longestRun;
  const spans = spansIn(run);
  for (let at = longestRun - longestSpaced; at > longestLine / 4; at -= 1)
    if (run[at - 1] === ' ' && !spans.some(({ start, end }) => start < at && at < end)) return at;
  return longestRun;
}

/** Languages that write without spaces. */
const isIdeograph = (character: string): boolean => /[\u2e80-\ud7ff]/.test(character);

const isLetter = (character: string): boolean => /[a-z]/.test(character);

const isWordBefore = (line: string, at: number): boolean => /[a-z,;:!?]$/.test(line.slice(Math.max(0, at - 1), at));
