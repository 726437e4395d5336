/**
 * DOCX: one pass over the body and the notes. Left out: hidden runs (`w:vanish`, also by style), white text on no ground, deleted and moved
 * text of tracked changes, comments, fields' instructions, headers and footers.
 */
import type { DocumentBuilder } from './document-builder.js';
import { type DocxStyle, readDocxStyles } from './docx-styles.js';
import type { OfficePackage } from './office-package.js';
import { attributeOf, isOn, type XmlAttributes, type XmlHandlers } from './xml-events.js';

interface Paragraph {
  readonly parts: string[];
  style: DocxStyle | undefined;
  outlineLevel: number | undefined;
  /** Depth in a list; undefined outside. */
  listDepth: number | undefined;
  isShaded: boolean;
}

interface Run {
  isHidden: boolean;
  isWhite: boolean;
  isShaded: boolean;
}

interface Table {
  readonly rows: string[][];
  readonly cell: string[];
}

/** Removed by an author, or written a second time for older programs. */
const skippedElements: Readonly<Record<string, string>> = {
  del: 'deleted text of tracked changes',
  moveFrom: 'deleted text of tracked changes',
  Fallback: '',
};
const noteParts = ['footnotes', 'endnotes'];
const minVisibleHalfPoints = 4;

class DocxBody implements XmlHandlers {
  readonly #builder: DocumentBuilder;
  readonly #styleOf: (id: string) => DocxStyle;
  readonly #paragraphs: Paragraph[] = [];
  readonly #tables: Table[] = [];
  /** A run may hold a text box with runs of its own. */
  readonly #runs: Run[] = [];
  #listLines: string[] = [];
  #skipped = 0;
  #drawings = 0;

  constructor(builder: DocumentBuilder, styleOf: (id: string) => DocxStyle) {
    this.#builder = builder;
    this.#styleOf = styleOf;
  }

  open(name: string, attributes: XmlAttributes, parent: string): void {
    if (name in skippedElements) {
      const what = skippedElements[name];
      if (what && this.#skipped === 0) this.#builder.leftOut(what);
      this.#skipped++;
    }
    if (this.#skipped > 0) return;
    if (name === 'p')
      this.#paragraphs.push({
        parts: [],
        style: undefined,
        outlineLevel: undefined,
        listDepth: undefined,
        isShaded: false,
      });
    else if (name === 'r')
      this.#runs.push({ isHidden: this.#runs.at(-1)?.isHidden ?? false, isWhite: false, isShaded: false });
    else if (name === 'tbl') this.#tables.push({ rows: [], cell: [] });
    else if (name === 'tr') this.#tables.at(-1)?.rows.push([]);
    else if (name === 'drawing' || name === 'pict') this.#drawings++;
    else if (parent === 'pPr' || parent === 'numPr') this.#paragraphProperty(name, attributes);
    else if (parent === 'rPr') this.#runProperty(name, attributes);
    else if (parent === 'r' && (name === 'tab' || name === 'ptab')) this.#say('\t');
    else if (parent === 'r' && (name === 'br' || name === 'cr')) this.#say('\n');
    else if (parent === 'r' && name === 'noBreakHyphen') this.#say('-');
  }

  text(text: string, parent: string): void {
    if (this.#skipped === 0 && parent === 't') this.#say(text);
  }

  close(name: string): void {
    if (name in skippedElements) this.#skipped--;
    if (this.#skipped > 0) return;
    if (name === 'p') this.#endParagraph();
    else if (name === 'r') this.#runs.pop();
    else if (name === 'drawing' || name === 'pict') this.#drawings--;
    else if (name === 'tc') {
      const table = this.#tables.at(-1);
      this.#builder.countCells(1);
      table?.rows.at(-1)?.push(table.cell.splice(0).join('\n'));
    } else if (name === 'tbl') this.#endTable();
  }

  flush(): void {
    if (this.#listLines.length > 0) this.#builder.add('list', this.#listLines.join('\n'));
    this.#listLines = [];
  }

  #say(text: string): void {
    const run = this.#runs.at(-1);
    if (!run) this.#paragraphs.at(-1)?.parts.push(text);
    else if (run.isHidden || this.#isWhiteOnWhite(run)) {
      if (text.trim() !== '') this.#builder.leftOut('hidden pieces of text');
    } else this.#paragraphs.at(-1)?.parts.push(text);
  }

  /** In tables and drawings the ground may be of any colour, by styles that are not followed here. */
  #isWhiteOnWhite(run: Run): boolean {
    const isElsewhere = this.#tables.length > 0 || this.#drawings > 0 || this.#paragraphs.length > 1;
    return run.isWhite && !run.isShaded && !isElsewhere && this.#paragraphs.at(-1)?.isShaded !== true;
  }

  #paragraphProperty(name: string, attributes: XmlAttributes): void {
    const paragraph = this.#paragraphs.at(-1);
    if (!paragraph) return;
    const value = attributeOf(attributes, 'val');
    if (name === 'pStyle') paragraph.style = this.#styleOf(value ?? '');
    else if (name === 'outlineLvl') paragraph.outlineLevel = Number(value) + 1;
    else if (name === 'ilvl') paragraph.listDepth = Number(value);
    else if (name === 'numId') paragraph.listDepth = value === '0' ? undefined : (paragraph.listDepth ?? 0);
    else if (name === 'shd') paragraph.isShaded = true;
  }

