/** What one project can find: its documents' attributes, its chunks' terms and their vectors, numbered together. Not shared with any other. */
import type { Filter } from '@bailiwick/rego';
import type { DocumentAttributes } from '../../ports/document-catalog.port.js';
import { AttributeTable } from './attribute-table.js';
import type { Scored } from './best.js';
import type { Bits } from './bits.js';
import { Growing } from './growing.js';
import { type AllowedChunks, TextIndex } from './text-index.js';
import { VectorMemory } from './vector-memory.js';

export interface IndexedChunk {
  readonly id: string;
  /** Title, headings and text: what is searched. */
  readonly text: string;
  /** Of length one; undefined until it has been embedded. */
  readonly vector: Float32Array | undefined;
}

export interface ChunkHit {
  readonly chunkId: string;
  readonly documentId: string;
  readonly score: number;
}

export interface IndexQuestion {
  readonly filter: Filter;
  /** Undefined: not searched by words. */
  readonly text: string | undefined;
  /** Undefined: not searched by vectors. */
  readonly vector: Float32Array | undefined;
  /** Of each kind. */
  readonly limit: number;
  /** Chunks that were found elsewhere: their scores by words are wanted too. */
  readonly also?: readonly ChunkHit[];
}

export interface IndexAnswer {
  readonly byText: readonly ChunkHit[];
  readonly byVector: readonly ChunkHit[];
  /** The scores by words of what vectors found, and by vectors of what words found, whether among the best or not. */
  readonly rest: { readonly byText: readonly ChunkHit[]; readonly byVector: readonly ChunkHit[] };
}

const nothing = { best: [], also: [] };

interface Row {
  readonly documentId: string;
  readonly version: number;
  readonly ordinals: Map<string, number>;
}

export class ProjectIndex {
  readonly #attributes = new AttributeTable();
  readonly #text = new TextIndex();
  /** Made with the first vector; those of one model have one size. */
  #vectors: VectorMemory | undefined;
  readonly #rows: (Row | undefined)[] = [];
  readonly #rowOf = new Map<string, number>();
  readonly #freeRows: number[] = [];
  /** By ordinal of a chunk. */
  readonly #chunkIds: (string | undefined)[] = [];
  readonly #rowOfChunk = new Growing((capacity) => new Uint32Array(capacity));
  #freeOrdinals: number[] = [];
  /** Free once the text index has dropped their postings. */
  #leavingOrdinals: number[] = [];

  get documents(): number {
    return this.#rowOf.size;
  }

  get chunks(): number {
    return this.#text.size;
  }

  /** The version that `put` brought; undefined when the document is not here. */
  version(documentId: string): number | undefined {
    const row = this.#rowOf.get(documentId);
    return row === undefined ? undefined : this.#rows[row]?.version;
  }

  /** Adds or replaces a document; chunks that it had before under the same id are left as they are. */
  put(document: DocumentAttributes & { readonly version: number }, chunks: readonly IndexedChunk[]): void {
    const at = this.#rowOf.get(document.id) ?? this.#freeRows.pop() ?? this.#rows.length;
    const before = this.#rows[at]?.ordinals ?? new Map<string, number>();
    const ordinals = new Map<string, number>();
    for (const chunk of chunks) {
      const known = before.get(chunk.id);
      const ordinal = known ?? this.#add(at, chunk);
      before.delete(chunk.id);
      ordinals.set(chunk.id, ordinal);
      if (chunk.vector) {
        this.#vectors ??= new VectorMemory(chunk.vector.length);
        this.#vectors.set(ordinal, chunk.vector);
      }
    }
    this.#drop(before.values());
    this.#rows[at] = { documentId: document.id, version: document.version, ordinals };
    this.#rowOf.set(document.id, at);
    this.#attributes.set(at, attributesOf(document));
  }

  remove(documentId: string): void {
    const at = this.#rowOf.get(documentId);
    if (at === undefined) return;
    this.#drop(this.#rows[at]?.ordinals.values() ?? []);
    this.#attributes.remove(at);
    this.#rows[at] = undefined;
    this.#rowOf.delete(documentId);
    this.#freeRows.push(at);
  }

  search(question: IndexQuestion): IndexAnswer {
    const { filter, text, vector, limit } = question;
    const allowed = this.#attributes.select(filter);
    const toHit = ({ ordinal, score }: Scored): ChunkHit => ({
      chunkId: this.#chunkIds[ordinal] ?? '',
      documentId: this.#rows[this.#rowOfChunk.items[ordinal] ?? -1]?.documentId ?? '',
      score,
    });
    const chunks: AllowedChunks = {
      isEverything: allowed.count() === this.#rowOf.size,
      rows: allowed,
      rowOf: this.#rowOfChunk.items,
    };
    const vectors = this.#vectors;
    const byVector = vector === undefined || !vectors ? [] : vectors.search(vector, chunks, limit);
    const also = [...byVector.map(({ ordinal }) => ordinal), ...this.#ordinalsOf(question.also ?? [], allowed)];
    const byText = text === undefined ? nothing : this.#text.search(text, chunks, limit, also);
    const missing = byText.best.map(({ ordinal }) => ordinal);
    const alsoByVector = vector === undefined || !vectors ? [] : vectors.scoresOf(vector, missing);
    return {
      byText: byText.best.map(toHit),
      byVector: byVector.map(toHit),
      rest: { byText: byText.also.map(toHit), byVector: alsoByVector.map(toHit) },
    };
  }

  #ordinalsOf(hits: readonly ChunkHit[], allowed: Bits): number[] {
    return hits.flatMap(({ documentId, chunkId }) => {
      const row = this.#rowOf.get(documentId);
      const ordinal = row !== undefined && allowed.has(row) ? this.#rows[row]?.ordinals.get(chunkId) : undefined;
      return ordinal ?? [];
    });
  }

  #add(row: number, chunk: IndexedChunk): number {
    const ordinal = this.#freeOrdinals.pop() ?? this.#chunkIds.length;
    this.#chunkIds[ordinal] = chunk.id;
    if (ordinal === this.#rowOfChunk.length) this.#rowOfChunk.push(row);
    else this.#rowOfChunk.items[ordinal] = row;
    this.#text.add(ordinal, chunk.text);
    return ordinal;
  }

  #drop(ordinals: Iterable<number>): void {
    let isDue = false;
    for (const ordinal of ordinals) {
      isDue = this.#text.remove(ordinal) || isDue;
      this.#vectors?.remove(ordinal);
      this.#chunkIds[ordinal] = undefined;
      this.#leavingOrdinals.push(ordinal);
    }
    if (!isDue) return;
    this.#text.compact();
    this.#freeOrdinals = [...this.#freeOrdinals, ...this.#leavingOrdinals];
    this.#leavingOrdinals = [];
  }
}

/** Only what filters may ask about, whatever else came along. */
function attributesOf(document: DocumentAttributes): DocumentAttributes {
  const { id, name, title, media_type, source, tags, groups, metadata, created_by, created_at, updated_at, size } =
    document;
  return { id, name, title, media_type, source, tags, groups, metadata, created_by, created_at, updated_at, size };
}
