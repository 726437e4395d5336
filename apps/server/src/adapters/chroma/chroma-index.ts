/**
 * `VectorIndex` in Chroma, over its HTTP API v2. A collection a space. Conditions on many documents go in portions, whose answers are
 * merged; an answer that is short is checked against the number of points that satisfy the condition, and then all of those are compared.
 */
import type { Selection, VectorHit, VectorIndex, VectorPoint, VectorSpace } from '../../ports/vector-index.port.js';
import { type JsonAnswer, JsonHttp } from '../json-http.js';
import { best, collectionOf, lastOfEach, portions, similarity } from '../vector-points.js';

export interface ChromaOptions {
  /** Such as `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly tenant?: string;
  readonly database?: string;
  /** Sent as `x-chroma-token`; none when empty. */
  readonly apiKey?: string;
  /** The bound of every call. */
  readonly timeoutMs?: number;
}

interface Rows {
  readonly ids: readonly string[];
  readonly embeddings?: readonly (readonly number[])[] | null;
  readonly metadatas?: readonly ({ readonly document_id: string } | null)[] | null;
}
interface Nearest {
  readonly ids: readonly (readonly string[])[];
  readonly metadatas: readonly (readonly { readonly document_id: string }[])[];
  readonly distances: readonly (readonly number[])[];
}
type Where = Readonly<Record<string, unknown>>;

const pointsAtOnce = 500;
const documentsAtOnce = 1000;
const readAtOnce = 2000;

const ofDocuments = (documentIds: readonly string[]): Where => ({ document_id: { $in: documentIds } });

export class ChromaIndex implements VectorIndex {
  readonly #http: JsonHttp;
  readonly #base: string;
  readonly #collections = new Map<string, string>();

  /** Connects when it is first used. */
  constructor(options: ChromaOptions) {
    const { url, tenant = 'default_tenant', database = 'default_database', apiKey = '', timeoutMs = 5_000 } = options;
    const headers: Record<string, string> = apiKey === '' ? {} : { 'x-chroma-token': apiKey };
    this.#http = new JsonHttp({ store: 'Chroma', url, timeoutMs, headers });
    this.#base = `/api/v2/tenants/${encodeURIComponent(tenant)}/databases/${encodeURIComponent(database)}/collections`;
  }

  async put(space: VectorSpace, points: readonly VectorPoint[]): Promise<void> {
    for (const part of portions(lastOfEach(points), pointsAtOnce)) {
      const body = {
        ids: part.map(({ chunkId }) => chunkId),
        embeddings: part.map(({ vector }) => [...vector]),
        metadatas: part.map(({ documentId }) => ({ document_id: documentId })),
      };
      const answer = await this.#on(space, 'make', 'POST', '/upsert', body);
      if (answer && answer.status >= 300) throw this.#http.refused('an upsert', answer);
    }
  }

