/**
 * PPTX: the slides in their order, a page each. Left out: hidden slides and shapes, shapes beside the slide, tiny text, speaker notes and
 * comments: none of it is on the screen.
 */
import type { DocumentBuilder } from './document-builder.js';
import { documentError } from './document-errors.js';
import type { OfficePackage } from './office-package.js';
import { attributeOf, isOn, type XmlAttributes, type XmlHandlers } from './xml-events.js';

interface Shape {
  isTitle: boolean;
  isHidden: boolean;
  /** Title, or text in the shape's order. */
  readonly paragraphs: { readonly text: string; readonly level: number }[];
  readonly rows: string[][];
  /** Left, top, width, height in EMU, as far as said. */
  readonly box: Record<'x' | 'y' | 'cx' | 'cy', number>;
}

interface SlideSize {
  readonly width: number;
  readonly height: number;
}

const shapeElements = new Set(['sp', 'graphicFrame', 'cxnSp', 'pic', 'grpSp']);
const minVisibleHundredths = 200;

class Slide implements XmlHandlers {
  readonly #builder: DocumentBuilder;
  readonly #size: SlideSize;
  readonly #page: number;
  readonly #shapes: Shape[] = [];
  readonly shapes: Shape[] = [];
  isHidden = false;
  #parts: string[] | undefined;
  #level = 0;
  #isTiny = false;
  #cell: string[] | undefined;

  constructor(builder: DocumentBuilder, size: SlideSize, page: number) {
    this.#builder = builder;
    this.#size = size;
    this.#page = page;
  }

  open(name: string, attributes: XmlAttributes, parent: string): void {
    const shape = this.#shapes.at(-1);
    if (name === 'sld') this.isHidden = !isOn(attributeOf(attributes, 'show'));
    else if (shapeElements.has(name)) {
      const box = { x: 0, y: 0, cx: 0, cy: 0 };
      this.#shapes.push({ isTitle: false, isHidden: false, paragraphs: [], rows: [], box });
    } else if (name === 'cNvPr' && shape && attributeOf(attributes, 'hidden') !== undefined)
      shape.isHidden = isOn(attributeOf(attributes, 'hidden'));
    else if (name === 'ph' && shape) shape.isTitle = /^(?:title|ctrTitle)$/.test(attributeOf(attributes, 'type') ?? '');
    else if ((name === 'off' || name === 'ext') && parent === 'xfrm' && shape)
      for (const side of ['x', 'y', 'cx', 'cy'] as const)
        shape.box[side] = Number(attributeOf(attributes, side) ?? shape.box[side]);
    else if (name === 'tr') shape?.rows.push([]);
    else if (name === 'tc') this.#cell = [];
    else if (name === 'p') [this.#parts, this.#level] = [[], 0];
    else if (name === 'pPr') this.#level = Number(attributeOf(attributes, 'lvl') ?? 0);
    else if (name === 'r' || name === 'fld') this.#isTiny = false;
    else if (name === 'rPr') this.#isTiny = Number(attributeOf(attributes, 'sz') ?? 1800) < minVisibleHundredths;
    else if (name === 'br') this.#parts?.push('\n');
  }

  text(text: string, parent: string): void {
    if (parent !== 't') return;
    if (this.#isTiny) this.#builder.leftOut('hidden pieces of text');
    else this.#parts?.push(text);
  }

  close(name: string): void {
    const shape = this.#shapes.at(-1);
    if (name === 'p' && this.#parts) {
      const text = this.#parts.join('');
      this.#parts = undefined;
      if (text.trim() === '') return;
      if (this.#cell) this.#cell.push(text);
      else shape?.paragraphs.push({ text, level: this.#level });
    } else if (name === 'tc') {
      this.#builder.countCells(1);
      shape?.rows.at(-1)?.push((this.#cell ?? []).join('\n'));
      this.#cell = undefined;
    } else if (shapeElements.has(name) && shape) {
      this.#shapes.pop();
      if (this.#isHidden(shape)) this.#builder.leftOut('hidden shapes');
      else this.shapes.push(shape);
    }
  }

  /** By itself, or with the group it is in; a place in a group is in the group's own measure. */
  #isHidden(shape: Shape): boolean {
    const groups = this.#shapes;
    return [shape, ...groups].some(({ isHidden }) => isHidden) || this.#isBeside(groups[0] ?? shape);
  }

  #isBeside({ box: { x, y, cx, cy } }: Shape): boolean {
    const { width, height } = this.#size;
    return width > 0 && cx > 0 && cy > 0 && (x >= width || y >= height || x + cx <= 0 || y + cy <= 0);
  }

  /** The title first, wherever it stands in the file. */
  addTo(builder: DocumentBuilder): void {
    const page = this.#page;
    for (const shape of this.shapes.filter(({ isTitle }) => isTitle))
      builder.addHeading(shape.paragraphs.map(({ text }) => text).join(' '), 1, page);
    for (const { isTitle, paragraphs, rows } of this.shapes) {
      if (isTitle) continue;
      if (paragraphs.length === 1) builder.add('paragraph', paragraphs[0]?.text ?? '', { page });
      else {
        const lines = paragraphs.map(
          ({ text, level }) => `${'  '.repeat(Math.min(level, 9))}- ${text.trim().replace(/\s*\n\s*/g, ' ')}`,
        );
        builder.add('list', lines.join('\n'), { page });
      }
      if (rows.length > 0) builder.addTable(rows, page);
    }
  }
}

/** Adds the slides' blocks; returns how many slides there are. Errors: `document.malformed`, `document.too_many_pages` and the builder's. */
export async function readPptx(pack: OfficePackage, builder: DocumentBuilder): Promise<number> {
  const relationships = await pack.relationshipsOf(pack.mainPart);
  const ids: string[] = [];
  let size: SlideSize = { width: 0, height: 0 };
  await pack.read(pack.mainPart, {
    open(name, attributes) {
      if (name === 'sldId') ids.push(attributeOf(attributes, 'id', 'prefixed') ?? '');
      else if (name === 'sldSz')
        size = { width: Number(attributeOf(attributes, 'cx')), height: Number(attributeOf(attributes, 'cy')) };
    },
  });
  builder.checkPages(ids.length, 'slides');
  await pack.readTitle();
  for (const [index, id] of ids.entries()) {
    const part = relationships.get(id)?.target;
    if (part === undefined || !pack.has(part)) throw documentError('document.malformed', 'A slide is missing.');
    const slide = new Slide(builder, size, index + 1);
    await pack.read(part, slide);
    if (slide.isHidden) builder.leftOut('hidden slides');
    else slide.addTo(builder);
    const rest = [...(await pack.relationshipsOf(part)).values()];
    if (rest.some(({ type }) => type === 'notesSlide')) builder.leftOut('speaker notes');
    if (rest.some(({ type }) => type === 'comments')) builder.leftOut('comments');
  }
  return ids.length;
}
