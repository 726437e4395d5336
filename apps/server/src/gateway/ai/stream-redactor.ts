/**
 * Redacts a text that comes in pieces. Text is cut where no match can reach across, which depends on the text alone and not on its pieces:
 * after a line break, or in a line that grows too long. So every chunking gives the same, and what `redactWhole` gives.
 */
import type { Redactor } from './personal-data.js';

/** A line is held back until it ends, or until it has this many characters; then it is cut at its last space before. */
const longestLine = 400;

export class StreamRedactor {
  readonly #redactor: Redactor;
  #held = '';

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** What can be let go now; may be empty. */
  push(piece: string): string {
    this.#held += piece;
    let result = '';
    for (let end = cutOf(this.#held); end > 0; end = cutOf(this.#held)) {
      result += this.#redactor.redact(this.#held.slice(0, end));
      this.#held = this.#held.slice(end);
    }
    return result;
  }

  /** The rest, at the end. */
  flush(): string {
    const rest = this.#redactor.redact(this.#held);
    this.#held = '';
    return rest;
  }
}

export function redactWhole(redactor: Redactor, text: string): string {
  const stream = new StreamRedactor(redactor);
  return stream.push(text) + stream.flush();
}

/** Where the first stretch that stands for itself ends; 0: not yet. */
function cutOf(text: string): number {
  const newline = text.indexOf('\n');
  if (newline >= 0 && newline < longestLine) return newline + 1;
  if (text.length < longestLine) return 0;
  const line = text.slice(0, longestLine);
  // Numbers and addresses have single spaces inside: a cut is made between two words of letters.
  for (let at = longestLine - 2; at > longestLine / 4; at -= 1) {
    if (line[at] === ' ' && isWordBefore(line, at) && isLetter(line[at + 1] ?? '')) return at + 1;
    if (isIdeograph(line[at] ?? '') && isIdeograph(line[at + 1] ?? '')) return at + 1;
  }
  return longestLine;
}

/** Languages that write without spaces. */
const isIdeograph = (character: string): boolean => /[\u2e80-\ud7ff]/.test(character);

const isLetter = (character: string): boolean => /[a-z]/.test(character);

const isWordBefore = (line: string, at: number): boolean => /[a-z,;:!?]$/.test(line.slice(Math.max(0, at - 1), at));