  #runProperty(name: string, attributes: XmlAttributes): void {
    const run = this.#runs.at(-1);
    if (!run) return;
    const value = attributeOf(attributes, 'val');
    if (name === 'vanish') run.isHidden = isOn(value);
    else if (name === 'rStyle') run.isHidden ||= this.#styleOf(value ?? '').isHidden;
    else if (name === 'sz') run.isHidden ||= Number(value) < minVisibleHalfPoints;
    else if (name === 'color') run.isWhite = /^(?:ffffff|fefefe)$/i.test(value ?? '');
    else if (name === 'shd' || name === 'highlight') run.isShaded = true;
  }

  #endParagraph(): void {
    const paragraph = this.#paragraphs.pop();
    if (!paragraph) return;
    const text = paragraph.parts.join('');
    const table = this.#tables.at(-1);
    if (paragraph.style?.isHidden) {
      if (text.trim() !== '') this.#builder.leftOut('hidden pieces of text');
    } else if (table) {
      if (text.trim() !== '') table.cell.push(text);
    } else this.#addParagraph(paragraph, text);
  }

  #addParagraph(paragraph: Paragraph, text: string): void {
    if (text.trim() === '') return;
    const outline =
      paragraph.outlineLevel !== undefined && paragraph.outlineLevel <= 9 ? paragraph.outlineLevel : undefined;
    const level = outline ?? paragraph.style?.headingLevel;
    const depth = paragraph.listDepth ?? (paragraph.style?.isList ? 0 : undefined);
    if (level === undefined && depth !== undefined) {
      this.#listLines.push(
        `${'  '.repeat(Math.min(Math.max(depth, 0), 9) || 0)}- ${text.trim().replace(/\s*\n\s*/g, ' ')}`,
      );
      return;
    }
    this.flush();
    if (level === undefined) this.#builder.add('paragraph', text);
    else {
      if (paragraph.style?.isTitle) this.#builder.setTitle(text);
      this.#builder.addHeading(text, level);
    }
  }

  #endTable(): void {
    const table = this.#tables.pop();
    if (!table) return;
    const outer = this.#tables.at(-1);
    if (outer) outer.cell.push(table.rows.map((row) => row.join(', ')).join('; '));
    else {
      this.flush();
      this.#builder.addTable(table.rows);
    }
  }
}

/** Adds the document's blocks. Errors: `document.malformed` and the builder's. */
export async function readDocx(pack: OfficePackage, builder: DocumentBuilder): Promise<void> {
  const parts = [...(await pack.relationshipsOf(pack.mainPart)).values()];
  const partOf = (type: string): string | undefined => parts.find((one) => one.type === type)?.target;
  await pack.readTitle();
  const styleOf = await readDocxStyles(pack, partOf('styles'));
  const body = new DocxBody(builder, styleOf);
  await pack.read(pack.mainPart, body);
  body.flush();
  for (const type of noteParts) {
    const part = partOf(type);
    if (part === undefined) continue;
    const notes = new DocxBody(builder, styleOf);
    await pack.read(part, notes);
    notes.flush();
  }
  if (partOf('comments') !== undefined) builder.leftOut('comments');
  if (parts.some(({ type }) => type === 'header' || type === 'footer')) builder.leftOut('headers and footers');
}
