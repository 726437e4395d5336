/** Secrets of the gateway's file: from the environment and the encrypted file, changed while running, and never shown. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseApisixFile } from '../../apps/server/src/gateway/apisix-file.js';
import { plugins } from '../../apps/server/src/gateway/plugins/index.js';
import { startTestServer, type TestServer } from './harness.js';

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-gateway-secrets-'));
const file = join(folder, 'apisix.yaml');
const secretWords = ['first-secret-value', 'second-secret-value', 'environment-secret-value'];
let upstream: Server;
let server: TestServer;

beforeAll(async () => {
  upstream = createServer((request, response) => response.end(String(request.headers['x-key'] ?? 'none')));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const node = `upstream: {type: roundrobin, nodes: {"127.0.0.1:${(upstream.address() as AddressInfo).port}": 1}}`;
  process.env['GATEWAY_TEST_SECRET'] = secretWords[2];
  writeFileSync(
    file,
    `consumers:
  - {username: jack, plugins: {key-auth: {key: $secret://local/consumers/jack/key}}}
routes:
  - {id: control, uris: [/api/*, /openapi.json], upstream: {type: roundrobin, nodes: {"\${{BAILIWICK_CONTROL_HOST}}:80": 1}}}
  - {id: local, uri: /local, plugins: {proxy-rewrite: {headers: {set: {X-Key: $secret://local/llm/openai/key}}}}, ${node}}
  - {id: env, uri: /env, plugins: {proxy-rewrite: {headers: {set: {X-Key: $env://GATEWAY_TEST_SECRET}}}}, ${node}}
  - {id: keyed, uri: /keyed, plugins: {key-auth: {}}, ${node}}
  - {id: open, uri: /open, ${node}}
#END
`,
  );
  server = await startTestServer({ gatewayFile: file, logLevel: 'silent' });
});
afterAll(async () => {
  delete process.env['GATEWAY_TEST_SECRET'];
  await server.stop();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const get = (path: string, headers: Record<string, string> = {}) => server.call('GET', path, { token: null, headers });

describe('a secret', () => {
  it('that cannot be had makes its own route 503 and no other, and is not sent as its name', async () => {
    expect((await get('/local')).json).toMatchObject({ status: 503, reason: 'gateway.secret_unresolved' });
    expect((await get('/open')).status).toBe(200);
    expect((await get('/env')).text).toBe(secretWords[2]);
  });

  it('of a consumer that cannot be had makes an unknown key 503, not 401', async () => {
    expect((await get('/keyed', { apikey: 'perhaps' })).status).toBe(503);
    expect((await get('/keyed')).status).toBe(401);
  });

  it('takes force when it is there, and again when it changes, without a restart', async () => {
    const put = async (path: string, fields: Record<string, string>): Promise<void> => {
      expect((await server.call('PUT', `/api/v1/secrets/${path}`, { body: fields })).status).toBe(204);
    };
    await put('llm/openai', { key: secretWords[0] ?? '' });
    await put('consumers/jack', { key: 'jack-key' });
    await vi.waitFor(async () => expect((await get('/local')).text).toBe(secretWords[0]), {
      timeout: 15_000,
      interval: 100,
    });
    await vi.waitFor(async () => expect((await get('/keyed', { apikey: 'jack-key' })).status).toBe(200), {
      timeout: 15_000,
      interval: 100,
    });
    await put('llm/openai', { key: secretWords[1] ?? '' });
    await vi.waitFor(async () => expect((await get('/local')).text).toBe(secretWords[1]), {
      timeout: 15_000,
      interval: 100,
    });
  });

  // The log is looked at in `test/real/vault-gateway.test.ts`, where it is another process's.
  it('is never in metrics, errors or the API', async () => {
    expect((await server.call('GET', '/api/v1/secrets')).json.items).toContainEqual({
      path: 'llm/openai',
      fields: ['key'],
    });
    const listed = (await server.call('GET', '/api/v1/secrets')).text;
    expect((await server.call('PUT', '/api/v1/secrets/x', { body: { a: 'b' }, token: null })).status).toBe(401);
    await server.call('DELETE', '/api/v1/secrets/llm/openai');
    await vi.waitFor(async () => expect((await get('/local')).status).toBe(503), { timeout: 15_000, interval: 100 });
    const audit = (await server.call('GET', '/api/v1/audit?limit=50')).text;
    expect(audit).toContain('secret.put');
    const seen = [
      listed,
      (await get('/metrics')).text,
      (await get('/local')).text,
      audit,
      (await server.call('GET', '/openapi.json')).text,
    ].join('\n');
    for (const word of secretWords) expect(seen).not.toContain(word);
  });
});

describe('a reference in the file', () => {
  it.each([
    ['$secret://vault/nowhere/path/key', "names the secret 'vault/nowhere', which is not in secrets"],
    ['$secret://other/path/key', 'is not a reference that this gateway understands'],
    ['$secret://local/key', 'is not a reference that this gateway understands'],
  ])('%s is an error at start', (reference, message) => {
    const text = `routes:\n  - {id: a, uri: /a, plugins: {proxy-rewrite: {headers: {set: {X-Key: "${reference}"}}}}, upstream: {type: roundrobin, nodes: {"a:1": 1}}}\n#END\n`;
    expect(() => parseApisixFile(text, 'f', {}, plugins)).toThrow(message);
  });
});
