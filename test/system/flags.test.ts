/** Flags from outside: definitions, segments, OFREP, keys of applications, streams. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false' });
});
afterAll(() => server.stop());

const shop = { app_id: 'shop', environment: 'prod' };
const boolean = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };

async function create(path: string, body: Record<string, unknown>) {
  const answer = await server.call('POST', path, { body });
  expect([answer.status, answer.json?.detail]).toEqual([201, undefined]);
  return { id: answer.json.id as string, etag: answer.headers.get('etag') as string };
}

async function keyFor(kind: 'server' | 'client', scope: Record<string, string> = shop): Promise<string> {
  const { json } = await server.call('POST', '/api/v1/api-keys', { body: { name: `${kind} key`, kind, ...scope } });
  return json.key as string;
}

const evaluate = async (token: string, key: string, context: Record<string, unknown>, query = '') =>
  await server.call('POST', `/ofrep/v1/evaluate/flags/${key}${query}`, { token, body: { context } });

describe('a flag', () => {
  it('is evaluated by OFREP for the app and environment of the key', async () => {
    const token = await keyFor('client');
    await create('/api/v1/segments', {
      ...shop,
      key: 'testers',
      rule: { in: [{ var: 'email' }, ['ada@example.com']] },
    });
    const targeting = { if: [{ $ref: 'testers' }, 'on', null] };
    await create('/api/v1/flags', { ...shop, key: 'new-checkout', ...boolean, targeting });
    await create('/api/v1/flags', { app_id: 'other', key: 'elsewhere', ...boolean });
    const yes = await evaluate(token, 'new-checkout', { targetingKey: 'a', email: 'ada@example.com' });
    expect(yes.json).toMatchObject({ key: 'new-checkout', value: true, variant: 'on', reason: 'TARGETING_MATCH' });
    const no = await evaluate(token, 'new-checkout', { targetingKey: 'b', email: 'bob@example.com' });
    expect(no.json).toMatchObject({ value: false, variant: 'off' });
    const absent = await evaluate(token, 'elsewhere', {});
    expect([absent.status, absent.json.errorCode]).toEqual([404, 'FLAG_NOT_FOUND']);
  });

  it('answers a key of the configuration too, but a client key no secret', async () => {
    await create('/api/v1/configs', { ...shop, key: 'page.size', value: 20 });
    await create('/api/v1/configs', { ...shop, key: 'page.secret', value: 'hush-hush', sensitive: true });
    const [client, own] = [await keyFor('client'), await keyFor('server')];
    expect((await evaluate(client, 'page.size', {})).json).toEqual({ key: 'page.size', value: 20, reason: 'STATIC' });
    expect((await evaluate(client, 'page.secret', {})).status).toBe(404);
    expect((await evaluate(own, 'page.secret', {})).json.value).toBe('hush-hush');
    const fetched = await server.call('POST', '/api/v1/configs/fetch', { token: client, body: shop });
    expect(fetched.json.values).toEqual({ 'page.size': 20 });
    expect(fetched.text).not.toContain('hush-hush');
  });

  it('comes with all others in bulk, with an ETag over revision and context', async () => {
    const token = await keyFor('server');
    const bulk = async (context: unknown, headers: Record<string, string> = {}) =>
      await server.call('POST', '/ofrep/v1/evaluate/flags', { token, body: { context }, headers });
    const first = await bulk({ targetingKey: 'a', plan: 'x' });
    expect(first.json.flags.map((one: { key: string }) => one.key)).toContain('new-checkout');
    expect(first.json.eventStreams[0]).toMatchObject({ type: 'sse', inactivityDelaySec: 120 });
    const tag = first.headers.get('etag') as string;
    expect((await bulk({ plan: 'x', targetingKey: 'a' }, { 'if-none-match': tag })).status).toBe(304);
    expect((await bulk({ targetingKey: 'b', plan: 'x' }, { 'if-none-match': tag })).status).toBe(200);
    await create('/api/v1/flags', { ...shop, key: 'one-more', ...boolean });
    expect((await bulk({ targetingKey: 'a', plan: 'x' }, { 'if-none-match': tag })).status).toBe(200);
  });

  it('refuses a context that is none, in the protocol’s words', async () => {
    const token = await keyFor('server');
    for (const body of [{ context: [] }, { context: 'x' }, { context: { targetingKey: 7 } }]) {
      const answer = await server.call('POST', '/ofrep/v1/evaluate/flags/new-checkout', { token, body });
      expect([answer.status, answer.json.errorCode]).toEqual([400, 'INVALID_CONTEXT']);
    }
  });

  const refusals: [string, Record<string, unknown>, RegExp][] = [
    ['variants of mixed types', { variants: { a: 1, b: 'x' } }, /variants/],
    ['a default that is no variant', { defaultVariant: 'maybe' }, /defaultVariant/],
    ['an operator nobody knows', { targeting: { frobnicate: [1] } }, /frobnicate/],
    ['a segment that is not there', { targeting: { if: [{ $ref: 'nobody' }, 'on'] } }, /nobody/],
    ['a prerequisite that is not there', { prerequisites: [{ flag: 'absent', variant: 'on' }] }, /absent/],
  ];
  for (const [what, part, why] of refusals)
    it(`is refused with ${what}`, async () => {
      const answer = await server.call('POST', '/api/v1/flags', { body: { ...shop, key: 'bad', ...boolean, ...part } });
      expect([answer.status, answer.json.reason]).toEqual([400, 'flag.invalid']);
      expect(JSON.stringify(answer.json.faults)).toMatch(why);
    });

  it('keeps the segment that it names from being deleted', async () => {
    const { json } = await server.call('GET', '/api/v1/segments?key=testers');
    const [segment] = json.items;
    const headers = { 'if-match': `"${segment.revision}"` };
    const answer = await server.call('DELETE', `/api/v1/segments/${segment.id}`, { headers });
    expect([answer.status, answer.json.reason]).toEqual([400, 'flag.invalid']);
  });
});

describe('a key', () => {
  it('is for its own app and environment alone', async () => {
    const token = await keyFor('server', { app_id: 'shop', environment: 'test' });
    expect((await evaluate(token, 'new-checkout', {}, '?app_id=shop&environment=prod')).status).toBe(403);
    expect((await server.call('POST', '/api/v1/configs/fetch', { token, body: shop })).status).toBe(403);
    expect((await server.call('GET', '/api/v1/flags', { token })).status).toBe(403);
    expect((await evaluate(token, 'new-checkout', {})).status).toBe(404);
  });

  it('of a client never sees rules', async () => {
    const token = await keyFor('client');
    expect((await server.call('GET', '/api/v1/environment', { token })).status).toBe(403);
    expect((await server.call('GET', '/api/v1/environment/stream', { token })).status).toBe(403);
    const bulk = await server.call('POST', '/ofrep/v1/evaluate/flags', { token, body: {} });
    expect(bulk.text).not.toContain('ada@example.com');
  });
});

interface Frame {
  readonly event: string;
  readonly id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests read frames of every shape.
  readonly data: any;
}

/** Reads a stream until `stop` is called. */
async function listen(path: string, token: string, lastId?: string) {
  const controller = new AbortController();
  const response = await fetch(server.url + path, {
    headers: { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
    signal: controller.signal,
  });
  const frames: Frame[] = [];
  const read = async (): Promise<void> => {
    let text = '';
    for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        frames.push({ event: field('event') ?? '', id: field('id'), data: JSON.parse(field('data') ?? 'null') });
        text = text.slice(end + 2);
      }
    }
  };
  const done = read().catch(() => undefined);
  return {
    response,
    frames,
    stop: async () => {
      controller.abort();
      await done;
    },
  };
}

