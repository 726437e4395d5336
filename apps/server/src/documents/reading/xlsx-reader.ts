/**
 * XLSX: a heading and a table a sheet, with the values as last computed. Left out: hidden sheets, rows and columns, cells formatted to show
 * nothing, formulas, comments. Only columns with something in them count, so that one far cell does not make a wide table.
 */
import type { DocumentBuilder } from './document-builder.js';
import { documentError } from './document-errors.js';
import type { OfficePackage } from './office-package.js';
import { type NumberShape, readNumberShapes, showNumber } from './xlsx-formats.js';
import { attributeOf, isOn, type XmlAttributes, type XmlHandlers } from './xml-events.js';

interface Book {
  readonly strings: readonly string[];
  readonly shapes: readonly NumberShape[];
  readonly baseMs: number;
}

/** `BC12` → 54 (from 0). */
function columnOf(reference: string): number | undefined {
  const letters = /^[A-Z]{1,3}(?=\d)/.exec(reference)?.[0];
  if (letters === undefined) return undefined;
  let column = 0;
  for (const letter of letters) column = column * 26 + letter.charCodeAt(0) - 64;
  return column - 1;
}

/** A row or column that is hidden, or has no size. */
const isHiddenLine = (attributes: XmlAttributes, size: 'ht' | 'width'): boolean =>
  (attributes['hidden'] !== undefined && isOn(attributes['hidden'])) || Number(attributes[size] ?? 1) === 0;

class Sheet implements XmlHandlers {
  readonly #builder: DocumentBuilder;
  readonly #book: Book;
  readonly #hiddenColumns: (readonly [number, number])[] = [];
  readonly #columns = new Set<number>();
  readonly #rows: (readonly [number, string])[][] = [];
  #isRowHidden = false;
  #column = -1;
  #cell: { readonly type: string; readonly style: number; value: string } | undefined;
  #isPhonetic = false;

  constructor(builder: DocumentBuilder, book: Book) {
    this.#builder = builder;
    this.#book = book;
  }

  open(name: string, attributes: XmlAttributes): void {
    if (name === 'c') {
      this.#builder.countCells(1);
      this.#column = columnOf(attributeOf(attributes, 'r') ?? '') ?? this.#column + 1;
      this.#cell = {
        type: attributeOf(attributes, 't') ?? 'n',
        style: Number(attributeOf(attributes, 's') ?? 0),
        value: '',
      };
    } else if (name === 'row') {
      this.#isRowHidden = isHiddenLine(attributes, 'ht');
      if (this.#isRowHidden) this.#builder.leftOut('hidden rows');
      this.#column = -1;
      this.#rows.push([]);
    } else if (name === 'col' && isHiddenLine(attributes, 'width')) {
      this.#hiddenColumns.push([
        Number(attributeOf(attributes, 'min')) - 1,
        Number(attributeOf(attributes, 'max')) - 1,
      ]);
      this.#builder.leftOut('hidden columns');
    } else if (name === 'rPh') this.#isPhonetic = true;
  }

  text(text: string, parent: string): void {
    if (this.#cell && !this.#isPhonetic && (parent === 'v' || parent === 't')) this.#cell.value += text;
  }

  close(name: string): void {
    if (name === 'rPh') this.#isPhonetic = false;
    if (name !== 'c' || !this.#cell) return;
    const text = this.#isRowHidden || this.#isColumnHidden() ? '' : this.#shown(this.#cell);
    this.#cell = undefined;
    if (text === '') return;
    this.#builder.countCharacters(text.length);
    this.#columns.add(this.#column);
    this.#rows.at(-1)?.push([this.#column, text]);
  }

  get isEmpty(): boolean {
    return this.#columns.size === 0;
  }

  addTo(builder: DocumentBuilder): void {
    const rows = this.#rows.filter((row) => row.length > 0);
    builder.countCells(rows.length * this.#columns.size);
    const place = new Map([...this.#columns].sort((one, other) => one - other).map((column, index) => [column, index]));
    builder.addTable(
      rows.map((row) => {
        const cells = new Array<string>(place.size).fill('');
        for (const [column, text] of row) cells[place.get(column) as number] = text;
        return cells;
      }),
    );
  }

  #isColumnHidden(): boolean {
    return this.#hiddenColumns.some(([min, max]) => this.#column >= min && this.#column <= max);
  }

  #shown({ type, style, value }: { type: string; style: number; value: string }): string {
    const shape = this.#book.shapes[style] ?? 'number';
    if (shape === 'hidden') {
      if (value !== '') this.#builder.leftOut('hidden cells');
      return '';
    }
    if (type === 's') return this.#book.strings[Number(value)] ?? '';
    if (type === 'b') return value === '1' ? 'TRUE' : 'FALSE';
    return type === 'n' ? showNumber(value, shape, this.#book.baseMs) : value;
  }
}

async function readStrings(
  pack: OfficePackage,
  part: string | undefined,
  builder: DocumentBuilder,
): Promise<readonly string[]> {
  const strings: string[] = [];
  let current = '';
  let isPhonetic = false;
  if (part !== undefined)
    await pack.read(part, {
      open(name) {
        if (name === 'si') current = '';
        else if (name === 'rPh') isPhonetic = true;
      },
      text(text, parent) {
        if (parent === 't' && !isPhonetic) current += text;
      },
      close(name) {
        if (name === 'rPh') isPhonetic = false;
        else if (name === 'si') {
          builder.countCells(1);
          strings.push(current);
        }
      },
    });
  return strings;
}

/** Adds the sheets' blocks. Errors: `document.malformed`, `document.too_many_cells` and the builder's. */
export async function readXlsx(pack: OfficePackage, builder: DocumentBuilder): Promise<void> {
  const relationships = await pack.relationshipsOf(pack.mainPart);
  const partOf = (type: string): string | undefined =>
    [...relationships.values()].find((one) => one.type === type)?.target;
  const sheets: { readonly name: string; readonly id: string; readonly isHidden: boolean }[] = [];
  let baseMs = Date.UTC(1899, 11, 30);
  await pack.read(pack.mainPart, {
    open(name, attributes, parent) {
      if (name === 'sheet' && parent === 'sheets')
        sheets.push({
          name: attributeOf(attributes, 'name') ?? '',
          id: attributeOf(attributes, 'id', 'prefixed') ?? '',
          isHidden: /hidden/i.test(attributeOf(attributes, 'state') ?? ''),
        });
      else if (name === 'workbookPr' && attributes['date1904'] !== undefined && isOn(attributes['date1904']))
        baseMs = Date.UTC(1904, 0, 1);
    },
  });
  builder.checkPages(sheets.length, 'sheets');
  await pack.readTitle();
  const strings = await readStrings(pack, partOf('sharedStrings'), builder);
  const book: Book = { strings, shapes: await readNumberShapes(pack, partOf('styles')), baseMs };
  for (const { name, id, isHidden } of sheets) {
    const relationship = relationships.get(id);
    if (isHidden) builder.leftOut('hidden sheets');
    // A sheet may be a chart, which has no cells.
    if (isHidden || relationship?.type !== 'worksheet') continue;
    if (!pack.has(relationship.target)) throw documentError('document.malformed', 'A sheet is missing.');
    const sheet = new Sheet(builder, book);
    await pack.read(relationship.target, sheet);
    if (sheet.isEmpty) continue;
    builder.addHeading(name, 1);
    sheet.addTo(builder);
  }
}
