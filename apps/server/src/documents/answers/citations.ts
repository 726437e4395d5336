/**
 * Citations in a text that arrives piece by piece. Only numbers of passages that were given are citations; others are taken out, as
 * are links and images that the model was not to write: a passage could have made it send what it knows to an address.
 */

const maxLabelChars = 200;
const maxTargetChars = 2_000;
const marker = /^\d{1,3}(?:\s*[,;]\s*\d{1,3})*$/;
const target = /^\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"\n]*")?\)/;
const image = /^<img(?![a-z0-9-])/i;

/** What stands at a place: `length` characters that become `text`; undefined: not clear before more has come. */
type Piece = { readonly length: number; readonly text: string } | undefined;

export class CitationFilter {
  readonly #count: number;
  readonly #cited = new Set<number>();
  #held = '';
  #refused = 0;
  /** The last of what was shown. */
  #tail = '';

  /** `count` passages were given: 1 to `count` may be cited. */
  constructor(count: number) {
    this.#count = count;
  }

  /** Numbers cited so far, ascending. */
  get cited(): readonly number[] {
    return [...this.#cited].sort((a, b) => a - b);
  }

  /** Citations of passages that were not given, links and pictures. */
  get refused(): number {
    return this.#refused;
  }

  /** What of the text may be shown now; what may become a citation or a link is held back until it is clear. */
  push(piece: string): string {
    this.#held += piece;
    return this.#unlinked(this.#take(false));
  }

  /** The rest. */
  end(): string {
    return this.#unlinked(this.#take(true));
  }

  /** What was not seen to be a link or a picture, or became one by what was taken out, is none with a blank in it. */
  #unlinked(text: string): string {
    let shown = '';
    for (const character of text) {
      const end = this.#tail + character;
      if (end.endsWith('](') || end.toLowerCase().endsWith('<img')) shown += ' ';
      shown += character;
      this.#tail = end.slice(-3);
    }
    return shown;
  }

  #take(isEnd: boolean): string {
    let shown = '';
    for (;;) {
      const special = this.#held.search(/[[!<]/);
      if (special !== 0) {
        const plain = special < 0 ? this.#held : this.#held.slice(0, special);
        shown += plain;
        this.#held = this.#held.slice(plain.length);
        if (special < 0) return shown;
      }
      const piece = this.#piece(this.#held, isEnd);
      if (!piece) return shown;
      shown += piece.text;
      this.#held = this.#held.slice(piece.length);
    }
  }

  #piece(text: string, isEnd: boolean): Piece {
    if (text.startsWith('[')) return this.#bracket(text, isEnd, false);
    if (text.startsWith('<')) return this.#tag(text, isEnd);
    if (text.length === 1 && !isEnd) return undefined;
    if (text[1] !== '[') return { length: 1, text: '!' };
    const bracket = this.#bracket(text.slice(1), isEnd, true);
    return bracket && { length: bracket.length + 1, text: bracket.text };
  }

  /** `[label]`, perhaps with a target behind it. Of nested ones the innermost counts. */
  #bracket(text: string, isEnd: boolean, isPicture: boolean): Piece {
    const mark = isPicture ? '!' : '';
    const plain = { length: 1, text: `${mark}[` };
    const next = /[[\]]/.exec(text.slice(1, maxLabelChars + 2));
    if (!next) return isEnd || text.length > maxLabelChars + 1 ? plain : undefined;
    if (next[0] === '[') return plain;
    const label = text.slice(1, next.index + 1);
    const after = text.slice(next.index + 2);
    const length = next.index + 2;
    if (after === '' && !isEnd) return undefined;
    if (!after.startsWith('(')) return { length, text: mark + this.#label(label) };
    const found = target.exec(after.slice(0, maxTargetChars));
    if (found) return { length: length + found[0].length, text: this.#link(label, isPicture) };
    const mayGoOn = after.length < maxTargetChars && !isEnd && !after.includes('\n');
    return mayGoOn ? undefined : { length, text: mark + this.#label(label) };
  }

  #tag(text: string, isEnd: boolean): Piece {
    const mayBecome = text.length < 5 && !isEnd && '<img'.startsWith(text.toLowerCase());
    if (mayBecome) return undefined;
    if (!image.test(text)) return { length: 1, text: '<' };
    this.#refused += isEnd || text.includes('>') || text.length >= maxTargetChars ? 1 : 0;
    const close = text.slice(0, maxTargetChars).indexOf('>');
    if (close >= 0) return { length: close + 1, text: '' };
    return isEnd || text.length >= maxTargetChars ? { length: 1, text: '' } : undefined;
  }

  #link(label: string, isPicture: boolean): string {
    this.#refused += 1;
    if (isPicture) return '';
    return marker.test(label) ? this.#label(label) : this.#harmless(label);
  }

  #label(label: string): string {
    if (!marker.test(label)) return `[${this.#harmless(label)}]`;
    const known = label
      .split(/[,;]/)
      .map(Number)
      .filter((number) => this.#cite(number));
    return known.map((number) => `[${number}]`).join('');
  }

  /** A picture's tag inside of a label. */
  #harmless(label: string): string {
    return label.replace(/<(?=img)/gi, () => {
      this.#refused += 1;
      return '';
    });
  }

  #cite(number: number): boolean {
    const isGiven = number >= 1 && number <= this.#count;
    if (isGiven) this.#cited.add(number);
    else this.#refused += 1;
    return isGiven;
  }
}
