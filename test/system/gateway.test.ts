import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-gateway-'));
const file = join(folder, 'apisix.yaml');
let upstream: Server;
let handler: (request: IncomingMessage, response: ServerResponse) => void;
let port = 0;
let server: TestServer;

const routes = (extra = ''): string => `routes:
  - id: open
    uri: /open/*
    plugins: {request-id: {}}
    timeout: {connect: 1, send: 1, read: 0.5}
    upstream: &up {nodes: [{host: 127.0.0.1, port: ${port}, weight: 1}]}
  - id: rewritten
    uri: /rewritten/*
    plugins: {proxy-rewrite: {regex_uri: ["^/rewritten/(.*)", "/inner/$1"]}}
    upstream: *up
  - id: gone
    uri: /gone
    upstream: {nodes: [{host: 127.0.0.1, port: 1, weight: 1}]}
${extra}#END
`;

beforeAll(async () => {
  upstream = createServer((incoming, response) => handler(incoming, response));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const address = upstream.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  writeFileSync(file, routes());
  server = await startTestServer({ gatewayFile: file, maxProxyBodyBytes: '100000' });
});
afterAll(async () => {
  await server.stop();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

describe('the proxy', () => {
  it('passes method, path, query, body and end-to-end headers on, and hop-by-hop ones not', async () => {
    let seen: {
      method?: string | undefined;
      url?: string | undefined;
      headers?: IncomingMessage['headers'];
      body?: string;
    } = {};
    handler = (incoming, response) => {
      let body = '';
      incoming.on('data', (chunk) => {
        body += chunk;
      });
      incoming.on('end', () => {
        seen = { method: incoming.method, url: incoming.url, headers: incoming.headers, body };
        response.writeHead(201, { 'x-answer': 'yes', connection: 'close' }).end('done');
      });
    };
    const answer = await server.call('POST', '/open/a%20b?x=1&x=2', {
      raw: 'hello',
      token: null,
      headers: { 'x-mine': 'm', 'x-forwarded-for': '9.9.9.9', te: 'trailers' },
    });
    expect([answer.status, answer.text, answer.headers.get('x-answer')]).toEqual([201, 'done', 'yes']);
    expect(seen).toMatchObject({ method: 'POST', url: '/open/a%20b?x=1&x=2', body: 'hello' });
    expect(seen.headers).toMatchObject({
      'x-mine': 'm',
      'x-forwarded-for': '9.9.9.9, 127.0.0.1',
      'x-request-id': answer.headers.get('x-request-id'),
    });
    expect(seen.headers).not.toHaveProperty('te');
  });

  it('keeps a good request id and replaces a bad one', async () => {
    handler = (_incoming, response) => response.end();
    expect(
      (await server.call('GET', '/open/x', { headers: { 'x-request-id': 'mine-1' } })).headers.get('x-request-id'),
    ).toBe('mine-1');
    expect(
      (await server.call('GET', '/open/x', { headers: { 'x-request-id': 'bad id{}' } })).headers.get('x-request-id'),
    ).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('passes the W3C trace context on', async () => {
    let seen: string | undefined;
    handler = (incoming, response) => {
      seen = String(incoming.headers['traceparent']);
      response.end();
    };
    const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await server.call('GET', '/open/x', { headers: { traceparent: trace } });
    expect(seen).toBe(trace);
  });

  it('rewrites the path where a route says so', async () => {
    handler = (incoming, response) => response.end(incoming.url);
    expect((await server.call('GET', '/rewritten/a/b?q=1')).text).toBe('/inner/a/b?q=1');
  });

  it('streams an answer while it is being made', async () => {
    let finish: () => void = () => undefined;
    handler = (_incoming, response) => {
      response.write('first');
      finish = () => response.end('last');
    };
    const response = await fetch(`${server.url}/open/stream`);
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('first');
    finish();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('last');
  });

  it('lets the upstream go when the client goes', async () => {
    const gone = new Promise((resolve) => {
      handler = (_incoming, response) => {
        response.write('x');
        response.once('close', resolve);
      };
    });
    const client = request(`${server.url}/open/leave`, (response) => {
      response.once('data', () => client.destroy());
      response.on('error', () => undefined);
    });
    client.on('error', () => undefined);
    client.end();
    await gone;
  });

  it('answers 504 for a silent upstream and 503 for one that is away', async () => {
    handler = () => undefined;
    expect((await server.call('GET', '/open/silent')).json).toMatchObject({
      status: 504,
      code: 'timeout',
      reason: 'gateway.upstream_timeout',
    });
    expect((await server.call('GET', '/gone')).json).toMatchObject({
      status: 503,
      reason: 'gateway.upstream_unreachable',
    });
  });

  it('refuses a body above its limit, declared or not', async () => {
    handler = (incoming, response) => {
      incoming.resume();
      incoming.on('end', () => response.end());
    };
    expect((await server.call('POST', '/open/big', { raw: 'x'.repeat(100_001) })).status).toBe(413);
    const chunked = await new Promise((resolve, reject) => {
      const client = request(`${server.url}/open/big`, { method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      client.on('error', reject);
      for (let count = 0; count < 11; count += 1) client.write('x'.repeat(10_000));
      client.end();
    });
    expect(chunked).toBe(413);
  });

  it('answers 404 for an address without a route, as a problem', async () => {
    expect((await server.call('GET', '/nowhere')).json).toMatchObject({
      status: 404,
      code: 'not_found',
      reason: 'gateway.no_route',
    });
  });
});

/** What a raw text over TCP is answered with. */
const rawExchange = (text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(server.running.port, '127.0.0.1', () => socket.write(text));
    socket.setTimeout(1_500, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });

describe('a broken request', () => {
  it.each([
    [
      'both Content-Length and Transfer-Encoding',
      'POST /open/x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two Content-Lengths', 'POST /open/x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd'],
    ['a space before a colon', 'GET /open/x HTTP/1.1\r\nhost : a\r\n\r\n'],
    ['a bare line feed in a header', 'GET /open/x HTTP/1.1\r\nhost: a\r\nx: a\nb: c\r\n\r\n'],
    ['no HTTP', 'hello\r\n\r\n'],
  ])('with %s is refused and the connection closed', async (_what, text) => {
    let isReached = false;
    handler = (_incoming, response) => {
      isReached = true;
      response.end();
    };
    expect(await rawExchange(text)).toMatch(/^HTTP\/1\.1 400 /);
    expect(isReached).toBe(false);
  });

  it('with a flood of headers is refused', async () => {
    const many = Array.from({ length: 3_000 }, (_unused, index) => `x-${index}: ${'y'.repeat(20)}\r\n`).join('');
    expect(await rawExchange(`GET /open/x HTTP/1.1\r\nhost: a\r\n${many}\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('a changed file', () => {
  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    for (let attempt = 0; attempt < 60 && !(await condition()); attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 100));
  };

  it('takes force while running, and a wrong one changes nothing', async () => {
    handler = (_incoming, response) => response.end('new');
    writeFileSync(file, routes(`  - id: added\n    uri: /added\n    upstream: *up\n`));
    await until(async () => (await server.call('GET', '/added')).status === 200);
    expect((await server.call('GET', '/added')).text).toBe('new');
    writeFileSync(file, routes('  - id: broken\n    uri: /broken\n    nonsense: 1\n    upstream: *up\n'));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await server.call('GET', '/added')).status).toBe(200);
  });
});

describe('the public address', () => {
  it('answers /livez, /readyz and /metrics without a token', async () => {
    expect((await server.call('GET', '/livez', { token: null })).text).toBe('ok\n');
    expect((await server.call('GET', '/readyz', { token: null })).json).toMatchObject({
      ready: true,
      store_connected: true,
    });
    const metrics = await server.call('GET', '/metrics', { token: null });
    for (const name of [
      'bailiwick_decision_seconds',
      'bailiwick_decision_denials_total',
      'bailiwick_api_request_seconds',
      'bailiwick_policy_age_seconds',
      'bailiwick_policy_propagation_seconds',
    ])
      expect(metrics.text).toContain(name);
  });
});
