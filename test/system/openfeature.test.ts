/** OpenFeature from outside: our providers, and the published OFREP ones against our server. */

import { createClient } from '@bailiwick/sdk';
import { BailiwickProvider } from '@bailiwick/sdk/openfeature-server';
import { BailiwickWebProvider } from '@bailiwick/sdk/openfeature-web';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { type Hook, ProviderEvents, ProviderStatus, OpenFeature as Server } from '@openfeature/server-sdk';
import {
  OpenFeature as Web,
  ProviderEvents as WebEvents,
  type Provider as WebProvider,
  ProviderStatus as WebStatus,
} from '@openfeature/web-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestServer, type TestServer } from './harness.js';

const shop = { app_id: 'shop', environment: 'prod' };
const targeting = { if: [{ '==': [{ var: 'email' }, 'ada@example.com'] }, 'on', null] };
const dark = {
  ...{ key: 'dark', state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting },
  metadata: { owner: 'team-a' },
};
const ada = { targetingKey: 'a', email: 'ada@example.com' };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ demo: 'false' });
  await create('flags', dark);
  await create('flags', {
    ...{ key: 'theme', state: 'ENABLED', defaultVariant: 'blue' },
    variants: { blue: { color: '#00f' }, red: { color: '#f00' } },
  });
  await create('configs', { key: 'page.size', value: 20 });
});
afterEach(async () => {
  await Promise.all([Server.close(), Web.close()]);
});

afterAll(() => server.stop());

async function create(kind: string, body: Record<string, unknown>): Promise<void> {
  const answer = await server.call('POST', `/api/v1/${kind}`, { body: { ...shop, ...body } });
  expect(answer.text).toContain('"id"');
}

async function keyFor(kind: 'server' | 'client'): Promise<string> {
  const { json } = await server.call('POST', '/api/v1/api-keys', { body: { name: kind, kind, ...shop } });
  return json.key as string;
}

const quick = { reconnectBaseMs: 10, reconnectCapMs: 50, sendsUsage: false } as const;

describe('our provider for servers', () => {
  it('answers flags and configuration, with variant, reason and metadata, through hooks', async () => {
    const client = createClient({ ...quick, url: server.url, apiKey: await keyFor('server') });
    await Server.setProviderAndWait('server', new BailiwickProvider(client));
    const features = Server.getClient('server');
    const seen: string[] = [];
    const hook: Hook = {
      before: () => void seen.push('before'),
      after: (_about, { variant }) => void seen.push(`after ${variant}`),
      error: (_about, error) => void seen.push(`error ${(error as { code?: string }).code}`),
    };
    const details = await features.getBooleanDetails('dark', false, ada, { hooks: [hook] });
    expect(details).toMatchObject({ value: true, variant: 'on', reason: 'TARGETING_MATCH' });
    expect(details.flagMetadata).toMatchObject({ owner: 'team-a' });
    expect(await features.getObjectValue('theme', {})).toEqual({ color: '#00f' });
    expect(await features.getNumberValue('page.size', 5)).toBe(20);
    expect(await features.getStringDetails('dark', 'x', ada, { hooks: [hook] })).toMatchObject({
      ...{ value: 'x', errorCode: 'TYPE_MISMATCH' },
    });
    expect(await features.getBooleanDetails('absent', true)).toMatchObject({
      value: true,
      errorCode: 'FLAG_NOT_FOUND',
    });
    expect(seen).toEqual(['before', 'after on', 'before', 'error TYPE_MISMATCH']);
  });

  it('tells of changes', async () => {
    const client = createClient({ ...quick, url: server.url, apiKey: await keyFor('server') });
    await Server.setProviderAndWait('events', new BailiwickProvider(client));
    const features = Server.getClient('events');
    const changed: string[] = [];
    features.addHandler(
      ProviderEvents.ConfigurationChanged,
      (about) => void changed.push(...(about?.flagsChanged ?? [])),
    );
    await create('flags', { ...dark, key: 'told' });
    await vi.waitFor(() => expect(changed).toEqual(['told']));
    expect(features.providerStatus).toBe(ProviderStatus.READY);
  });

  it('is fatal when its key is refused', async () => {
    const client = createClient({ ...quick, url: server.url, apiKey: `bwk_${'0'.repeat(16)}_${'x'.repeat(43)}` });
    await expect(Server.setProviderAndWait('refused', new BailiwickProvider(client))).rejects.toThrow('401');
    expect(Server.getClient('refused').providerStatus).toBe(ProviderStatus.FATAL);
  });
});