describe('a stream', () => {
  it('begins with everything, goes on in steps, and says nothing of other environments', async () => {
    const token = await keyFor('server');
    const stream = await listen('/api/v1/environment/stream', token);
    await vi.waitFor(() => expect(stream.frames).toHaveLength(1));
    const [put] = stream.frames;
    expect(put?.event).toBe('put');
    expect(put?.data.document.flags.flags['new-checkout']).toBeDefined();
    await create('/api/v1/configs', { app_id: 'other', key: 'not.ours', value: 1 });
    const { id, etag } = await create('/api/v1/configs', { ...shop, key: 'stream.value', value: 1 });
    await vi.waitFor(() => expect(stream.frames).toHaveLength(2));
    const patch = stream.frames[1] as Frame;
    expect(patch.data).toMatchObject({ base: put?.data.revision, entries: [{ id, key: 'stream.value', value: 1 }] });
    await server.call('DELETE', `/api/v1/configs/${id}`, { headers: { 'if-match': etag } });
    await vi.waitFor(() => expect(stream.frames).toHaveLength(3));
    expect(stream.frames[2]?.data).toMatchObject({ base: patch.data.revision, removedEntries: [id] });
    await stream.stop();
  });

  it('gives a client that comes back what it missed, and all of it when it was away too long', async () => {
    const token = await keyFor('server');
    const first = await listen('/api/v1/environment/stream', token);
    await vi.waitFor(() => expect(first.frames).toHaveLength(1));
    const lastId = first.frames[0]?.id as string;
    await first.stop();
    await create('/api/v1/configs', { ...shop, key: 'missed.one', value: 1 });
    await create('/api/v1/configs', { ...shop, key: 'missed.two', value: 2 });
    const second = await listen('/api/v1/environment/stream', token, lastId);
    await vi.waitFor(() => expect(second.frames).toHaveLength(2));
    expect(second.frames.map((one) => one.event)).toEqual(['patch', 'patch']);
    expect(second.frames.map((one) => one.data.entries[0].key)).toEqual(['missed.one', 'missed.two']);
    await second.stop();
    const foreign = await listen('/api/v1/environment/stream', token, 'abcdef01.3');
    await vi.waitFor(() => expect(foreign.frames[0]?.event).toBe('put'));
    await foreign.stop();
  });

  it('tells a client key only that something changed', async () => {
    const token = await keyFor('client');
    const stream = await listen('/ofrep/v1/stream', token);
    await vi.waitFor(() => expect(stream.frames[0]?.event).toBe('heartbeat'));
    await create('/api/v1/flags', { ...shop, key: 'noticed', ...boolean });
    await vi.waitFor(() => expect(stream.frames[1]?.event).toBe('message'));
    expect(stream.frames[1]?.data).toMatchObject({ type: 'refetchEvaluation' });
    expect(JSON.stringify(stream.frames[1]?.data)).not.toContain('noticed');
    await stream.stop();
  });
});

