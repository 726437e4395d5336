/**
 * What the stand-ins for Qdrant and Milvus share: collections in memory behind a small HTTP server that records what it was asked, and
 * that can play an approximate index, which gives back fewer than there are.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StoredPoint {
  readonly key: string;
  readonly chunkId: string;
  readonly documentId: string;
  readonly vector: readonly number[];
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape.
  readonly body: any;
}

export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

export interface VectorStandIn {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** While on, a search that is not exact gives back half of what it found. */
  beShort(isShort: boolean): void;
  /** Answers everything with this status until it is undefined again. */
  fail(status: number | undefined): void;
  stop(): Promise<void>;
}

export type Collections = Map<string, Map<string, StoredPoint>>;

export function nearestOf(
  points: Iterable<StoredPoint>,
  query: readonly number[],
  matches: (point: StoredPoint) => boolean,
  limit: number,
): { readonly point: StoredPoint; readonly score: number }[] {
  return [...points]
    .filter(matches)
    .map((point) => ({ point, score: point.vector.reduce((sum, each, i) => sum + each * (query[i] ?? 0), 0) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, limit);
}

export async function startVectorStandIn(
  answer: (asked: Asked, collections: Collections, isShort: boolean) => Answered,
): Promise<VectorStandIn> {
  const collections: Collections = new Map();
  const asked: Asked[] = [];
  let isShort = false;
  let failure: number | undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { method = '', url = '', headers } = request;
      const one: Asked = { method, path: url, headers, body: text === '' ? undefined : JSON.parse(text) };
      asked.push(one);
      const { status, body } =
        failure === undefined ? answer(one, collections, isShort) : { status: failure, body: { status: 'failing' } };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    beShort: (next) => {
      isShort = next;
    },
    fail: (status) => {
      failure = status;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
