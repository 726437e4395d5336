/**
 * Keeps what is searched in step with the catalog: reads its feed from the beginning and then on, and puts each document's chunks in
 * force into the index of this process and, where vectors are kept elsewhere, into that index. Everything it does may be repeated,
 * so a restart, another instance or another data centre builds the same from the same catalog.
 */
import type { CatalogDocument, Chunk, DocumentCatalog } from '../ports/document-catalog.port.js';
import type { Embedder } from '../ports/embedder.port.js';
import type { VectorIndex, VectorSpace } from '../ports/vector-index.port.js';
import { searchedText } from './document-chunks.js';
import type { LocalIndex } from './retrieval/local-index.js';
import { VectorUpkeep } from './vector-upkeep.js';

export interface FollowerParts {
  readonly catalog: DocumentCatalog;
  readonly local: LocalIndex;
  /** Undefined: vectors are in the index of this process. */
  readonly vectors: VectorIndex | undefined;
  readonly embedder: () => Promise<Embedder | undefined>;
  readonly onError: (error: unknown) => void;
}

const changesAtOnce = 200;
const takenAtOnce = 8;
const idleMs = 1_000;
const embedAtOnce = 16;

export class CatalogFollower {
  readonly #parts: FollowerParts;
  /** Of vectors that are kept elsewhere. */
  readonly #upkeep: VectorUpkeep | undefined;
  #cursor: string | undefined;
  #isToRestart = false;
  #isStopping = false;
  #hasCaughtUp = false;
  #loop: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #waiting: (() => void)[] = [];
  #round: Promise<void> | undefined;
  readonly #publications = new Map<string, Set<Promise<void>>>();
  /** Documents some of whose chunks have no vector of the model in use. */
  readonly #unembedded = new Map<string, { readonly project: string; readonly id: string }>();

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#upkeep = parts.vectors && new VectorUpkeep(parts.vectors);
  }

  /** Everything that the catalog had when this process began is in the index. */
  get hasCaughtUp(): boolean {
    return this.#hasCaughtUp;
  }

  /** Documents whose vectors are still to come. */
  get unembedded(): number {
    return this.#unembedded.size;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when everything that is in the catalog now has been taken in. Rejects when the catalog is away. */
  async catchUp(): Promise<void> {
    // A round under way may have asked before the caller's write.
    await this.#round?.catch(() => undefined);
    await this.#next();
  }

  poke(): void {
    this.#wake();
  }

  /** Writes to the catalog, then takes it in; searches of the project wait meanwhile, so that nobody sees a document as ready and does not find it. */
  async publish(project: string, write: () => Promise<void>): Promise<void> {
    const work = write().then(async () => await this.catchUp());
    const underway = this.#publications.get(project) ?? new Set<Promise<void>>();
    this.#publications.set(project, underway.add(work));
    try {
      await work;
    } finally {
      underway.delete(work);
      if (underway.size === 0) this.#publications.delete(project);
    }
  }

  /** What this process is publishing in the project is found, or has failed. */
  async settled(project: string): Promise<void> {
    await Promise.allSettled([...(this.#publications.get(project) ?? [])]);
  }

  /** Resolves when the first round is through, at most after `timeoutMs`. */
  async caughtUp(timeoutMs: number): Promise<boolean> {
    if (!this.#hasCaughtUp)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    return this.#hasCaughtUp;
  }

  /** The model changed or came: every document is looked at again. */
  restart(): void {
    this.#isToRestart = true;
    this.poke();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      let hasMore = false;
      try {
        await this.#next();
        if (!this.#isStopping) hasMore = await this.#embedSome();
      } catch (error) {
        this.#upkeep?.forget();
        this.#parts.onError(error);
      }
      if (!hasMore) await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    if (this.#isStopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, idleMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One round at a time; callers share the one that is under way. */
  async #next(): Promise<void> {
    this.#round ??= this.#follow().finally(() => {
      this.#round = undefined;
    });
    await this.#round;
  }

  async #follow(): Promise<void> {
    for (;;) {
      if (this.#isToRestart) this.#cursor = undefined;
      this.#isToRestart = false;
      const { changes, cursor } = await this.#parts.catalog.changesAfter(this.#cursor, changesAtOnce);
      // Each document is there once, so they do not get in each other's way.
      for (let at = 0; at < changes.length; at += takenAtOnce) {
        if (this.#isStopping) return;
        await Promise.all(
          changes.slice(at, at + takenAtOnce).map(async ({ project, id, document }) => {
            if (document === null) await this.#remove(project, id);
            else await this.#take(document);
          }),
        );
      }
      await this.#upkeep?.flush();
      const isNew = cursor !== this.#cursor;
      this.#cursor = cursor;
      if ((!isNew || changes.length === 0) && !this.#isToRestart) break;
    }
    this.#hasCaughtUp = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #remove(project: string, id: string): Promise<void> {
    this.#parts.local.remove(project, id);
    this.#unembedded.delete(`${project}/${id}`);
    const space = this.#upkeep && (await this.#space(project));
    if (this.#upkeep && space) await this.#upkeep.remove(space, id);
  }

  async #take(document: CatalogDocument): Promise<void> {
    const { project, id, generation } = document;
    if (generation === 0) {
      this.#parts.local.remove(project, id);
      return;
    }
    const { catalog, local } = this.#parts;
    const chunks = await catalog.chunksOf(project, id, generation);
    const vectors = await this.#vectorsOf(project, chunks);
    const isWhole = chunks.every(({ hash }) => vectors.has(hash));
    if (isWhole) this.#unembedded.delete(`${project}/${id}`);
    else this.#unembedded.set(`${project}/${id}`, { project, id });
    const space = this.#upkeep && (await this.#space(project));
    if (this.#upkeep && space) await this.#upkeep.bring(space, document, chunks, vectors);
    local.put(
      document,
      chunks.map((chunk) => ({
        id: chunk.id,
        text: searchedText(document.title, chunk),
        vector: this.#parts.vectors ? undefined : vectors.get(chunk.hash),
      })),
    );
  }

  async #vectorsOf(project: string, chunks: readonly Chunk[]): Promise<Map<string, Float32Array>> {
    const embedder = await this.#parts.embedder();
    if (!embedder) return new Map();
    const hashes = [...new Set(chunks.map(({ hash }) => hash))];
    const found = await this.#parts.catalog.vectors(project, embedder.model, hashes);
    return new Map(found.map(({ hash, vector }) => [hash, vector]));
  }

  async #space(project: string): Promise<VectorSpace | undefined> {
    const embedder = await this.#parts.embedder();
    return embedder && { project, model: embedder.model, dimensions: embedder.dimensions };
  }

  /** A model that came later, or another one: the chunks of one document, a few at a time. Returns whether there is more. */
  async #embedSome(): Promise<boolean> {
    const [next] = this.#unembedded.values();
    // Asked for the first time it is opened, which costs a hundred megabytes and more.
    const embedder = next && (await this.#parts.embedder());
    if (!embedder) return false;
    const { catalog } = this.#parts;
    const document = await catalog.get(next.project, next.id);
    if (!document) {
      this.#unembedded.delete(`${next.project}/${next.id}`);
      return true;
    }
    const chunks = await catalog.chunksOf(document.project, document.id, document.generation);
    const found = await this.#vectorsOf(document.project, chunks);
    const missing = chunks.filter(({ hash }) => !found.has(hash)).slice(0, embedAtOnce);
    if (missing.length > 0) {
      const made = await embedder.embed(missing.map((chunk) => searchedText(document.title, chunk)));
      const named = missing.map(({ hash }, place) => ({ hash, vector: made[place] as Float32Array }));
      await catalog.putVectors(document.project, embedder.model, named);
    }
    if (missing.length < embedAtOnce) {
      await this.#take(document);
      await this.#upkeep?.flush();
    }
    return true;
  }
}
