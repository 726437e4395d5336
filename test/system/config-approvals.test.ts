/** The two-person rule of configuration: proposed, approved by somebody else, bound to exactly the content. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
let second: string;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false', requireApproval: 'app:shop/prod' });
  const { json } = await server.call('POST', '/api/v1/api-keys', {
    body: { name: 'second', roles: ['platform-admin'] },
  });
  second = json.key;
});
afterAll(() => server.stop());

const prod = { app_id: 'shop', environment: 'prod' };
const create = async (body: Record<string, unknown>, token?: string) =>
  await server.call('POST', '/api/v1/configs', {
    body: { ...prod, ...body },
    ...(token === undefined ? {} : { token }),
  });

it('a write to a protected scope waits for somebody else, and then passes once', async () => {
  const first = await create({ key: 'a', value: 1 });
  expect([first.status, first.json.reason]).toEqual([409, 'config.approval_required']);
  const { id } = first.json.approval;
  expect(first.json.approval.changes).toEqual(['create config shop/prod a']);
  expect((await server.call('GET', '/api/v1/configs?app_id=shop')).json.items).toEqual([]);
  // The same request again does not make a second proposal.
  expect((await create({ key: 'a', value: 1 })).json.approval.id).toBe(id);
  const own = await server.call('POST', `/api/v1/approvals/${id}/approve`);
  expect([own.status, own.json.reason]).toEqual([403, 'approval.own']);
  const approved = await server.call('POST', `/api/v1/approvals/${id}/approve`, { token: second });
  expect(approved.json.approved_by).toMatch(/^api-key:/);
  // Somebody else cannot use it, and another value has another fingerprint.
  expect((await create({ key: 'a', value: 1 }, second)).status).toBe(409);
  expect((await create({ key: 'a', value: 2 })).status).toBe(409);
  expect((await create({ key: 'a', value: 1 })).status).toBe(201);
  expect((await create({ key: 'a', value: 1 })).json.reason).toBe('resource.key_taken');
});

it('an approval is void when what it was based on changes', async () => {
  const [item] = (await server.call('GET', '/api/v1/configs?app_id=shop&key=a')).json.items;
  const put = async (value: unknown) => {
    const headers = { 'if-match': '*' };
    return await server.call('PUT', `/api/v1/configs/${item.id}`, { body: { value }, headers });
  };
  const proposal = (await put(5)).json.approval.id;
  await server.call('POST', `/api/v1/approvals/${proposal}/approve`, { token: second });
  const other = (await put(6)).json.approval.id;
  await server.call('POST', `/api/v1/approvals/${other}/approve`, { token: second });
  expect((await put(6)).status).toBe(200);
  // The first was approved on version 1.
  expect((await put(5)).json.reason).toBe('config.approval_required');
});

it('a sensitive value is approved without being shown', async () => {
  const secret = 'not-for-the-approver';
  const proposed = await create({ key: 'b', value: secret, sensitive: true });
  expect(proposed.text).not.toContain(secret);
  await server.call('POST', `/api/v1/approvals/${proposed.json.approval.id}/approve`, { token: second });
  expect((await server.call('GET', '/api/v1/approvals', { token: second })).text).not.toContain(secret);
  expect((await create({ key: 'b', value: 'another', sensitive: true })).status).toBe(409);
  expect((await create({ key: 'b', value: secret, sensitive: true })).status).toBe(201);
});

it('what is written for all of the app, and so seen in the scope, is protected too; other scopes are not', async () => {
  const global = await server.call('POST', '/api/v1/configs', { body: { key: 'c', value: 1 } });
  expect(global.json.reason).toBe('config.approval_required');
  const test = await server.call('POST', '/api/v1/configs', {
    body: { key: 'c', app_id: 'shop', environment: 'test', value: 1 },
  });
  expect(test.status).toBe(201);
  const { json } = await server.call('GET', '/api/v1/configs?app_id=shop&key=a');
  const target = { kind: 'config', id: json.items[0].id, value: 7 };
  const rollout = { key: 'r', target, strategy: { kind: 'immediate' } };
  const proposed = await server.call('POST', '/api/v1/rollouts', { body: rollout });
  expect(proposed.json.reason).toBe('config.approval_required');
  await server.call('POST', `/api/v1/approvals/${proposed.json.approval.id}/approve`, { token: second });
  const made = await server.call('POST', '/api/v1/rollouts', { body: rollout });
  expect(made.status).toBe(201);
  expect((await server.call('POST', `/api/v1/rollouts/${made.json.id}/start`, { body: {} })).json.state).toBe(
    'completed',
  );
});
