/**
 * The text of one PDF page with its places, from the page's list of drawing operators (as PDF.js makes it): unlike a plain text extraction this
 * shows how each piece is painted, so that what nobody sees is left out: rendering mode 3, white on nothing, transparent, tiny, outside of
 * the page, in a layer that is off. Not seen through: text under a shape that is painted later, and text cut away by a clipping path.
 * Coordinates are the viewport's: y grows downwards, the page's rotation is applied. ISO 32000-2, 9.4.4 is the arithmetic.
 */
import { OPS } from 'unpdf/pdfjs';

type Matrix = readonly [number, number, number, number, number, number];

/** A piece of one line in one style. */
export interface TextPiece {
  readonly text: string;
  /** Along the writing direction, and across it (growing downwards for level text); in points. */
  readonly start: number;
  readonly end: number;
  readonly baseline: number;
  readonly size: number;
  /** Degrees. */
  readonly angle: number;
  readonly isBold: boolean;
}

export interface PageFont {
  /** From glyph units to the text's; 0.001 but for Type 3 fonts. */
  readonly unit: number;
  readonly isVertical: boolean;
  readonly isBold: boolean;
}

export interface PageOperators {
  readonly fnArray: readonly number[];
  readonly argsArray: readonly unknown[];
}

export interface PageSetting {
  readonly transform: Matrix;
  readonly width: number;
  readonly height: number;
  readonly fontOf: (name: string) => PageFont;
  /** Whether the layer of this piece of marked content is shown. */
  readonly isLayerShown: (group: unknown) => boolean;
}

interface State {
  matrix: Matrix;
  font: PageFont;
  fontSize: number;
  charSpacing: number;
  wordSpacing: number;
  scale: number;
  leading: number;
  rise: number;
  mode: number;
  isFillWhite: boolean;
  alpha: number;
  /** How many operators had painted something when this state was saved. */
  painted: number;
  isTransformed: boolean;
}

interface Glyph {
  readonly unicode: string;
  readonly width: number;
  readonly isSpace: boolean;
  readonly vmetric?: readonly number[] | null;
}

type Box = readonly [number, number, number, number];

const multiply = (one: Matrix, by: Matrix): Matrix => [
  one[0] * by[0] + one[2] * by[1],
  one[1] * by[0] + one[3] * by[1],
  one[0] * by[2] + one[2] * by[3],
  one[1] * by[2] + one[3] * by[3],
  one[0] * by[4] + one[2] * by[5] + one[4],
  one[1] * by[4] + one[3] * by[5] + one[5],
];

