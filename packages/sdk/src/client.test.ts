/** Against a server that lies, repeats itself, loses frames and falls silent. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyCommand, createRollout, type Rollout } from '@bailiwick/evaluation';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  frame,
  heartbeat,
  numbered,
  patch,
  put,
  type ScriptedServer,
  startScriptedServer,
} from '../test/scripted-server.js';
import { type Client, createClient } from './client.js';
import { fileStorage } from './node.js';
import type { ClientOptions } from './options.js';

let server: ScriptedServer;
const clients: Client[] = [];
beforeEach(async () => {
  server = await startScriptedServer();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.stop();
});

function start(options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    ...{ url: server.url, apiKey: 'bwk_x', reconnectBaseMs: 5, reconnectCapMs: 20, pollMs: 20, sendsUsage: false },
    ...options,
  });
  clients.push(client);
  return client;
}

/** Every state a client was seen in, as `epoch.revision`. */
function history(client: Client): string[] {
  const seen: string[] = [];
  client.on('change', ({ epoch, revision }) => {
    expect(client.config('n', -1)).toBe(revision);
    seen.push(`${epoch}.${revision}`);
  });
  return seen;
}

const reaches = async (client: Client, revision: number): Promise<void> =>
  await vi.waitFor(() => expect(client.status().revision).toBe(revision), { timeout: 5_000, interval: 5 });

