/**
 * Search: the request's filter and the policies' condition narrow the documents, BM25 and vectors give their best hundred chunks each,
 * the two rankings become one, and each chunk that is shown is decided about once more, on its document as the catalog has it now.
 * What an index still has and the catalog does not, or has otherwise, is never shown.
 */
import { BailiwickError, type DocumentFilter, type Passage } from '@bailiwick/contract';
import { type Filter, matchesFilter } from '@bailiwick/rego';
import type { CatalogDocument, Chunk, DocumentCatalog } from '../../ports/document-catalog.port.js';
import type { Embedder } from '../../ports/embedder.port.js';
import type { Selection, VectorIndex } from '../../ports/vector-index.port.js';
import { startStepSpan } from '../../telemetry/tracing.js';
import type { CatalogFollower } from '../catalog-follower.js';
import { toFilter } from '../document-filter.js';
import { type DocumentRequest, policyView, type Visibility } from '../visibility.js';
import { diversified, type FusedHit, fuse } from './fusion.js';
import type { LocalIndex } from './local-index.js';
import type { ChunkHit } from './project-index.js';
import type { Reranker } from './reranker.js';

export type SearchMode = 'hybrid' | 'text' | 'vector';

export interface SearchRequest {
  readonly query: string;
  readonly filter?: DocumentFilter | undefined;
  readonly limit: number;
  readonly mode: SearchMode;
}

export interface SearchResult {
  readonly passages: readonly Passage[];
  readonly mode: SearchMode;
  /** Of the vectors; null where there were none. */
  readonly model: string | null;
  /** What the caller should know: words only, vectors still to come. */
  readonly notes: readonly string[];
}

export interface SearchParts {
  readonly catalog: DocumentCatalog;
  readonly local: LocalIndex;
  readonly vectors: VectorIndex | undefined;
  readonly embedder: () => Promise<Embedder | undefined>;
  readonly reranker: Reranker | undefined;
  readonly follower: CatalogFollower;
  readonly visibility: Visibility;
  readonly observe: (step: 'select' | 'embed' | 'search' | 'show' | 'rerank', seconds: number) => void;
  readonly onError: (error: unknown) => void;
}

const candidates = 100;
/** How long a search waits for an index that is being built. */
const warmUpMs = 5_000;

export class SearchService {
  readonly #parts: SearchParts;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** Errors: those of `Visibility.condition`; `rag.starting` (unavailable) while the index is being built; `store.unavailable`. */
  async search(request: DocumentRequest, search: SearchRequest): Promise<SearchResult> {
    const span = startStepSpan('rag.search', request.headers);
    try {
      const result = await this.#search(request, search);
      const [best] = result.passages;
      const score = best?.vector_score ?? best?.text_score ?? 0;
      span.end({ 'rag.mode': result.mode, 'rag.passages': result.passages.length, 'rag.best_score': score });
      return result;
    } catch (error) {
      span.fail();
      throw error;
    }
  }