describe('our provider for browsers', () => {
  it('answers for one context, reconciles another, and follows changes', async () => {
    const client = createClient({ ...quick, url: server.url, apiKey: await keyFor('client'), evaluation: 'remote' });
    await Web.setProviderAndWait('web', new BailiwickWebProvider(client), ada);
    const features = Web.getClient('web');
    expect(features.getBooleanDetails('dark', false)).toMatchObject({ value: true, variant: 'on' });
    expect(features.getNumberValue('page.size', 5)).toBe(20);
    const said: string[] = [];
    features.addHandler(WebEvents.Reconciling, () => void said.push('reconciling'));
    features.addHandler(WebEvents.ContextChanged, () => void said.push('changed'));
    await Web.setContext('web', { targetingKey: 'b', email: 'bob@example.com' });
    expect(features.getBooleanValue('dark', true)).toBe(false);
    expect(said).toEqual(['reconciling', 'changed']);
    expect(features.providerStatus).toBe(WebStatus.READY);
    await create('flags', { ...dark, key: 'later', defaultVariant: 'on' });
    await vi.waitFor(() => expect(features.getBooleanValue('later', false)).toBe(true));
  });
});

describe('the published OFREP provider', () => {
  it('for servers works with our server', async () => {
    const headers: [string, string][] = [['authorization', `Bearer ${await keyFor('server')}`]];
    await Server.setProviderAndWait('ofrep', new OFREPProvider({ baseUrl: server.url, headers }));
    const features = Server.getClient('ofrep');
    expect(await features.getBooleanDetails('dark', false, ada)).toMatchObject({
      ...{ value: true, variant: 'on', reason: 'TARGETING_MATCH', flagMetadata: { owner: 'team-a' } },
    });
    expect(await features.getBooleanValue('dark', true, { targetingKey: 'b' })).toBe(false);
    expect(await features.getObjectValue('theme', {})).toEqual({ color: '#00f' });
    expect(await features.getNumberValue('page.size', 5)).toBe(20);
    expect(await features.getBooleanDetails('absent', true)).toMatchObject({
      value: true,
      errorCode: 'FLAG_NOT_FOUND',
    });
    expect(await features.getStringDetails('dark', 'x', ada)).toMatchObject({ value: 'x', errorCode: 'TYPE_MISMATCH' });
  });

  it('for browsers works with our server, and notices changes', async () => {
    const headers: [string, string][] = [['authorization', `Bearer ${await keyFor('client')}`]];
    const provider = new OFREPWebProvider({ baseUrl: server.url, headers, pollInterval: 50 });
    // Its published types were not made for exact optional members.
    await Web.setProviderAndWait('ofrep-web', provider as WebProvider, ada);
    const features = Web.getClient('ofrep-web');
    expect(features.getBooleanDetails('dark', false)).toMatchObject({ value: true, variant: 'on' });
    await Web.setContext('ofrep-web', { targetingKey: 'b', email: 'bob@example.com' });
    expect(features.getBooleanValue('dark', true)).toBe(false);
    await create('flags', { ...dark, key: 'ofrep-later', defaultVariant: 'on' });
    await vi.waitFor(() => expect(features.getBooleanValue('ofrep-later', false)).toBe(true), { timeout: 5_000 });
  });
});
