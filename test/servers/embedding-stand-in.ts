/** A stand-in for an embedding service: the same words give the same direction. It counts what it is asked, and can be down. No model is behind it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { findFreePorts } from './processes.js';

export interface EmbeddingStandIn {
  /** Up to and including `/embeddings`. */
  readonly url: string;
  readonly dimensions: number;
  /** Text → how often it was embedded. */
  readonly texts: ReadonlyMap<string, number>;
  isDown: boolean;
  stop(): Promise<void>;
}

/** `delayMs`: what each call takes. */
export async function startEmbeddingStandIn(delayMs = 0, dimensions = 64): Promise<EmbeddingStandIn> {
  const texts = new Map<string, number>();
  const standIn = { isDown: false };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const piece of request) body += piece;
    if (standIn.isDown) {
      response.writeHead(503).end();
      return;
    }
    const { input } = JSON.parse(body) as { input: string[] };
    for (const text of input) texts.set(text, (texts.get(text) ?? 0) + 1);
    await pause(delayMs);
    const data = input.map((text, index) => ({ index, embedding: directionOf(text, dimensions) }));
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ data }));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const [port = 0] = await findFreePorts(1);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return Object.assign(standIn, {
    ...{ url: `http://127.0.0.1:${port}/v1/embeddings`, dimensions, texts },
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** Words as counts in a few places: texts that share words point the same way. */
function directionOf(text: string, dimensions: number): number[] {
  const direction = Array.from({ length: dimensions }, () => 0.01);
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
    let place = 0;
    for (const character of word) place = (place * 31 + character.charCodeAt(0)) % dimensions;
    direction[place] = (direction[place] ?? 0) + 1;
  }
  return direction;
}
