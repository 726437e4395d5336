/**
 * `VectorIndex` in Qdrant, over its REST API (written from its public reference, 1.10 or later; tested against a stand-in, not against
 * Qdrant). A collection a space; a point's id is made of its chunk's, because Qdrant takes UUIDs only. An answer that came back short is
 * asked again with `exact`.
 */
import { createHash } from 'node:crypto';
import type { Selection, VectorHit, VectorIndex, VectorPoint, VectorSpace } from '../../ports/vector-index.port.js';
import { type JsonAnswer, JsonHttp } from '../json-http.js';
import { best, collectionOf, lastOfEach, portions } from '../vector-points.js';

export interface QdrantOptions {
  /** Such as `http://127.0.0.1:6333`. */
  readonly url: string;
  /** Sent as `api-key`; none when empty. */
  readonly apiKey?: string;
  /** The bound of every call. */
  readonly timeoutMs?: number;
}

interface Payload {
  readonly chunk_id: string;
  readonly document_id: string;
}
interface Scored {
  readonly points: readonly { readonly score: number; readonly payload: Payload }[];
}
interface Scrolled {
  readonly points: readonly { readonly payload: Payload }[];
  readonly next_page_offset?: string | null;
}

const pointsAtOnce = 500;
const documentsAtOnce = 5_000;

/** A UUID in form (version 8: made by an own rule), the same for the same chunk. */
function pointId(chunkId: string): string {
  const hex = createHash('sha256').update(chunkId).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const ofDocuments = (documentIds: readonly string[]) => ({
  must: [{ key: 'document_id', match: { any: documentIds } }],
});

export class QdrantIndex implements VectorIndex {
  readonly #http: JsonHttp;

  /** Connects when it is first used. */
  constructor({ url, apiKey = '', timeoutMs = 5_000 }: QdrantOptions) {
    const headers: Record<string, string> = apiKey === '' ? {} : { 'api-key': apiKey };
    this.#http = new JsonHttp({ store: 'Qdrant', url, timeoutMs, headers });
  }

  async put(space: VectorSpace, points: readonly VectorPoint[]): Promise<void> {
    for (const part of portions(lastOfEach(points), pointsAtOnce)) {
      const body = {
        points: part.map(({ chunkId, documentId, vector }) => ({
          id: pointId(chunkId),
          vector: [...vector],
          payload: { chunk_id: chunkId, document_id: documentId } satisfies Payload,
        })),
      };
      const path = '/points?wait=true';
      if ((await this.#call(space, 'PUT', path, body)) !== undefined) continue;
      await this.#make(space);
      if ((await this.#call(space, 'PUT', path, body)) === undefined)
        throw this.#http.refused('an upsert', { status: 404, body: 'the collection went as it was made' });
    }
  }

  async chunkIds(space: VectorSpace, documentId: string): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let offset: string | null | undefined; ; ) {
      const body = {
        filter: ofDocuments([documentId]),
        limit: 1000,
        with_payload: true,
        ...(offset ? { offset } : {}),
      };
      const page = (await this.#call(space, 'POST', '/points/scroll', body)) as Scrolled | undefined;
      ids.push(...(page?.points ?? []).map(({ payload }) => payload.chunk_id));
      offset = page?.next_page_offset;
      if (!offset) return ids;
    }
  }

  async removeChunks(space: VectorSpace, chunkIds: readonly string[]): Promise<void> {
    for (const part of portions(chunkIds, pointsAtOnce))
      await this.#call(space, 'POST', '/points/delete?wait=true', { points: part.map(pointId) });
  }

  async removeDocument(space: VectorSpace, documentId: string): Promise<void> {
    await this.#call(space, 'POST', '/points/delete?wait=true', { filter: ofDocuments([documentId]) });
  }

  async search(
    space: VectorSpace,
    vector: Float32Array,
    selection: Selection,
    limit: number,
  ): Promise<readonly VectorHit[]> {
    const ids = await selection.ids();
    const hits: VectorHit[] = [];
    for (const part of ids === undefined ? [undefined] : portions([...ids], documentsAtOnce)) {
      const near = await this.#nearest(space, vector, part, limit, false);
      hits.push(...(near.length < limit ? await this.#nearest(space, vector, part, limit, true) : near));
    }
    return best(hits, limit);
  }

  async count(space: VectorSpace): Promise<number> {
    const result = (await this.#call(space, 'POST', '/points/count', { exact: true })) as { count: number } | undefined;
    return result?.count ?? 0;
  }

  async drop(space: VectorSpace): Promise<void> {
    await this.#call(space, 'DELETE', '');
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #nearest(
    space: VectorSpace,
    vector: Float32Array,
    documents: readonly string[] | undefined,
    limit: number,
    exact: boolean,
  ): Promise<readonly VectorHit[]> {
    const params = exact ? { exact } : { hnsw_ef: Math.max(128, 2 * limit) };
    const body = {
      ...{ query: [...vector], limit, params, with_payload: true },
      ...(documents && { filter: ofDocuments(documents) }),
    };
    const result = (await this.#call(space, 'POST', '/points/query', body)) as Scored | undefined;
    return (result?.points ?? []).map(({ score, payload }) => ({
      chunkId: payload.chunk_id,
      documentId: payload.document_id,
      score,
    }));
  }

  async #make(space: VectorSpace): Promise<void> {
    const path = `/collections/${collectionOf(space)}`;
    const vectors = { size: space.dimensions, distance: 'Cosine' };
    const made = await this.#http.call('PUT', path, { vectors });
    // 409, and 400 in older versions: another instance was faster.
    if (made.status >= 300 && made.status !== 409 && !/already exists/.test(JSON.stringify(made.body)))
      throw this.#http.refused('making a collection', made);
    const index = { field_name: 'document_id', field_schema: 'keyword' };
    const indexed = await this.#http.call('PUT', `${path}/index?wait=true`, index);
    if (indexed.status >= 300) throw this.#http.refused('indexing a payload', indexed);
  }

  /** The answer's `result`; undefined: there is no such collection. */
  async #call(space: VectorSpace, method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const answer: JsonAnswer = await this.#http.call(method, `/collections/${collectionOf(space)}${path}`, body);
    if (answer.status === 404) return undefined;
    if (answer.status >= 300) throw this.#http.refused(path || 'dropping a collection', answer);
    return (answer.body as { readonly result: unknown }).result;
  }
}
