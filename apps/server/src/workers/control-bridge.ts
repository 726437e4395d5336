/**
 * How a worker's gateway reaches the control plane, which is the primary's: HTTP over a socket in a folder of its own that only this user can
 * enter. The client's address goes along, because on that socket there is none.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BailiwickError } from '@bailiwick/contract';
import type { LocalService } from '../gateway/upstreams/upstream-node.js';
import { toProblem } from '../http/problems.js';

const clientHeader = 'x-bailiwick-worker-client';

export interface ControlBridge {
  readonly path: string;
  close(): Promise<void>;
}

/** Gives what workers send to the control plane's listener, as if the client had come here. */
export async function openControlBridge(listener: RequestListener): Promise<ControlBridge> {
  // Not in the data folder, whose path may be longer than a socket's may be.
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-'));
  const path = join(folder, 'control.sock');
  const server = createServer(
    { maxHeaderSize: 40 * 1024, requestTimeout: 0, keepAliveTimeout: 0 },
    (request, response) => {
      Object.defineProperty(request.socket, 'remoteAddress', {
        value: String(request.headers[clientHeader] ?? ''),
        configurable: true,
      });
      delete request.headers[clientHeader];
      listener(request, response);
    },
  );
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    path,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What belongs to the connection between worker and primary. */
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** The control plane as a service of this process, on the other end of the bridge. */
export function bridgedService(path: string): LocalService {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  return (request, response) => {
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined && !hopByHop.has(name) && name !== clientHeader) headers[name] = value;
    headers[clientHeader] = request.socket.remoteAddress ?? '';
    if (request.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
    const outgoing = httpRequest({ socketPath: path, agent, method: request.method, path: request.url, headers });
    outgoing.once('response', (answer: IncomingMessage) => {
      const raw: string[] = [];
      for (let at = 0; at < answer.rawHeaders.length; at += 2) {
        const name = answer.rawHeaders[at] ?? '';
        if (!hopByHop.has(name.toLowerCase())) raw.push(name, answer.rawHeaders[at + 1] ?? '');
      }
      response.writeHead(answer.statusCode ?? 502, raw);
      // A stream of events begins with its head, whenever its first event comes.
      response.flushHeaders();
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    });
    outgoing.once('error', (cause) => {
      if (response.headersSent) response.destroy();
      else refuse(response, cause);
    });
    response.once('close', () => outgoing.destroy());
    request.pipe(outgoing);
  };
}

function refuse(response: Parameters<LocalService>[1], cause: unknown): void {
  const error = new BailiwickError('unavailable', {
    reason: 'store.unavailable',
    message: 'The control plane cannot be reached now. Try again in a moment.',
    retryAfterSeconds: 1,
    cause,
  });
  const { status, headers, body } = toProblem(error, '');
  response.writeHead(status, headers).end(JSON.stringify(body));
}