describe('a client of a stream', () => {
  it('takes the whole, then steps, and says what changed', async () => {
    server.greeting = [put('a', 1)];
    const client = start();
    const events: unknown[] = [];
    client.on('change', ({ keys, revision }) => events.push([keys, revision]));
    expect(await client.ready()).toMatchObject({ state: 'live', source: 'server', revision: 1 });
    server.send(patch('a', 1, 3));
    await reaches(client, 3);
    expect(events).toEqual([
      [['n'], 1],
      [['n'], 3],
    ]);
  });

  it('does not go back, and hears nothing twice', async () => {
    server.greeting = [put('a', 5)];
    const client = start();
    const seen = history(client);
    await client.ready();
    server.send(patch('a', 5, 6), patch('a', 5, 6), put('a', 4), patch('a', 3, 4), heartbeat(2), patch('a', 6, 7));
    await reaches(client, 7);
    expect(seen).toEqual(['a.5', 'a.6', 'a.7']);
    expect(server.fetches).toBe(0);
  });

  it('asks for everything when a step does not fit', async () => {
    server.greeting = [put('a', 1)];
    const client = start();
    await client.ready();
    server.whole = numbered('a', 9);
    server.send(patch('a', 8, 9));
    await reaches(client, 9);
    expect(server.fetches).toBe(1);
  });

  it('asks for everything when a heartbeat is ahead', async () => {
    server.greeting = [put('a', 1)];
    const client = start();
    await client.ready();
    server.whole = numbered('a', 4);
    server.send(heartbeat(4));
    await reaches(client, 4);
  });

  it('enters another history only by the whole of it, and never goes back to one it left', async () => {
    server.greeting = [put('a', 50)];
    const client = start();
    const seen = history(client);
    await client.ready();
    server.whole = numbered('b', 2);
    server.send(patch('b', 1, 2));
    await reaches(client, 2);
    server.send(put('a', 60), patch('b', 2, 3));
    await reaches(client, 3);
    expect(seen).toEqual(['a.50', 'b.2', 'b.3']);
  });

  for (const [what, lie] of [
    ['no JSON', 'event: put\ndata: {{{\n\n'],
    ['no document', frame('put', { epoch: 'a', revision: 9 })],
    [
      'entries that are none',
      frame('put', { epoch: 'a', revision: 9, document: { entries: [1], flags: { flags: {} } } }),
    ],
    ['a patch of nothing', frame('patch', { epoch: 'a', base: 1, revision: 2 })],
    ['a revision that is none', frame('put', { ...numbered('a', 1), revision: '9' })],
  ] as const)
    it(`goes on after ${what}`, async () => {
      server.greeting = [put('a', 1)];
      server.whole = numbered('a', 1);
      const client = start();
      const errors: Error[] = [];
      client.on('error', (error) => errors.push(error));
      await client.ready();
      server.send(lie, patch('a', 1, 2));
      await reaches(client, 2);
      expect(errors).not.toHaveLength(0);
      expect(client.config('n', -1)).toBe(2);
    });

  it('ends where the server is, whatever was lost, doubled or reordered', async () => {
    const frames = fc.array(fc.tuple(fc.constantFrom('patch', 'put', 'beat'), fc.integer({ min: 0, max: 12 })), {
      maxLength: 25,
    });
    await fc.assert(
      fc.asyncProperty(frames, async (told) => {
        const own = await startScriptedServer();
        own.greeting = [put('a', 1)];
        own.whole = numbered('a', 12);
        const client = start({ url: own.url });
        const seen: number[] = [];
        client.on('change', ({ revision }) => {
          expect(client.config('n', -1)).toBe(revision);
          seen.push(revision);
        });
        await client.ready();
        for (const [kind, n] of told)
          own.send(kind === 'put' ? put('a', n) : kind === 'beat' ? heartbeat(n) : patch('a', Math.max(0, n - 1), n));
        own.send(heartbeat(12));
        await reaches(client, 12);
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
        await client.close();
        await own.stop();
      }),
      { numRuns: 40 },
    );
  });

  it('comes back with the id of what it has, and polls by ETag meanwhile', async () => {
    server.greeting = [put('a', 1)];
    server.whole = numbered('a', 1);
    const client = start({ reconnectBaseMs: 60_000, reconnectCapMs: 60_000, random: () => 0.01 });
    await client.ready();
    server.cut();
    server.whole = numbered('a', 2);
    await reaches(client, 2);
    const { polls } = client.counters();
    await vi.waitFor(() => expect(client.counters().polls).toBeGreaterThan(polls + 2));
    // By now it has come back, and the first frame ends the polling.
    server.greeting = [heartbeat(2)];
    await vi.waitFor(() => expect(server.streams).toBe(1));
    expect(server.lastIds).toEqual([undefined, 'a.2']);
    const { fetches } = server;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(server.fetches).toBe(fetches);
  });

  it('is stale after two heartbeats of silence, says so, and is live again with the next frame', async () => {
    server.greeting = [put('a', 1)];
    const client = start({
      heartbeatMs: 50,
      pollMs: 10_000,
      reconnectBaseMs: 200,
      reconnectCapMs: 200,
      random: () => 0.99,
    });
    const said: string[] = [];
    client.on('stale', () => said.push('stale'));
    client.on('live', () => said.push('live'));
    await client.ready();
    expect(client.configDetails('n', 0).reason).toBe('STATIC');
    server.greeting = [];
    await vi.waitFor(() => expect(said).toEqual(['live', 'stale']));
    expect(client.configDetails('n', 0)).toMatchObject({ reason: 'STALE', value: 1 });
    expect(client.counters().staleAnswers).toBe(1);
    server.greeting = [heartbeat(1)];
    await vi.waitFor(() => expect(said).toEqual(['live', 'stale', 'live']), { timeout: 3_000 });
    expect(client.configDetails('n', 0).reason).toBe('STATIC');
  });

  it('is stale when the server says that it is', async () => {
    server.greeting = [put('a', 1)];
    const client = start();
    await client.ready();
    server.send(heartbeat(1, true));
    await vi.waitFor(() => expect(client.configDetails('n', 0).reason).toBe('STALE'));
    server.send(heartbeat(1));
    await vi.waitFor(() => expect(client.configDetails('n', 0).reason).toBe('STATIC'));
  });

  it('does not mind when the clock of its machine jumps', async () => {
    let wallMs = Date.now();
    const clocks = { wallMs: () => wallMs, monotonicMs: () => performance.now() };
    const strategy = { kind: 'time_window', startAtMs: wallMs + 3_600_000, endAtMs: wallMs + 7_200_000 } as const;
    const made = createRollout({ id: 'r', strategy }, wallMs);
    if ('error' in made) throw new Error(made.error.message);
    const { rollout } = applyCommand(made.rollout, { kind: 'start' }, wallMs) as { rollout: Rollout };
    const whole = numbered('a', 1);
    const entries = [{ id: 'n', key: 'n', value: 'old', candidate: { value: 'new', rollout } }];
    server.greeting = [frame('put', { ...whole, document: { ...whole.document, entries } })];
    const client = start({ clocks });
    await client.ready();
    const ask = (): unknown => client.configDetails('n', '', { targetingKey: 'ada' });
    expect(ask()).toMatchObject({ value: 'old', reason: 'STATIC' });
    // Into the window by this machine's clock, not by the server's.
    wallMs += 5_400_000;
    expect(ask()).toMatchObject({ value: 'old', reason: 'STATIC' });
    wallMs -= 20 * 86_400_000;
    expect(ask()).toMatchObject({ value: 'old', reason: 'STATIC' });
  });
});

describe('ready', () => {
  it('does not reject when nobody answers, and resolves with what there is', async () => {
    const client = start({ url: 'http://127.0.0.1:9' });
    expect(await client.ready({ timeoutMs: 50 })).toMatchObject({ state: 'starting', source: 'none', revision: 0 });
    await expect(client.ready({ timeoutMs: 50, mustBeLive: true })).rejects.toThrow();
    expect(client.config('n', 5)).toBe(5);
  });

  it('does not wait when the key is refused', async () => {
    server.refusal = 401;
    const client = start();
    const startedMs = Date.now();
    expect((await client.ready()).error?.message).toContain('401: told to refuse');
    expect(Date.now() - startedMs).toBeLessThan(2_000);
  });

  it('ends with its signal', async () => {
    const client = start({ url: 'http://127.0.0.1:9' });
    await client.ready({ timeoutMs: 60_000, signal: AbortSignal.timeout(20) });
  });

  it.each([
    [{}, /url/],
    [{ url: 'http://x' }, /apiKey/],
    [{ url: 'http://x', apiKey: 'k', environment: 'prod' }, /appId/],
    [{ url: 'http://x', apiKey: 'k', bootstrap: '{}' }, /bootstrapPublicKey/],
    [{ url: 'http://x', apiKey: 'k', pollMs: 0 }, /pollMs/],
  ] as const)('is not needed to learn that options cannot work: %o', (options, message) => {
    expect(() => createClient(options as ClientOptions)).toThrow(message);
  });
});

