import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowRole, startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server.stop();
});

const put = (name: string, body: unknown, headers: Record<string, string> = {}) =>
  server.call('PUT', `/policies/${name}`, { body, headers });

describe('a policy', () => {
  it('is created without If-Match, read back with its ETag and its digits, and known to be unchanged', async () => {
    const created = await server.call('PUT', '/policies/numbers', {
      raw: `{"rego": ${JSON.stringify(allowRole('a'))}, "data": {"big": 12345678901234567890.5, "b": 1}}`,
    });
    expect(created.status).toBe(201);
    const read = await server.call('GET', '/policies/numbers');
    expect(read.status).toBe(200);
    expect(read.headers.get('etag')).toBe(created.headers.get('etag'));
    expect(read.text).toContain('12345678901234567890.5');
    expect(Object.keys(read.json)).toEqual(['rego', 'data']);
    const again = await server.call('GET', '/policies/numbers', {
      headers: { 'if-none-match': read.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });

  it('is replaced only by somebody who saw its present state', async () => {
    const first = await put('replaced', { rego: allowRole('a') });
    expect((await put('replaced', { rego: allowRole('b') })).json).toMatchObject({
      status: 409,
      code: 'conflict',
      reason: 'policy.if_match_required',
    });
    const second = await put('replaced', { rego: allowRole('b') }, { 'if-match': first.headers.get('etag') ?? '' });
    expect(second.status).toBe(200);
    const stale = await put('replaced', { rego: allowRole('c') }, { 'if-match': first.headers.get('etag') ?? '' });
    expect(stale.json).toMatchObject({
      status: 409,
      reason: 'policy.version_conflict',
      etag: second.headers.get('etag'),
    });
    expect((await server.call('GET', '/policies/replaced')).json.rego).toBe(allowRole('b'));
  });

  it('is created once when If-None-Match asks for it', async () => {
    expect((await put('once', { rego: allowRole('a') }, { 'if-none-match': '*' })).status).toBe(201);
    expect((await put('once', { rego: allowRole('a') }, { 'if-none-match': '*' })).json).toMatchObject({
      status: 409,
      reason: 'policy.exists',
    });
  });

  it('lets exactly one of many racing writers win', async () => {
    const first = await put('raced', { rego: allowRole('a') });
    const etag = first.headers.get('etag') ?? '';
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_unused, index) =>
        put('raced', { rego: allowRole(`w${index}`) }, { 'if-match': etag }),
      ),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 409)).toHaveLength(19);
    expect((await server.call('GET', '/policies/raced/versions')).json.items).toHaveLength(2);
  });

  it('is patched in its Rego or its data alone', async () => {
    const first = await put('patched', { rego: allowRole('a'), data: { x: 1 } });
    const second = await server.call('PATCH', '/policies/patched', {
      body: { data: { y: 2 } },
      headers: { 'if-match': first.headers.get('etag') ?? '' },
    });
    expect(second.status).toBe(200);
    expect((await server.call('GET', '/policies/patched')).json).toEqual({ rego: allowRole('a'), data: { y: 2 } });
    expect(
      (await server.call('PATCH', '/policies/nowhere', { body: { data: {} }, headers: { 'if-match': '"1"' } })).status,
    ).toBe(404);
  });

  it('is deleted, and its numbering goes on when it is made again', async () => {
    const first = await put('gone', { rego: allowRole('a') });
    expect(
      (await server.call('DELETE', '/policies/gone', { headers: { 'if-match': first.headers.get('etag') ?? '' } }))
        .status,
    ).toBe(204);
    expect((await server.call('GET', '/policies/gone')).json).toMatchObject({ status: 404, code: 'not_found' });
    expect((await put('gone', { rego: allowRole('b') })).json.version).toBe(3);
    expect(
      (await server.call('GET', '/policies/gone/versions')).json.items.map((item: { action: string }) => item.action),
    ).toEqual(['create', 'delete', 'create']);
  });

  it('comes back by rollback as a new version with the old content', async () => {
    const first = await put('rolled', { rego: allowRole('a'), data: { n: 1.5 } });
    const second = await put('rolled', { rego: allowRole('b') }, { 'if-match': first.headers.get('etag') ?? '' });
    const back = await server.call('POST', '/policies/rolled/rollback', {
      body: { version: 1 },
      headers: { 'if-match': second.headers.get('etag') ?? '' },
    });
    expect(back.json).toMatchObject({ version: 3 });
    expect((await server.call('GET', '/policies/rolled')).json).toEqual({ rego: allowRole('a'), data: { n: 1.5 } });
    expect((await server.call('GET', '/policies/rolled/versions/3')).json).toMatchObject({
      action: 'rollback',
      rolled_back_to: 1,
      rego: allowRole('a'),
    });
    const missing = await server.call('POST', '/policies/rolled/rollback', {
      body: { version: 99 },
      headers: { 'if-match': back.headers.get('etag') ?? '' },
    });
    expect(missing.json).toMatchObject({ status: 404, reason: 'policy.version_not_found' });
  });

  it('is enforced by every instance when wait=applied answers', async () => {
    const created = await server.call('PUT', '/policies/waited?wait=applied&timeout=2s', {
      body: { rego: allowRole('a') },
    });
    expect(created.json.applied).toMatchObject({ complete: true, instances: [{ applied: true }] });
    const listed = await server.call('GET', '/policies/waited/instances');
    expect(listed.json.items[0]).toMatchObject({ policy_revision: created.json.revision });
  });

  it('keeps its first answer for a repeated Idempotency-Key, and refuses the key for another request', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    const first = await put('idempotent', { rego: allowRole('a') }, headers);
    const again = await put('idempotent', { rego: allowRole('a') }, headers);
    expect(again.status).toBe(201);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.json).toEqual(first.json);
    expect((await put('idempotent', { rego: allowRole('b') }, headers)).json).toMatchObject({
      status: 422,
      reason: 'idempotency.key_reused',
    });
    expect((await server.call('GET', '/policies/idempotent/versions')).json.items).toHaveLength(1);
  });

  it('does one write for twenty simultaneous requests with one Idempotency-Key', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => put('idempotent-race', { rego: allowRole('a') }, { 'idempotency-key': 'k-2' })),
    );
    expect(new Set(answers.map((answer) => answer.status))).toSatisfy((statuses: Set<number>) =>
      [...statuses].every((status) => status === 201 || status === 409),
    );
    expect(answers.filter((answer) => answer.status === 201).length).toBeGreaterThan(0);
    expect((await server.call('GET', '/policies/idempotent-race/versions')).json.items).toHaveLength(1);
  });
});

