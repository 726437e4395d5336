/**
 * The page of `test/real/openfeature-browser.test.ts`: OpenFeature's web SDK with our provider. It asks the page's server what to do and says what
 * came of it, until it is closed.
 */

import { browserStorage, type Client, createClient, type TextItems } from '@bailiwick/sdk';
import { BailiwickWebProvider } from '@bailiwick/sdk/openfeature-web';
import { type Client as Features, OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import type { PageAnswer, PageCommand } from './openfeature-messages.js';

const storageKey = 'bailiwick';
// These types are Node's; the page has more.
const { localStorage: items } = globalThis as unknown as { readonly localStorage: TextItems };
const clients = new Map<string, Client>();
const changed = new Map<string, string[]>();

async function start({ domain, url, apiKey, context }: Extract<PageCommand, { kind: 'start' }>): Promise<PageAnswer> {
  const client = createClient({
    ...{ url, apiKey, evaluation: 'remote', storage: browserStorage(storageKey) },
    ...{ pollMs: 200, reconnectBaseMs: 50, reconnectCapMs: 200 },
  });
  clients.set(domain, client);
  const keys: string[] = [];
  changed.set(domain, keys);
  await OpenFeature.setProviderAndWait(domain, new BailiwickWebProvider(client, { readyTimeoutMs: 3_000 }), context);
  const features = OpenFeature.getClient(domain);
  features.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
    keys.push(...(details?.flagsChanged ?? []));
  });
  return evaluate(domain, features);
}

function evaluate(domain: string, features: Features): PageAnswer {
  const client = clients.get(domain);
  return {
    dark: features.getBooleanDetails('dark', false),
    size: features.getNumberDetails('page.size', 5),
    absent: features.getStringDetails('absent', 'fallback'),
    providerStatus: String(features.providerStatus),
    source: client?.status().source ?? 'none',
    changed: changed.get(domain) ?? [],
    kept: items.getItem(storageKey) ?? '',
  };
}

async function carryOut(command: PageCommand): Promise<PageAnswer> {
  if (command.kind === 'start') return await start(command);
  if (command.kind === 'context') await OpenFeature.setContext(command.domain, command.context);
  return evaluate(command.domain, OpenFeature.getClient(command.domain));
}

const send = async (report: unknown): Promise<unknown> =>
  await fetch('/report', { method: 'POST', body: JSON.stringify(report) });

for (;;) {
  const command = (await (await fetch('/command')).json()) as PageCommand;
  await carryOut(command).then(send, (error: unknown) => send({ fault: String(error) }));
}
