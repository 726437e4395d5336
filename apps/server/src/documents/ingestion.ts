/**
 * Makes documents searchable: read, cut, embedded, published in one write. The catalog's rows are the queue, so kill -9 at any moment
 * loses nothing: a document stays `queued` or `processing` until its new generation is in force, every step before that may be
 * repeated, and vectors are kept under the hash of their text as they come, so nothing is embedded twice.
 */
import { BailiwickError, isBailiwickError } from '@bailiwick/contract';
import type { CatalogDocument, Chunk, DocumentCatalog } from '../ports/document-catalog.port.js';
import type { Embedder } from '../ports/embedder.port.js';
import { searchedText, toChunks } from './document-chunks.js';
import type { Originals } from './originals.js';
import type { DocumentReader } from './reading/document-reader.js';

/** How far a document is; for people who wait. */
export interface IngestionProgress {
  readonly project: string;
  readonly id: string;
  readonly step: 'reading' | 'embedding' | 'publishing' | 'ready' | 'failed';
  /** Chunks embedded and in all, in the step `embedding`. */
  readonly done?: number;
  readonly of?: number;
}

export interface IngestionParts {
  readonly catalog: DocumentCatalog;
  readonly originals: Originals;
  readonly reader: DocumentReader;
  /** Undefined until there is a model: documents are found by words then. */
  readonly embedder: () => Promise<Embedder | undefined>;
  readonly instanceId: string;
  /** No other instance has this catalog: claims of others are left over from before a crash. */
  readonly isAlone: boolean;
  readonly onProgress: (progress: IngestionProgress) => void;
  /** Does the write that puts a generation in force; resolves when searches find it too. */
  readonly publish: (project: string, write: () => Promise<void>) => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly nowMs: () => number;
}

const claimMs = 60_000;
const embedAtOnce = 16;
const idleMs = 1_000;
const leftClaims = 1_000;
const pendingAtOnce = 50;
const targetTokens = 200;
const maxTokens = 256;

/** The document changed under the work, or another instance has it now. */
class Superseded extends Error {}

export class Ingestion {
  readonly #parts: IngestionParts;
  readonly #concurrency: number;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  #loop: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(parts: IngestionParts, concurrency = 2) {
    this.#parts = parts;
    this.#concurrency = concurrency;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** There is something new: looks at once instead of within a second. */
  poke(): void {
    this.#wake();
  }

