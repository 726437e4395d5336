/** What the event loop and a reading process say to each other. Blocks travel as numbers: half a million objects would hold up the event loop. */
import type { ErrorKind } from '@bailiwick/contract';
import type { ChunkingOptions, Passage } from '../chunking/chunk-document.js';
import type { Block, BlockKind, ReadDocument } from './read-document.js';
import type { ReadingLimits } from './reading-limits.js';

export interface ReadingJob {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly limits: ReadingLimits;
  /** Passages instead of blocks. */
  readonly chunking: ChunkingOptions | null;
}

export interface PackedDocument extends Omit<ReadDocument, 'blocks'> {
  /** Five numbers a block: kind, level or 0, page or 0, start, end. */
  readonly packed: Int32Array;
  readonly passages: readonly Passage[];
}

export type ReadingReply =
  | { readonly ok: true; readonly document: PackedDocument }
  | { readonly ok: false; readonly kind: ErrorKind; readonly reason: string; readonly message: string }
  | { readonly ok: false; readonly fault: string };

const kinds: readonly BlockKind[] = ['heading', 'paragraph', 'list', 'table', 'code'];
const width = 5;

export function packBlocks(blocks: readonly Block[]): Int32Array {
  const packed = new Int32Array(blocks.length * width);
  for (const [index, { kind, level, page, start, end }] of blocks.entries())
    packed.set([kinds.indexOf(kind), level ?? 0, page ?? 0, start, end], index * width);
  return packed;
}

export function unpackBlocks(packed: Int32Array, text: string): readonly Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < packed.length; at += width) {
    const [kind = 0, level = 0, page = 0, start = 0, end = 0] = packed.subarray(at, at + width);
    blocks.push({
      kind: kinds[kind] as BlockKind,
      text: text.slice(start, end),
      ...(level === 0 ? {} : { level }),
      page: page === 0 ? null : page,
      start,
      end,
    });
  }
  return blocks;
}
