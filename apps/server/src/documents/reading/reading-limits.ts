/** What one document may cost. Every limit has its own refusal (`document-errors.ts`); raise one for all by passing it to `openDocumentReader`. */

export interface ReadingLimits {
  /** Of the file as it came. */
  readonly maxBytes: number;
  /** Pages of a PDF, slides of a presentation, sheets of a workbook. */
  readonly maxPages: number;
  /** Of everything packed inside, as its directory declares it and as it turns out. */
  readonly maxExpandedBytes: number;
  /** Unpacked bytes ÷ packed bytes of the whole file; not asked below 4 MiB unpacked. */
  readonly maxExpansionRatio: number;
  /** Entries of a packed file. */
  readonly maxEntries: number;
  /** UTF-16 units of the document's text. */
  readonly maxCharacters: number;
  /** Headings, paragraphs, lists, tables and pieces of code. */
  readonly maxBlocks: number;
  /** Cells of all tables together, empty ones that a format spells out included. */
  readonly maxTableCells: number;
  /** Elements in elements, lists in lists, arrays in arrays. */
  readonly maxDepth: number;
  /** Of work, waiting for a free process not counted. */
  readonly maxSeconds: number;
}

export const defaultReadingLimits: ReadingLimits = {
  maxBytes: 50 * 1024 * 1024,
  maxPages: 5_000,
  maxExpandedBytes: 200 * 1024 * 1024,
  maxExpansionRatio: 200,
  maxEntries: 10_000,
  maxCharacters: 20_000_000,
  maxBlocks: 500_000,
  maxTableCells: 2_000_000,
  maxDepth: 500,
  maxSeconds: 60,
};
