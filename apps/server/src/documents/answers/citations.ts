/**
 * Citations in a text that arrives piece by piece. Only numbers of passages that were given are citations; others are taken out, as
 * are links and images that the model was not to write: a passage could have made it send what it knows to an address.
 */

const maxMarkerChars = 24;
const marker = /\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]/g;
/** Markdown's links and images, and bare addresses of images in HTML. */
const link = /!?\[([^\]\n]{0,200})\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"\n]*")?\)/g;
const image = /<img\b[^>]*>/gi;

export class CitationFilter {
  readonly #count: number;
  readonly #cited = new Set<number>();
  #held = '';
  #refused = 0;

  /** `count` passages were given: 1 to `count` may be cited. */
  constructor(count: number) {
    this.#count = count;
  }

  /** Numbers cited so far, ascending. */
  get cited(): readonly number[] {
    return [...this.#cited].sort((a, b) => a - b);
  }

  /** Citations of passages that were not given, and links. */
  get refused(): number {
    return this.#refused;
  }

  /** What of the text may be shown now; what may become a citation or a link is held back until it is clear. */
  push(piece: string): string {
    this.#held += piece;
    const open = this.#openAt();
    const ready = this.#held.slice(0, open);
    this.#held = this.#held.slice(open);
    return this.#clean(ready);
  }

  /** The rest. */
  end(): string {
    const rest = this.#clean(this.#held);
    this.#held = '';
    return rest;
  }

  /** Where something begins that is not at its end yet. */
  #openAt(): number {
    const text = this.#held;
    const bracket = text.lastIndexOf('[');
    const tag = text.lastIndexOf('<');
    let open = text.length;
    if (bracket >= 0 && this.#isOpen(text.slice(bracket))) open = text[bracket - 1] === '!' ? bracket - 1 : bracket;
    if (
      tag >= 0 &&
      !text.slice(tag).includes('>') &&
      text.length - tag < 2_000 &&
      /^<(?:i|im|img\b.*)?$/is.test(text.slice(tag))
    )
      open = Math.min(open, tag);
    if (open === text.length && text.endsWith('!')) open -= 1;
    return open;
  }

  #isOpen(tail: string): boolean {
    const close = tail.indexOf(']');
    if (close < 0) return tail.length < 200;
    // `](` may follow: a link is only clear behind its bracket.
    const after = tail.slice(close + 1);
    if (after === '') return true;
    return (
      after.startsWith('(') && !/^\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"\n]*")?\)/.test(after) && after.length < 2_000
    );
  }

  #clean(text: string): string {
    return text
      .replace(link, (whole, label: string) => {
        if (/^\d{1,3}$/.test(label)) return `[${label}]`;
        this.#refused += 1;
        return whole.startsWith('!') ? '' : label;
      })
      .replace(image, () => {
        this.#refused += 1;
        return '';
      })
      .replace(marker, (whole, numbers: string) => {
        if (whole.length > maxMarkerChars) return whole;
        const known = numbers
          .split(/[,;]/)
          .map(Number)
          .filter((number) => this.#take(number));
        return known.map((number) => `[${number}]`).join('');
      });
  }

  #take(number: number): boolean {
    const isGiven = number >= 1 && number <= this.#count;
    if (isGiven) this.#cited.add(number);
    else this.#refused += 1;
    return isGiven;
  }
}
