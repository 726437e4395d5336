import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type DocumentReader, type DocumentReaderOptions, openDocumentReader } from './document-reader.js';
import { docx, paragraph } from './test/office-fixtures.js';
import { lines, pdf } from './test/pdf-fixture.js';

let opened: DocumentReader[] = [];
const open = (options: DocumentReaderOptions = {}): DocumentReader => {
  const reader = openDocumentReader(options);
  opened.push(reader);
  return reader;
};
afterEach(async () => {
  await Promise.all(opened.map((reader) => reader.close()));
  opened = [];
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Keeps a process busy for minutes: links that never end, within every other limit. */
const slow = bytesOf(`${'[a]('.repeat(150)}\n\n`.repeat(3000));
const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'read',
    (error: { details?: { reason?: string }; message: string }) => error.details?.reason ?? error.message,
  );

describe('openDocumentReader', () => {
  it('reads more documents than it has processes, each with its own answer', async () => {
    const reader = open({ processes: 2 });
    const texts = Array.from({ length: 12 }, (_, index) => `Document number ${index}`);
    const read = await Promise.all(texts.map((text) => reader.readDocument(bytesOf(text), { name: 'a.txt' })));
    expect(read.map(({ text }) => text)).toEqual(texts);
  });

  it('leaves the caller its bytes', async () => {
    const bytes = pdf([lines([{ text: 'again' }])]);
    const reader = open();
    for (let time = 0; time < 2; time++) expect((await reader.readDocument(bytes, { name: 'a' })).text).toBe('again');
    expect(bytes.length).toBeGreaterThan(0);
  });

  it('cuts passages in the process', async () => {
    const bytes = docx(paragraph('Head', { style: 'Heading1' }) + paragraph('Body of it.'), { title: 'T' });
    const { document, passages } = await open().readPassages(bytes, { name: 'a', chunking: {} });
    expect(document).toMatchObject({ title: 'T', text: 'Head\n\nBody of it.' });
    expect(passages).toMatchObject([
      { headings: ['Head'], text: 'Body of it.', start: 6, end: 17, embeddedText: 'T > Head\n\nBody of it.' },
    ]);
  });

  it('ends a job that takes too long, and goes on with the others', async () => {
    const reader = open({ processes: 1 });
    const late = reasonOf(reader.readDocument(slow, { name: 'a.md', limits: { maxSeconds: 1 } }));
    const next = reader.readDocument(bytesOf('short'), { name: 'a' });
    expect(await late).toBe('document.takes_too_long');
    expect((await next).text).toBe('short');
  });

  it('ends a job that takes too much memory, and goes on with the others', async () => {
    const reader = open({ processes: 1, heapMiB: 24 });
    const big = reasonOf(
      reader.readDocument(bytesOf(`<!doctype html>${'<b>a</b><i>b</i>'.repeat(400_000)}`), { name: 'a' }),
    );
    const next = reader.readDocument(bytesOf('short'), { name: 'a' });
    expect(await big).toBe('document.takes_too_much_memory');
    expect((await next).text).toBe('short');
  });

  it('ends whoever grows too much outside of its heap, and nobody else', async () => {
    const reader = open({ processes: 2, memoryMiB: 200 });
    // A page whose drawing unpacks to 32 MiB of operators.
    const bomb = pdf(['0 0 m\n'.repeat(2 ** 25 / 6)]);
    await reader.readDocument(bytesOf('warm'), { name: 'a' });
    const big = reasonOf(reader.readDocument(bomb, { name: 'a' }));
    const innocent = reasonOf(reader.readDocument(slow.slice(0, 20_000), { name: 'a.md' }));
    expect(await big).toBe('document.takes_too_much_memory');
    expect(await innocent).not.toBe('document.takes_too_much_memory');
    expect((await reader.readDocument(bytesOf('short'), { name: 'a' })).text).toBe('short');
  });

  it.each(['one array', 'a joined string', 'matches of a replacement', 'many objects'])(
    'outlives a process that outgrows its heap by %s',
    async (name) => {
      const program = new URL('./test/greedy-program.mjs', import.meta.url);
      const reader = open({ processes: 1, heapMiB: 64, program });
      expect(await reasonOf(reader.readDocument(bytesOf('x'), { name }))).toBe('document.takes_too_much_memory');
      expect(await reasonOf(reader.readDocument(bytesOf('x'), { name: 'an exit' }))).toBe('document.reader_failed');
    },
  );

  it.runIf(process.platform === 'linux')(
    'ends a process that has nothing to read, and starts another when it has',
    async () => {
      const children = (): Set<string> =>
        new Set(
          readdirSync('/proc/self/task').flatMap((thread) =>
            readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
          ),
        );
      const before = children();
      const reader = open({ processes: 1, idleMs: 300 });
      for (let time = 0; time < 2; time++) {
        expect((await reader.readDocument(bytesOf('short'), { name: 'a' })).text).toBe('short');
        const [own] = [...children()].filter((pid) => !before.has(pid));
        expect(own).toBeDefined();
        await vi.waitFor(() => expect(children().has(own as string)).toBe(false), { timeout: 5_000 });
      }
    },
  );

  it('ends a job whose caller gives up, running or waiting', async () => {
    const reader = open({ processes: 1 });
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = reasonOf(reader.readDocument(slow, { name: 'a.md', signal: running.signal }));
    const second = reasonOf(reader.readDocument(bytesOf('b'), { name: 'b', signal: waiting.signal }));
    waiting.abort(new Error('no more'));
    expect(await second).toBe('no more');
    running.abort(new Error('given up'));
    expect(await first).toBe('given up');
    expect((await reader.readDocument(bytesOf('short'), { name: 'a' })).text).toBe('short');
  });

  it('closes with work under way, and takes none afterwards', async () => {
    const reader = open({ processes: 1 });
    const outcomes = [slow, slow, bytesOf('a')].map((bytes) => reasonOf(reader.readDocument(bytes, { name: 'a.md' })));
    await reader.close();
    expect(await Promise.all(outcomes)).toEqual(Array(3).fill('document.reader_failed'));
    expect(await reasonOf(reader.readDocument(bytesOf('a'), { name: 'a' }))).toBe('document.reader_failed');
  });

  it('refuses what is too large before it copies it', async () => {
    expect(
      await reasonOf(open({ limits: { maxBytes: 10 } }).readDocument(bytesOf('x'.repeat(11)), { name: 'a' })),
    ).toBe('document.too_large');
  });
});

describe('the bundle that is shipped', () => {
  const root = fileURLToPath(new URL('../../../../../', import.meta.url));
  let folder: string;
  /** A program with a `reader` from the bundle. */
  const scriptOf = (body: string): readonly string[] => [
    '--input-type=module',
    '-e',
    `const { openDocumentReader } = await import(${JSON.stringify(join(folder, 'document-reader.mjs'))});
     const reader = openDocumentReader();
     ${body}`,
  ];

  beforeAll(async () => {
    mkdirSync(join(root, '.cache'), { recursive: true });
    folder = mkdtempSync(join(root, '.cache', 'reader-'));
    const entryPoints = ['apps/server/src/documents/reading/document-reader.ts'];
    const script = `
      import { build } from 'esbuild';
      import { buildThreads, bundleOptions } from './scripts/build.mjs';
      await build({ ...bundleOptions, entryPoints: ${JSON.stringify(entryPoints)}, outdir: ${JSON.stringify(folder)} });
      await buildThreads(${JSON.stringify(folder)});`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads', () => {
    const bytes = Buffer.from(pdf([lines([{ text: 'shipped' }])])).toString('base64');
    const script = scriptOf(`
      const bytes = Buffer.from(${JSON.stringify(bytes)}, 'base64');
      console.log((await reader.readDocument(bytes, { name: 'a' })).text);
      await reader.close();`);
    expect(execFileSync(process.execPath, script, { cwd: root, encoding: 'utf8' }).trim()).toBe('shipped');
  });

  it('does not hold its program when nothing is read', () => {
    const script = scriptOf(`console.log((await reader.readDocument(Buffer.from('idle'), { name: 'a' })).text);`);
    expect(execFileSync(process.execPath, script, { encoding: 'utf8', timeout: 20_000 }).trim()).toBe('idle');
  });

  it.runIf(process.platform === 'linux')(
    'leaves no process behind that is busy when its program is killed',
    async () => {
      const busy = `reader.readDocument(Buffer.from(('[a]('.repeat(150) + '\\n\\n').repeat(3000)), { name: 'a.md' });`;
      const parent = spawn(process.execPath, [...scriptOf(busy)], { stdio: 'ignore' });
      const readers = (): string[] =>
        readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
      /** Clock ticks of work so far. */
      const worked = (pid: string): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[13]);
      try {
        const pid = await vi.waitFor(
          () => {
            const [first = ''] = readers();
            expect(first).toMatch(/^\d+$/);
            expect(worked(first)).toBeGreaterThan(100);
            return first;
          },
          { timeout: 20_000, interval: 50 },
        );
        parent.kill('SIGKILL');
        // Dead, whether or not somebody has taken notice of it yet.
        const isGone = (): boolean =>
          !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
        await vi.waitFor(() => expect(isGone()).toBe(true), { timeout: 5_000, interval: 50 });
      } finally {
        parent.kill('SIGKILL');
      }
    },
  );
});