describe('a refused write', () => {
  it('names line and column of Rego that does not compile, and stores nothing', async () => {
    const refused = await put('broken', { rego: 'package a\n\nallow if {\n\tx == 1\n}\n' });
    expect(refused.json).toMatchObject({
      status: 400,
      code: 'validation_error',
      reason: 'policy.does_not_compile',
      errors: [{ code: 'rego_unsafe_var_error', row: 4, column: 2 }],
    });
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    expect(refused.json.request_id).toBe(refused.headers.get('x-request-id'));
    expect((await server.call('GET', '/policies/broken')).status).toBe(404);
  });

  it('says so when loops in one another are more than can be compiled', async () => {
    const loops = Array.from({ length: 12_000 }, (_unused, index) => `some x${index} in input.xs`).join('\n');
    const refused = await put('nested', { rego: `package nested\nallow if {\n${loops}\n}\n` });
    expect(refused.json).toMatchObject({
      status: 400,
      reason: 'policy.does_not_compile',
      errors: [{ code: 'eval_limit_error', message: 'eval_limit_error: the stack is used up' }],
    });
    expect((await server.call('GET', '/policies/nested')).status).toBe(404);
  });

  it('says which test of the policy fails', async () => {
    const refused = await put('failing', {
      rego: `${allowRole('a')}\ntest_b if allow with input as {"claims": {"roles": ["b"]}}\n`,
    });
    expect(refused.json).toMatchObject({
      status: 400,
      reason: 'policy.tests_fail',
      tests: [{ name: 'test_b', passed: false, row: 7 }],
    });
  });

  it.each([
    ['no body', undefined, 400],
    ['no rego', { data: {} }, 400],
    ['an unknown member', { rego: 'package a', more: 1 }, 400],
    ['rego that is no text', { rego: 1 }, 400],
    ['data that is no object', { rego: 'package a', data: [] }, 400],
    ['reserved data', { rego: 'package a', data: { platform: {} } }, 400],
    ['a reserved package', { rego: 'package platform.mine' }, 400],
    ['rego above the limit', { rego: `package a\n# ${'x'.repeat(524_288)}` }, 413],
    ['data above the limit', { rego: 'package a', data: { x: 'x'.repeat(1_048_576) } }, 413],
    ['a body above every limit', { rego: 'x'.repeat(4_000_000) }, 413],
  ])('answers %s with a clear refusal', async (_what, body, status) => {
    const refused = await put('refused', body);
    expect(refused.status).toBe(status);
    expect(refused.json.code).toBe(status === 413 ? 'payload_too_large' : 'validation_error');
    expect((await server.call('GET', '/policies/refused')).status).toBe(404);
  });

  it.each(['Team', '-a', 'a_b', 'a'.repeat(64), '%00', 'a%2fb', '..%2fplatform', 'ä'])(
    'refuses the project name %s',
    async (name) => {
      expect((await put(name, { rego: 'package a' })).status).toBe(400);
    },
  );

  it('takes the largest policy that the limits allow', async () => {
    const rego = `package a\n# ${'x'.repeat(524_288 - 12)}`;
    const data = { x: 'x'.repeat(1_048_576 - 8) };
    const created = await put('largest', { rego, data });
    expect(created.status).toBe(201);
    expect((await server.call('GET', '/policies/largest')).json).toEqual({ rego, data });
  });
});

