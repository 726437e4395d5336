/** Upstreams that lie, stall or break off, and clients that try to choose where a request goes. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { embeddedGateway } from '../../conformance/gateway/targets.js';
import { exchangeRaw, startRawUpstream, startStrictUpstream } from './raw-http.js';

let gateway: Awaited<ReturnType<typeof embeddedGateway>>;
let port = 0;
beforeAll(async () => {
  gateway = await embeddedGateway();
  port = Number(new URL(gateway.url).port);
});
afterAll(async () => await gateway.stop());

const stoppers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stoppers.splice(0)) await stop();
});

/** A gateway in front of an upstream that answers with this text. */
async function inFrontOf(answer: Parameters<typeof startRawUpstream>[0], more = ''): Promise<void> {
  const upstream = await startRawUpstream(answer);
  stoppers.push(upstream.stop);
  await gateway.apply(
    `routes: [{id: a, uri: /*, timeout: {connect: 1, send: 1, read: 0.4}, upstream: {type: roundrobin, nodes: {"127.0.0.1:${upstream.port}": 1}${more}}}]\n#END\n`,
  );
}

const get = (method = 'GET'): Promise<string> =>
  exchangeRaw(port, `${method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 3_000);

describe('an upstream that does not keep to HTTP', () => {
  it.each([
    ['no status line', 'hello\r\n\r\n'],
    [
      'both Content-Length and Transfer-Encoding',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok',
    ],
    ['two different Content-Lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
    ['a negative Content-Length', 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok'],
    ['an unknown Transfer-Encoding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\nok'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nx: a\r\n b: c\r\ncontent-length: 0\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nx\r\ncontent-length: 0\r\n\r\n'],
    ['a control character in a header', 'HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n'],
    ['a protocol that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    ['informational answers without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40)],
    ['a head without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`],
    ['a closed connection', ''],
  ])('with %s is 503, and nothing of it reaches the client', async (_what, text) => {
    await inFrontOf((_request, socket) => {
      if (text === '') socket.destroy();
      return text;
    });
    const answer = await get();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toContain('gateway.upstream_unreachable');
  });

  it.each([
    ['a body shorter than it said', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort'],
    ['a chunk that is not a number', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['a chunk that does not end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloXX'],
    ['chunks that break off', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'],
  ])('with %s ends the client’s answer visibly unfinished', async (_what, text) => {
    await inFrontOf((_request, socket) => {
      socket.end(text);
      return undefined;
    });
    await expect(fetch(`${gateway.url}/x`).then((answer) => answer.text())).rejects.toThrow();
  });

  it.each([
    [
      'more than its Content-Length',
      'GET',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen',
      '200',
      'ok',
    ],
    [
      'a 204 with a body',
      'GET',
      'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen',
      '204',
      '',
    ],
    ['a 304 with a body', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nextra', '304', ''],
    ['a body for HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nextra', '200', ''],
    [
      'a 103 before',
      'GET',
      'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
      '200',
      'ok',
    ],
    [
      'trailers',
      'GET',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: y\r\n\r\n',
      '200',
      'ok',
    ],
    ['HTTP/1.0 until it closes', 'GET', 'HTTP/1.0 200 OK\r\n\r\nok', '200', 'ok'],
  ])('with %s gives the client its own answer, twice', async (_what, method, text, status, body) => {
    await inFrontOf((_request, socket) => {
      if (text.startsWith('HTTP/1.0')) socket.end(text);
      else socket.write(text, 'latin1');
      return undefined;
    });
    for (const answer of [await get(method), await get(method)]) {
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer.slice(answer.indexOf('\r\n\r\n') + 4).replace(/^2\r\nok\r\n0\r\n\r\n$/, 'ok')).toBe(body);
      expect(answer).not.toContain('stolen');
    }
  });

  it('that says nothing is 504, and a stall in the body breaks off', async () => {
    await inFrontOf(() => undefined);
    expect(await get()).toMatch(/^HTTP\/1\.1 504 /);
    await inFrontOf(() => 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
    await expect(fetch(`${gateway.url}/x`).then((answer) => answer.text())).rejects.toThrow();
  });
});

describe('another node is tried', () => {
  const twoNodes = async (bad: Parameters<typeof startRawUpstream>[0]): Promise<{ readonly asked: () => number }> => {
    let asked = 0;
    const failing = await startRawUpstream((text, socket) => {
      asked += 1;
      return bad(text, socket);
    });
    const good = await startStrictUpstream();
    stoppers.push(failing.stop, good.stop);
    await gateway.apply(
      `routes: [{id: a, uri: /*, timeout: {connect: 1, send: 1, read: 0.3}, upstream: {type: roundrobin, nodes: [{host: 127.0.0.1, port: ${failing.port}, weight: 1, priority: 1}, {host: 127.0.0.1, port: ${good.port}, weight: 1, priority: 0}]}}]\n#END\n`,
    );
    return { asked: () => asked };
  };

  it('when a GET’s upstream breaks off or stays silent', async () => {
    await twoNodes((_text, socket) => void socket.destroy());
    expect(await get()).toMatch(/^HTTP\/1\.1 200 /);
    await twoNodes(() => undefined);
    expect(await get()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('but not for a POST that may have been acted on', async () => {
    const { asked } = await twoNodes((_text, socket) => void socket.destroy());
    const answer = await exchangeRaw(
      port,
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
      3_000,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(asked()).toBe(1);
  });
});

describe('what the client sends', () => {
  it('never chooses the address that is asked', async () => {
    let hits = 0;
    const forbidden = createServer((_request, response) => {
      hits += 1;
      response.end('metadata');
    });
    await new Promise<void>((resolve) => forbidden.listen(0, '127.0.0.1', resolve));
    const address = forbidden.address();
    const inner = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const upstream = await startStrictUpstream();
    stoppers.push(upstream.stop, async () => void (await new Promise((resolve) => forbidden.close(resolve))));
    const node = `upstream: {type: roundrobin, nodes: {"127.0.0.1:${upstream.port}": 1}}`;
    await gateway.apply(`routes:
  - {id: r, uri: /rewrite, plugins: {proxy-rewrite: {uri: "/$arg_to", headers: {set: {X-To: "$http_x_to"}}}}, ${node}}
  - {id: g, uri: /regex/*, plugins: {proxy-rewrite: {regex_uri: ["^/regex/(.*)", "$1"]}}, ${node}}
  - {id: s, uri: /split, plugins: {traffic-split: {rules: [{match: [{vars: [[http_host, "~~", "."]]}], weighted_upstreams: [{weight: 1}]}]}}, ${node}}
  - {id: h, uri: /hash, upstream: {type: chash, hash_on: header, key: x-to, nodes: {"127.0.0.1:${upstream.port}": 1}}}
  - {id: a, uri: /*, ${node}}
#END\n`);
    const targets = [inner, '169.254.169.254', 'metadata.google.internal', 'localhost', '[::1]'];
    for (const target of targets) {
      for (const path of [
        '/plain',
        `/rewrite?to=http://${target}/`,
        `/rewrite?to=/${target}/`,
        `/rewrite?to=@${target}/`,
        `/regex/http://${target}/`,
        `/regex/@${target}`,
        '/split',
        '/hash',
        `//${target}/`,
        `/%2f%2f${target}`,
        `/..//${target}`,
        `http://${target}/`,
        `@${target}`,
      ]) {
        const answer = await exchangeRaw(
          port,
          `GET ${path} HTTP/1.1\r\nHost: ${target}\r\nX-To: ${target}\r\nX-Forwarded-Host: ${target}\r\nForwarded: host=${target}\r\nX-Original-URL: http://${target}/\r\nConnection: close\r\n\r\n`,
          2_000,
        );
        expect(answer).toMatch(/^HTTP\/1\.1 (200|400|500) /);
        expect(answer).not.toContain('metadata\r\n');
      }
    }
    expect(hits).toBe(0);
    for (const { line } of upstream.requests) expect(line).toMatch(/^GET \/\S* HTTP\/1\.1$/);
    expect(upstream.requests.length).toBeGreaterThan(targets.length * 3);
  });

  it('is cut off when its head never ends, and a body that stalls does not hold the upstream for ever', async () => {
    await inFrontOf(() => undefined);
    const started = Date.now();
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf'),
      );
      socket.on('data', (chunk) => {
        text += chunk.toString();
        socket.destroy();
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => undefined);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 504 /);
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  it('may carry on after 100 Continue, in a pipeline, and in HTTP/1.0', async () => {
    const upstream = await startStrictUpstream();
    stoppers.push(upstream.stop);
    await gateway.apply(
      `routes: [{id: a, uri: /*, upstream: {type: roundrobin, nodes: {"127.0.0.1:${upstream.port}": 1}}}]\n#END\n`,
    );
    const expecting = await exchangeRaw(
      port,
      'POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
      2_000,
    );
    expect(expecting).toContain('HTTP/1.1 100 Continue');
    expect(expecting).toContain('HTTP/1.1 200 OK');
    const pipeline = await exchangeRaw(
      port,
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      2_000,
    );
    expect([...pipeline.matchAll(/x-line: GET (\S+)/g)].map((match) => match[1])).toEqual(['/1', '/2', '/3']);
    expect(await exchangeRaw(port, 'GET /old HTTP/1.0\r\n\r\n', 2_000)).toMatch(/x-line: GET \/old HTTP\/1.1/);
  });
});