  async chunkIds(space: VectorSpace, documentId: string): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const rows of this.#read(space, { document_id: { $eq: documentId } }, [])) ids.push(...rows.ids);
    return ids;
  }

  async removeChunks(space: VectorSpace, chunkIds: readonly string[]): Promise<void> {
    for (const ids of portions(chunkIds, pointsAtOnce)) await this.#delete(space, { ids });
  }

  async removeDocument(space: VectorSpace, documentId: string): Promise<void> {
    await this.#delete(space, { where: { document_id: { $eq: documentId } } });
  }

  async search(
    space: VectorSpace,
    vector: Float32Array,
    selection: Selection,
    limit: number,
  ): Promise<readonly VectorHit[]> {
    const ids = await selection.ids();
    if (ids === undefined) return await this.#nearest(space, vector, undefined, limit);
    const hits: VectorHit[] = [];
    for (const part of portions([...ids], documentsAtOnce))
      hits.push(...(await this.#nearest(space, vector, ofDocuments(part), limit)));
    return best(hits, limit);
  }

  async count(space: VectorSpace): Promise<number> {
    const answer = await this.#on(space, 'find', 'GET', '/count');
    return typeof answer?.body === 'number' ? answer.body : 0;
  }

  async drop(space: VectorSpace): Promise<void> {
    const name = collectionOf(space);
    const answer = await this.#http.call('DELETE', `${this.#base}/${name}`);
    this.#collections.delete(name);
    if (answer.status >= 300 && answer.status !== 404) throw this.#http.refused('dropping a collection', answer);
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #nearest(space: VectorSpace, vector: Float32Array, where: Where | undefined, limit: number) {
    const body = {
      ...{ query_embeddings: [[...vector]], n_results: limit, include: ['metadatas', 'distances'] },
      ...(where && { where }),
    };
    const answer = await this.#on(space, 'find', 'POST', '/query', body);
    if (!answer) return [];
    // Chroma's graph may refuse what it cannot fill; then all candidates are compared.
    const found = answer.status < 300 ? toHits(answer.body as Nearest) : [];
    if (found.length >= limit) return best(found, limit);
    let candidates = 0;
    for await (const { ids } of this.#read(space, where, [])) candidates += ids.length;
    if (candidates <= found.length) return best(found, limit);
    return await this.#compareAll(space, vector, where, limit);
  }

  async #compareAll(space: VectorSpace, vector: Float32Array, where: Where | undefined, limit: number) {
    let hits: readonly VectorHit[] = [];
    for await (const { ids, embeddings, metadatas } of this.#read(space, where, ['embeddings', 'metadatas'])) {
      const compared = ids.map((chunkId, i) => ({
        chunkId,
        documentId: metadatas?.[i]?.document_id ?? '',
        score: similarity(vector, embeddings?.[i] ?? []),
      }));
      hits = best([...hits, ...compared], limit);
    }
    return hits;
  }

  /** All points that satisfy the condition, in portions. */
  async *#read(space: VectorSpace, where: Where | undefined, include: readonly string[]): AsyncIterable<Rows> {
    for (let offset = 0; ; offset += readAtOnce) {
      const body = { include, limit: readAtOnce, offset, ...(where && { where }) };
      const answer = await this.#on(space, 'find', 'POST', '/get', body);
      if (!answer) return;
      if (answer.status >= 300) throw this.#http.refused('reading points', answer);
      const rows = answer.body as Rows;
      yield rows;
      if (rows.ids.length < readAtOnce) return;
    }
  }

  async #delete(space: VectorSpace, body: unknown): Promise<void> {
    const answer = await this.#on(space, 'find', 'POST', '/delete', body);
    if (answer && answer.status >= 300) throw this.#http.refused('a deletion', answer);
  }

  /** Calls the space's collection. Undefined: there is none. One that was dropped behind our back is looked up again once. */
  async #on(
    space: VectorSpace,
    how: 'make' | 'find',
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<JsonAnswer | undefined> {
    const name = collectionOf(space);
    for (let isAgain = false; ; isAgain = true) {
      const id = this.#collections.get(name) ?? (await this.#collection(space, name, how));
      if (id === undefined) return undefined;
      this.#collections.set(name, id);
      const answer = await this.#http.call(method, `${this.#base}/${id}${path}`, body);
      if (answer.status !== 404) return answer;
      this.#collections.delete(name);
      if (isAgain) return undefined;
    }
  }

  async #collection(space: VectorSpace, name: string, how: 'make' | 'find'): Promise<string | undefined> {
    const { project, model, dimensions } = space;
    const make = {
      ...{ name, get_or_create: true, configuration: { hnsw: { space: 'cosine' } } },
      metadata: { project, model, dimensions },
    };
    const answer =
      how === 'make'
        ? await this.#http.call('POST', this.#base, make)
        : await this.#http.call('GET', `${this.#base}/${name}`);
    if (answer.status === 404) return undefined;
    if (answer.status >= 300) throw this.#http.refused('a collection', answer);
    return (answer.body as { readonly id: string }).id;
  }
}

function toHits({ ids: [ids = []], metadatas: [metadatas = []], distances: [distances = []] }: Nearest): VectorHit[] {
  return ids.map((chunkId, i) => ({
    chunkId,
    documentId: metadatas[i]?.document_id ?? '',
    score: 1 - (distances[i] ?? 1),
  }));
}
