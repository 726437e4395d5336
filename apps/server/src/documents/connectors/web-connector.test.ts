import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { reasonOf, runConnector } from './connector-under-test.js';
import { openWebConnector, type WebOptions } from './web-connector.js';

interface Site {
  readonly base: string;
  readonly requests: IncomingMessage[];
}

const servers: Server[] = [];
async function serve(listener: RequestListener): Promise<Site> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    listener(request, response);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Path → answer; others are 404. */
const pages =
  (
    answers: Readonly<Record<string, { status?: number; headers?: Record<string, string>; body?: string | Buffer }>>,
  ): RequestListener =>
  (request, response) => {
    const { status = 200, headers = {}, body = '' } = answers[request.url ?? ''] ?? { status: 404 };
    response.writeHead(status, headers).end(body);
  };

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const connect = (urls: readonly string[], more: Partial<WebOptions> = {}) =>
  openWebConnector({ urls, mayBePrivate: true, ...more });

describe('the web connector', () => {
  it('gets pages, each once, and names them by their addresses', async () => {
    const { base, requests } = await serve(
      pages({
        '/': { body: 'home' },
        '/a%20b.html?x=1': { body: 'A' },
        '/notes': { body: '# N', headers: { 'content-type': 'text/markdown; charset=utf-8' } },
      }),
    );
    const { found, names } = await runConnector(
      connect([base, `${base}/#top`, `${base}/a%20b.html?x=1`, `${base}/notes`]),
    );
    expect(found).toEqual({ [`${base}/`]: 'home', [`${base}/a%20b.html?x=1`]: 'A', [`${base}/notes`]: '# N' });
    expect(names).toEqual(['127.0.0.1', 'a b.html', 'notes.md']);
    expect(requests.map(({ url }) => url)).toEqual(['/robots.txt', '/', '/a%20b.html?x=1', '/notes']);
  });

  it('does not read an unchanged page again: by ETag, by date, by its bytes', async () => {
    const full: string[] = [];
    const { base } = await serve((request, response) => {
      const headers: Record<string, string> = {};
      if (request.url === '/etag') headers['etag'] = '"v1"';
      if (request.url === '/date') headers['last-modified'] = 'Mon, 02 Feb 2026 10:00:00 GMT';
      const isSame = request.headers['if-none-match'] === '"v1"' || request.headers['if-modified-since'] !== undefined;
      if (isSame && Object.keys(headers).length > 0) response.writeHead(304).end();
      else {
        full.push(request.url ?? '');
        response.writeHead(request.url === '/robots.txt' ? 404 : 200, headers).end('same');
      }
    });
    const connector = connect(['/etag', '/date', '/bytes'].map((path) => base + path));
    const first = await runConnector(connector);
    expect(Object.keys(first.found)).toHaveLength(3);
    full.length = 0;
    expect(await runConnector(connector, { seen: first.seen })).toMatchObject({ found: {}, gone: [], skipped: {} });
    expect(full).toEqual(['/robots.txt', '/bytes']);
  });

  it('says what is gone: from the site, and from the list', async () => {
    const { base } = await serve(pages({ '/b': { status: 410 } }));
    const seen = new Map([`${base}/a`, `${base}/b`, `${base}/c`].map((url) => [url, '{"sha256":"x"}'] as const));
    expect((await runConnector(connect([`${base}/a`, `${base}/b`]), { seen })).gone).toEqual([
      `${base}/a`,
      `${base}/b`,
      `${base}/c`,
    ]);
  });

  it('keeps what a site in trouble does not give', async () => {
    const { base } = await serve((request, response) =>
      response.writeHead(request.url === '/robots.txt' ? 404 : 503).end(),
    );
    const run = await runConnector(connect([`${base}/a`]), { seen: new Map([[`${base}/a`, '{"sha256":"x"}']]) });
    expect(run).toMatchObject({ gone: [], skipped: { [`${base}/a`]: 'connector.unreachable' } });
  });

  it('keeps to robots.txt, also where a redirect leads, and asks nothing when it cannot be read', async () => {
    const robots = { body: 'User-agent: *\nDisallow: /private\nAllow: /private/open\n' };
    const { base, requests } = await serve(
      pages({
        '/robots.txt': robots,
        '/a': { body: 'A' },
        '/private/x': { body: 'SECRET' },
        '/private/open': { body: 'O' },
        '/to': { status: 302, headers: { location: '/private/x' } },
      }),
    );
    const run = await runConnector(connect(['/a', '/private/x', '/private/open', '/to'].map((path) => base + path)));
    expect(Object.values(run.found)).toEqual(['A', 'O']);
    expect(run.skipped).toEqual({ [`${base}/private/x`]: 'connector.robots', [`${base}/to`]: 'connector.robots' });
    expect(requests.some(({ url }) => url === '/private/x')).toBe(false);
    const broken = await serve(pages({ '/robots.txt': { status: 500 }, '/a': { body: 'A' } }));
    expect((await runConnector(connect([`${broken.base}/a`]))).skipped).toEqual({
      [`${broken.base}/a`]: 'connector.unreachable',
    });
  });

  it('waits between pages as long as the site asks', async () => {
    const { base } = await serve(
      pages({ '/robots.txt': { body: 'User-agent: *\nCrawl-delay: 0.2\n' }, '/a': { body: 'A' }, '/b': { body: 'B' } }),
    );
    const startedMs = performance.now();
    await runConnector(connect([`${base}/a`, `${base}/b`]));
    expect(performance.now() - startedMs).toBeGreaterThan(190);
  });

  it('follows redirects, but not for ever and not to other protocols', async () => {
    const { base } = await serve(
      pages({
        '/to': { status: 301, headers: { location: '/end' } },
        '/end': { body: 'E' },
        '/loop': { status: 302, headers: { location: '/loop' } },
        '/file': { status: 302, headers: { location: 'file:///etc/passwd' } },
      }),
    );
    const run = await runConnector(connect(['/to', '/loop', '/file'].map((path) => base + path)));
    expect(run.found).toEqual({ [`${base}/to`]: 'E' });
    expect(run.skipped).toEqual({
      [`${base}/loop`]: 'connector.unreachable',
      [`${base}/file`]: 'connector.invalid_address',
    });
  });

  it('has limits for size and time, also for what is unpacked', async () => {
    const { base } = await serve((request, response) => {
      if (request.url === '/robots.txt') response.writeHead(404).end();
      else if (request.url === '/big') response.end('x'.repeat(20_000));
      else if (request.url === '/endless') response.write('x');
      else
        response
          .writeHead(200, { 'content-encoding': 'gzip' })
          .end(gzipSync(request.url === '/bomb' ? Buffer.alloc(10_000_000) : 'packed'));
    });
    const limits = { maxBytes: 15_000, maxSeconds: 1 };
    const run = await runConnector(
      connect(
        ['/big', '/bomb', '/endless', '/packed'].map((path) => base + path),
        { limits },
      ),
    );
    expect(run.found).toEqual({ [`${base}/packed`]: 'packed' });
    expect(run.skipped).toEqual({
      [`${base}/big`]: 'connector.too_large',
      [`${base}/bomb`]: 'connector.too_large',
      [`${base}/endless`]: 'connector.takes_too_long',
    });
  });

  it('never connects to private, loopback, link-local and metadata addresses, however they are written', async () => {
    const { base, requests } = await serve(pages({ '/': { body: 'SECRET' } }));
    const { port } = new URL(base);
    const hosts = [
      '127.0.0.1',
      'localhost',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '10.0.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '[fe80::1]',
      '[fd00:ec2::254]',
      '100.100.100.200',
    ];
    const urls = hosts.map((host) => `http://${host}:${port}/`);
    const { found, skipped } = await runConnector(openWebConnector({ urls, limits: { maxSeconds: 2 } }));
    expect(found).toEqual({});
    expect(new Set(Object.values(skipped))).toEqual(new Set(['connector.private_address']));
    expect(Object.keys(skipped).length).toBeGreaterThan(9);
    expect(requests).toEqual([]);
  });

  it('judges every redirect anew', async () => {
    // 127.0.0.2 stands for the private network, 127.0.0.1 for the public one.
    const { base } = await serve(
      pages({
        '/literal': { status: 302, headers: { location: 'http://127.0.0.2:9/' } },
        '/mapped': { status: 307, headers: { location: 'http://[::ffff:7f00:2]:9/' } },
        '/ok': { body: 'O' },
      }),
    );
    const isRefused = (address: string): boolean => address !== '127.0.0.1' && address !== '::1';
    const run = await runConnector(
      openWebConnector({ urls: ['/literal', '/mapped', '/ok'].map((path) => base + path), isRefused }),
    );
    expect(run.found).toEqual({ [`${base}/ok`]: 'O' });
    expect(run.skipped).toEqual({
      [`${base}/literal`]: 'connector.private_address',
      [`${base}/mapped`]: 'connector.private_address',
    });
  });

  it('judges the very address it connects to, so that a name cannot change its mind', async () => {
    const { base, requests } = await serve((request, response) => {
      response.writeHead(request.url === '/robots.txt' ? 404 : 200, { connection: 'close' }).end('A');
    });
    // 127.0.0.2 stands for the private network: the name leads there from the third time on.
    let lookups = 0;
    const resolve = ((_host: string, _options: object, settle: (...results: unknown[]) => void) => {
      settle(null, [{ address: ++lookups > 2 ? '127.0.0.2' : '127.0.0.1', family: 4 }]);
    }) as never;
    const urls = ['/a', '/b'].map((path) => `http://rebinding.test:${new URL(base).port}${path}`);
    const run = await runConnector(
      openWebConnector({ urls, resolve, isRefused: (address) => address !== '127.0.0.1', limits: { maxSeconds: 5 } }),
    );
    expect(Object.values(run.found)).toEqual(['A']);
    expect(Object.values(run.skipped)).toEqual(['connector.private_address']);
    expect(requests.map(({ url }) => url)).toEqual(['/robots.txt', '/a']);
  });

  it('refuses addresses that are none, and stops when told', async () => {
    for (const url of ['ftp://example.org/', 'file:///etc/passwd', 'http://user:pass@example.org/', 'no address'])
      expect(() => openWebConnector({ urls: [url] })).toThrow(
        expect.objectContaining({ details: expect.objectContaining({ reason: 'connector.invalid_address' }) }),
      );
    expect(
      await reasonOf(
        runConnector(connect(['http://127.0.0.1:1/']), { signal: AbortSignal.abort(new Error('stopped')) }),
      ),
    ).toBe('stopped');
  });
});
