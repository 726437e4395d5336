/**
 * Cuts a block of the document into units that passages are made of: whole if it is small, otherwise sentences, rows, items or lines, and only
 * where one of those is too long, words or pieces of words. Units of one block follow one another without a gap but blanks.
 */
import type { Block } from '../reading/read-document.js';
import { estimateTokens } from './estimate-tokens.js';

export interface TextUnit {
  /** In the document's text. */
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  readonly page: number | null;
  /** Of a table's rows but the first: where its header row stands. */
  readonly header: { readonly start: number; readonly end: number; readonly tokens: number } | null;
}

type Span = readonly [start: number, end: number];

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** The segmenter's cost per call grows faster than its text. */
const segmentCharacters = 4_000;

const isBlank = (code: number): boolean =>
  code === 0x20 || (code >= 9 && code <= 13) || code === 0xa0 || code === 0x3000;

/** Without blanks at both ends; undefined if nothing is left. */
function trimmed(text: string, [start, end]: Span): Span | undefined {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return from < to ? [from, to] : undefined;
}

/** The start of the character that `at` is in, looking no further back than `from`. */
function characterStart(text: string, from: number, at: number): number {
  let start = from;
  for (const { index } of graphemes.segment(text.slice(from, at + 32))) {
    if (from + index > at) break;
    start = from + index;
  }
  return start;
}

function sentenceSpans(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  for (let from = start; from < end; ) {
    let to = Math.min(end, from + segmentCharacters);
    const window = text.slice(from, to);
    const parts = [...sentences.segment(window)];
    // The last sentence of a window may go on behind it.
    const isWhole = to === end || parts.length === 1;
    if (isWhole && to < end) {
      const blank = window.search(/\s\S*$/);
      to = blank > 0 ? from + blank : characterStart(text, to - 32, to);
      parts.splice(0, 1, { segment: text.slice(from, to), index: 0, input: window });
    }
    if (!isWhole) to = from + (parts.at(-1)?.index ?? 0);
    for (const { index, segment } of isWhole ? parts : parts.slice(0, -1))
      spans.push([from + index, from + index + segment.length]);
    from = to;
  }
  return spans;
}

function lineSpans(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  for (let from = start; from < end; ) {
    const at = text.indexOf('\n', from);
    const to = at < 0 || at >= end ? end : at + 1;
    spans.push([from, to]);
    from = to;
  }
  return spans;
}

/** A word that is too long by itself, such as encoded data: by characters, never inside one. */
function pieceSpans(text: string, [start, end]: Span, maxTokens: number): Span[] {
  const spans: Span[] = [];
  const perCharacter = estimateTokens(text, start, end) / (end - start);
  const step = Math.max(1, Math.floor(maxTokens / Math.max(perCharacter, 0.01)));
  for (let from = start; from < end; ) {
    let to = Math.min(end, from + step);
    if (to < end) to = Math.max(from + 1, characterStart(text, Math.max(from, to - 32), to));
    spans.push([from, to]);
    from = to;
  }
  return spans;
}

/** As many words as fit into each. */
function wordSpans(text: string, [start, end]: Span, maxTokens: number): Span[] {
  const spans: Span[] = [];
  let from = start;
  let tokens = 0;
  const word = /\s*\S+/gy;
  word.lastIndex = start;
  for (let match = word.exec(text); match && match.index < end; match = word.exec(text)) {
    const wordEnd = Math.min(end, word.lastIndex);
    const cost = estimateTokens(text, match.index, wordEnd);
    if (cost > maxTokens) {
      if (match.index > from) spans.push([from, match.index]);
      const pieces = pieceSpans(text, [match.index, wordEnd], maxTokens);
      spans.push(...pieces);
      [from, tokens] = [wordEnd, 0];
    } else if (tokens + cost > maxTokens) {
      spans.push([from, match.index]);
      [from, tokens] = [match.index, cost];
    } else tokens += cost;
    if (wordEnd >= end) break;
  }
  if (from < end) spans.push([from, end]);
  return spans;
}

/** At least one: what costs nothing could be looked at for ever. */
const tokensOf = (text: string, span: Span): number => Math.max(1, estimateTokens(text, ...span));

/** Units of at most `maxTokens`, in order. */
export function unitsOf(text: string, block: Block, maxTokens: number): TextUnit[] {
  const { start, end, page, kind } = block;
  const whole = tokensOf(text, [start, end]);
  if (whole <= maxTokens) return [{ start, end, tokens: whole, page, header: null }];
  const coarse = kind === 'paragraph' ? sentenceSpans(text, start, end) : lineSpans(text, start, end);
  const headerSpan = kind === 'table' ? trimmed(text, coarse[0] ?? [start, end]) : undefined;
  const headerTokens = headerSpan ? estimateTokens(text, ...headerSpan) : 0;
  // A header that would fill half of every passage helps nobody.
  const header =
    headerSpan && headerTokens * 2 < maxTokens
      ? { start: headerSpan[0], end: headerSpan[1], tokens: headerTokens }
      : null;
  const room = header ? maxTokens - headerTokens : maxTokens;
  const units: TextUnit[] = [];
  for (const [index, span] of coarse.entries()) {
    const cost = tokensOf(text, span);
    const spans = cost <= room ? [span] : wordSpans(text, span, room);
    for (const one of spans) {
      const clean = trimmed(text, one);
      if (!clean) continue;
      units.push({
        ...{ start: clean[0], end: clean[1], page, header: index === 0 ? null : header },
        tokens: spans.length === 1 ? cost : tokensOf(text, clean),
      });
    }
  }
  return units;
}
