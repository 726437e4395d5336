/** What the parts of the catalogs' contract share: a running catalog, and documents and chunks to put into it. */
import { randomUUID } from 'node:crypto';
import type { Filter } from '@bailiwick/rego';
import { expect } from 'vitest';
import type { CatalogDocument, Chunk, DocumentCatalog } from './document-catalog.port.js';

/** One catalog, empty at the start. */
export interface DocumentCatalogUnderTest {
  readonly catalog: DocumentCatalog;
  /** Another connection to the same data. */
  another(): Promise<DocumentCatalog>;
  /** Leaves what a process leaves that dies in the middle of removing; undefined where a removal is one transaction. */
  readonly breakOffRemoval?: (document: CatalogDocument) => Promise<void>;
  dispose(): Promise<void>;
}

export const newProject = (): string => `p-${randomUUID().slice(0, 13)}`;

export function makeDocument(project: string, more: Partial<CatalogDocument> = {}): CatalogDocument {
  const id = more.id ?? randomUUID();
  const at = '2026-03-04T05:06:07.008Z';
  return {
    ...{ id, project, version: 1, name: 'a.md', title: 'A', media_type: 'text/markdown', source: `upload:${id}` },
    ...{ tags: [], groups: [], metadata: {}, created_by: 'ada', created_at: at, updated_at: at, size: 12 },
    ...{
      state: 'queued',
      fault: null,
      sha256: 'ab'.repeat(32),
      generation: 0,
      chunks: 0,
      pages: null,
      notes: [],
      claim: null,
    },
    ...more,
  } as CatalogDocument;
}

export function makeChunk(documentId: string, generation: number, ordinal: number, more: Partial<Chunk> = {}): Chunk {
  return {
    ...{
      id: `${documentId}-${ordinal}`,
      documentId,
      generation,
      ordinal,
      text: `text ${ordinal}`,
      headings: ['H', 'I'],
    },
    ...{ page: null, start: ordinal * 10, end: ordinal * 10 + 9, hash: `hash-${documentId}-${ordinal}` },
    ...more,
  };
}

export const all: Filter = { op: 'true' };

export async function listAll(catalog: DocumentCatalog, project: string, filter = all, limit = 100) {
  const items: CatalogDocument[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await catalog.list(project, { filter, limit, ...(cursor === undefined ? {} : { cursor }) });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    if (page.next === undefined) return items;
    cursor = page.next;
  }
}
