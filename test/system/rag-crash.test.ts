/** kill -9 while documents are being read and embedded: afterwards each is there exactly once, and hardly anything was embedded twice. */
import { setTimeout as pause } from 'node:timers/promises';
import type { RagDocument, SearchAnswer } from '@bailiwick/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddingStandIn, startEmbeddingStandIn } from '../servers/embedding-stand-in.js';
import { type BailiwickProcess, startBailiwickProcess } from './server-process.js';

const documents = 200;
const kills = 8;

/** Letters only, so that it is one word in the index. */
const wordOf = (number: number): string =>
  `zork${[...String(number)].map((digit) => String.fromCharCode(97 + Number(digit))).join('')}x`;

function textOf(number: number): string {
  const sections = Array.from({ length: 1 + (number % 5) }, (_, at) => {
    return `# Part ${at}\n\nDocument ${number} part ${at} is about ${wordOf(number)}. ${'Some more words. '.repeat(20 + at)}`;
  });
  return sections.join('\n\n');
}

describe('documents being read', () => {
  let embeddings: EmbeddingStandIn;
  let server: BailiwickProcess;
  beforeAll(async () => {
    embeddings = await startEmbeddingStandIn(5);
    server = await startBailiwickProcess({
      BAILIWICK_EMBEDDING_URL: embeddings.url,
      BAILIWICK_EMBEDDING_MODEL: 'stand-in',
      BAILIWICK_EMBEDDING_DIMENSIONS: String(embeddings.dimensions),
    });
  });
  afterAll(async () => {
    await server.dispose();
    await embeddings.stop();
  });

  const call = async (method: string, path: string, body?: unknown): Promise<Response> =>
    await fetch(`${server.url}/rag/crash${path}`, {
      method,
      headers: {
        authorization: `Bearer ${server.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const upload = async (number: number): Promise<string | undefined> => {
    const form = new FormData();
    form.set('file', new Blob([textOf(number)]), `document-${number}.md`);
    const headers = { authorization: `Bearer ${server.token}` };
    const response = await fetch(`${server.url}/rag/crash/documents`, { method: 'POST', headers, body: form }).catch(
      () => undefined,
    );
    return response?.ok ? ((await response.json()) as RagDocument).id : undefined;
  };
  const list = async (): Promise<RagDocument[]> =>
    ((await (await call('GET', '/documents?limit=500')).json()) as { items: RagDocument[] }).items;

  it(`are each there exactly once after ${kills} kills, found by what they say`, async () => {
    const acknowledged = new Map<number, string>();
    let [next, killed] = [0, 0];
    while (acknowledged.size < documents || killed < kills) {
      const uploads = Array.from({ length: 25 }, async () => {
        const number = next++ % documents;
        const id = acknowledged.has(number) ? undefined : await upload(number);
        if (id !== undefined) acknowledged.set(number, id);
      });
      if (killed < kills) {
        await pause(40 + killed * 25);
        await server.kill();
        await Promise.all(uploads);
        killed += 1;
        await server.start();
      } else await Promise.all(uploads);
    }
    for (const until = Date.now() + 120_000; ; await pause(200)) {
      const open = (await list()).filter(({ state }) => state !== 'ready');
      if (open.length === 0) break;
      if (Date.now() > until) throw new Error(`${open.length} documents are not ready: ${JSON.stringify(open[0])}`);
    }
    const all = await list();
    expect(all).toHaveLength(documents);
    expect(new Set(all.map(({ name }) => name)).size).toBe(documents);
    for (const [number, id] of acknowledged) {
      const document = all.find((one) => one.id === id);
      expect(document, `document ${number} was acknowledged as ${id}`).toMatchObject({ name: `document-${number}.md` });
      const body = { query: wordOf(number), limit: 100, mode: 'text' };
      const found = (await (await call('POST', '/search', body)).json()) as SearchAnswer;
      expect(found.items.map((item) => item.document.id)).toEqual(Array(document?.chunks).fill(id));
      expect(new Set(found.items.map((item) => item.id)).size).toBe(document?.chunks);
    }
    const texts = [...embeddings.texts.values()];
    const twice = texts.filter((count) => count > 1).length;
    console.log(
      `${killed} kills, ${documents} documents, ${texts.length} texts embedded, ${twice} of them again after a kill`,
    );
    // What was on its way at a kill: at most a batch for each document in work.
    expect(twice).toBeLessThanOrEqual(kills * 2 * 16);
  }, 300_000);
});
