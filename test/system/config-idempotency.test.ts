/** Idempotency-Key for configuration: the same request again is the first answer again, whatever happened in between. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, startTestServer, type TestServer } from './harness.js';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false' });
  folder = server.directory;
});
afterAll(() => server.stop());

let counter = 0;
const freshKey = (): string => {
  counter += 1;
  return `once.key-${counter}`;
};

interface Write {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly etag?: string;
}

const send = async ({ method, path, body, etag }: Write, once: string): Promise<Answer> =>
  await server.call(method, path, {
    ...(body === undefined ? {} : { body }),
    headers: { 'idempotency-key': once, ...(etag === undefined ? {} : { 'if-match': etag }) },
  });
const said = ({ status, json, headers }: Answer) => ({
  ...{ status, json, etag: headers.get('etag'), location: headers.get('location') },
});
const revision = (): number => server.running.platform.configuration.feed.state.revision;

const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };
const rule = { '==': [{ var: 'plan' }, 'gold'] };

async function made(path: string, body: Record<string, unknown>): Promise<{ id: string; etag: string }> {
  const answer = await server.call('POST', path, { body });
  expect(answer.status).toBe(201);
  return { id: answer.json.id as string, etag: answer.headers.get('etag') as string };
}

/** Each a write that may be made once only: again, without the key, it would be refused or would change something. */
const writes: readonly (readonly [string, () => Promise<Write>, () => unknown])[] = [
  [
    'the creation of an entry',
    async () => ({ method: 'POST', path: '/api/v1/configs', body: { key: freshKey(), value: 1 } }),
    () => ({ key: freshKey(), value: 2 }),
  ],
  [
    'the change of an entry',
    async () => {
      const { id, etag } = await made('/api/v1/configs', { key: freshKey(), value: 1 });
      return { method: 'PUT', path: `/api/v1/configs/${id}`, body: { value: 2 }, etag };
    },
    () => ({ value: 3 }),
  ],
  [
    'the rollback of an entry',
    async () => {
      const { id, etag } = await made('/api/v1/configs', { key: freshKey(), value: 1 });
      const put = await server.call('PUT', `/api/v1/configs/${id}`, {
        body: { value: 2 },
        headers: { 'if-match': etag },
      });
      const now = put.headers.get('etag') as string;
      return { method: 'POST', path: `/api/v1/configs/${id}/rollback`, body: { version: 1 }, etag: now };
    },
    () => ({ version: 2 }),
  ],
  [
    'the creation of a flag',
    async () => ({ method: 'POST', path: '/api/v1/flags', body: { key: freshKey(), ...flag } }),
    () => ({ key: freshKey(), ...flag, defaultVariant: 'on' }),
  ],
  [
    'the change of a segment',
    async () => {
      const { id, etag } = await made('/api/v1/segments', { key: freshKey(), rule });
      return { method: 'PUT', path: `/api/v1/segments/${id}`, body: { rule: { '!': [rule] } }, etag };
    },
    () => ({ rule }),
  ],
  [
    'the creation of a rollout',
    async () => {
      const { id } = await made('/api/v1/configs', { key: freshKey(), value: 1 });
      const target = { kind: 'config', id, value: 2 };
      return {
        method: 'POST',
        path: '/api/v1/rollouts',
        body: { key: freshKey(), target, strategy: { kind: 'immediate' } },
      };
    },
    () => ({ key: freshKey() }),
  ],
  [
    'the start of a rollout',
    async () => {
      const { id } = await made('/api/v1/configs', { key: freshKey(), value: 1 });
      const strategy = { kind: 'targeting', audience: { users: ['ann'] } };
      const target = { kind: 'config', id, value: 2 };
      const rollout = await made('/api/v1/rollouts', { key: freshKey(), target, strategy });
      return { method: 'POST', path: `/api/v1/rollouts/${rollout.id}/start`, body: {} };
    },
    () => ({ reason: 'another' }),
  ],
  [
    'an import',
    async () => ({
      ...{ method: 'POST', path: '/api/v1/configs/import' },
      body: { format: 'env', content: `ONCE_${freshKey().replace(/\W/g, '_')}=1` },
    }),
    () => ({ format: 'env', content: 'OTHER=1' }),
  ],
];

describe('with an Idempotency-Key', () => {
  it.each(writes)('%s is made once, and answered the same again', async (_what, prepare, other) => {
    const write = await prepare();
    const once = randomUUID();
    const first = await send(write, once);
    expect(first.status, first.text).toBeLessThan(300);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    const then = revision();
    const again = await send(write, once);
    expect(said(again)).toEqual(said(first));
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(revision()).toBe(then);
    const changed = await send({ ...write, body: other() }, once);
    if (changed.status !== 400) expect([changed.status, changed.json.reason]).toEqual([422, 'idempotency.key_reused']);
    expect(revision()).toBe(then);
  });

  it('a deletion is answered the same again, though there is nothing left', async () => {
    const { id, etag } = await made('/api/v1/configs', { key: freshKey(), value: 1 });
    const write = { method: 'DELETE', path: `/api/v1/configs/${id}`, etag };
    const once = randomUUID();
    expect((await send(write, once)).status).toBe(204);
    const again = await send(write, once);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([204, 'true']);
    expect((await server.call('DELETE', write.path, { headers: { 'if-match': etag } })).status).toBe(404);
  });

  it('many at once are one write', async () => {
    const key = freshKey();
    const once = randomUUID();
    const before = revision();
    const write = { method: 'POST', path: '/api/v1/configs', body: { key, value: 1 } };
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(write, once)));
    expect(new Set(answers.map((answer) => JSON.stringify(said(answer)))).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect(revision()).toBe(before + 1);
  });

  it('a refusal is not kept: the corrected request may use the key', async () => {
    const key = freshKey();
    const once = randomUUID();
    const write = { method: 'POST', path: '/api/v1/configs', body: { key, value: '${nothing.there}' } };
    expect((await send(write, once)).status).toBe(400);
    expect((await send({ ...write, body: { key, value: 1 } }, once)).status).toBe(201);
  });

  it('a key that is no key is refused, and nothing is written', async () => {
    const before = revision();
    const answer = await send({ method: 'POST', path: '/api/v1/configs', body: { key: freshKey(), value: 1 } }, 'a b');
    expect([answer.status, answer.json.reason]).toEqual([400, 'idempotency.bad_key']);
    expect(revision()).toBe(before);
  });

  it('another caller’s key is another key, and what is kept shows no secret', async () => {
    const body = { name: 'other', roles: ['platform-admin'] };
    const other = (await server.call('POST', '/api/v1/api-keys', { body })).json.key as string;
    const once = randomUUID();
    const secret = { key: freshKey(), value: 'correct-horse', sensitive: true };
    const first = await send({ method: 'POST', path: '/api/v1/configs', body: secret }, once);
    expect(first.status).toBe(201);
    const again = await send({ method: 'POST', path: '/api/v1/configs', body: secret }, once);
    expect(said(again)).toEqual(said(first));
    expect(again.text).not.toContain('correct-horse');
    const theirs = await server.call('POST', '/api/v1/configs', {
      token: other,
      body: { key: freshKey(), value: 1 },
      headers: { 'idempotency-key': once },
    });
    expect(theirs.status).toBe(201);
  });

  it('is remembered over a restart', async () => {
    const write = { method: 'POST', path: '/api/v1/configs', body: { key: freshKey(), value: 1 } };
    const once = randomUUID();
    const first = await send(write, once);
    await server.running.stop();
    server = await startTestServer({ demo: 'false' }, folder);
    const again = await send(write, once);
    expect(said(again)).toEqual(said(first));
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });
});