describe('access', () => {
  it('is refused without a token, with a bad one, and to a user of another project', async () => {
    expect((await server.call('GET', '/policies/platform', { token: null })).json).toMatchObject({
      status: 401,
      code: 'unauthorized',
    });
    expect((await server.call('GET', '/policies/platform', { token: `${server.token}x` })).status).toBe(401);
    const key = await server.call('POST', '/api/v1/api-keys', { body: { name: 'reader', project: 'mine' } });
    const token = key.json.key as string;
    await put('mine', { rego: allowRole('a') });
    expect((await server.call('GET', '/policies/mine', { token })).status).toBe(200);
    expect((await server.call('GET', '/policies/mine/versions', { token })).status).toBe(200);
    expect((await server.call('GET', '/policies/platform', { token })).json).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await server.call('GET', '/policies/demo', { token })).status).toBe(403);
    expect((await server.call('PUT', '/policies/mine', { token, body: { rego: allowRole('b') } })).status).toBe(403);
    expect((await server.call('GET', '/api/v1/audit', { token })).status).toBe(403);
    expect((await server.call('GET', '/api/v1/decisions', { token })).status).toBe(403);
    await server.call('DELETE', `/api/v1/api-keys/${key.json.id}`);
    expect((await server.call('GET', '/policies/mine', { token })).status).toBe(401);
  });

  it('is checked by the platform policy also when the control plane is reached directly', async () => {
    const apart = await startTestServer({ roles: 'control,decide,worker' });
    const direct = `http://127.0.0.1:${apart.running.controlPort}`;
    expect((await fetch(`${direct}/policies/platform`)).status).toBe(401);
    expect(
      (await fetch(`${direct}/policies/platform`, { headers: { authorization: `Bearer ${apart.token}` } })).status,
    ).toBe(200);
    await apart.stop();
  });

  it('cannot be widened by a project’s own policy', async () => {
    await put('greedy', { rego: 'package greedy\n\nallow := true\n' });
    const key = await server.call('POST', '/api/v1/api-keys', { body: { name: 'greedy', project: 'greedy' } });
    expect(
      (await server.call('PUT', '/policies/greedy', { token: key.json.key, body: { rego: 'package greedy' } })).status,
    ).toBe(403);
  });

  it('cannot be taken from oneself with a platform policy', async () => {
    const platform = await server.call('GET', '/policies/platform');
    const headers = { 'if-match': platform.headers.get('etag') ?? '' };
    const locked = await server.call('PUT', '/policies/platform', {
      headers,
      body: { rego: 'package platform.authz\n\ndefault allow := false\n' },
    });
    expect(locked.json).toMatchObject({ status: 400, reason: 'policy.lockout' });
    expect((await server.call('DELETE', '/policies/platform', { headers })).json).toMatchObject({
      status: 400,
      reason: 'policy.lockout',
    });
    expect((await server.call('GET', '/policies/platform')).headers.get('etag')).toBe(headers['if-match']);
  });
});