  /** Waits for the step each document is in; the rest is done at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#loop;
    await Promise.all(this.#running.values());
  }

  async #run(): Promise<void> {
    if (this.#parts.isAlone) await this.#freeLeftClaims().catch(this.#parts.onError);
    while (!this.#stop.signal.aborted) {
      let found = 0;
      try {
        const pending =
          this.#running.size < this.#concurrency
            ? await this.#parts.catalog.pending(this.#parts.nowMs(), pendingAtOnce)
            : [];
        for (const document of pending) {
          const key = `${document.project}/${document.id}`;
          if (this.#running.size >= this.#concurrency) break;
          if (this.#running.has(key) || !(await this.#isOurs(document))) continue;
          found += 1;
          const work = this.#work(document).finally(() => {
            this.#running.delete(key);
            this.#wake();
          });
          this.#running.set(key, work);
        }
      } catch (error) {
        this.#parts.onError(error);
      }
      if (found === 0) await this.#pause();
    }
  }

  /** The file lies with the instance that took it in, unless they share a folder. */
  async #isOurs({ project, id, sha256 }: CatalogDocument): Promise<boolean> {
    return this.#parts.isAlone || (await this.#parts.originals.has(project, id, sha256));
  }

  async #freeLeftClaims(): Promise<void> {
    const { catalog } = this.#parts;
    for (const document of await catalog.pending(Number.MAX_SAFE_INTEGER, leftClaims))
      if (document.claim) await catalog.replace({ ...document, version: document.version + 1, claim: null });
  }

  async #pause(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, idleMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Never rejects. */
  async #work(found: CatalogDocument): Promise<void> {
    const { onError, onProgress } = this.#parts;
    let claimed: CatalogDocument | undefined;
    try {
      claimed = await this.#claim(found);
      if (!claimed) return;
      await this.#ingest(new Claim(claimed, this.#parts));
      onProgress({ project: found.project, id: found.id, step: 'ready' });
    } catch (error) {
      // Chunks of a document that is gone would stay.
      if (error instanceof Superseded) await this.#clean(found).catch(onError);
      if (error instanceof Superseded || this.#stop.signal.aborted) return;
      // What is away comes back: the document stays in the queue until its claim ends.
      if (!claimed || isPassing(error)) {
        onError(error);
        return;
      }
      await this.#fail(claimed, error).catch(onError);
      onProgress({ project: found.project, id: found.id, step: 'failed' });
    }
  }

  async #claim(found: CatalogDocument): Promise<CatalogDocument | undefined> {
    const { catalog, instanceId, nowMs } = this.#parts;
    const claimed: CatalogDocument = {
      ...found,
      version: found.version + 1,
      state: 'processing',
      claim: { owner: instanceId, untilMs: nowMs() + claimMs },
    };
    return (await catalog.replace(claimed)) === 'replaced' ? claimed : undefined;
  }

  async #ingest(claim: Claim): Promise<void> {
    const { catalog, originals, reader, onProgress } = this.#parts;
    const { project, id, sha256, name } = claim.document;
    onProgress({ project, id, step: 'reading' });
    const bytes = await originals.read(project, id, sha256);
    if (!bytes)
      throw new BailiwickError('not-found', {
        reason: 'document.original_missing',
        message: 'The file is not there any more. Upload it again.',
      });
    const { document: read, passages } = await reader.readPassages(bytes, {
      ...{ name, signal: this.#stop.signal },
      chunking: { targetTokens, maxTokens },
    });
    await claim.renew();
    const title = claim.document.title === '' ? read.title : claim.document.title;
    const generation = claim.document.generation + 1;
    const chunks = toChunks({ id, title }, generation, passages);
    // A broken-off attempt left its chunks and vectors: of the same content they are used, of another one they go.
    const ids = new Set(chunks.map((chunk) => chunk.id));
    const left = await catalog.chunksOf(project, id, generation);
    if (left.some((chunk) => !ids.has(chunk.id))) await catalog.keepGeneration(project, id, claim.document.generation);
    await catalog.putChunks(project, chunks);
    await this.#embed(claim, title, chunks);
    onProgress({ project, id, step: 'publishing' });
    await this.#publish(claim, {
      ...{ title, media_type: read.mediaType, pages: read.pages, notes: read.notes, chunks: chunks.length, generation },
      ...{ state: 'ready', fault: null, claim: null },
    });
    await catalog.keepGeneration(project, id, generation);
  }

  async #embed(claim: Claim, title: string, chunks: readonly Chunk[]): Promise<void> {
    const embedder = await this.#parts.embedder();
    if (!embedder) return;
    const { catalog, onProgress } = this.#parts;
    const { project, id } = claim.document;
    const texts = new Map(chunks.map((chunk) => [chunk.hash, searchedText(title, chunk)]));
    for (const { hash } of await catalog.vectors(project, embedder.model, [...texts.keys()])) texts.delete(hash);
    const missing = [...texts];
    for (let at = 0; at < missing.length; at += embedAtOnce) {
      onProgress({ project, id, step: 'embedding', done: chunks.length - missing.length + at, of: chunks.length });
      const batch = missing.slice(at, at + embedAtOnce);
      const vectors = await embedder.embed(
        batch.map(([, text]) => text),
        this.#stop.signal,
      );
      const named = batch.map(([hash], place) => ({ hash, vector: vectors[place] as Float32Array }));
      await catalog.putVectors(project, embedder.model, named);
      await claim.renew();
    }
  }

  async #clean({ project, id }: CatalogDocument): Promise<void> {
    const { catalog } = this.#parts;
    if ((await catalog.get(project, id)) === undefined) await catalog.keepGeneration(project, id, 0);
  }

  async #publish(claim: Claim, result: Partial<CatalogDocument>): Promise<void> {
    const { project } = claim.document;
    let isPublished = false;
    const write = async (): Promise<void> => {
      await claim.write(result);
      isPublished = true;
    };
    await this.#parts.publish(project, write).catch((error: unknown) => {
      // An index that is behind is no fault of the document.
      if (!isPublished) throw error;
      this.#parts.onError(error);
    });
  }

  async #fail(claimed: CatalogDocument, error: unknown): Promise<void> {
    const { catalog } = this.#parts;
    const fault = isBailiwickError(error)
      ? { reason: error.details.reason, message: error.details.message }
      : { reason: 'document.unreadable', message: 'The file cannot be read.' };
    if (!isBailiwickError(error)) this.#parts.onError(error);
    const current = await catalog.get(claimed.project, claimed.id);
    if (!current || current.sha256 !== claimed.sha256 || current.claim?.owner !== claimed.claim?.owner) return;
    await catalog.replace({ ...current, version: current.version + 1, state: 'failed', fault, claim: null });
    await catalog.keepGeneration(claimed.project, claimed.id, current.generation);
  }
}

/** Faults of a backend, not of the file. */
function isPassing(error: unknown): boolean {
  return isBailiwickError(error) && (error.kind === 'unavailable' || error.kind === 'timeout');
}

/** One document in work: its row as we last wrote it. */
class Claim {
  document: CatalogDocument;
  readonly #parts: IngestionParts;

  constructor(document: CatalogDocument, parts: IngestionParts) {
    this.document = document;
    this.#parts = parts;
  }

  /** Keeps others away for longer, when half of the time is over. Throws `Superseded` when the row is not ours any more. */
  async renew(): Promise<void> {
    const untilMs = this.document.claim?.untilMs ?? 0;
    if (untilMs - this.#parts.nowMs() > claimMs / 2) return;
    const { instanceId, nowMs } = this.#parts;
    await this.write({ claim: { owner: instanceId, untilMs: nowMs() + claimMs } });
  }

  async write(change: Partial<CatalogDocument>): Promise<void> {
    const next = { ...this.document, ...change, version: this.document.version + 1 };
    if ((await this.#parts.catalog.replace(next)) === 'outdated') throw new Superseded();
    this.document = next;
  }
}
