/** Brings a vector index to exactly the chunks in force, many documents in one write. */
import type { CatalogDocument, Chunk } from '../ports/document-catalog.port.js';
import type { VectorIndex, VectorPoint, VectorSpace } from '../ports/vector-index.port.js';

export class VectorUpkeep {
  readonly #vectors: VectorIndex;
  readonly #waiting = new Map<string, { readonly space: VectorSpace; readonly points: VectorPoint[] }>();
  /** Spaces that were empty when this process first met them: what it has not put there is not there. */
  readonly #wasEmpty = new Map<string, Promise<boolean>>();
  readonly #met = new Set<string>();

  constructor(vectors: VectorIndex) {
    this.#vectors = vectors;
  }

  /** Notes what is missing, for `flush`, and removes what is too much. */
  async bring(
    space: VectorSpace,
    document: CatalogDocument,
    chunks: readonly Chunk[],
    found: ReadonlyMap<string, Float32Array>,
  ): Promise<void> {
    const before = new Set(await this.#chunkIds(space, document.id));
    const points = chunks.flatMap((chunk) => {
      const vector = found.get(chunk.hash);
      const isThere = before.delete(chunk.id);
      return vector && !isThere ? [{ chunkId: chunk.id, documentId: document.id, vector }] : [];
    });
    const key = keyOf(space);
    const waiting = this.#waiting.get(key) ?? { space, points: [] };
    waiting.points.push(...points);
    this.#waiting.set(key, waiting);
    if (before.size > 0) await this.#vectors.removeChunks(space, [...before]);
  }

  async remove(space: VectorSpace, documentId: string): Promise<void> {
    await this.#vectors.removeDocument(space, documentId);
  }

  /** What it rejects with is tried again with the documents that it belongs to. */
  async flush(): Promise<void> {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { space, points } of waiting) if (points.length > 0) await this.#vectors.put(space, points);
  }

  /** Everything is asked for again: a broken-off round may have put something. */
  forget(): void {
    this.#waiting.clear();
    this.#wasEmpty.clear();
    this.#met.clear();
  }

  async #chunkIds(space: VectorSpace, documentId: string): Promise<readonly string[]> {
    const key = keyOf(space);
    let wasEmpty = this.#wasEmpty.get(key);
    if (!wasEmpty) {
      wasEmpty = this.#vectors.count(space).then((count) => count === 0);
      this.#wasEmpty.set(key, wasEmpty);
    }
    const isFirst = !this.#met.has(`${key}\n${documentId}`);
    this.#met.add(`${key}\n${documentId}`);
    return isFirst && (await wasEmpty) ? [] : await this.#vectors.chunkIds(space, documentId);
  }
}

const keyOf = ({ project, model, dimensions }: VectorSpace): string => `${project}\n${model}\n${dimensions}`;
