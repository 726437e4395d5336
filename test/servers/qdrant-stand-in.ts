/** A stand-in for Qdrant: the calls of its REST API that our adapter makes, answered as its public reference has them. */
import {
  type Answered,
  type Asked,
  type Collections,
  nearestOf,
  type StoredPoint,
  startVectorStandIn,
  type VectorStandIn,
} from './vector-stand-in.js';

interface Filter {
  readonly must: readonly { readonly key: string; readonly match: { readonly any: readonly string[] } }[];
}

const ok = (result: unknown): Answered => ({ status: 200, body: { result, status: 'ok', time: 0.001 } });
const failed = (status: number, error: string): Answered => ({ status, body: { status: { error }, time: 0.001 } });

function matching(filter: Filter | undefined): (point: StoredPoint) => boolean {
  if (!filter) return () => true;
  const wanted = new Set(filter.must[0]?.match.any);
  return ({ documentId }) => wanted.has(documentId);
}

function answer({ method, path, body }: Asked, collections: Collections, isShort: boolean): Answered {
  const { pathname, searchParams } = new URL(path, 'http://qdrant');
  const [, , name = '', ...rest] = pathname.split('/');
  const call = `${method} ${rest.join('/')}`.trim();
  const points = collections.get(name);
  if (call === 'PUT') {
    if (points) return failed(409, `Collection \`${name}\` already exists!`);
    collections.set(name, new Map());
    return ok(true);
  }
  if (!points) return failed(404, `Not found: Collection \`${name}\` doesn't exist!`);
  if (/^PUT|delete$/.test(call) && searchParams.get('wait') !== 'true') return failed(400, 'our adapter must wait');
  const toPayload = ({ chunkId, documentId }: StoredPoint) => ({ chunk_id: chunkId, document_id: documentId });
  switch (call) {
    case 'DELETE':
      return ok(collections.delete(name));
    case 'PUT index':
      return ok({ operation_id: 1, status: 'completed' });
    case 'PUT points':
      for (const { id, vector, payload } of body.points) {
        if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
          return failed(400, `${id} is not a valid point ID`);
        points.set(id, { key: id, chunkId: payload.chunk_id, documentId: payload.document_id, vector });
      }
      return ok({ operation_id: 2, status: 'completed' });
    case 'POST points/delete': {
      const matches = matching(body.filter);
      for (const [id, point] of [...points])
        if (body.points ? body.points.includes(id) : matches(point)) points.delete(id);
      return ok({ operation_id: 3, status: 'completed' });
    }
    case 'POST points/scroll': {
      const found = [...points.values()].filter(matching(body.filter)).sort((a, b) => (a.key < b.key ? -1 : 1));
      const rest = found.filter(({ key }) => body.offset === undefined || key >= body.offset);
      const page = rest.slice(0, Math.min(body.limit, 2));
      const next = rest[page.length]?.key ?? null;
      return ok({
        points: page.map((point) => ({ id: point.key, payload: toPayload(point) })),
        next_page_offset: next,
      });
    }
    case 'POST points/count':
      return ok({ count: points.size });
    case 'POST points/query': {
      const hits = nearestOf(points.values(), body.query, matching(body.filter), body.limit);
      const kept = isShort && body.params.exact !== true ? hits.slice(0, Math.floor(hits.length / 2)) : hits;
      return ok({
        points: kept.map(({ point, score }) => ({ id: point.key, version: 1, score, payload: toPayload(point) })),
      });
    }
    default:
      return failed(404, 'no such call');
  }
}

export const startQdrantStandIn = (): Promise<VectorStandIn> => startVectorStandIn(answer);