describe('what is kept', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bailiwick-sdk-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function keep(path: string, revision: number): Promise<void> {
    server.greeting = [put('a', revision)];
    const client = start({ storage: fileStorage(path) });
    await client.ready();
    await client.close();
  }

  const away = { url: 'http://127.0.0.1:9' };

  it('is there for the next start, in a file for its owner only', async () => {
    const path = join(folder, 'deep', 'cache.json');
    await keep(path, 4);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await server.stop();
    const client = start({ storage: fileStorage(path) });
    await vi.waitFor(() => expect(client.status().source).toBe('storage'));
    expect(client.configDetails('n', -1)).toMatchObject({ value: 4, reason: 'STALE', source: 'storage' });
    server = await startScriptedServer();
  });

  it('is confirmed by the server without being sent again', async () => {
    const path = join(folder, 'cache.json');
    await keep(path, 4);
    server.greeting = [heartbeat(4)];
    const client = start({ storage: fileStorage(path) });
    expect(await client.ready()).toMatchObject({ state: 'live', source: 'server', revision: 4 });
    expect(server.lastIds.at(-1)).toBe('a.4');
  });

  it('is not used when it is too old, of another server, or broken', async () => {
    const path = join(folder, 'cache.json');
    await keep(path, 4);
    const inTwoHours = { wallMs: () => Date.now() + 7_200_000, monotonicMs: () => performance.now() };
    const old = start({ storage: fileStorage(path), storageMaxAgeMs: 3_600_000, clocks: inTwoHours, isOffline: true });
    const other = start({ ...away, storage: fileStorage(path) });
    await old.ready({ timeoutMs: 100 });
    await other.ready({ timeoutMs: 100 });
    expect([old.config('n', -1), other.config('n', -1)]).toEqual([-1, -1]);
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40));
    const broken = start({ storage: fileStorage(path), isOffline: true });
    expect((await broken.ready({ timeoutMs: 100 })).error?.message).toContain('cannot be used');
    expect(broken.config('n', -1)).toBe(-1);
  });

  it('comes before the bootstrap file unless that is newer, and a signature that is not right is refused', async () => {
    const path = join(folder, 'cache.json');
    await keep(path, 4);
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const bootstrapPublicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const signed = (revision: number) => {
      const snapshot = JSON.stringify(numbered('a', revision));
      const signature = sign(null, Buffer.from(`bailiwick-bootstrap-v1\n${snapshot}`), privateKey).toString(
        'base64url',
      );
      return { snapshot, signature };
    };
    const with_ = async (bootstrap: ReturnType<typeof signed>, storage = true) => {
      const kept = storage ? { storage: fileStorage(path) } : {};
      const client = start({ url: server.url, isOffline: true, bootstrap, bootstrapPublicKey, ...kept });
      const { error } = await client.ready({ timeoutMs: 1_000 });
      return { ...client.configDetails('n', -1), error: error?.message };
    };
    expect(await with_(signed(3))).toMatchObject({ value: 4, source: 'storage' });
    expect(await with_(signed(9))).toMatchObject({ value: 9, source: 'bootstrap', reason: 'STATIC' });
    expect(await with_(signed(2), false)).toMatchObject({ value: 2, source: 'bootstrap' });
    const forged = { ...signed(2), snapshot: JSON.stringify(numbered('a', 99)) };
    const answer = await with_(forged, false);
    expect(answer).toMatchObject({ value: -1, source: 'none' });
    expect(answer.error).toContain('signature');
  });
});

describe('counts of use', () => {
  it('are sent together, and what is left when the client is closed', async () => {
    server.greeting = [put('a', 1)];
    const client = start({ sendsUsage: true, usageMs: 60_000 });
    await client.ready();
    for (let n = 0; n < 3; n += 1) client.config('n', 0);
    client.flag('none', false);
    await client.close();
    expect(server.usage).toMatchObject([
      {
        id: expect.any(String),
        counts: [
          { kind: 'config', key: 'n', count: 3 },
          { kind: 'flag', key: 'none', count: 1 },
        ],
      },
    ]);
  });

  it('go again with the same id when they may not have arrived', async () => {
    server.greeting = [put('a', 1)];
    const ids: string[] = [];
    let isAway = true;
    const client = start({
      ...{ sendsUsage: true, usageMs: 20 },
      fetch: async (url, init) => {
        if (!url.endsWith('/usage')) return await fetch(url, init as RequestInit);
        ids.push((JSON.parse(String(init.body)) as { id: string }).id);
        if (isAway) throw new Error('gone');
        return await fetch(url, init as RequestInit);
      },
    });
    await client.ready();
    client.config('n', 0);
    await vi.waitFor(() => expect(ids.length).toBeGreaterThan(1));
    isAway = false;
    await vi.waitFor(() => expect(server.usage).toHaveLength(1));
    expect(new Set(ids).size).toBe(1);
  });
});
