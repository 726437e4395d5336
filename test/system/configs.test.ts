/** Configuration from outside: entries, hierarchy, preconditions, history, secrets, effective values. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false' });
});
afterAll(() => server.stop());

let counter = 0;
const freshKey = (): string => {
  counter += 1;
  return `test.key-${counter}`;
};

async function create(body: Record<string, unknown>) {
  const answer = await server.call('POST', '/api/v1/configs', { body });
  expect(answer.text).toContain('"id"');
  return { id: answer.json.id as string, etag: answer.headers.get('etag') as string, json: answer.json };
}

const fetchConfig = async (body: Record<string, unknown>, headers: Record<string, string> = {}) =>
  await server.call('POST', '/api/v1/configs/fetch', { body, headers });

describe('an entry', () => {
  it('is created, read, replaced and deleted, each with its ETag', async () => {
    const key = freshKey();
    const made = await server.call('POST', '/api/v1/configs', { body: { key, value: { a: 1 }, description: 'first' } });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      key,
      app_id: null,
      environment: null,
      version: 1,
      type: 'object',
      value: { a: 1 },
    });
    const path = `/api/v1/configs/${made.json.id}`;
    expect(made.headers.get('location')).toBe(path);
    const etag = made.headers.get('etag') as string;
    const read = await server.call('GET', path);
    expect(read.json).toEqual(made.json);
    expect(read.headers.get('etag')).toBe(etag);
    expect((await server.call('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const replaced = await server.call('PUT', path, { body: { value: [1, 2] }, headers: { 'if-match': etag } });
    expect(replaced.json).toMatchObject({ version: 2, type: 'array', value: [1, 2] });
    expect(replaced.json.description).toBeUndefined();
    const deleted = await server.call('DELETE', path, {
      headers: { 'if-match': replaced.headers.get('etag') as string },
    });
    expect(deleted.status).toBe(204);
    expect((await server.call('GET', path)).status).toBe(404);
    const versions = await server.call('GET', `${path}/versions`);
    expect(versions.json.items.map((one: { action: string }) => one.action)).toEqual(['delete', 'replace', 'create']);
  });

  it('is not overwritten unseen: without If-Match 409 with the present ETag, with a stale one too', async () => {
    const { id, etag } = await create({ key: freshKey(), value: 1 });
    const path = `/api/v1/configs/${id}`;
    const none = await server.call('PUT', path, { body: { value: 2 } });
    expect([none.status, none.json.reason, none.json.etag]).toEqual([409, 'resource.match_required', etag]);
    await server.call('PUT', path, { body: { value: 2 }, headers: { 'if-match': etag } });
    const stale = await server.call('PUT', path, { body: { value: 3 }, headers: { 'if-match': etag } });
    expect([stale.status, stale.json.reason, stale.json.version]).toEqual([409, 'resource.version_conflict', 2]);
    const twenty = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        server.call('PUT', path, { body: { value: i }, headers: { 'if-match': stale.json.etag } }),
      ),
    );
    expect(twenty.filter((one) => one.status === 200)).toHaveLength(1);
  });

  it('is unique in its scope, and says which one is there', async () => {
    const key = freshKey();
    const { id } = await create({ key, value: 1 });
    const again = await server.call('POST', '/api/v1/configs', { body: { key, value: 2 } });
    expect([again.status, again.json.reason, again.json.id]).toEqual([409, 'resource.key_taken', id]);
    expect((await server.call('POST', '/api/v1/configs', { body: { key, app_id: 'a', value: 2 } })).status).toBe(201);
  });

  it('comes back by rollback as a new version, and says what differs', async () => {
    const { id, etag } = await create({ key: freshKey(), value: { color: 'red', size: 1 } });
    const path = `/api/v1/configs/${id}`;
    const second = await server.call('PUT', path, {
      body: { value: { color: 'blue', shape: 'round' } },
      headers: { 'if-match': etag },
    });
    const diff = await server.call('GET', `${path}/diff?from=1&to=2`);
    expect(diff.json.changes).toEqual([
      { op: 'replace', path: '/value/color', before: 'red', after: 'blue' },
      { op: 'remove', path: '/value/size', before: 1 },
      { op: 'add', path: '/value/shape', after: 'round' },
    ]);
    const back = await server.call('POST', `${path}/rollback`, {
      body: { version: 1 },
      headers: { 'if-match': second.headers.get('etag') as string },
    });
    expect(back.json).toMatchObject({ version: 3, value: { color: 'red', size: 1 } });
    const [newest] = (await server.call('GET', `${path}/versions`)).json.items;
    expect(newest).toMatchObject({ version: 3, action: 'rollback', rolled_back_to: 1, updated_by: 'bootstrap-admin' });
  });
});

describe('a refusal says where and why', () => {
  const cases: [string, Record<string, unknown>, string, RegExp][] = [
    ['an environment without its app', { value: 1, environment: 'prod' }, 'config.environment_without_app', /app_id/],
    ['a value of another type than said', { value: '1', type: 'number' }, 'config.wrong_type', /string.*number/],
    ['a schema that is none', { value: 1, schema: { type: 'nope' } }, 'config.bad_schema', /schema/],
    ['a schema with look-around', { value: 'x', schema: { pattern: '(?=x)x' } }, 'config.bad_schema', /schema/],
    [
      'a value against its schema',
      { value: { n: 7 }, schema: { properties: { n: { maximum: 5 } } } },
      'config.invalid_value',
      /\/value\/n.*5.*7/,
    ],
    ['a reference to nothing', { value: 'x ${test.absent}' }, 'config.invalid_value', /test\.absent/],
    [
      'a dependency that is not there',
      { value: 1, depends_on: ['test.absent'] },
      'config.invalid_value',
      /test\.absent/,
    ],
    ['a key with a space', { key: 'a b', value: 1 }, 'request.bad_shape', /key/],
    ['an unknown member', { value: 1, colour: 'red' }, 'request.bad_shape', /colour/],
  ];
  for (const [what, body, reason, detail] of cases)
    it(what, async () => {
      const answer = await server.call('POST', '/api/v1/configs', { body: { key: freshKey(), ...body } });
      expect([answer.status, answer.json.reason]).toEqual([400, reason]);
      expect(answer.json.detail).toMatch(detail);
    });

  it('a number that no double holds', async () => {
    const raw = `{"key":"${freshKey()}","value":{"n":12345678901234567890}}`;
    const answer = await server.call('POST', '/api/v1/configs', { raw });
    expect([answer.status, answer.json.reason]).toEqual([400, 'config.bad_number']);
    expect(answer.json.detail).toContain('/value/n');
  });

  it('a cycle, with the keys that go round', async () => {
    const [a, b] = [freshKey(), freshKey()];
    const first = await create({ key: a, value: 1 });
    await create({ key: b, value: `\${${a}}` });
    const answer = await server.call('PUT', `/api/v1/configs/${first.id}`, {
      body: { value: `\${${b}}` },
      headers: { 'if-match': first.etag },
    });
    expect(answer.json.reason).toBe('config.invalid_value');
    expect(answer.json.detail).toContain(a);
    expect(answer.json.detail).toContain(b);
  });

  it('an override that breaks the schema of the entry it overrides', async () => {
    const key = freshKey();
    await create({ key, value: 5, schema: { type: 'integer', maximum: 10 } });
    const answer = await server.call('POST', '/api/v1/configs', { body: { key, app_id: 'shop', value: 11 } });
    expect(answer.json.reason).toBe('config.invalid_value');
    expect(answer.json.faults[0]).toMatchObject({ key, app_id: 'shop', path: '/value' });
  });

  it('the deletion of what others depend on or refer to', async () => {
    const [base, user] = [freshKey(), freshKey()];
    const first = await create({ key: base, value: 'x' });
    await create({ key: user, value: `\${${base}}y`, depends_on: [base] });
    const answer = await server.call('DELETE', `/api/v1/configs/${first.id}`, { headers: { 'if-match': first.etag } });
    expect([answer.status, answer.json.reason]).toEqual([400, 'config.invalid_value']);
    expect(answer.json.detail).toContain(base);
  });
});

describe('effective configuration', () => {
  it('is the most specific value, merged where asked, with its source and references resolved', async () => {
    const [limit, db, url] = [freshKey(), freshKey(), freshKey()];
    await create({ key: limit, value: 1 });
    const own = await create({ key: limit, app_id: 'shop', environment: 'prod', value: 3 });
    await create({ key: db, value: { host: 'a', port: 1 } });
    await create({ key: db, app_id: 'shop', value: { host: 'b' }, merge: 'deep' });
    await create({ key: url, value: `http://\${${db}.host}:\${${db}.port}/` });
    const keys = [limit, db, url, 'test.absent'];
    const prod = await fetchConfig({ app_id: 'shop', environment: 'prod', keys });
    expect(prod.json.values).toEqual({ [limit]: 3, [db]: { host: 'b', port: 1 }, [url]: 'http://b:1/' });
    expect(prod.json.sources[limit]).toEqual({ level: 'environment', id: own.id, version: 1 });
    expect(prod.json.sources[db].level).toBe('app');
    expect(prod.json.missing).toEqual(['test.absent']);
    const global = await fetchConfig({ keys });
    expect(global.json.values).toMatchObject({ [limit]: 1, [url]: 'http://a:1/' });
  });

  it('answers 304 while nothing in the scope changed, whatever changes elsewhere', async () => {
    const scope = { app_id: 'quiet', environment: 'prod' };
    const { id, etag } = await create({ key: freshKey(), ...scope, value: 1 });
    const first = await fetchConfig(scope);
    const tag = first.headers.get('etag') as string;
    expect((await fetchConfig(scope, { 'if-none-match': tag })).status).toBe(304);
    await create({ key: freshKey(), app_id: 'loud', value: 1 });
    expect((await fetchConfig(scope, { 'if-none-match': tag })).status).toBe(304);
    await server.call('PUT', `/api/v1/configs/${id}`, { body: { value: 2 }, headers: { 'if-match': etag } });
    expect((await fetchConfig(scope, { 'if-none-match': tag })).status).toBe(200);
  });

  it('waits for a revision that was written elsewhere, and says so when it does not come', async () => {
    const { json } = await create({ key: freshKey(), value: 1 });
    expect((await fetchConfig({ min_revision: json.revision })).json.revision).toBe(json.revision);
    const never = await fetchConfig({ min_revision: json.revision + 1_000 });
    expect([never.status, never.json.reason]).toEqual([503, 'config.revision_not_reached']);
  });
});

describe('a sensitive entry', () => {
  it('is shown to nobody but those who ask for its value, and that is audited', async () => {
    const key = freshKey();
    const secret = 's3cr3t-value-that-must-not-leak';
    const made = await create({ key, value: secret, sensitive: true });
    expect(made.json).toMatchObject({ redacted: true, sensitive: true });
    const path = `/api/v1/configs/${made.id}`;
    const changed = await server.call('PUT', path, {
      body: { value: `${secret}-2`, sensitive: true },
      headers: { 'if-match': made.etag },
    });
    const shown = [
      changed.text,
      ...(await Promise.all(
        ['', '/versions', '/diff?from=1&to=2'].map(async (rest) => (await server.call('GET', path + rest)).text),
      )),
      (await server.call('GET', `/api/v1/configs?key=${key}`)).text,
      (await server.call('GET', '/metrics')).text,
    ];
    for (const text of shown) expect(text).not.toContain(secret);
    expect((await server.call('GET', `${path}/value`)).json).toEqual({ value: `${secret}-2` });
    await vi.waitFor(async () => {
      const audit = await server.call('GET', '/api/v1/audit?action=config.reveal');
      expect(audit.json.items[0]).toMatchObject({ resource: `${path}/value`, result: 'success' });
    });
    expect((await server.call('GET', '/api/v1/audit')).text).not.toContain(secret);
    expect((await fetchConfig({ keys: [key] })).json.values[key]).toBe(`${secret}-2`);
  });

  it('cannot be read through another entry', async () => {
    const key = freshKey();
    await create({ key, value: 'hidden-value', sensitive: true });
    const answer = await server.call('POST', '/api/v1/configs', { body: { key: freshKey(), value: `a \${${key}}` } });
    expect([answer.status, answer.json.reason]).toEqual([400, 'config.secret_reference']);
    expect(answer.text).not.toContain('hidden-value');
  });
});

it('every change is in the sealed audit chain, with who, what and the ETags', async () => {
  const { id, etag } = await create({ key: freshKey(), value: 1 });
  await server.call('PUT', `/api/v1/configs/${id}`, { body: { value: 2 }, headers: { 'if-match': etag } });
  await vi.waitFor(async () => {
    const { json } = await server.call('GET', `/api/v1/audit?resource=/api/v1/configs/${id}`);
    expect(json.items.map((one: { action: string }) => one.action)).toEqual(['config.replace', 'config.create']);
    expect(json.items[0]).toMatchObject({
      actor: 'bootstrap-admin',
      etag_before: etag.slice(1, -1),
      result: 'success',
    });
    expect(json.items[0].hash).toMatch(/^[0-9a-f]{64}$/);
  });
});

it('lists in pages, newest change first, by scope, prefix and search', async () => {
  const app_id = 'listed';
  for (let i = 0; i < 5; i += 1)
    await create({ key: `list.item-${i}`, app_id, value: i, description: i === 2 ? 'Special one' : '' });
  await create({ key: 'other.item', app_id, environment: 'prod', value: 1 });
  const keysOf = (json: { items: { key: string }[] }): string[] => json.items.map((one) => one.key);
  const first = await server.call('GET', `/api/v1/configs?app_id=${app_id}&prefix=list.&limit=2`);
  expect(keysOf(first.json)).toEqual(['list.item-4', 'list.item-3']);
  const second = await server.call(
    'GET',
    `/api/v1/configs?app_id=${app_id}&prefix=list.&limit=9&cursor=${first.json.next}`,
  );
  expect(keysOf(second.json)).toEqual(['list.item-2', 'list.item-1', 'list.item-0']);
  expect(second.json.next).toBeUndefined();
  expect(keysOf((await server.call('GET', '/api/v1/configs?search=special')).json)).toEqual(['list.item-2']);
  expect(keysOf((await server.call('GET', `/api/v1/configs?app_id=${app_id}&environment=prod`)).json)).toEqual([
    'other.item',
  ]);
  expect((await server.call('GET', '/api/v1/configs?cursor=nonsense')).json.reason).toBe('request.invalid_cursor');
});

it('nobody without a right to it reads or writes', async () => {
  const { id } = await create({ key: freshKey(), value: 1 });
  for (const [method, path, body] of [
    ['GET', '/api/v1/configs', undefined],
    ['GET', `/api/v1/configs/${id}`, undefined],
    ['POST', '/api/v1/configs', { key: 'x', value: 1 }],
    ['POST', '/api/v1/configs/fetch', {}],
  ] as const) {
    expect((await server.call(method, path, { token: null, ...(body ? { body } : {}) })).status).toBe(401);
    const key = await server.call('POST', '/api/v1/api-keys', { body: { name: 'nobody' } });
    expect((await server.call(method, path, { token: key.json.key, ...(body ? { body } : {}) })).status).toBe(403);
  }
});
