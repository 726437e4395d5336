/**
 * From pieces of text with places to lines, paragraphs and headings. The order is the file's: it follows columns in practice, and sorting by
 * place would mix them. A heading is a short paragraph in larger type than the document's body, or in bold type alone on its line.
 */
import type { TextPiece } from './pdf-page-text.js';

interface Line {
  text: string;
  readonly start: number;
  end: number;
  readonly baseline: number;
  size: number;
  readonly angle: number;
  isBold: boolean;
}

export interface PdfParagraph {
  readonly text: string;
  readonly page: number;
  /** Points, rounded to a half. */
  readonly size: number;
  readonly isBold: boolean;
}

const roundSize = (size: number): number => Math.round(size * 2) / 2;

function toLines(pieces: readonly TextPiece[]): Line[] {
  const lines: Line[] = [];
  for (const piece of pieces) {
    const line = lines.at(-1);
    const size = Math.max(piece.size, line?.size ?? 0);
    const gap = line ? piece.start - line.end : 0;
    // Raised and lowered characters stand further off.
    const isSmaller = piece.size < size * 0.85;
    const isSame =
      line &&
      line.angle === piece.angle &&
      Math.abs(piece.baseline - line.baseline) < size * (isSmaller ? 0.6 : 0.4) &&
      gap > -size * 0.6;
    if (!isSame) {
      if (piece.text.trim() !== '') lines.push({ ...piece });
      continue;
    }
    const needsBlank = gap > size * 0.15 && !line.text.endsWith(' ') && !piece.text.startsWith(' ');
    line.text += (needsBlank ? ' ' : '') + piece.text;
    line.end = Math.max(line.end, piece.end);
    if (piece.text.trim() !== '') {
      line.size = Math.max(line.size, piece.size);
      line.isBold &&= piece.isBold;
    }
  }
  return lines;
}

const startsItem = /^\s*(?:[•‣▪●○◦–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s/i;
const endsSentence = /[.!?:;。！？]["')\]”’]?\s*$/;

/** Whether a line goes on with the paragraph of the one above. */
function goesOn(above: Line, line: Line, spacing: number): boolean {
  const isSameType =
    Math.abs(above.size - line.size) < 0.6 && above.angle === line.angle && above.isBold === line.isBold;
  if (!isSameType || startsItem.test(line.text)) return false;
  const step = line.baseline - above.baseline;
  // Up again, or far down: another column, another box. A sentence that has not ended goes on there.
  if (step <= 0 || step > line.size * 4) return !endsSentence.test(above.text) && /^\p{Ll}/u.test(line.text);
  if (step > Math.max(spacing * 1.35, line.size * 1.35)) return false;
  const isIndented = line.start > above.start + line.size * 0.8 && line.start < above.start + line.size * 4;
  return !(isIndented && endsSentence.test(above.text));
}

/** The usual distance of two lines. */
function spacingOf(lines: readonly Line[]): number {
  const steps: number[] = [];
  for (const [index, line] of lines.entries()) {
    const above = lines[index - 1];
    const step = above ? line.baseline - above.baseline : 0;
    if (above && step > 0 && step < line.size * 2.5) steps.push(step);
  }
  steps.sort((one, other) => one - other);
  return steps[steps.length >> 1] ?? 0;
}

function joinLines(above: string, next: string): string {
  const text = above.trimEnd();
  const rest = next.trimStart();
  if (/\p{L}[-\u00ad\u2010]$/u.test(text) && /^\p{Ll}/u.test(rest)) return text.slice(0, -1) + rest;
  const isCjk = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}、。]$/u;
  return isCjk.test(text) && /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(rest)
    ? text + rest
    : `${text} ${rest}`;
}

export function pageParagraphs(pieces: readonly TextPiece[], page: number): PdfParagraph[] {
  const lines = toLines(pieces);
  const spacing = spacingOf(lines);
  const paragraphs: { text: string; page: number; size: number; isBold: boolean }[] = [];
  for (const [index, line] of lines.entries()) {
    const above = lines[index - 1];
    const paragraph = paragraphs.at(-1);
    if (above && paragraph && goesOn(above, line, spacing)) paragraph.text = joinLines(paragraph.text, line.text);
    else paragraphs.push({ text: line.text.trim(), page, size: roundSize(line.size), isBold: line.isBold });
  }
  return paragraphs;
}

const minPagesForRepeats = 3;

/** First and last paragraphs that most pages share, their numbers aside: running headers and footers. */
export function repeatedEdges(pages: readonly (readonly PdfParagraph[])[]): ReadonlySet<PdfParagraph> {
  const found = new Map<string, Set<PdfParagraph>>();
  for (const paragraphs of pages) {
    for (const [edge, paragraph] of [
      ['top', paragraphs[0]],
      ['bottom', paragraphs.at(-1)],
    ] as const) {
      if (!paragraph || paragraph.text.length > 200 || paragraphs.length < 2) continue;
      const key = `${edge} ${paragraph.text.replace(/\d+/g, '#')}`;
      found.set(key, (found.get(key) ?? new Set()).add(paragraph));
    }
  }
  const isRepeated = (set: ReadonlySet<PdfParagraph>): boolean =>
    set.size >= minPagesForRepeats && set.size > pages.length * 0.5;
  return new Set([...found.values()].filter(isRepeated).flatMap((set) => [...set]));
}

/** A function from a paragraph to its heading's level, undefined for body text. */
export function headingLevels(paragraphs: readonly PdfParagraph[]): (paragraph: PdfParagraph) => number | undefined {
  const charactersBySize = new Map<number, number>();
  for (const { size, text } of paragraphs) charactersBySize.set(size, (charactersBySize.get(size) ?? 0) + text.length);
  const body = [...charactersBySize].sort((one, other) => other[1] - one[1])[0]?.[0] ?? 0;
  const isShort = (text: string): boolean => text.length <= 200 && /\p{L}/u.test(text);
  const isLarge = ({ size, text }: PdfParagraph): boolean => size >= body * 1.12 && isShort(text);
  const sizes = [...new Set(paragraphs.filter(isLarge).map(({ size }) => size))].sort((one, other) => other - one);
  return (paragraph) => {
    if (isLarge(paragraph)) return Math.min(sizes.indexOf(paragraph.size) + 1, 5);
    const isBoldAlone =
      paragraph.isBold && paragraph.size >= body && isShort(paragraph.text) && paragraph.text.length <= 100;
    return isBoldAlone && !/[.,;]$/.test(paragraph.text) ? Math.min(sizes.length + 1, 6) : undefined;
  };
}
