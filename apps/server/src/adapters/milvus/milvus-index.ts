/**
 * `VectorIndex` in Milvus, over its RESTful API v2 (written from its public reference, 2.4 or later; tested against a stand-in, not
 * against Milvus). A collection a space, strongly consistent. An answer that is short is checked against the number of points that
 * satisfy the condition, and then all of those are compared.
 */
import { createHash } from 'node:crypto';
import type { Selection, VectorHit, VectorIndex, VectorPoint, VectorSpace } from '../../ports/vector-index.port.js';
import { JsonHttp } from '../json-http.js';
import { storeUnavailable } from '../store-errors.js';
import { best, collectionOf, lastOfEach, portions, similarity } from '../vector-points.js';

export interface MilvusOptions {
  /** Such as `http://127.0.0.1:19530`. */
  readonly url: string;
  /** `user:password` or an API key, sent as bearer token; none when empty. */
  readonly token?: string;
  readonly database?: string;
  /** The bound of every call. */
  readonly timeoutMs?: number;
}

interface Row {
  readonly chunk_id: string;
  readonly document_id: string;
  /** Of a search: the similarity, as the metric is COSINE. */
  readonly distance?: number;
  readonly vector?: readonly number[];
}

const pointsAtOnce = 500;
const documentsAtOnce = 1_000;
const readAtOnce = 1_000;
/** Milvus reads no further than this from the beginning of an answer. */
const window = 16_384;
const collectionNotFound = 100;

const keyOf = (chunkId: string): string => createHash('sha256').update(chunkId).digest('hex');
const isIn = (field: string, values: readonly string[]): string => `${field} in ${JSON.stringify(values)}`;
const ofDocument = (documentId: string): string => isIn('document_id', [documentId]);

export class MilvusIndex implements VectorIndex {
  readonly #http: JsonHttp;
  readonly #database: string;

  /** Connects when it is first used. */
  constructor({ url, token = '', database = 'default', timeoutMs = 5_000 }: MilvusOptions) {
    const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    this.#http = new JsonHttp({ store: 'Milvus', url, timeoutMs, headers });
    this.#database = database;
  }