function boxOf(matrix: Matrix, [x0, y0, x1, y1]: Box): Box {
  const xs = [x0, x1].flatMap((x) => [y0, y1].map((y) => matrix[0] * x + matrix[2] * y + matrix[4]));
  const ys = [x0, x1].flatMap((x) => [y0, y1].map((y) => matrix[1] * x + matrix[3] * y + matrix[5]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Nearly white counts: nobody sees #fdfdfd on paper either. */
function isWhite(args: readonly unknown[]): boolean {
  const [first] = args;
  if (typeof first === 'string') {
    const parts = /^#(..)(..)(..)$/.exec(first)?.slice(1) ?? [];
    return parts.length === 3 && parts.every((part) => Number.parseInt(part, 16) >= 0xf7);
  }
  return args.length === 3 && args.every((part) => Number(part) >= 0xf7);
}

const identity: Matrix = [1, 0, 0, 1, 0, 0];
const unitBox: Box = [0, 0, 1, 1];
const noFont: PageFont = { unit: 0.001, isVertical: false, isBold: false };
const minVisiblePoints = 1;
const minVisibleAlpha = 0.05;
/** In font sizes: a gap that is a blank, and one that parts columns. */
const blankGap = 0.2;
const columnGap = 1.5;
const maxBoxes = 5_000;

const fills = new Set<number>([
  OPS.fill,
  OPS.eoFill,
  OPS.fillStroke,
  OPS.eoFillStroke,
  OPS.closeFillStroke,
  OPS.closeEOFillStroke,
]);
const images = new Set<number>(
  [
    OPS.paintImageXObject,
    OPS.paintImageXObjectRepeat,
    OPS.paintImageMaskXObject,
    OPS.paintImageMaskXObjectGroup,
    OPS.paintInlineImageXObject,
    OPS.paintInlineImageXObjectGroup,
    OPS.paintSolidColorImageMask,
  ].filter((op) => op !== undefined),
);

export class PageText {
  readonly pieces: TextPiece[] = [];
  hiddenPieces = 0;
  readonly #page: PageSetting;
  readonly #stack: State[] = [];
  #state: State;
  #textMatrix: Matrix = identity;
  #lineMatrix: Matrix = identity;
  #painted = 0;
  readonly #grounds: Box[] = [];
  /** Of marked content: whether each open one is shown. */
  readonly #layers: boolean[] = [];

  constructor(page: PageSetting) {
    this.#page = page;
    this.#state = {
      matrix: page.transform,
      font: noFont,
      fontSize: 0,
      charSpacing: 0,
      wordSpacing: 0,
      scale: 1,
      leading: 0,
      rise: 0,
      mode: 0,
      isFillWhite: false,
      alpha: 1,
      painted: 0,
      isTransformed: false,
    };
  }

  run({ fnArray, argsArray }: PageOperators): void {
    for (const [index, op] of fnArray.entries()) this.#operate(op, (argsArray[index] ?? []) as readonly unknown[]);
  }

  #operate(op: number, args: readonly unknown[]): void {
    if (op === OPS.showText) this.#show(args[0] as readonly (Glyph | number | null)[]);
    else if (op === OPS.constructPath) this.#path(args);
    else if (images.has(op)) this.#ground(boxOf(this.#state.matrix, unitBox));
    else this.#structure(op, args) || this.#textState(op, args) || this.#colour(op, args);
  }

  #structure(op: number, args: readonly unknown[]): boolean {
    switch (op) {
      case OPS.save:
        this.#push();
        return true;
      case OPS.restore:
        this.#pop();
        return true;
      case OPS.transform:
        this.#state.matrix = multiply(this.#state.matrix, args as unknown as Matrix);
        this.#state.isTransformed = true;
        return true;
      case OPS.paintFormXObjectBegin:
        this.#push();
        if (args[0]) this.#state.matrix = multiply(this.#state.matrix, args[0] as Matrix);
        return true;
      case OPS.paintFormXObjectEnd:
        this.#pop();
        return true;
      case OPS.beginAnnotation:
        this.#push();
        if (args[2]) this.#state.matrix = multiply(this.#state.matrix, args[2] as Matrix);
        if (args[3]) this.#state.matrix = multiply(this.#state.matrix, args[3] as Matrix);
        return true;
      case OPS.endAnnotation:
        this.#pop();
        return true;
      case OPS.beginMarkedContent:
        this.#layers.push(true);
        return true;
      case OPS.beginMarkedContentProps:
        this.#layers.push(args[0] !== 'OC' || this.#page.isLayerShown(args[1]));
        return true;
      case OPS.endMarkedContent:
        this.#layers.pop();
        return true;
      default:
        return false;
    }
  }

  #textState(op: number, args: readonly unknown[]): boolean {
    const state = this.#state;
    const value = Number(args[0]);
    switch (op) {
      case OPS.beginText:
        this.#textMatrix = this.#lineMatrix = identity;
        return true;
      case OPS.setFont:
        state.font = this.#page.fontOf(String(args[0]));
        state.fontSize = Number(args[1]);
        return true;
      case OPS.setTextMatrix: {
        const matrix = (args.length === 6 ? args : args[0]) as ArrayLike<number>;
        this.#textMatrix = this.#lineMatrix = Array.from(matrix) as unknown as Matrix;
        return true;
      }
      case OPS.moveText:
        this.#move(value, Number(args[1]));
        return true;
      case OPS.setLeadingMoveText:
        state.leading = -Number(args[1]);
        this.#move(value, Number(args[1]));
        return true;
      case OPS.nextLine:
        this.#move(0, -state.leading);
        return true;
      case OPS.setCharSpacing:
        state.charSpacing = value;
        return true;
      case OPS.setWordSpacing:
        state.wordSpacing = value;
        return true;
      case OPS.setHScale:
        state.scale = value / 100;
        return true;
      case OPS.setLeading:
        // PDF.js hands on the operand as written; its own painting turns the sign.
        state.leading = value;
        return true;
      case OPS.setTextRise:
        state.rise = value;
        return true;
      case OPS.setTextRenderingMode:
        state.mode = value;
        return true;
      default:
        return false;
    }
  }

  #colour(op: number, args: readonly unknown[]): void {
    const state = this.#state;
    if (op === OPS.setFillRGBColor) state.isFillWhite = isWhite(args);
    else if (op === OPS.setFillColorN || op === OPS.setFillTransparent) state.isFillWhite = false;
    else if (op === OPS.setGState) this.#graphicsState(args[0] as readonly (readonly [string, unknown])[]);
    // A shading paints whatever the clipping leaves: the whole page, for all that is known here.
    else if (op === OPS.shadingFill) this.#ground([-Infinity, -Infinity, Infinity, Infinity]);
  }

  #graphicsState(changes: readonly (readonly [string, unknown])[]): void {
    for (const [key, value] of changes) {
      if (key === 'ca') this.#state.alpha = Number(value);
      else if (key === 'Font') {
        const [name, size] = value as readonly [string, number];
        this.#state.font = this.#page.fontOf(String(name));
        this.#state.fontSize = Number(size);
      }
    }
  }

  #push(): void {
    this.#stack.push(this.#state);
    this.#state = { ...this.#state, painted: this.#painted, isTransformed: false };
  }

  #pop(): void {
    const before = this.#stack.pop();
    if (!before) return;
    // Moved, and nothing painted: an image that was not decoded. It is a ground all the same.
    if (this.#state.isTransformed && this.#state.painted === this.#painted)
      this.#ground(boxOf(this.#state.matrix, unitBox));
    this.#state = before;
  }

  #ground(box: Box): void {
    this.#painted++;
    if (this.#grounds.length < maxBoxes) this.#grounds.push(box);
    else this.#grounds[0] = [-Infinity, -Infinity, Infinity, Infinity];
  }

  #path(args: readonly unknown[]): void {
    this.#painted++;
    const box = args[2] as ArrayLike<number> | null | undefined;
    if (!fills.has(Number(args[0])) || !box || this.#state.isFillWhite || this.#state.alpha < minVisibleAlpha) return;
    this.#ground(boxOf(this.#state.matrix, [box[0] ?? 0, box[1] ?? 0, box[2] ?? 0, box[3] ?? 0]));
  }

  #move(x: number, y: number): void {
    this.#lineMatrix = multiply(this.#lineMatrix, [1, 0, 0, 1, x, y]);
    this.#textMatrix = this.#lineMatrix;
  }

  #show(glyphs: readonly (Glyph | number | null)[]): void {
    this.#painted++;
    const state = this.#state;
    const { font, fontSize, scale } = state;
    let text = '';
    let from = 0;
    let at = 0;
    let last = 0;
    for (const glyph of glyphs) {
      if (glyph === null) continue;
      if (typeof glyph === 'number') {
        at -= (glyph / 1000) * fontSize * (font.isVertical ? 1 : scale);
        continue;
      }
      const gap = Math.abs(at - last);
      if (text !== '' && gap > Math.abs(fontSize) * columnGap) {
        this.#emit(text, from, last);
        [text, from] = ['', at];
      } else if (text !== '' && gap > Math.abs(fontSize) * blankGap && !text.endsWith(' ') && !glyph.isSpace)
        text += ' ';
      if (text === '') from = at;
      text += glyph.unicode;
      const width = font.isVertical ? -Number(glyph.vmetric?.[0] ?? -glyph.width) : glyph.width;
      const spacing = state.charSpacing + (glyph.isSpace ? state.wordSpacing : 0);
      const advance = width * font.unit * fontSize;
      last = at + advance * (font.isVertical ? 1 : scale);
      at += font.isVertical ? advance - spacing : (advance + spacing) * scale;
    }
    this.#emit(text, from, last);
    this.#textMatrix = multiply(this.#textMatrix, font.isVertical ? [1, 0, 0, 1, 0, -at] : [1, 0, 0, 1, at, 0]);
  }

  #emit(text: string, from: number, to: number): void {
    if (text === '') return;
    const { font, fontSize, rise, matrix } = this.#state;
    const text2page = multiply(matrix, this.#textMatrix);
    const place = (along: number): readonly [number, number] => {
      const [x, y] = font.isVertical ? [0, -along] : [along, rise];
      return [text2page[0] * x + text2page[2] * y + text2page[4], text2page[1] * x + text2page[3] * y + text2page[5]];
    };
    const [x0, y0] = place(from);
    const [x1, y1] = place(to);
    const size = Math.abs(fontSize) * Math.hypot(text2page[2], text2page[3]);
    if (this.#isHidden(size, [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)])) {
      if (text.trim() !== '') this.hiddenPieces++;
      return;
    }
    const radians = Math.atan2(y1 - y0, x1 - x0);
    const angle = from === to ? 0 : Math.round((radians * 180) / Math.PI);
    const [cos, sin] = angle === 0 ? [1, 0] : [Math.cos(radians), Math.sin(radians)];
    const start = x0 * cos + y0 * sin;
    this.pieces.push({
      ...{ text, start, end: x1 * cos + y1 * sin, baseline: y0 * cos - x0 * sin, size, angle, isBold: font.isBold },
    });
  }

  #isHidden(size: number, [x0, y0, x1, y1]: Box): boolean {
    const { mode, isFillWhite, alpha } = this.#state;
    if (this.#layers.includes(false)) return true;
    const isFilledOnly = mode === 0 || mode === 4;
    if (mode === 3 || mode === 7 || !(size >= minVisiblePoints) || (isFilledOnly && alpha < minVisibleAlpha))
      return true;
    const { width, height } = this.#page;
    if (x1 < 0 || y1 < 0 || x0 > width || y0 - size > height) return true;
    if (!isFilledOnly || !isFillWhite) return false;
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2 - size / 4];
    return !this.#grounds.some(([left, top, right, bottom]) => x >= left && x <= right && y >= top && y <= bottom);
  }
}
