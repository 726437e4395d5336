/**
 * Cuts a document into passages of about two hundred tokens, for search and for citing. By structure: a passage never goes over a heading, and
 * keeps sentences, rows and items whole where they fit. Small neighbours of one section are joined.
 *
 * Where to cut is decided by the content around the cut, not by what came before: first into segments, before each unit whose hash is the smallest
 * far and wide, then each segment by itself into passages of about one size. So an edit changes the passages of its own segment and perhaps
 * the next, and what is further away keeps its text, its hash and its vector (content-defined chunking, as backup programs do with bytes).
 */
import { createHash } from 'node:crypto';
import type { Block, ReadDocument } from '../reading/read-document.js';
import { estimateTokens } from './estimate-tokens.js';
import { type TextUnit, unitsOf } from './text-units.js';

export interface ChunkingOptions {
  /** What passages are aimed at; 200. */
  readonly targetTokens?: number;
  /** Of `embeddedText`, estimated; 1.2 × target. Models cut off what is longer (all-MiniLM-L6-v2: 256). */
  readonly maxTokens?: number;
}

export interface Passage {
  /** 0, 1, 2 … */
  readonly ordinal: number;
  /** `document.text.slice(start, end)`; in a table that goes on, its header row on a line in front. */
  readonly text: string;
  /** From the outermost to the innermost. */
  readonly headings: readonly string[];
  /** Where the passage begins; null where the format has no pages. */
  readonly page: number | null;
  /** UTF-16 units in the document's text. */
  readonly start: number;
  readonly end: number;
  /** Of `text`, estimated (`estimate-tokens.ts`). */
  readonly tokens: number;
  /** Title, headings and text: what is embedded, and hashed to know it again. */
  readonly embeddedText: string;
}

const defaultTargetTokens = 200;
const maxShare = 1.2;
/** Shares of the target: what a page needs for a passage of its own, and how far around a cut its hash must be the smallest. */
const pageShare = 0.35;
const reachShare = 0.9;
/** Of the reach: no cut so near to the section's ends. */
const edgeShare = 0.6;
/** Of the room for a passage, taken by title and headings at most. */
const maxPrefixShare = 0.3;

interface Section {
  readonly headings: readonly string[];
  readonly blocks: Block[];
}

/** What stands under one heading; a heading with nothing under it is its own text. */
function toSections(blocks: readonly Block[]): Section[] {
  const sections: Section[] = [];
  const path: { readonly text: string; readonly level: number; readonly block: Block }[] = [];
  let current: Section = { headings: [], blocks: [] };
  let bare: Block | undefined;
  const close = (isLeaf: boolean): void => {
    if (current.blocks.length > 0) sections.push(current);
    else if (bare && isLeaf) sections.push({ headings: current.headings.slice(0, -1), blocks: [bare] });
  };
  for (const block of blocks) {
    if (block.kind !== 'heading') {
      current.blocks.push(block);
      continue;
    }
    const level = block.level ?? 1;
    close(bare === undefined || level <= (bare.level ?? 1));
    while ((path.at(-1)?.level ?? 0) >= level) path.pop();
    path.push({ text: block.text, level, block });
    current = { headings: path.map(({ text }) => text), blocks: [] };
    bare = block;
  }
  close(true);
  return sections;
}

/** FNV-1a: only to decide where to cut, so that the same words always decide alike. */
function hashOf(text: string, { start, end }: TextUnit): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

interface Sizes {
  readonly target: number;
  readonly max: number;
}

const sum = (units: readonly TextUnit[]): number =>
  units.reduce((tokens, unit) => tokens + unit.tokens, units[0]?.header?.tokens ?? 0);

/** Units of one page each; what is too little for a passage stays with the page before. */
function pageRuns(units: readonly TextUnit[], minTokens: number): TextUnit[][] {
  const runs: TextUnit[][] = [];
  for (const unit of units) {
    const run = runs.at(-1);
    if (run && run.at(-1)?.page === unit.page) run.push(unit);
    else runs.push([unit]);
  }
  const joined: TextUnit[][] = [];
  for (const run of runs) {
    const before = joined.at(-1);
    if (before && (sum(run) < minTokens || sum(before) < minTokens)) before.push(...run);
    else joined.push(run);
  }
  return joined;
}

