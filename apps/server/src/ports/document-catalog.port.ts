/**
 * The truth of the RAG service: documents, their chunks and the vectors of those, by project. Everything an index holds can be built
 * again from here, in this data centre or another. A document's row names the generation of chunks in force, so a re-index becomes
 * visible in one write. Adapters: `adapters/relational` (SQLite, PostgreSQL), `adapters/cosmos`, `adapters/mongodb`.
 * Contract: `document-catalog.contract.ts`.
 */
import type { Filter } from '@bailiwick/rego';
import type { Page } from './policy-archive.port.js';

export type MetadataValue = string | number | boolean | readonly string[];

/**
 * What policies and filters see of a document, as `input.document`: paths of a `Filter` start here. Text holds no U+0000 and no half
 * of a surrogate pair, numbers are finite: some store could not keep or compare them. Text sorts by code point.
 */
export interface DocumentAttributes {
  readonly id: string;
  /** The file's name, or the last part of its address. */
  readonly name: string;
  readonly title: string;
  readonly media_type: string;
  /** Where it comes from: `upload:NAME`, `folder:PATH`, `git:REPOSITORY/PATH`, the page's address. Unique in a project. */
  readonly source: string;
  readonly tags: readonly string[];
  /** Who may see it at all; empty: whoever the policy allows. */
  readonly groups: readonly string[];
  readonly metadata: Readonly<Record<string, MetadataValue>>;
  readonly created_by: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly created_at: string;
  readonly updated_at: string;
  /** Bytes of the original. */
  readonly size: number;
}

/** `queued` → `processing` → `ready` or `failed`; a document that is read again keeps answering from its old generation meanwhile. */
export type DocumentState = 'queued' | 'processing' | 'ready' | 'failed';

export interface CatalogDocument extends DocumentAttributes {
  readonly project: string;
  /** 1, 2, 3 …, one more with every write of this row. */
  readonly version: number;
  readonly state: DocumentState;
  /** Of a failed one: the reason and a sentence for people. */
  readonly fault: { readonly reason: string; readonly message: string } | null;
  /** SHA-256 of the original, hex. */
  readonly sha256: string;
  /** The generation of chunks that searches see; 0: none yet. */
  readonly generation: number;
  readonly chunks: number;
  readonly pages: number | null;
  /** What reading left out because no person sees it, a sentence each; never the file's content. */
  readonly notes: readonly string[];
  /** The instance at work on it and until when (epoch milliseconds) others leave it alone. */
  readonly claim: { readonly owner: string; readonly untilMs: number } | null;
}

export interface Chunk {
  /** Unique in the project; the same for the same text in the same document, so that a re-index leaves it alone. */
  readonly id: string;
  readonly documentId: string;
  readonly generation: number;
  /** 0, 1, 2 … in the document. */
  readonly ordinal: number;
  readonly text: string;
  /** From the outermost heading to the innermost. */
  readonly headings: readonly string[];
  /** From 1; null where the format has no pages. */
  readonly page: number | null;
  /** Where the text stands in the document's plain text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** SHA-256 of what is embedded (title, headings and text), hex: names its vector. */
  readonly hash: string;
}

export interface StoredVector {
  readonly hash: string;
  /** Of length one. */
  readonly vector: Float32Array;
}

/** One step of the feed: the document as it is now, or its end. */
export interface DocumentChange {
  readonly project: string;
  readonly id: string;
  readonly document: CatalogDocument | null;
}

/**
 * Errors: every method rejects with `store.unavailable` when the backend cannot serve; a write so rejected may or may not have
 * happened. All methods see one project only, but `pending` and `changesAfter`.
 */
export interface DocumentCatalog {
  /**
   * `version` must be 1. `taken`: the id or the source is there already in this project; nothing was done.
   * Errors: `document.not_storable` for attributes that not every store can hold.
   */
  insert(document: CatalogDocument): Promise<'inserted' | 'taken'>;
  /**
   * Replaces the row whose version is one less; `outdated`: it has another version or another source, or is gone; nothing was done.
   * Errors: `document.not_storable`.
   */
  replace(document: CatalogDocument): Promise<'replaced' | 'outdated'>;
  get(project: string, id: string): Promise<CatalogDocument | undefined>;
  /** In no order; those that are gone are left out. */
  getMany(project: string, ids: readonly string[]): Promise<readonly CatalogDocument[]>;
  bySource(project: string, source: string): Promise<CatalogDocument | undefined>;
  /** Newest `created_at` first, then by id; the filter is applied in the store. */
  list(
    project: string,
    options: { readonly filter: Filter; readonly limit: number; readonly cursor?: string },
  ): Promise<Page<CatalogDocument>>;
  /** Ids of all documents with a generation in force that satisfy the filter, in no order. Rejects with `PartialEvaluationError` for what the store cannot say. */
  select(project: string, filter: Filter): Promise<readonly string[]>;
  /**
   * Removes the row if it has this version, all its chunks, and the vectors that no other chunk of the project names. Again with the
   * version that went: `removed`, which finishes a removal that broke off. An `insert` of the id and `pending` finish it too.
   */
  remove(project: string, id: string, version: number): Promise<'removed' | 'outdated'>;
  /** Documents `queued` or `processing` whose claim is empty or ended before `nowMs`, oldest `updated_at` first, of all projects. */
  pending(nowMs: number, limit: number): Promise<readonly CatalogDocument[]>;

  /**
   * Adds a generation's chunks; again with the same is harmless. Any text: also U+0000 and halves of pairs. Put chunks before asking for
   * their vectors: one that is there then stays as long as a chunk names it (a store without transactions may lose it only by dying
   * in the middle of a sweep; whoever misses a vector makes it again).
   */
  putChunks(project: string, chunks: readonly Chunk[]): Promise<void>;
  /** By ordinal. */
  chunksOf(project: string, documentId: string, generation: number): Promise<readonly Chunk[]>;
  /** In no order; those that are gone are left out. When an id is in several generations, the highest. */
  chunksById(project: string, ids: readonly string[]): Promise<readonly Chunk[]>;
  /** Removes the chunks of all generations but this one, and the vectors that no chunk of the project names any more. */
  keepGeneration(project: string, documentId: string, generation: number): Promise<void>;

  /** Again with the same hash is harmless. A vector belongs to one project and one model. */
  putVectors(project: string, model: string, vectors: readonly StoredVector[]): Promise<void>;
  /** Those that are there, in no order. */
  vectors(project: string, model: string, hashes: readonly string[]): Promise<readonly StoredVector[]>;

  /**
   * What changed after the cursor (undefined: everything there is), each document at most once a call and at least once in all, in no
   * order across documents; deletions for at least seven days. `cursor` goes on from there; the same one when nothing is new.
   */
  changesAfter(
    cursor: string | undefined,
    limit: number,
  ): Promise<{ readonly changes: readonly DocumentChange[]; readonly cursor: string | undefined }>;
}