describe('a browser', () => {
  it('may read from the origins that the setting names, and nothing else', async () => {
    const own = await startTestServer({ demo: 'false', corsOrigins: 'https://shop.example' });
    const preflight = async (path: string, origin: string) =>
      await own.call('OPTIONS', path, { token: null, headers: { origin, 'access-control-request-method': 'POST' } });
    const yes = await preflight('/ofrep/v1/evaluate/flags', 'https://shop.example');
    expect(yes.status).toBe(204);
    expect(yes.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(yes.headers.get('access-control-allow-headers')).toContain('authorization');
    expect(
      (await preflight('/ofrep/v1/evaluate/flags', 'https://evil.example')).headers.get('access-control-allow-origin'),
    ).toBeNull();
    expect(
      (await preflight('/policies/platform', 'https://shop.example')).headers.get('access-control-allow-origin'),
    ).toBeNull();
    const { json } = await own.call('POST', '/api/v1/api-keys', { body: { name: 'k', kind: 'client', ...shop } });
    const headers = { origin: 'https://shop.example' };
    const read = await own.call('POST', '/ofrep/v1/evaluate/flags', { token: json.key, body: {}, headers });
    expect([read.status, read.headers.get('access-control-allow-origin')]).toEqual([200, 'https://shop.example']);
    await own.stop();
  });

  it('reads as often as the setting says, and is told when to come back', async () => {
    const own = await startTestServer({ demo: 'false', readsPerMinute: '20' });
    const { json } = await own.call('POST', '/api/v1/api-keys', { body: { name: 'k', kind: 'client', ...shop } });
    const read = async () => await own.call('POST', '/api/v1/configs/fetch', { token: json.key, body: shop });
    const answers = await Promise.all(Array.from({ length: 30 }, read));
    expect(answers.filter((one) => one.status === 200)).toHaveLength(20);
    const refused = answers.find((one) => one.status === 429);
    expect(refused?.json.reason).toBe('request.rate_limited');
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    await own.stop();
  });
});
