/** Webhooks from outside: signed, retried, in the formats of Slack and Teams, and never to private addresses unless that is allowed. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rememberedName } from '../../apps/server/src/policies/idempotency.js';
import { startTestServer, type TestServer } from './harness.js';

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let server: TestServer;
let receiver: Server;
let url: string;
const received: Received[] = [];
/** What the receiver answers at a path; 204 otherwise. */
const answers = new Map<string, number>();

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      received.push({ path, headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(answers.get(path) ?? 204, { location: 'http://169.254.169.254/' }).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  server = await startTestServer({ demo: 'false', webhookPrivateAddresses: 'true' });
});
afterAll(async () => {
  await server.stop();
  receiver.close();
});

let counter = 0;
async function hook(path: string, more: Record<string, unknown> = {}) {
  counter += 1;
  const body = { key: `hook-${counter}`, url: url + path, events: ['config.#'], ...more };
  const answer = await server.call('POST', '/api/v1/webhooks', { body });
  expect([answer.status, answer.json.detail]).toEqual([201, undefined]);
  return answer.json as { id: string; secret: string };
}

const change = async (key: string, more: Record<string, unknown> = {}) =>
  await server.call('POST', '/api/v1/configs', { body: { key, value: 'the-value-itself', ...more } });
const at = (path: string): Received[] => received.filter((one) => one.path === path);

describe('a webhook', () => {
  it('is told of a change, signed, without the value', async () => {
    const { secret } = await hook('/signed');
    await change('hooks.signed', { app_id: 'shop' });
    await vi.waitFor(() => expect(at('/signed')).toHaveLength(1), { timeout: 5_000 });
    const { headers, body } = at('/signed')[0] as Received;
    const event = JSON.parse(body);
    expect(event).toMatchObject({ type: 'config.create', data: { key: 'hooks.signed', app_id: 'shop', version: 1 } });
    expect(body).not.toContain('the-value-itself');
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
  });

  it('hears only of its scope and its topics', async () => {
    await hook('/scoped', { app_id: 'shop', events: ['config.shop.*.create'] });
    await change('hooks.elsewhere', { app_id: 'other' });
    await change('hooks.here', { app_id: 'shop', environment: 'prod' });
    await vi.waitFor(() => expect(at('/scoped')).toHaveLength(1), { timeout: 5_000 });
    expect(at('/scoped')[0]?.body).toContain('hooks.here');
  });

  it('speaks to Slack and Teams', async () => {
    await hook('/slack', { format: 'slack' });
    await hook('/teams', { format: 'teams' });
    await change('hooks.formats');
    await vi.waitFor(() => expect([at('/slack').length, at('/teams').length]).toEqual([1, 1]), { timeout: 5_000 });
    expect(JSON.parse(at('/slack')[0]?.body ?? '').text).toContain('hooks.formats');
    const card = JSON.parse(at('/teams')[0]?.body ?? '').attachments[0];
    expect(card.contentType).toBe('application/vnd.microsoft.card.adaptive');
    expect(card.content.body[0].text).toContain('hooks.formats');
  });

  it('that fails is tried again, and shows it', async () => {
    answers.set('/flaky', 500);
    const { id } = await hook('/flaky');
    await change('hooks.flaky');
    const read = async () => (await server.call('GET', `/api/v1/webhooks/${id}/deliveries`)).json.items[0];
    await vi.waitFor(async () => expect(await read()).toMatchObject({ state: 'waiting', attempts: 1, status: 500 }), {
      timeout: 5_000,
    });
    expect(Date.parse((await read()).next_attempt_at)).toBeGreaterThan(Date.now());
    answers.delete('/flaky');
    await vi.waitFor(async () => expect(await read()).toMatchObject({ state: 'delivered', attempts: 2 }), {
      timeout: 12_000,
    });
    expect(new Set(at('/flaky').map((one) => one.headers['webhook-id'])).size).toBe(1);
  }, 20_000);

  it('does not follow redirects, and is not sent to again when it is gone', async () => {
    answers.set('/moved', 307).set('/gone', 410);
    const [moved, gone] = [await hook('/moved'), await hook('/gone')];
    await change('hooks.moved');
    const state = async (id: string) => (await server.call('GET', `/api/v1/webhooks/${id}/deliveries`)).json.items[0];
    await vi.waitFor(async () => expect(await state(moved.id)).toMatchObject({ status: 307, state: 'waiting' }));
    await vi.waitFor(async () => expect(await state(gone.id)).toMatchObject({ status: 410, state: 'failed' }));
  });

  it('shows its secret once, and can be tested', async () => {
    const { id, secret } = await hook('/tested');
    const read = await server.call('GET', `/api/v1/webhooks/${id}`);
    expect(read.text).not.toContain(secret);
    expect((await server.call('GET', `/api/v1/webhooks/${id}/versions`)).text).not.toContain('secret');
    expect((await server.call('POST', `/api/v1/webhooks/${id}/test`)).json).toEqual({ status: 204 });
    expect(at('/tested')).toHaveLength(1);
    const headers = { 'if-match': read.headers.get('etag') as string };
    const body = { url: `${url}/tested-2`, events: ['flag.#'] };
    expect((await server.call('PUT', `/api/v1/webhooks/${id}`, { body, headers })).json.url).toBe(`${url}/tested-2`);
  });
});

