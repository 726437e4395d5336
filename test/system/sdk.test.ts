/** The SDK against a whole server: rules here, answers there, kills, frozen servers, cut connections. */
import { type Client, type ClientOptions, createClient } from '@bailiwick/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startCuttingProxy } from './cutting-proxy.js';
import { startTestServer, type TestServer } from './harness.js';
import { type BailiwickProcess, startBailiwickProcess } from './server-process.js';

const shop = { app_id: 'shop', environment: 'prod' };
const boolean = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };

const clients: Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

function start(options: ClientOptions): Client {
  const client = createClient({ reconnectBaseMs: 10, reconnectCapMs: 100, pollMs: 200, ...options });
  clients.push(client);
  return client;
}

interface Caller {
  readonly url: string;
  readonly token: string;
}

async function call({ url, token }: Caller, method: string, path: string, body?: unknown, etag?: string) {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(etag === undefined ? {} : { 'if-match': etag }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape.
  return { etag: response.headers.get('etag') ?? '', json: (text === '' ? undefined : JSON.parse(text)) as any };
}

const keyFor = async (caller: Caller, kind: 'server' | 'client'): Promise<string> =>
  (await call(caller, 'POST', '/api/v1/api-keys', { name: kind, kind, ...shop })).json.key as string;

describe('a client on a running server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ demo: 'false' });
  });
  afterAll(() => server.stop());

  const create = async (path: string, body: Record<string, unknown>) =>
    await call(server, 'POST', path, { ...shop, ...body });

  it('with a server key evaluates here, and follows every change', async () => {
    const client = start({ url: server.url, apiKey: await keyFor(server, 'server') });
    expect(await client.ready()).toMatchObject({ state: 'live' });
    const changes: (readonly string[])[] = [];
    client.on('change', ({ keys }) => changes.push(keys));
    const { json, etag } = await create('/api/v1/configs', { key: 'page.size', value: 20 });
    await vi.waitFor(() => expect(client.config('page.size', 5)).toBe(20));
    const targeting = { if: [{ '==': [{ var: 'plan' }, 'gold'] }, 'on', null] };
    await create('/api/v1/flags', { key: 'dark', ...boolean, targeting });
    await vi.waitFor(() => expect(client.flag('dark', false, { plan: 'gold' })).toBe(true));
    expect(client.flagDetails('dark', true, { plan: 'iron' })).toMatchObject({ value: false, variant: 'off' });
    await call(server, 'PUT', `/api/v1/configs/${json.id}`, { value: 30 }, etag);
    await vi.waitFor(() => expect(client.config('page.size', 5)).toBe(30));
    expect(changes).toEqual([['page.size'], ['dark'], ['page.size']]);
  });

  it('has after many steps exactly what the server has', async () => {
    const client = start({ url: server.url, apiKey: await keyFor(server, 'server') });
    await client.ready();
    await create('/api/v1/segments', { key: 'gold', rule: { '==': [{ var: 'plan' }, 'gold'] } });
    const made: { id: string; etag: string }[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { json, etag } = await create('/api/v1/configs', { key: `many.${n}`, value: n });
      made.push({ id: json.id as string, etag });
      await create('/api/v1/flags', { key: `many-${n}`, ...boolean, targeting: { if: [{ $ref: 'gold' }, 'on'] } });
    }
    for (const { id, etag } of made.slice(0, 7)) await call(server, 'DELETE', `/api/v1/configs/${id}`, undefined, etag);
    const { json: whole } = await call(server, 'GET', '/api/v1/environment?app_id=shop&environment=prod');
    await vi.waitFor(() => expect(client.status().revision).toBe(whole.revision));
    const sorted = (list: readonly { id: string }[]) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1));
    const { document } = client.snapshot() as { document: typeof whole.document };
    expect(sorted(document.entries)).toEqual(sorted(whole.document.entries));
    expect(document.flags).toEqual(whole.document.flags);
    expect(client.counters()).toMatchObject({ refetches: 0, refusedFrames: 0 });
  });

  it('reads what was written, by its revision', async () => {
    const client = start({ url: server.url, apiKey: await keyFor(server, 'server') });
    await client.ready();
    for (let n = 0; n < 20; n += 1) {
      const { json } = await create('/api/v1/configs', { key: `own.${n}`, value: n });
      expect(await client.waitForRevision(json.revision as number)).toBe(true);
      expect(client.config(`own.${n}`, -1)).toBe(n);
    }
    expect(await client.waitForRevision(1_000_000, { timeoutMs: 100 })).toBe(false);
    // A write elsewhere has a revision too, that this environment never gets.
    const other = await call(server, 'POST', '/api/v1/configs', { app_id: 'other', key: 'x', value: 1 });
    expect(await client.waitForRevision(other.json.revision as number)).toBe(true);
  });

  it('with a client key gets answers and no rules, for one person at a time', async () => {
    const targeting = { if: [{ '==': [{ var: 'email' }, 'ada@example.com'] }, 'on', null] };
    await create('/api/v1/flags', { key: 'remote', ...boolean, targeting });
    await create('/api/v1/configs', { key: 'remote.size', value: 3 });
    await create('/api/v1/configs', { key: 'remote.secret', value: 'hush', sensitive: true });
    const bodies: string[] = [];
    const client = start({
      ...{ url: server.url, apiKey: await keyFor(server, 'client') },
      context: { targetingKey: 'a', email: 'ada@example.com' },
      fetch: async (url, init) => {
        const response = await fetch(url, init as RequestInit);
        if (!url.includes('stream')) bodies.push(await response.clone().text());
        return response;
      },
    });
    expect(await client.ready()).toMatchObject({ state: 'live', source: 'server' });
    expect(client.flagDetails('remote', false)).toMatchObject({ value: true, reason: 'TARGETING_MATCH' });
    expect(client.config('remote.size', 0)).toBe(3);
    expect(client.config('remote.secret', 'none')).toBe('none');
    expect(client.flagDetails('remote', false, { targetingKey: 'b' })).toMatchObject({ reason: 'ERROR' });
    expect(await client.setContext({ targetingKey: 'b' })).toBe(true);
    expect(client.flag('remote', true)).toBe(false);
    await create('/api/v1/flags', { key: 'remote-new', ...boolean, defaultVariant: 'on' });
    await vi.waitFor(() => expect(client.flag('remote-new', false)).toBe(true));
    expect(bodies.join('\n')).not.toMatch(/hush|targeting"|ada@example/);
    expect(client.snapshot()).toBeUndefined();
  });

  it('begins with a signed file while there is no server, and refuses one of another installation', async () => {
    const key = await keyFor(server, 'server');
    const { json: bootstrap } = await call({ url: server.url, token: key }, 'GET', '/api/v1/environment/bootstrap');
    const pem = await (await fetch(`${server.url}/api/v1/environment/bootstrap/public-key`)).text();
    const away = { url: 'http://127.0.0.1:9', apiKey: key, bootstrap };
    const client = start({ ...away, bootstrapPublicKey: pem });
    await vi.waitFor(() => expect(client.status().source).toBe('bootstrap'));
    expect(client.configDetails('page.size', 0)).toMatchObject({ value: 30, reason: 'STALE', source: 'bootstrap' });
    const foreign = await (await fetch(`${server.url}/api/v1/audit/public-key`)).text();
    const refused = start({ ...away, bootstrapPublicKey: foreign });
    await refused.ready({ timeoutMs: 300 });
    expect(refused.config('page.size', 0)).toBe(0);
    const clientKey = await keyFor(server, 'client');
    await expect(call({ url: server.url, token: clientKey }, 'GET', '/api/v1/environment/bootstrap')).rejects.toThrow(
      '403',
    );
  });

  it('counts what is used, each report once', async () => {
    const apiKey = await keyFor(server, 'server');
    const flag = await create('/api/v1/flags', { key: 'counted', ...boolean });
    const config = await create('/api/v1/configs', { key: 'counted.size', value: 3 });
    const client = start({ url: server.url, apiKey });
    await client.ready();
    await client.waitForRevision(config.json.revision as number);
    for (let n = 0; n < 5; n += 1) client.flag('counted', false);
    client.config('counted.size', 0);
    await client.close();
    const usage = async (path: string) => (await call(server, 'GET', path)).json;
    expect(await usage(`/api/v1/flags/${flag.json.id}/usage`)).toMatchObject({
      ...{ key: 'counted', total: 5 },
      days: [{ total: 5, variants: { off: 5 } }],
    });
    expect(await usage(`/api/v1/configs/${config.json.id}/usage`)).toMatchObject({ total: 1 });
    const report = { id: crypto.randomUUID(), counts: [{ kind: 'flag', key: 'counted', variant: 'on', count: 2 }] };
    for (let times = 0; times < 3; times += 1)
      await call({ url: server.url, token: apiKey }, 'POST', '/api/v1/usage', report);
    expect(await usage(`/api/v1/flags/${flag.json.id}/usage`)).toMatchObject({
      ...{ total: 7, days: [{ variants: { off: 5, on: 2 } }] },
    });
  });
});

