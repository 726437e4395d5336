/** A server that says what a test tells it to: frames in any order, lies, silence. A stand-in for Bailiwick, on 127.0.0.1. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { EnvironmentSnapshot } from '../src/snapshot.js';

export interface ScriptedServer {
  readonly url: string;
  /** Answers `GET /api/v1/environment`; undefined: 503. */
  whole: EnvironmentSnapshot | undefined;
  /** Status of everything, when set. */
  refusal: number | undefined;
  /** Given to every new stream at once. */
  greeting: readonly string[];
  /** Of streams opened so far, the newest last. */
  readonly lastIds: (string | undefined)[];
  readonly usage: unknown[];
  /** How many times the whole environment was asked for. */
  readonly fetches: number;
  readonly streams: number;
  send(...frames: readonly string[]): void;
  cut(): void;
  stop(): Promise<void>;
}

export const frame = (event: string, data: unknown, id?: string): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

/** An environment whose entry `n` is its revision. */
export function numbered(epoch: string, revision: number): EnvironmentSnapshot {
  return {
    epoch,
    revision,
    document: {
      appId: null,
      environment: null,
      entries: [{ id: 'n', key: 'n', value: revision }],
      flags: { flags: {} },
    },
  };
}

export const put = (epoch: string, revision: number): string => frame('put', numbered(epoch, revision));

export const patch = (epoch: string, base: number, revision: number): string =>
  frame('patch', {
    ...{ epoch, base, revision, entries: [{ id: 'n', key: 'n', value: revision }], removedEntries: [] },
    ...{ flags: {}, removedFlags: [], evaluators: {}, removedEvaluators: [] },
  });

export const heartbeat = (revision: number, stale = false): string =>
  frame('heartbeat', { revision, ...(stale ? { stale } : {}) });

export async function startScriptedServer(): Promise<ScriptedServer> {
  const open = new Set<ServerResponse>();
  const counts = { fetches: 0 };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    if (server.refusal !== undefined) {
      response.writeHead(server.refusal, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ detail: 'told to refuse' }));
    } else if (path === '/api/v1/environment/stream') {
      server.lastIds.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      open.add(response);
      response.on('close', () => open.delete(response));
      for (const one of server.greeting) response.write(one);
    } else if (path === '/api/v1/environment') {
      counts.fetches += 1;
      if (server.whole === undefined) response.writeHead(503).end();
      else {
        const tag = `"${server.whole.epoch}.${server.whole.revision}"`;
        if (request.headers['if-none-match'] === tag) response.writeHead(304, { etag: tag }).end();
        else response.writeHead(200, { etag: tag }).end(JSON.stringify(server.whole));
      }
    } else if (path === '/api/v1/usage') {
      let text = '';
      for await (const piece of request) text += String(piece);
      server.usage.push(JSON.parse(text));
      response.writeHead(204).end();
    } else response.writeHead(404).end();
  };
  const http = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  const server: ScriptedServer = {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    whole: undefined,
    refusal: undefined,
    greeting: [],
    lastIds: [],
    usage: [],
    get fetches() {
      return counts.fetches;
    },
    get streams() {
      return open.size;
    },
    send: (...frames) => {
      for (const response of open) response.write(frames.join(''));
    },
    cut: () => {
      for (const response of open) response.destroy();
    },
    stop: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return server;
}