  async #search(request: DocumentRequest, search: SearchRequest): Promise<SearchResult> {
    const { follower, visibility } = this.#parts;
    const filter: Filter = { op: 'and', filters: [visibility.condition(request), toFilter(search.filter)] };
    if (!follower.hasCaughtUp && !(await follower.caughtUp(warmUpMs)))
      throw new BailiwickError('unavailable', {
        reason: 'rag.starting',
        message: 'The index is being built. Try again in a moment.',
        retryAfterSeconds: 5,
      });
    await follower.settled(request.project);
    const notes: string[] = [];
    const vector = search.mode === 'text' ? undefined : await this.#embed(search.query, notes);
    const mode = vector === undefined ? 'text' : search.mode;
    const hits = await this.#find(request.project, filter, { text: search.query, vector, mode });
    const ranked = await this.#rerank(request, search, diversified(hits, candidates), notes);
    const used = vector === undefined ? undefined : await this.#parts.embedder();
    return { ...ranked, mode, model: used?.model ?? null, notes };
  }

  async #embed(text: string, notes: string[]): Promise<Float32Array | undefined> {
    const { embedder, follower, onError } = this.#parts;
    const current = await embedder();
    if (!current) {
      notes.push('There is no embedding model here: searched by words only.');
      return undefined;
    }
    if (follower.unembedded > 0) notes.push('Some documents are still being embedded: they are found by words only.');
    const started = performance.now();
    try {
      const [vector] = await current.embed([text]);
      return vector;
    } catch (error) {
      onError(error);
      notes.push('The embedding model does not answer: searched by words only.');
      return undefined;
    } finally {
      this.#observe('embed', started);
    }
  }

  async #find(
    project: string,
    filter: Filter,
    question: { readonly text: string; readonly vector: Float32Array | undefined; readonly mode: SearchMode },
  ): Promise<FusedHit[]> {
    const started = performance.now();
    const { local, vectors } = this.#parts;
    const { vector, mode } = question;
    const elsewhere = vectors && vector ? await this.#ask(vectors, project, vector, filter) : undefined;
    const answer = local.search(project, {
      filter,
      text: mode === 'vector' ? undefined : question.text,
      vector: vectors ? undefined : vector,
      limit: candidates,
      ...(elsewhere ? { also: elsewhere } : {}),
    });
    this.#observe('search', started);
    return fuse(elsewhere ? { ...answer, byVector: elsewhere } : answer);
  }

  async #ask(index: VectorIndex, project: string, vector: Float32Array, filter: Filter): Promise<readonly ChunkHit[]> {
    const { model = '', dimensions = 0 } = (await this.#parts.embedder()) ?? {};
    const selection: Selection = {
      filter,
      ids: async () => {
        const started = performance.now();
        const ids = new Set(await this.#parts.catalog.select(project, filter));
        this.#observe('select', started);
        return ids;
      },
    };
    return await index.search({ project, model, dimensions }, vector, selection, candidates);
  }

  /** The passages to show, in order: only of documents that the caller may see as they are now. */
  async #show(
    request: DocumentRequest,
    search: SearchRequest,
    hits: readonly FusedHit[],
    limit: number,
  ): Promise<Passage[]> {
    const started = performance.now();
    const { catalog, visibility } = this.#parts;
    const wanted = toFilter(search.filter);
    const shown: Passage[] = [];
    for (let at = 0; at < hits.length && shown.length < limit; at += limit) {
      const some = hits.slice(at, at + limit);
      const [documents, chunks] = await Promise.all([
        catalog.getMany(request.project, [...new Set(some.map((hit) => hit.documentId))]),
        catalog.chunksById(
          request.project,
          some.map((hit) => hit.chunkId),
        ),
      ]);
      const byId = new Map(documents.map((document) => [document.id, document]));
      const chunkById = new Map(chunks.map((chunk) => [chunk.id, chunk]));
      for (const hit of some) {
        const document = byId.get(hit.documentId);
        const chunk = chunkById.get(hit.chunkId);
        const isInForce =
          document && chunk && chunk.generation === document.generation && chunk.documentId === document.id;
        if (isInForce && isWanted(wanted, document) && visibility.maySee(request, document))
          shown.push(toPassage(hit, document, chunk));
      }
    }
    this.#observe('show', started);
    return shown.slice(0, limit);
  }

  async #rerank(
    request: DocumentRequest,
    search: SearchRequest,
    hits: readonly FusedHit[],
    notes: string[],
  ): Promise<{ readonly passages: readonly Passage[] }> {
    const { reranker, onError } = this.#parts;
    if (!reranker) return { passages: await this.#show(request, search, hits, search.limit) };
    const passages = await this.#show(request, search, hits, Math.max(search.limit, reranker.depth));
    const started = performance.now();
    try {
      const scores = await reranker.score(
        search.query,
        passages.map(({ text }) => text),
        request,
      );
      const order = passages.map((passage, at) => ({ ...passage, score: scores[at] ?? 0 }));
      return { passages: order.sort((a, b) => b.score - a.score).slice(0, search.limit) };
    } catch (error) {
      onError(error);
      notes.push('The reranker does not answer: the order is the search’s own.');
      return { passages: passages.slice(0, search.limit) };
    } finally {
      this.#observe('rerank', started);
    }
  }

  #observe(step: Parameters<SearchParts['observe']>[0], startedMs: number): void {
    this.#parts.observe(step, (performance.now() - startedMs) / 1000);
  }
}

function isWanted(filter: Filter, document: CatalogDocument): boolean {
  return matchesFilter(filter, policyView(document));
}

function toPassage(hit: FusedHit, document: CatalogDocument, chunk: Chunk): Passage {
  const { id, title, name, source, media_type, tags, metadata } = document;
  return {
    id: hit.chunkId,
    document: {
      id,
      title,
      name,
      source,
      media_type,
      tags: [...tags],
      metadata: metadata as Passage['document']['metadata'],
    },
    text: chunk.text,
    headings: [...chunk.headings],
    page: chunk.page,
    start: chunk.start,
    end: chunk.end,
    score: Math.min(1, hit.score),
    text_score: hit.textScore,
    vector_score: hit.vectorScore,
  };
}
