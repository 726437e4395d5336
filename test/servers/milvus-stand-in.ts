/** A stand-in for Milvus: the calls of its RESTful API v2 that our adapter makes, answered as its public reference has them. */
import {
  type Answered,
  type Asked,
  type Collections,
  nearestOf,
  type StoredPoint,
  startVectorStandIn,
  type VectorStandIn,
} from './vector-stand-in.js';

const ok = (data: unknown): Answered => ({ status: 200, body: { code: 0, data } });
const failed = (code: number, message: string): Answered => ({ status: 200, body: { code, message } });

/** The two conditions that our adapter writes, joined by `and`. */
function matching(filter: string): (point: StoredPoint) => boolean {
  if (filter === '') return () => true;
  const [, field, list] = /^(document_id|chunk_key) in (\[.*?\])(?: and |$)/.exec(filter) ?? [];
  const [, digit] = /chunk_key like "([0-9a-f])%"$/.exec(filter) ?? [];
  if (field === undefined && digit === undefined) throw new Error(`the stand-in cannot read ${filter}`);
  const wanted = list === undefined ? undefined : new Set(JSON.parse(list) as string[]);
  return ({ documentId, key }) =>
    (wanted?.has(field === 'document_id' ? documentId : key) ?? true) && (digit === undefined || key.startsWith(digit));
}

function toRow(point: StoredPoint, fields: readonly string[]): Record<string, unknown> {
  const all: Record<string, unknown> = { chunk_id: point.chunkId, document_id: point.documentId, vector: point.vector };
  return Object.fromEntries([['chunk_key', point.key], ...fields.map((field) => [field, all[field]])]);
}

function answer({ path, body }: Asked, collections: Collections, isShort: boolean): Answered {
  const name: string = body.collectionName;
  const points = collections.get(name);
  const call = path.replace('/v2/vectordb/', '');
  if (call === 'collections/create') {
    if (!points) collections.set(name, new Map());
    return ok({});
  }
  if (call === 'collections/drop') {
    collections.delete(name);
    return ok({});
  }
  if (!points) return failed(100, `can't find collection[database=default][collection=${name}]`);
  const matches = matching(body.filter ?? '');
  switch (call) {
    case 'entities/upsert':
      for (const { chunk_key: key, chunk_id: chunkId, document_id: documentId, vector } of body.data)
        points.set(key, { key, chunkId, documentId, vector });
      return ok({ upsertCount: body.data.length });
    case 'entities/delete':
      for (const [key, point] of [...points]) if (matches(point)) points.delete(key);
      return ok({});
    case 'entities/query': {
      const found = [...points.values()].filter(matches);
      if (body.outputFields[0] === 'count(*)') return ok([{ 'count(*)': found.length }]);
      if (body.offset + body.limit > 16_384) return failed(65_535, 'invalid max query result window');
      return ok(found.slice(body.offset, body.offset + body.limit).map((point) => toRow(point, body.outputFields)));
    }
    case 'entities/search': {
      if (body.consistencyLevel !== 'Strong') return failed(1100, 'our adapter must read what was written');
      const hits = nearestOf(points.values(), body.data[0], matches, body.limit);
      const kept = isShort ? hits.slice(0, Math.floor(hits.length / 2)) : hits;
      return ok(kept.map(({ point, score }) => ({ ...toRow(point, body.outputFields), distance: score })));
    }
    default:
      return failed(404, 'no such call');
  }
}

export const startMilvusStandIn = (): Promise<VectorStandIn> => startVectorStandIn(answer);
