import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFreePorts } from '../servers/processes.js';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
let url = '';
beforeAll(async () => {
  const [port = 0] = await findFreePorts(1);
  url = `http://127.0.0.1:${port}`;
  server = await startTestServer({ opaAddress: `127.0.0.1:${port}` });
});
afterAll(async () => {
  await server.stop();
});

async function ask(path: string, body?: string, type = 'application/json'): Promise<{ status: number; text: string }> {
  const answer = await fetch(
    `${url}${path}`,
    body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': type } },
  );
  return { status: answer.status, text: (await answer.text()).trim() };
}

describe('the listener without tokens', () => {
  it.each([
    [
      '/v1/data/projects/demo/demo/authz/allow',
      '{"input":{"method":"GET","claims":{"project":"demo"}}}',
      200,
      '{"result":true}',
    ],
    ['/v1/data/projects/demo/demo/authz/allow', '{}', 200, '{"result":false}'],
    ['/v1/data/projects/demo/demo/authz/allow', '', 200, '{"result":false}'],
    ['/v1/data/projects/demo/nothing', '{}', 200, '{}'],
    [
      '/v1/data/projects/demo/note?pretty=false',
      '{}',
      200,
      '{"result":"Demo data, seeded at the first start. Start with --no-demo to leave it out."}',
    ],
    ['/v1/data/projects/demo/demo/authz/allow', '{"input":', 400, 'request.bad_json'],
    ['/v1/data/projects/demo/demo/authz/allow', '[1]', 400, 'opa.bad_body'],
    ['/v1/data/projects/demo/demo/authz/allow', '{"a":1,"a":2}', 400, 'stands twice'],
    ['/v1/nothing', '{}', 404, 'request.no_route'],
  ])('answers %s %s with %d', async (path, body, status, text) => {
    const answer = await ask(path, body);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(text);
  });

  it('takes JSON of any content type, and gzip, as OPA does', async () => {
    const input = '{"input":{"method":"GET","claims":{"project":"demo"}}}';
    const send = (
      body: string | Uint8Array<ArrayBuffer>,
      headers: Record<string, string>,
      path = '',
    ): Promise<Response> =>
      fetch(`${url}/v1/data/projects/demo/demo/authz/allow${path}`, { method: 'POST', body, headers });
    for (const [path, type] of [
      ['', 'text/plain'],
      ['?metrics=true', 'application/x-www-form-urlencoded'],
    ] as const) {
      const answer = await send(input, { 'content-type': type }, path);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ result: true });
    }
    const packed = new Uint8Array(gzipSync(input));
    expect(await (await send(packed, { 'content-encoding': 'gzip' })).json()).toEqual({ result: true });
    for (const [body, encoding, reason] of [
      [packed.slice(0, -9), 'gzip', 'opa.bad_gzip'],
      [new TextEncoder().encode(input), 'gzip', 'opa.bad_gzip'],
      [packed, 'br', 'opa.encoding'],
    ] as const) {
      const refused = await send(body, { 'content-encoding': encoding });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ reason });
    }
    // 200 MB of zeros in 200 KB.
    const bomb = await send(new Uint8Array(gzipSync(Buffer.alloc(2e8))), { 'content-encoding': 'gzip' });
    expect(bomb.status).toBe(413);
  });

  it('answers the decision rule with an id, and what else OPA has', async () => {
    expect(
      JSON.parse(
        (
          await ask(
            '/v1/data/bailiwick/authz/allow',
            '{"input":{"project":"demo","method":"GET","claims":{"project":"demo"}}}',
          )
        ).text,
      ),
    ).toMatchObject({ result: true, decision_id: expect.any(String) });
    expect((await ask('/health')).status).toBe(200);
    expect((await ask('/v1/policies')).status).toBe(200);
  });

  it('answers one connection through whatever comes over it, in order', async () => {
    const call = (body: string): string =>
      `POST /v1/data/projects/demo/demo/authz/allow HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const allowed = call('{"input":{"method":"GET","claims":{"project":"demo"}}}');
    const apisix = `{"input":{"type":"http","request":{"method":"GET","path":"/demo","headers":{}}}}`;
    const decision = `POST /v1/data/bailiwick/authz HTTP/1.1\r\nHost: a\r\nContent-Length: ${apisix.length}\r\n\r\n${apisix}`;
    const pieces = [allowed, allowed, decision, call('{"input":'), allowed, 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n'];
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    for (const [at, piece] of pieces.entries()) {
      socket.write(piece);
      await vi.waitFor(() => expect(text.match(/HTTP\/1\.1 \d\d\d/g)).toHaveLength(at + 1), { timeout: 5_000 });
    }
    socket.destroy();
    expect(text.match(/HTTP\/1\.1 \d\d\d/g)?.map((line) => line.slice(-3))).toEqual([
      '200',
      '200',
      '200',
      '400',
      '200',
      '200',
    ]);
    expect(text.match(/"result":true/g)).toHaveLength(3);
    expect(text).toMatch(/"decision_id":"[0-9a-f-]{36}","result":\{"allow":false/);
  });

  it('has no API that changes anything', async () => {
    expect((await fetch(`${url}/policies/demo`, { method: 'PUT', body: '{}' })).status).toBe(404);
    expect((await fetch(`${url}/v1/policies/x`, { method: 'PUT', body: 'package x' })).status).toBe(404);
  });
});
