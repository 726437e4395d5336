/** What comes out of reading: plain text, and where its parts stand in it. */

export type BlockKind = 'heading' | 'paragraph' | 'list' | 'table' | 'code';

/**
 * A part of the document. `text` is `document.text.slice(start, end)`. A list has an item a line; a table a row a line, cells parted by
 * ` | `, the header first.
 */
export interface Block {
  readonly kind: BlockKind;
  readonly text: string;
  /** Of a heading: 1 is the outermost. */
  readonly level?: number;
  /** From 1; null where the format has no pages. */
  readonly page: number | null;
  /** UTF-16 units in the document's text. */
  readonly start: number;
  readonly end: number;
}

export interface ReadDocument {
  /** What the document calls itself; otherwise its first heading, otherwise its name without the ending. */
  readonly title: string;
  /** As registered with IANA. */
  readonly mediaType: string;
  /** The blocks in order, parted by blank lines. */
  readonly text: string;
  /** Pages of a PDF, slides of a presentation; null where the format has none. */
  readonly pages: number | null;
  readonly blocks: readonly Block[];
  /** What was left out, one sentence each: hidden text, scripts, macros. */
  readonly notes: readonly string[];
}
