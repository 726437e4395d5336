/** Documents and chunks to rows and back. */
import { createHash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { CatalogDocument, Chunk, DocumentAttributes, DocumentState } from '../../ports/document-catalog.port.js';
import type { ChunkRow, DocumentRow, SqlDialect } from './document-tables.js';

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * JSON whose numbers SQLite reads as the doubles they are: whole ones beyond 2^53 it would take for integers of 64 bits,
 * which are other numbers than the doubles of the same digits.
 */
function attributesText({ tags, groups, metadata }: DocumentAttributes): string {
  const entries = Object.entries(metadata).map(([key, value]) => {
    const isLarge = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
    return `${JSON.stringify(key)}:${isLarge ? value.toExponential() : JSON.stringify(value)}`;
  });
  return `{"tags":${JSON.stringify(tags)},"groups":${JSON.stringify(groups)},"metadata":{${entries.join(',')}}}`;
}

type WrittenRow = Omit<DocumentRow, 'attributes'> & { readonly attributes: RawBuilder<string> };

export function toRow(document: CatalogDocument, changeNumber: number, dialect: SqlDialect): WrittenRow {
  const { project, id, version, name, title, media_type, source, created_by, created_at, updated_at } = document;
  const { size, state, fault, sha256, generation, chunks, pages, notes, claim } = document;
  const attributes = attributesText(document);
  return {
    ...{ project, id, version, name, title, media_type, source, created_by, created_at, updated_at },
    ...{ size, state, sha256, generation, chunks, pages },
    notes: JSON.stringify(notes),
    change_number: changeNumber,
    source_hash: hashOf(source),
    attributes: dialect === 'postgres' ? sql`${attributes}::jsonb` : sql`${attributes}`,
    fault: fault === null ? null : JSON.stringify(fault),
    claimed_by: claim?.owner ?? null,
    claimed_until_ms: claim?.untilMs ?? 0,
  };
}

export function toDocument(row: DocumentRow): CatalogDocument {
  const {
    change_number: _change,
    source_hash: _hash,
    attributes,
    fault,
    notes,
    claimed_by,
    claimed_until_ms,
    ...rest
  } = row;
  const { tags, groups, metadata } = (typeof attributes === 'string' ? JSON.parse(attributes) : attributes) as Pick<
    DocumentAttributes,
    'tags' | 'groups' | 'metadata'
  >;
  return {
    ...rest,
    ...{ tags, groups, metadata },
    size: Number(row.size),
    notes: JSON.parse(notes) as readonly string[],
    state: row.state as DocumentState,
    fault: fault === null ? null : (JSON.parse(fault) as CatalogDocument['fault']),
    claim: claimed_by === null ? null : { owner: claimed_by, untilMs: Number(claimed_until_ms) },
  };
}

export function toChunkRow(project: string, chunk: Chunk): ChunkRow {
  const { id, documentId, generation, ordinal, hash, ...content } = chunk;
  return { project, id, generation, document_id: documentId, ordinal, hash, content: JSON.stringify(content) };
}

export function toChunk({ project: _project, document_id: documentId, content, ...rest }: ChunkRow): Chunk {
  const { text, headings, page, start, end } = JSON.parse(content) as Chunk;
  return { ...rest, documentId, text, headings, page, start, end };
}
