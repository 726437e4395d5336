/**
 * Documents and chunks as MongoDB keeps them. Metadata is a list of facts `{k, t, v}` (name, type, value), so that any name can be
 * asked for and one index serves all of them. Chunks' text is JSON text: BSON could not hold half a surrogate pair.
 */
import { createHash } from 'node:crypto';
import type { Binary } from 'mongodb';
import type { CatalogDocument, Chunk, MetadataValue } from '../../ports/document-catalog.port.js';
import type { Index } from './mongo-connection.js';

interface Fact {
  readonly k: string;
  readonly t: string;
  readonly v: MetadataValue;
}

type Stored = Omit<CatalogDocument, 'metadata' | 'fault' | 'claim'>;

/** A live document, or what is left of a removed one until its deletion has been fed for long enough. */
export interface DocumentRecord extends Partial<Stored> {
  readonly _id: string;
  readonly project: string;
  readonly id: string;
  readonly version: number;
  readonly live: boolean;
  /** SHA-256 of the source; of a removed one something unique. */
  readonly source_hash: string;
  readonly facts?: readonly Fact[];
  /** JSON text. */
  readonly fault?: string | null;
  readonly claimed_by?: string | null;
  readonly claimed_until_ms?: number;
  /** The server's time of the last write. */
  readonly changed: Date;
  readonly removed_version?: number;
  readonly removed_at?: Date;
  /** Chunks and vectors of the removed one may still be there. */
  readonly sweeping?: boolean;
}

export interface ChunkRecord {
  readonly _id: string;
  readonly project: string;
  readonly id: string;
  readonly generation: number;
  readonly document_id: string;
  readonly ordinal: number;
  readonly hash: string;
  readonly content: string;
  /** About to be removed: names no vector any more. */
  readonly going: boolean;
}

export interface VectorRecord {
  readonly _id: string;
  readonly project: string;
  readonly model: string;
  readonly hash: string;
  readonly vector: Binary;
}

export const documentIndexes: readonly Index[] = [
  { keys: { project: 1, source_hash: 1 }, isUnique: true },
  { keys: { project: 1, live: 1, created_at: -1, id: 1 } },
  { keys: { project: 1, tags: 1 } },
  { keys: { project: 1, groups: 1 } },
  { keys: { project: 1, 'facts.k': 1, 'facts.v': 1 } },
  { keys: { changed: 1 } },
  { keys: { state: 1, updated_at: 1 } },
  { keys: { sweeping: 1, removed_at: 1 } },
];
export const chunkIndexes: readonly Index[] = [
  { keys: { project: 1, document_id: 1, generation: 1, ordinal: 1 } },
  { keys: { project: 1, id: 1 } },
  { keys: { project: 1, hash: 1 } },
];
export const vectorIndexes: readonly Index[] = [{ keys: { project: 1, hash: 1 } }];

export const keyOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts);
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

function toFact([k, v]: [string, MetadataValue]): Fact {
  if (typeof v === 'string') return { k, t: 's', v };
  if (typeof v === 'number') return { k, t: 'n', v };
  return typeof v === 'boolean' ? { k, t: 'b', v } : { k, t: 'l', v };
}

/** All but `_id` and the time, which the server sets. */
export function toRecord(document: CatalogDocument): Omit<DocumentRecord, '_id' | 'changed'> {
  const { metadata, fault, claim, ...rest } = document;
  return {
    ...rest,
    live: true,
    source_hash: hashOf(document.source),
    facts: Object.entries(metadata).map(toFact),
    fault: fault === null ? null : JSON.stringify(fault),
    claimed_by: claim?.owner ?? null,
    claimed_until_ms: claim?.untilMs ?? 0,
    sweeping: false,
  };
}

export function toDocument(record: DocumentRecord): CatalogDocument {
  const { _id, live: _live, source_hash: _hash, changed: _changed, sweeping: _sweeping, ...kept } = record;
  const { facts = [], fault, claimed_by, claimed_until_ms, ...rest } = kept;
  return {
    ...(rest as Stored),
    notes: rest.notes ?? [],
    metadata: Object.fromEntries(facts.map(({ k, v }) => [k, v])),
    fault: fault ? (JSON.parse(fault) as CatalogDocument['fault']) : null,
    claim: claimed_by ? { owner: claimed_by, untilMs: claimed_until_ms ?? 0 } : null,
  };
}

export function toChunkRecord(project: string, chunk: Chunk): ChunkRecord {
  const { id, documentId, generation, ordinal, hash, ...content } = chunk;
  const _id = keyOf(project, id, generation);
  return {
    ...{ _id, project, id, generation, document_id: documentId, ordinal, hash, going: false },
    content: JSON.stringify(content),
  };
}

export function toChunk({ id, generation, document_id: documentId, ordinal, hash, content }: ChunkRecord): Chunk {
  const { text, headings, page, start, end } = JSON.parse(content) as Chunk;
  return { id, documentId, generation, ordinal, hash, text, headings, page, start, end };
}