/** Cuts before every unit whose hash is the smallest for `reach` tokens around: that depends on nothing further away. */
function segmentsOf(text: string, units: readonly TextUnit[], reach: number): TextUnit[][] {
  const hashes = units.map((unit) => hashOf(text, unit));
  const starts: number[] = [];
  let total = 0;
  for (const { tokens } of units) {
    starts.push(total);
    total += tokens;
  }
  const isCut = (index: number): boolean => {
    const at = starts[index] as number;
    const own = hashes[index] as number;
    if (at < reach * edgeShare || total - at < reach * edgeShare) return false;
    for (let before = index - 1; before >= 0 && at - (starts[before] as number) <= reach; before--)
      if ((hashes[before] as number) <= own) return false;
    for (let after = index + 1; after < units.length && (starts[after] as number) - at <= reach; after++)
      if ((hashes[after] as number) < own) return false;
    return true;
  };
  const segments: TextUnit[][] = [];
  for (const [index, unit] of units.entries()) {
    if (index === 0 || isCut(index)) segments.push([unit]);
    else segments.at(-1)?.push(unit);
  }
  return segments;
}

/** A segment in as few groups as its size asks for, of about the same size. */
function pack(units: readonly TextUnit[], { target, max }: Sizes): TextUnit[][] {
  const total = sum(units);
  let count = Math.max(1, Math.round(total / target));
  if (total / count > max) count++;
  const goal = total / count;
  const groups: TextUnit[][] = [];
  let current: TextUnit[] = [];
  let tokens = 0;
  let done = 0;
  for (const unit of units) {
    const isFull = done + unit.tokens / 2 > goal * (groups.length + 1);
    if (current.length > 0 && (isFull || tokens + unit.tokens > max)) {
      groups.push(current);
      current = [];
    }
    if (current.length === 0) tokens = unit.header?.tokens ?? 0;
    current.push(unit);
    tokens += unit.tokens;
    done += unit.tokens;
  }
  return current.length > 0 ? [...groups, current] : groups;
}

/** Groups of units, each a passage. */
function group(text: string, units: readonly TextUnit[], sizes: Sizes): TextUnit[][] {
  return pageRuns(units, sizes.target * pageShare)
    .flatMap((run) => segmentsOf(text, run, sizes.target * reachShare))
    .flatMap((segment) => pack(segment, sizes));
}

/** Title and headings, the innermost first to stay when there are too many. */
function prefixOf(title: string, headings: readonly string[], maxTokens: number): string {
  const parts: string[] = [];
  let tokens = 0;
  const all = headings[0] === title ? headings : [title, ...headings];
  for (const part of [...all].reverse()) {
    tokens += estimateTokens(part) + 1;
    if (tokens > maxTokens && parts.length > 0) break;
    parts.unshift(tokens > maxTokens ? part.slice(0, Math.floor(maxTokens * 3)) : part);
  }
  return parts.join(' > ');
}

/**
 * The passages in order; deterministic. Every character of the text but headings and blanks is in exactly one.
 * Cost: about 100 ms for a MiB of text. Errors: a RangeError for sizes below 16 tokens.
 */
export function chunkDocument(document: ReadDocument, options: ChunkingOptions = {}): Passage[] {
  const targetTokens = options.targetTokens ?? defaultTargetTokens;
  const maxTokens = options.maxTokens ?? Math.round(targetTokens * maxShare);
  if (!(targetTokens >= 16 && maxTokens >= 16)) throw new RangeError('a passage has at least 16 tokens');
  const { text, title } = document;
  const passages: Passage[] = [];
  for (const { headings, blocks } of toSections(document.blocks)) {
    const prefix = prefixOf(title, headings, maxTokens * maxPrefixShare);
    const max = maxTokens - estimateTokens(prefix);
    const target = Math.min(targetTokens, max);
    const sizes: Sizes = { target, max };
    const units = blocks.flatMap((block) => unitsOf(text, block, max));
    for (const members of group(text, units, sizes)) {
      const [first] = members;
      const last = members.at(-1);
      if (!first || !last) continue;
      const slice = text.slice(first.start, last.end);
      const passageText = first.header ? `${text.slice(first.header.start, first.header.end)}\n${slice}` : slice;
      passages.push({
        ordinal: passages.length,
        text: passageText,
        headings,
        page: first.page,
        start: first.start,
        end: last.end,
        tokens: Math.round(sum(members)),
        embeddedText: `${prefix}\n\n${passageText}`,
      });
    }
  }
  return passages;
}

/** SHA-256 of what is embedded, hex: names a passage's vector. */
export const passageHash = (passage: Passage): string =>
  createHash('sha256').update(passage.embeddedText).digest('hex');
