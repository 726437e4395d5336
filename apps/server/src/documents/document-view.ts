/** A document as the API shows it: without whose turn it is to read it. */
import type { RagDocument } from '@bailiwick/contract';
import type { CatalogDocument } from '../ports/document-catalog.port.js';

export function viewOf(document: CatalogDocument): RagDocument {
  const { id, name, title, media_type, source, tags, groups, metadata, size, sha256, state, fault } = document;
  const { chunks, pages, notes, created_at, created_by, updated_at } = document;
  return {
    ...{ id, name, title, media_type, source, size, sha256, fault, chunks, pages, created_at, created_by, updated_at },
    ...{ tags: [...tags], groups: [...groups], notes: [...notes] },
    metadata: metadata as RagDocument['metadata'],
    state: state as RagDocument['state'],
  };
}
