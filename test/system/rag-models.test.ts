/** Models behind searches: another embedding model, one that comes later, a reranker, and hostile files meanwhile. All models are stand-ins. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type EmbeddingStandIn, startEmbeddingStandIn } from '../servers/embedding-stand-in.js';
import { findFreePorts } from '../servers/processes.js';
import { startTestServer, type TestServer } from './harness.js';
import { type RagClient, ragClient } from './rag-client.js';

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-rag-models-'));
const stoppers: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const stop of stoppers.splice(0).reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

const withModel = ({ url, dimensions }: EmbeddingStandIn, model: string) => ({
  ...{ embeddingUrl: url, embeddingModel: model, embeddingDimensions: String(dimensions) },
});

async function start(settings: Parameters<typeof startTestServer>[0], data?: string): Promise<[TestServer, RagClient]> {
  const server = await startTestServer(settings, data);
  return [server, await ragClient(server, 'demo', { sub: 'ada', project: 'demo', roles: ['editor'] })];
}

describe('another embedding model', () => {
  it('is taken up in the background: words go on finding, vectors of the two never meet, nothing is asked of the old one', async () => {
    const first = await startEmbeddingStandIn();
    const second = await startEmbeddingStandIn(40, 32);
    stoppers.push(first.stop, second.stop);
    const names = Array.from({ length: 30 }, (_, at) => `file-${at}.txt`);
    const [before, ann] = await start(withModel(first, 'one'), folder);
    for (const name of names) {
      const { document } = await ann.upload(name, `A tapir walks past house ${name}.`, {});
      await ann.ready(document.id);
    }
    expect((await ann.search('tapir')).retrieval).toMatchObject({ mode: 'hybrid', model: 'one' });
    await before.stop();
    const asked = first.texts.size;

    const [after, bob] = await start(withModel(second, 'two'), folder);
    stoppers.push(after.stop);
    const early = await bob.search('tapir', { limit: 50 });
    expect(new Set(early.items.map(({ document }) => document.name))).toEqual(new Set(names));
    await vi.waitFor(
      async () => {
        const { items, retrieval } = await bob.search('tapir', { limit: 50, mode: 'vector' });
        expect(retrieval).toMatchObject({ mode: 'vector', model: 'two', notes: [] });
        expect(items).toHaveLength(names.length);
      },
      { timeout: 30_000, interval: 100 },
    );
    expect(first.texts.size).toBe(asked);
    // Each passage once, and the questions.
    expect([...second.texts].filter(([text, count]) => text.includes('walks') && count !== 1)).toEqual([]);
  }, 90_000);
});

describe('a reranker', () => {
  it('puts the best in its order, and leaves the search’s own when it is away', async () => {
    const state = { isDown: false, asked: [] as string[][] };
    const reranker = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        if (state.isDown) {
          response.writeHead(500).end();
          return;
        }
        const { documents } = JSON.parse(body) as { documents: string[] };
        state.asked.push(documents);
        const results = documents.map((text, index) => ({
          index,
          relevance_score: text.includes('Capybara B') ? 0.9 : 0.1,
        }));
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ results }));
      });
    });
    const [port = 0] = await findFreePorts(1);
    await new Promise<void>((resolve) => reranker.listen(port, '127.0.0.1', resolve));
    stoppers.push(async () => void reranker.close());
    const [server, ann] = await start({ rerankUrl: `http://127.0.0.1:${port}/rerank` });
    stoppers.push(server.stop);
    for (const [name, text] of [
      ['a.txt', 'Capybara capybara capybara A.'],
      ['b.txt', 'Capybara B swims far away from here in a river that has no name.'],
    ] as const)
      await ann.ready((await ann.upload(name, text, {})).document.id);
    const best = async () => (await ann.search('capybara')).items.map(({ document }) => document.name);
    expect(await best()).toEqual(['b.txt', 'a.txt']);
    expect(state.asked.at(-1)).toHaveLength(2);
    state.isDown = true;
    expect(await best()).toEqual(['a.txt', 'b.txt']);
    expect((await ann.search('capybara')).retrieval.notes.join()).toContain('reranker');
  }, 30_000);
});

describe('hostile files', () => {
  it('are refused while searches go on as quickly as before', async () => {
    const [server, ann] = await start({});
    stoppers.push(server.stop);
    for (let at = 0; at < 20; at += 1)
      await ann.ready((await ann.upload(`calm-${at}.txt`, `Calm words about otters, number ${at}.`, {})).document.id);
    const measure = async (count: number): Promise<number> => {
      const times: number[] = [];
      for (let at = 0; at < count; at += 1) {
        const startedMs = performance.now();
        expect((await ann.search('otters')).items.length).toBeGreaterThan(0);
        times.push(performance.now() - startedMs);
        await pause(2);
      }
      return times.sort((a, b) => a - b)[Math.floor(count * 0.95)] ?? Number.NaN;
    };
    await measure(30);
    const quietMs = await measure(100);
    const hostile = await Promise.all([
      ann.upload('bomb.docx', zipOf('word/document.xml', Buffer.alloc(120 * 1024 * 1024, 0x20)), {}),
      ann.upload('deep.json', '['.repeat(200_000), {}),
      ann.upload('deep.html', '<div>'.repeat(100_000), {}),
      ann.upload('broken.pdf', `%PDF-1.7\n${'1 0 obj << /Length 99999999 >> stream\n'.repeat(2_000)}`, {}),
      ann.upload('laughs.docx', zipOf('word/document.xml', Buffer.from(laughs())), {}),
    ]);
    const busyMs = await measure(150);
    for (const { document } of hostile) expect((await ann.ended(document.id)).state).toMatch(/^(failed|ready)$/);
    console.log(`search P95: ${quietMs.toFixed(1)} ms before, ${busyMs.toFixed(1)} ms while hostile files are read`);
    // The reading threads have their share of the processor; the searches must not wait for a file.
    expect(busyMs).toBeLessThan(Math.max(5 * quietMs, 60));
  }, 120_000);
});

function laughs(): string {
  const entities = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`);
  return `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY l0 "ha">${entities.join('')}]><d>&l9;</d>`;
}

/** A zip archive of one entry. */
function zipOf(name: string, content: Buffer): Uint8Array {
  const packed = deflateRawSync(content, { level: 9 });
  const crc = crc32(content);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt32LE(crc, 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), packed]);
  const directory = Buffer.concat([
    Buffer.from('PK\x01\x02\x14\x00', 'latin1'),
    common,
    Buffer.alloc(14),
    Buffer.from(name),
  ]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, directory, end]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
