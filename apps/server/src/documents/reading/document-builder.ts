/**
 * Collects the blocks of one document while a reader finds them, keeps to the limits, and counts what is left out. All text of all formats
 * goes through `add`, so that invisible characters are removed in one place.
 */
import { documentError } from './document-errors.js';
import type { Block, BlockKind, ReadDocument } from './read-document.js';
import type { ReadingLimits } from './reading-limits.js';
import { visibleText } from './visible-text.js';

export interface BlockPlace {
  readonly level?: number;
  readonly page?: number | null;
}

const between = '\n\n';
const maxTitleCharacters = 300;

/** A cell or heading in one line. */
export const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** A table's rows as lines; a cell's own line breaks and bars must not look like the table's. */
export const rowText = (cells: readonly string[]): string =>
  cells.map((cell) => oneLine(cell).replaceAll('|', '¦')).join(' | ');

export class DocumentBuilder {
  readonly limits: ReadingLimits;
  readonly #parts: string[] = [];
  readonly #places: Omit<Block, 'text'>[] = [];
  readonly #notes = new Map<string, number>();
  #length = 0;
  #cells = 0;
  #held = 0;
  #title = '';

  constructor(limits: ReadingLimits) {
    this.limits = limits;
  }

  /** A block without visible text is left out. Errors: `document.too_much_text`. */
  add(kind: BlockKind, given: string, place: BlockPlace = {}): void {
    const visible = this.visible(given);
    // Code keeps the indent of its first line.
    const trimmed = kind === 'code' ? visible.replace(/^(?:[^\S\n]*\n)+/, '').trimEnd() : visible.trim();
    if (trimmed === '') return;
    const start = this.#length === 0 ? 0 : this.#length + between.length;
    const end = start + trimmed.length;
    if (end > this.limits.maxCharacters)
      throw documentError('document.too_much_text', `At most ${this.limits.maxCharacters} characters are taken.`);
    if (this.#places.length >= this.limits.maxBlocks)
      throw documentError('document.too_much_text', `At most ${this.limits.maxBlocks} paragraphs are taken.`);
    this.#parts.push(trimmed);
    this.#length = end;
    const { level, page = null } = place;
    this.#places.push({
      kind,
      ...(level === undefined ? {} : { level: Math.min(Math.max(level, 1), 9) }),
      page,
      start,
      end,
    });
  }

  /** The first heading of a part is the reader's own business: this only makes it one line. */
  addHeading(text: string, level: number, page: number | null = null): void {
    this.add('heading', oneLine(text), { level, page });
  }

  /** Rows as they come; empty ones are left out. Errors: as `add`. */
  addTable(rows: readonly (readonly string[])[], page: number | null = null): void {
    const lines = rows.filter((row) => row.some((cell) => cell.trim() !== '')).map(rowText);
    this.add('table', lines.join('\n'), { page });
  }

  /** Errors: `document.too_many_cells`. */
  countCells(cells: number): void {
    this.#cells += cells;
    if (this.#cells > this.limits.maxTableCells)
      throw documentError('document.too_many_cells', `At most ${this.limits.maxTableCells} are taken.`);
  }

  /** Of text that is held before it is added. Errors: `document.too_much_text`. */
  countCharacters(characters: number): void {
    this.#held += characters;
    if (this.#held > this.limits.maxCharacters)
      throw documentError('document.too_much_text', `At most ${this.limits.maxCharacters} characters are taken.`);
  }

  /** Errors: `document.nested_too_deeply`. */
  checkDepth(depth: number): void {
    if (depth > this.limits.maxDepth)
      throw documentError('document.nested_too_deeply', `At most ${this.limits.maxDepth} levels are taken.`);
  }

  /** Errors: `document.too_many_pages`. */
  checkPages(pages: number, what = 'pages'): void {
    if (pages > this.limits.maxPages)
      throw documentError(
        'document.too_many_pages',
        `At most ${this.limits.maxPages} ${what} are taken, it has ${pages}.`,
      );
  }

  /** Text without what is invisible in it; what was removed is counted. */
  visible(given: string): string {
    const { text, removed } = visibleText(given);
    if (removed > 0) this.leftOut('invisible characters', removed);
    return text;
  }

  /** `what` is a plural: `hidden paragraphs`. */
  leftOut(what: string, count = 1): void {
    this.#notes.set(what, (this.#notes.get(what) ?? 0) + count);
  }

  /** The first that is not blank counts. */
  setTitle(title: string): void {
    if (this.#title === '') this.#title = oneLine(this.visible(title)).slice(0, maxTitleCharacters);
  }

  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  /** Errors: `document.empty` when nothing was added. */
  finish(options: { readonly name: string; readonly mediaType: string; readonly pages?: number | null }): ReadDocument {
    if (this.isEmpty) throw documentError('document.empty');
    const text = this.#parts.join(between);
    const blocks = this.#places.map((place, index) => ({ ...place, text: this.#parts[index] as string }));
    if (this.#title === '') this.setTitle(blocks.find(({ kind }) => kind === 'heading')?.text ?? '');
    if (this.#title === '') this.setTitle(nameWithoutEnding(options.name));
    return {
      title: this.#title,
      mediaType: options.mediaType,
      text,
      pages: options.pages ?? null,
      blocks,
      notes: [...this.#notes].map(([what, count]) => `Left out: ${what} (${count}).`),
    };
  }
}

/** `a/Price list.xlsx` → `Price list`. */
export function nameWithoutEnding(name: string): string {
  const last = name.split(/[/\\]/).filter(Boolean).at(-1) ?? '';
  return last.replace(/(?<=.)\.[a-z0-9]{1,8}$/i, '') || 'Untitled';
}