describe('a server with streams open', () => {
  it('stops at once, and its clients go on answering', async () => {
    const server = await startTestServer({ demo: 'false' });
    await call(server, 'POST', '/api/v1/configs', { ...shop, key: 'n', value: 1 });
    const [own, remote] = [
      start({ url: server.url, apiKey: await keyFor(server, 'server') }),
      start({ url: server.url, apiKey: await keyFor(server, 'client') }),
    ];
    await Promise.all([own.ready(), remote.ready()]);
    const startedMs = Date.now();
    await server.stop();
    expect(Date.now() - startedMs).toBeLessThan(3_000);
    expect([own.config('n', 0), remote.config('n', 0)]).toEqual([1, 1]);
  });
});

describe('a client of a server that fails', () => {
  let server: BailiwickProcess;
  let apiKey: string;
  let entry: { id: string; etag: string };
  beforeAll(async () => {
    server = await startBailiwickProcess();
    apiKey = await keyFor(server, 'server');
    const { json, etag } = await call(server, 'POST', '/api/v1/configs', { ...shop, key: 'n', value: 0 });
    entry = { id: json.id as string, etag };
  }, 60_000);
  afterAll(() => server.dispose());

  async function write(value: number): Promise<number> {
    const { json, etag } = await call(server, 'PUT', `/api/v1/configs/${entry.id}`, { value }, entry.etag);
    entry.etag = etag;
    return json.revision as number;
  }

  it('goes on answering when the server is killed, and catches up when it is back', async () => {
    const client = start({ url: server.url, apiKey });
    await client.ready();
    const seen: number[] = [];
    client.on('change', ({ revision }) => seen.push(revision));
    await write(1);
    await vi.waitFor(() => expect(client.config('n', -1)).toBe(1));
    await server.kill();
    await vi.waitFor(() => expect(client.counters().reconnects).toBeGreaterThan(0));
    expect(client.config('n', -1)).toBe(1);
    await server.start();
    await write(2);
    await vi.waitFor(() => expect(client.config('n', -1)).toBe(2), { timeout: 10_000 });
    expect(client.status().state).toBe('live');
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  }, 60_000);

  it('notices a server that is frozen, says stale, polls, and is live again when it thaws', async () => {
    const client = start({ url: server.url, apiKey, heartbeatMs: 1_000 });
    await client.ready();
    await write(3);
    await vi.waitFor(() => expect(client.config('n', -1)).toBe(3));
    server.signal('SIGSTOP');
    await vi.waitFor(() => expect(client.status().state).toBe('stale'), { timeout: 10_000 });
    expect(client.configDetails('n', -1)).toMatchObject({ value: 3, reason: 'STALE' });
    await vi.waitFor(() => expect(client.counters().polls).toBeGreaterThan(0), { timeout: 10_000 });
    server.signal('SIGCONT');
    await write(4);
    await vi.waitFor(() => expect(client.config('n', -1)).toBe(4), { timeout: 10_000 });
    await vi.waitFor(() => expect(client.status().state).toBe('live'), { timeout: 10_000 });
  }, 60_000);

  it('over 10,000 random cuts of connections never goes back, sees nothing that was not, and misses nothing in the end', async () => {
    const proxy = await startCuttingProxy({
      ...{ targetPort: server.port, lifeMs: 40, lifeBytes: 3_000, random: Math.random },
    });
    const written = new Map<number, number>();
    const faults: string[] = [];
    const many = Array.from({ length: 40 }, () =>
      start({
        ...{ url: `http://127.0.0.1:${proxy.port}`, apiKey, reconnectBaseMs: 1, reconnectCapMs: 10, pollMs: 50 },
        sendsUsage: false,
      }),
    );
    const seen: { client: Client; revision: number; value: unknown }[] = [];
    const last = new Map<Client, number>();
    for (const client of many)
      client.on('change', ({ revision }) => {
        if (revision <= (last.get(client) ?? 0)) faults.push(`back from ${last.get(client)} to ${revision}`);
        last.set(client, revision);
        seen.push({ client, revision, value: client.config('n', -1) });
      });
    const startValue = 1_000;
    written.set(await write(startValue), startValue);
    const endMs = Date.now() + 150_000;
    let value = startValue;
    let finalRevision = 0;
    while (proxy.cuts < 10_000 && Date.now() < endMs) {
      value += 1;
      finalRevision = await write(value);
      written.set(finalRevision, value);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(proxy.cuts).toBeGreaterThanOrEqual(10_000);
    proxy.isCutting = false;
    await vi.waitFor(
      () => expect(many.map((client) => client.status().revision)).toEqual(many.map(() => finalRevision)),
      {
        timeout: 20_000,
      },
    );
    for (const { revision, value: got } of seen)
      if (written.has(revision) && written.get(revision) !== got) faults.push(`${revision} was ${String(got)}`);
    const unknown = seen.filter(({ revision }) => !written.has(revision) && revision > Math.min(...written.keys()));
    expect([faults, unknown.length]).toEqual([[], 0]);
    console.log(`${proxy.cuts} cuts, ${written.size} revisions, ${many.length} clients, ${seen.length} states seen`);
    await Promise.all(many.map((client) => client.close()));
    await proxy.stop();
  }, 200_000);
});