  async put(space: VectorSpace, points: readonly VectorPoint[]): Promise<void> {
    for (const part of portions(lastOfEach(points), pointsAtOnce)) {
      const data = part.map(({ chunkId, documentId, vector }) => ({
        ...{ chunk_key: keyOf(chunkId), chunk_id: chunkId, document_id: documentId },
        vector: [...vector],
      }));
      if ((await this.#call(space, 'entities/upsert', { data })) !== undefined) continue;
      await this.#make(space);
      if ((await this.#call(space, 'entities/upsert', { data })) === undefined)
        throw storeUnavailable('Milvus', new Error('the collection went as it was made'));
    }
  }

  async chunkIds(space: VectorSpace, documentId: string): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const rows of this.#read(space, ofDocument(documentId), ['chunk_id']))
      ids.push(...rows.map(({ chunk_id }) => chunk_id));
    return ids;
  }

  async removeChunks(space: VectorSpace, chunkIds: readonly string[]): Promise<void> {
    for (const part of portions(chunkIds, pointsAtOnce))
      await this.#call(space, 'entities/delete', { filter: isIn('chunk_key', part.map(keyOf)) });
  }

  async removeDocument(space: VectorSpace, documentId: string): Promise<void> {
    await this.#call(space, 'entities/delete', { filter: ofDocument(documentId) });
  }

  async search(
    space: VectorSpace,
    vector: Float32Array,
    selection: Selection,
    limit: number,
  ): Promise<readonly VectorHit[]> {
    const ids = await selection.ids();
    if (ids === undefined) return await this.#nearest(space, vector, '', limit);
    const hits: VectorHit[] = [];
    for (const part of portions([...ids], documentsAtOnce))
      hits.push(...(await this.#nearest(space, vector, isIn('document_id', part), limit)));
    return best(hits, limit);
  }

  count(space: VectorSpace): Promise<number> {
    return this.#count(space, '');
  }

  async drop(space: VectorSpace): Promise<void> {
    await this.#call(space, 'collections/drop', {});
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #nearest(
    space: VectorSpace,
    vector: Float32Array,
    filter: string,
    limit: number,
  ): Promise<readonly VectorHit[]> {
    const found = (await this.#call(space, 'entities/search', {
      ...{ data: [[...vector]], annsField: 'vector', filter, limit: Math.min(limit, window) },
      ...{ outputFields: ['chunk_id', 'document_id'], consistencyLevel: 'Strong' },
    })) as readonly Row[] | undefined;
    if (!found) return [];
    const hits = found.map(({ chunk_id, document_id, distance = 0 }) => ({
      chunkId: chunk_id,
      documentId: document_id,
      score: distance,
    }));
    if (hits.length >= limit || hits.length >= (await this.#count(space, filter))) return best(hits, limit);
    let all: readonly VectorHit[] = [];
    for await (const rows of this.#read(space, filter, ['chunk_id', 'document_id', 'vector'])) {
      const compared = rows.map(({ chunk_id, document_id, vector: other = [] }) => ({
        chunkId: chunk_id,
        documentId: document_id,
        score: similarity(vector, other),
      }));
      all = best([...all, ...compared], limit);
    }
    return all;
  }

  async #count(space: VectorSpace, filter: string): Promise<number> {
    const body = { filter, outputFields: ['count(*)'], consistencyLevel: 'Strong' };
    const rows = (await this.#call(space, 'entities/query', body)) as
      | readonly { 'count(*)': number | string }[]
      | undefined;
    return Number(rows?.[0]?.['count(*)'] ?? 0);
  }

  /** Points that satisfy the condition, sixteen times as many as Milvus would read in one list: by the first digit of their keys. */
  async *#read(space: VectorSpace, filter: string, outputFields: readonly string[]): AsyncIterable<readonly Row[]> {
    for (const digit of '0123456789abcdef') {
      const range = `chunk_key like "${digit}%"`;
      const body = {
        filter: filter === '' ? range : `${filter} and ${range}`,
        outputFields,
        consistencyLevel: 'Strong',
      };
      for (let offset = 0; ; offset += readAtOnce) {
        const limit = Math.min(readAtOnce, window - offset);
        if (limit <= 0)
          throw storeUnavailable('Milvus', new Error('too many points satisfy the condition to compare them all'));
        const rows = (await this.#call(space, 'entities/query', { ...body, limit, offset })) as
          | readonly Row[]
          | undefined;
        if (!rows) return;
        if (rows.length > 0) yield rows;
        if (rows.length < limit) break;
      }
    }
  }

  async #make(space: VectorSpace): Promise<void> {
    const text = (fieldName: string, max_length: number) => ({
      ...{ fieldName, dataType: 'VarChar', elementTypeParams: { max_length } },
    });
    const fields = [
      { ...text('chunk_key', 64), isPrimary: true },
      text('chunk_id', 8192),
      text('document_id', 8192),
      { fieldName: 'vector', dataType: 'FloatVector', elementTypeParams: { dim: space.dimensions } },
    ];
    const answer = await this.#call(space, 'collections/create', {
      schema: { autoID: false, enableDynamicField: false, fields },
      // With an index the collection is loaded at once.
      indexParams: [{ fieldName: 'vector', indexName: 'vector', metricType: 'COSINE', indexType: 'AUTOINDEX' }],
      params: { consistencyLevel: 'Strong' },
    });
    if (answer === undefined) throw storeUnavailable('Milvus', new Error('a collection could not be made'));
  }

  /** The answer's `data`; undefined: there is no such collection. Milvus says what went wrong in `code`, under status 200. */
  async #call(space: VectorSpace, path: string, body: object): Promise<unknown> {
    const answer = await this.#http.call('POST', `/v2/vectordb/${path}`, {
      ...{ dbName: this.#database, collectionName: collectionOf(space) },
      ...body,
    });
    const { code, data } = (answer.body ?? {}) as { readonly code?: number; readonly data?: unknown };
    if (answer.status < 300 && (code === 0 || code === 200)) return data ?? {};
    if (code === collectionNotFound) return undefined;
    throw storeUnavailable('Milvus', new Error(`${path} was answered ${JSON.stringify(answer.body)?.slice(0, 300)}`));
  }
}
