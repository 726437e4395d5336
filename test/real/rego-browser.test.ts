/** The engine in a real browser: OPA's cases on both back ends, and on closures where a page forbids generated code. */
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locatedCases } from '../../packages/rego/conformance/run.js';
import { stringifyJson, type Value } from '../../packages/rego/src/index.js';
import { regoBrowserOptions } from '../../scripts/rego-browser.mjs';
import { BACKENDS_PARAMETER, type PageReport } from '../browser/rego-messages.js';
import { openInChromium } from '../servers/chromium.js';
import { describeWithServer } from '../servers/presence.js';

const directory = fileURLToPath(new URL('../../../shared/conformance/rego/cases', import.meta.url));

/** Content-Security-Policies: one that permits generated code and one that does not. */
const POLICIES = {
  open: "default-src 'self'; script-src 'self' 'unsafe-eval'",
  strict: "default-src 'self'",
} as const;

/** Serves the bundle, the cases and a page, all under one policy at a time, and takes the page's report. */
class PageServer {
  private readonly server: Server;
  private readonly files = new Map<string, Uint8Array | string>();
  private policy = '';
  private takeReport: (report: PageReport) => void = () => undefined;

  constructor() {
    this.server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://page').pathname;
      // Workers have the policy of their own answer, so every answer has it.
      response.setHeader('content-security-policy', this.policy);
      if (path === '/report') {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          response.end();
          this.takeReport(JSON.parse(Buffer.concat(chunks).toString()) as PageReport);
        });
        return;
      }
      const file = this.files.get(path);
      const type = path.endsWith('.js') ? 'text/javascript' : path.endsWith('.json') ? 'application/json' : 'text/html';
      response.setHeader('content-type', `${type}; charset=utf-8`);
      response.statusCode = file === undefined ? 404 : 200;
      response.end(file);
    });
  }

  async start(cases: string): Promise<void> {
    const { outputFiles = [] } = await build({
      ...regoBrowserOptions,
      entryPoints: {
        ...regoBrowserOptions.entryPoints,
        'rego-page': 'test/browser/rego-page.ts',
        'rego-cases-worker': 'test/browser/rego-cases-worker.ts',
      },
      outdir: '/',
      write: false,
    });
    for (const { path, contents } of outputFiles) this.files.set(path, contents);
    this.files.set('/page', '<!doctype html><script type="module" src="/rego-page.js"></script>');
    this.files.set('/cases.json', cases);
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  async run(policy: string, backends: readonly string[]): Promise<PageReport> {
    this.policy = policy;
    const reported = new Promise<PageReport>((resolve) => {
      this.takeReport = resolve;
    });
    const { port } = this.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/page?${BACKENDS_PARAMETER}=${backends.join(',')}`;
    const chromium = await openInChromium(url);
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no report from Chromium:\n${chromium.process.log()}`)), 150_000);
    });
    try {
      return await Promise.race([reported, tooLate]);
    } finally {
      clearTimeout(timer);
      await chromium.stop();
    }
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function expectAll(report: PageReport, backends: readonly string[], count: number): void {
  expect(report.fault).toBeUndefined();
  for (const { backend, passed, failures, milliseconds } of report.conformance) {
    console.log(`${backend} in Chromium: ${passed} passed, ${failures.length} failed, ${milliseconds} ms`);
    expect(failures).toEqual([]);
    expect(passed).toBe(count);
  }
  expect(report.conformance.map(({ backend }) => backend)).toEqual(backends);
}

describeWithServer('chromium', () => {
  describe.skipIf(!existsSync(directory))(`the engine in Chromium (skipped where ${directory} is missing)`, () => {
    const server = new PageServer();
    let count = 0;

    beforeAll(async () => {
      const cases = [...locatedCases(directory)];
      count = cases.length;
      await server.start(stringifyJson(cases as unknown as Value));
    });
    afterAll(() => server.stop());

    it('passes OPA’s cases on both back ends', { timeout: 200_000 }, async () => {
      const report = await server.run(POLICIES.open, ['generated', 'closures']);
      expectAll(report, ['generated', 'closures'], count);
      expect(report.client).toMatchObject({ backend: 'generated', generated: 'made', allow: true });
    });

    it('passes them with closures where the page forbids eval', { timeout: 200_000 }, async () => {
      const report = await server.run(POLICIES.strict, ['closures']);
      expectAll(report, ['closures'], count);
      expect(report.client).toMatchObject({ backend: 'closures', generated: 'refused', allow: true });
      expect(report.client).toMatchObject({
        claims: { sub: 'ann' },
        schemaHolds: true,
        formatted: 'package q\n\nx := 1\n',
        checked: ['rego_unsafe_var_error'],
        stopped: 'eval_cancel_error',
        aborted: 'Error: not needed any more',
        allowAfterwards: true,
      });
      expect(report.client['stoppedAfterMs']).toBeLessThan(5_000);
    });
  });
});