describe('a webhook that is created with an Idempotency-Key', () => {
  const create = async (body: Record<string, unknown>, once: string, token?: string) =>
    await server.call('POST', '/api/v1/webhooks', {
      body,
      headers: { 'idempotency-key': once },
      ...(token === undefined ? {} : { token }),
    });
  const fresh = (): Record<string, unknown> => {
    counter += 1;
    return { key: `hook-${counter}`, url: `${url}/once`, events: ['flag.#'] };
  };

  it('is made once, and a retry gets the same answer with the secret, which is not kept as it is', async () => {
    const body = fresh();
    const first = await create(body, 'once-1');
    expect(first.status).toBe(201);
    const again = await create(body, 'once-1');
    expect([again.status, again.json]).toEqual([201, first.json]);
    expect(again.json.secret).toMatch(/^whsec_/);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    const kept = await server.running.platform.configuration.store.remembered(
      rememberedName(first.json.created_by, 'once-1'),
    );
    expect(kept?.answer).toContain(first.json.id);
    expect(kept?.answer).not.toContain(first.json.secret);
    const all = (await server.call('GET', '/api/v1/webhooks')).json.items as { key: string }[];
    expect(all.filter(({ key }) => key === body['key'])).toHaveLength(1);
  });

  it('by several at once is one webhook with one secret', async () => {
    const body = fresh();
    const made = await Promise.all(Array.from({ length: 5 }, () => create(body, 'once-2')));
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    expect(new Set(made.map(({ json }) => `${json.id} ${json.secret}`)).size).toBe(1);
  });

  it('is refused under the key of another request, and shown to nobody else', async () => {
    const body = fresh();
    const first = await create(body, 'once-3');
    expect((await create({ ...body, events: ['#'] }, 'once-3')).status).toBe(422);
    const key = await server.call('POST', '/api/v1/api-keys', { body: { name: 'other', roles: ['platform-admin'] } });
    const theirs = await create(body, 'once-3', key.json.key);
    expect(theirs.text).not.toContain(first.json.secret);
    expect([theirs.status, theirs.headers.get('idempotent-replayed')]).toEqual([409, null]);
  });
});

describe('without the setting', () => {
  it('private addresses are refused, however they are written', async () => {
    const strict = await startTestServer({ demo: 'false' });
    const addresses = [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '169.254.169.254',
      '10.1.2.3',
      '2130706433',
      '[::ffff:127.0.0.1]',
    ];
    for (const [i, host] of addresses.entries()) {
      const body = { key: `h-${i}`, url: `http://${host}:9/`, events: ['#'] };
      const answer = await strict.call('POST', '/api/v1/webhooks', { body });
      expect([host, answer.status, answer.json.reason]).toEqual([host, 400, 'webhook.private_address']);
    }
    await strict.stop();
  });
});
