/**
 * The SDK's OpenFeature provider for browsers in a real one, on a page of another origin: it evaluates, hears of changes by the stream, goes on
 * while the server is away, starts from what was kept, and is brought up to date when the server is back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { PageAnswer, PageCommand } from '../browser/openfeature-messages.js';
import { type Chromium, openInChromium } from '../servers/chromium.js';
import { describeWithServer } from '../servers/presence.js';
import { findFreePorts } from '../servers/processes.js';
import { startTestServer, type TestServer } from '../system/harness.js';

/** Serves the page, hands it commands and takes its answers. */
class Page {
  readonly #server: Server;
  #script = '';
  #waiting: ServerResponse | undefined;
  #command: PageCommand | undefined;
  #answer: (answer: PageAnswer & { readonly fault?: string }) => void = () => undefined;

  constructor() {
    this.#server = createServer((request, response) => {
      if (request.url === '/command') {
        this.#waiting = response;
        this.#handOut();
        return;
      }
      if (request.url === '/report') {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          response.end();
          this.#answer(JSON.parse(Buffer.concat(chunks).toString()) as PageAnswer);
        });
        return;
      }
      const isScript = request.url === '/page.js';
      // No generated code: the SDK needs none.
      response.setHeader('content-security-policy', "default-src 'self'; connect-src *");
      response.setHeader('content-type', `${isScript ? 'text/javascript' : 'text/html'}; charset=utf-8`);
      response.end(isScript ? this.#script : '<!doctype html><script type="module" src="/page.js"></script>');
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    const { outputFiles } = await build({
      ...{ entryPoints: ['test/browser/openfeature-page.ts'], bundle: true, write: false, logLevel: 'error' },
      ...{ platform: 'browser', format: 'esm', target: 'es2022', conditions: ['bailiwick:source'] },
    });
    this.#script = outputFiles[0]?.text ?? '';
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** What the page says to a command; one at a time. */
  async ask(command: PageCommand): Promise<PageAnswer> {
    const answered = new Promise<PageAnswer & { readonly fault?: string }>((resolve) => {
      this.#answer = resolve;
    });
    this.#command = command;
    this.#handOut();
    const answer = await answered;
    if (answer.fault !== undefined) throw new Error(`the page failed: ${answer.fault}`);
    return answer;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #handOut(): void {
    if (this.#waiting === undefined || this.#command === undefined) return;
    this.#waiting.end(JSON.stringify(this.#command));
    this.#waiting = undefined;
    this.#command = undefined;
  }
}

const scope = { app_id: 'web', environment: 'prod' };
const dark = {
  ...{ ...scope, key: 'dark', state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' },
  targeting: { if: [{ ends_with: [{ var: 'email' }, '@faas.io'] }, 'on', 'off'] },
};
const ada = { targetingKey: 'a', email: 'ada@faas.io' };
const bob = { targetingKey: 'b', email: 'bob@example.com' };

describeWithServer('chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-browser-'));
  const page = new Page();
  let port = 0;
  let server: TestServer;
  let chromium: Chromium;
  let apiKey = '';
  let size: { id: string; etag: string };

  const startServer = async (): Promise<TestServer> =>
    await startTestServer({ demo: 'false', port: String(port), corsOrigins: page.origin }, folder);
  const create = async (path: string, body: unknown): Promise<{ id: string; etag: string }> => {
    const answer = await server.call('POST', `/api/v1/${path}`, { body });
    expect(answer.status, answer.text).toBe(201);
    return { id: answer.json.id as string, etag: answer.headers.get('etag') as string };
  };
  const setSize = async (value: number): Promise<void> => {
    const headers = { 'if-match': size.etag };
    const answer = await server.call('PUT', `/api/v1/configs/${size.id}`, { body: { value }, headers });
    expect(answer.status).toBe(200);
    size = { ...size, etag: answer.headers.get('etag') as string };
  };
  const evaluate = async (domain: string): Promise<PageAnswer> => await page.ask({ kind: 'evaluate', domain });

  beforeAll(async () => {
    [port = 0] = await findFreePorts(1);
    await page.start();
    server = await startServer();
    await create('flags', dark);
    size = await create('configs', { ...scope, key: 'page.size', value: 20 });
    await create('configs', { ...scope, key: 'password', value: 'correct-horse', sensitive: true });
    const made = await server.call('POST', '/api/v1/api-keys', { body: { name: 'page', kind: 'client', ...scope } });
    apiKey = made.json.key as string;
    chromium = await openInChromium(`${page.origin}/`);
  }, 60_000);
  afterAll(async () => {
    await chromium?.stop();
    await server?.stop();
    await page.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('evaluates for one context and reconciles another', async () => {
    const started = await page.ask({ kind: 'start', domain: 'one', url: server.url, apiKey, context: ada });
    expect(started).toMatchObject({ providerStatus: 'READY', source: 'server' });
    expect(started.dark).toMatchObject({ value: true, variant: 'on', reason: 'TARGETING_MATCH' });
    expect(started.size).toMatchObject({ value: 20 });
    expect(started.absent).toMatchObject({ value: 'fallback', errorCode: 'FLAG_NOT_FOUND' });
    const other = await page.ask({ kind: 'context', domain: 'one', context: bob });
    expect(other.dark).toMatchObject({ value: false });
    expect((await page.ask({ kind: 'context', domain: 'one', context: ada })).dark.value).toBe(true);
  }, 60_000);

  it('hears of a change by the stream, and keeps neither rules nor secrets', async () => {
    await setSize(30);
    await vi.waitFor(async () => expect((await evaluate('one')).size.value).toBe(30), {
      timeout: 10_000,
      interval: 50,
    });
    const { changed } = await evaluate('one');
    expect(changed).toContain('page.size');
    await vi.waitFor(async () => expect((await evaluate('one')).kept).toMatch(/page\.size[^}]*\b30\b/), {
      timeout: 10_000,
      interval: 50,
    });
    const { kept } = await evaluate('one');
    expect(kept).not.toMatch(/faas\.io"\]|ends_with|correct-horse/);
  }, 60_000);

  it('goes on while the server is away, starts from what was kept, and is brought up to date afterwards', async () => {
    await server.running.stop();
    const away = await evaluate('one');
    expect([away.dark.value, away.size.value]).toEqual([true, 30]);
    const second = await page.ask({ kind: 'start', domain: 'two', url: server.url, apiKey, context: ada });
    expect(second).toMatchObject({ source: 'storage' });
    expect([second.dark.value, second.size.value]).toEqual([true, 30]);
    server = await startServer();
    await setSize(40);
    for (const domain of ['one', 'two'])
      await vi.waitFor(
        async () => expect(await evaluate(domain)).toMatchObject({ source: 'server', size: { value: 40 } }),
        {
          timeout: 20_000,
          interval: 100,
        },
      );
  }, 90_000);
});
