/**
 * Nearest vectors, by project and embedding model. Holds no text and nothing that the catalog could not give again. Adapters: in
 * memory (`documents/retrieval`), `adapters/pgvector`, `adapters/chroma`, `adapters/qdrant`, `adapters/milvus`.
 * Contract: `vector-index.contract.ts`.
 */
import type { Filter } from '@bailiwick/rego';

/** What belongs together: vectors of two projects or of two models never meet. */
export interface VectorSpace {
  readonly project: string;
  readonly model: string;
  readonly dimensions: number;
}

export interface VectorPoint {
  readonly chunkId: string;
  readonly documentId: string;
  /** Of length one. */
  readonly vector: Float32Array;
}

export interface VectorHit {
  readonly chunkId: string;
  readonly documentId: string;
  /** Cosine similarity, -1 to 1. */
  readonly score: number;
}

/** The documents that may be found: as a condition for an index that knows their attributes, as ids for the others. */
export interface Selection {
  readonly filter: Filter;
  /** Undefined: all of the project. Asked at most once a search. */
  ids(): Promise<ReadonlySet<string> | undefined>;
}

/** Errors: every method rejects with `store.unavailable` when the backend cannot serve. */
export interface VectorIndex {
  /** Replaces points with the same `chunkId`. Seen by searches once the promise is fulfilled. */
  put(space: VectorSpace, points: readonly VectorPoint[]): Promise<void>;
  /** Chunk ids of a document, in no order. */
  chunkIds(space: VectorSpace, documentId: string): Promise<readonly string[]>;
  removeChunks(space: VectorSpace, chunkIds: readonly string[]): Promise<void>;
  removeDocument(space: VectorSpace, documentId: string): Promise<void>;
  /** Best first, at most `limit`. Never fewer than there are in the selection, whatever the filter: an approximate index that comes back short searches again exactly. */
  search(space: VectorSpace, vector: Float32Array, selection: Selection, limit: number): Promise<readonly VectorHit[]>;
  /** Points in the space. */
  count(space: VectorSpace): Promise<number>;
  /** Drops the space and everything in it; harmless when there is none. */
  drop(space: VectorSpace): Promise<void>;
  close(): Promise<void>;
}
