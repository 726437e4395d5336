/** The gateway's resources through the control plane: versions, preconditions, audit, rollback, in force at once, and written for a real APISIX. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseApisixFile } from '../../apps/server/src/gateway/apisix-file.js';
import { plugins } from '../../apps/server/src/gateway/plugins/index.js';
import { startTestServer, type TestServer } from './harness.js';

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-gateway-resources-'));
const apisixFile = join(folder, 'apisix.yaml');
let upstream: Server;
let server: TestServer;
let nodes: Record<string, number>;
beforeAll(async () => {
  upstream = createServer((request, response) => response.end(`upstream ${request.url}`));
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  nodes = { [`127.0.0.1:${(upstream.address() as AddressInfo).port}`]: 1 };
  server = await startTestServer({ apisixFile, apisixEtcdPrefix: '/apisix' });
});
afterAll(async () => {
  await server.stop();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const path = '/api/v1/gateway/resources/routes/managed';
const route = (more: object = {}) => ({ uri: '/managed', upstream: { type: 'roundrobin', nodes }, ...more });
const answers = async (address: string, status: number): Promise<void> => {
  await vi.waitFor(async () => expect((await server.call('GET', address, { token: null })).status).toBe(status), {
    timeout: 5_000,
  });
};

describe('a managed route', () => {
  it('takes force when it is written, changes with its ETag, and goes back to a version', async () => {
    const created = await server.call('PUT', path, { body: route() });
    expect([created.status, created.json.version, created.json.value.id]).toEqual([201, 1, 'managed']);
    await answers('/managed', 200);
    expect((await server.call('PUT', path, { body: route() })).json).toMatchObject({
      status: 409,
      reason: 'gateway.if_match_required',
    });
    const replaced = await server.call('PUT', path, {
      body: route({ uri: '/moved' }),
      headers: { 'if-match': created.headers.get('etag') ?? '' },
    });
    expect([replaced.status, replaced.json.version]).toEqual([200, 2]);
    await answers('/moved', 200);
    await answers('/managed', 404);
    expect(
      (await server.call('PUT', path, { body: route(), headers: { 'if-match': created.headers.get('etag') ?? '' } }))
        .json,
    ).toMatchObject({ reason: 'gateway.version_conflict' });
    const back = await server.call('POST', '/api/v1/gateway/rollback/routes/managed', {
      body: { version: 1 },
      headers: { 'if-match': replaced.headers.get('etag') ?? '' },
    });
    expect([back.status, back.json.version]).toEqual([200, 3]);
    await answers('/managed', 200);
    const versions = (await server.call('GET', `${path}/versions`)).json.items;
    expect(versions.map((one: { action: string }) => one.action)).toEqual(['rollback', 'replace', 'create']);
  });

  it('leaves an audit record of each change, and is not for everybody', async () => {
    await vi.waitFor(async () => {
      const records = (await server.call('GET', '/api/v1/audit?limit=50')).json.items as {
        action: string;
        resource: string;
      }[];
      const own = records.filter((one) => one.resource === path).map((one) => one.action);
      expect(own).toEqual(expect.arrayContaining(['gateway.create', 'gateway.replace', 'gateway.rollback']));
    }, 5_000);
    expect((await server.call('PUT', path, { body: route(), token: null })).status).toBe(401);
  });

  it.each([
    ['a plugin that is not supported', { plugins: { 'lua-magic': {} } }, "the plugin 'lua-magic' is not supported"],
    ['a field that is not supported', { script: 'x' }, "has 'script', which this gateway does not support"],
    [
      'an upstream that is not there',
      { upstream: undefined, upstream_id: 'nowhere' },
      "there is no upstream 'nowhere'",
    ],
    [
      'a secret in plain text',
      { plugins: { 'http-logger': { uri: 'http://a', auth_header: 'Bearer x' } } },
      'is a secret in plain text',
    ],
  ])('with %s is refused and changes nothing', async (_what, more, message) => {
    const answer = await server.call('PUT', '/api/v1/gateway/resources/routes/wrong', { body: route(more) });
    expect([answer.status, answer.json.detail]).toEqual([400, expect.stringContaining(message)]);
    await answers('/managed', 200);
  });

  it('may not have the id of one in the file', async () => {
    const answer = await server.call('PUT', '/api/v1/gateway/resources/routes/control', { body: route() });
    expect(answer.json.detail).toContain("the route id 'control' stands twice");
  });

  it('is written for a real APISIX, as a file and as its keys', async () => {
    await vi.waitFor(() => expect(readFileSync(apisixFile, 'utf8')).toContain('/managed'));
    const text = (await server.call('GET', '/api/v1/gateway/export')).text;
    expect(text).toBe(readFileSync(apisixFile, 'utf8'));
    const variables = {
      BAILIWICK_DISCOVERY_URL: 'http://issuer.example/d',
      BAILIWICK_OPA_URL: 'http://127.0.0.1:8181',
    };
    const file = parseApisixFile(text, 'export', variables, plugins);
    expect(file.routes.map((one) => one.id)).toEqual(['control', 'demo', 'managed']);
    const key = await server.running.platform.store.get('/apisix/routes/managed');
    expect(JSON.parse(key?.value ?? '{}')).toMatchObject({
      id: 'managed',
      uri: '/managed',
      update_time: expect.any(Number),
    });
  });

  it('goes when it is deleted', async () => {
    const { headers } = await server.call('GET', path);
    expect((await server.call('DELETE', path, { headers: { 'if-match': headers.get('etag') ?? '' } })).status).toBe(
      204,
    );
    await answers('/managed', 404);
    expect(await server.running.platform.store.get('/apisix/routes/managed')).toBeUndefined();
    expect((await server.call('GET', path)).status).toBe(404);
  });
});
