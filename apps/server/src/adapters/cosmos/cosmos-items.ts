/**
 * Documents, chunks, vectors and the notes of removals as items of one container, by project. An item's id is made of a hash, because
 * Cosmos DB's ids know no slash and have an end. `uniqueKey` is unique in a project: of a document its source, of the rest their id.
 */
import { createHash } from 'node:crypto';
import type { CatalogDocument, Chunk, StoredVector } from '../../ports/document-catalog.port.js';
import { fromBytes, toBytes } from '../float32-bytes.js';

interface Item {
  readonly id: string;
  readonly project: string;
  readonly uniqueKey: string;
}

export interface DocumentItem extends Item, Omit<CatalogDocument, 'id' | 'project' | 'fault' | 'claim'> {
  readonly kind: 'document';
  readonly documentId: string;
  /** JSON text. */
  readonly fault: string | null;
  readonly claimedBy: string | null;
  /** 0 without a claim. */
  readonly claimedUntilMs: number;
}

/** In the place of the document that it was. */
export interface RemovalItem extends Item {
  readonly kind: 'removal';
  readonly documentId: string;
  readonly removedVersion: number;
  readonly removedMs: number;
  /** Chunks and vectors may still be there. */
  readonly sweeping: boolean;
  /** Seconds after the last write at which the service forgets the item. */
  readonly ttl?: number;
}

export interface ChunkItem extends Item {
  readonly kind: 'chunk';
  readonly chunkId: string;
  readonly documentId: string;
  readonly generation: number;
  readonly ordinal: number;
  readonly hash: string;
  /** The rest as JSON text. */
  readonly content: string;
  /** About to be removed: names no vector any more. */
  readonly going: boolean;
}

export interface VectorItem extends Item {
  readonly kind: 'vector';
  readonly model: string;
  readonly hash: string;
  /** float32, little-endian, base64. */
  readonly vector: string;
}

/** What the service adds. */
export interface Written {
  readonly _etag: string;
  /** Seconds since 1970. */
  readonly _ts: number;
}

const digest = (...parts: readonly (string | number)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

export const documentItemId = (documentId: string): string => `document.${digest(documentId)}`;
export const vectorItemId = (model: string, hash: string): string => `vector.${digest(model, hash)}`;
export const sourceKey = (source: string): string => `source.${digest(source)}`;

export function toDocumentItem({ id, fault, claim, ...rest }: CatalogDocument): DocumentItem {
  return {
    ...rest,
    id: documentItemId(id),
    uniqueKey: sourceKey(rest.source),
    kind: 'document',
    documentId: id,
    fault: fault === null ? null : JSON.stringify(fault),
    claimedBy: claim?.owner ?? null,
    claimedUntilMs: claim?.untilMs ?? 0,
  };
}

export function toDocument(item: DocumentItem): CatalogDocument {
  const { project, version, name, title, media_type, source, tags, groups, metadata, created_by, created_at } = item;
  const { updated_at, size, state, sha256, generation, chunks, pages, notes, fault, claimedBy, claimedUntilMs } = item;
  return {
    ...{ id: item.documentId, project, version, name, title, media_type, source, tags, groups, metadata, created_by },
    ...{ created_at, updated_at, size, state, sha256, generation, chunks, pages, notes: notes ?? [] },
    fault: fault === null ? null : (JSON.parse(fault) as CatalogDocument['fault']),
    claim: claimedBy === null ? null : { owner: claimedBy, untilMs: claimedUntilMs },
  };
}

export function toChunkItem(project: string, chunk: Chunk): ChunkItem {
  const { id: chunkId, documentId, generation, ordinal, hash, ...content } = chunk;
  const id = `chunk.${digest(chunkId, generation)}`;
  return {
    ...{ id, project, uniqueKey: id, kind: 'chunk', chunkId, documentId, generation, ordinal, hash },
    ...{ content: JSON.stringify(content), going: false },
  };
}

export function toChunk({ chunkId: id, documentId, generation, ordinal, hash, content }: ChunkItem): Chunk {
  const { text, headings, page, start, end } = JSON.parse(content) as Chunk;
  return { id, documentId, generation, ordinal, hash, text, headings, page, start, end };
}

export function toVectorItem(project: string, model: string, { hash, vector }: StoredVector): VectorItem {
  const id = vectorItemId(model, hash);
  return { id, project, uniqueKey: id, kind: 'vector', model, hash, vector: toBytes(vector).toString('base64') };
}

export const toVector = ({ hash, vector }: VectorItem): StoredVector => ({
  hash,
  vector: fromBytes(Buffer.from(vector, 'base64')),
});
