/**
 * Requests to addresses that users name. Private, loopback, link-local and metadata addresses are refused where the name is resolved, at the
 * moment of connecting, so that a name that answers differently the second time gains nothing. Redirects are not followed.
 */
import { lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { BailiwickError } from '@bailiwick/contract';
import { Agent, request } from 'undici';

const forbidden = new BlockList();
for (const [network, bits, family] of [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 127, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
] as const)
  forbidden.addSubnet(network, bits, family);

export function isPrivateAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  return forbidden.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

const refused = (host: string): BailiwickError =>
  new BailiwickError('invalid', {
    reason: 'webhook.private_address',
    message: `${host} is a private address. Webhooks go to public ones, unless BAILIWICK_WEBHOOK_PRIVATE_ADDRESSES allows it.`,
  });

/** Errors: `webhook.private_address` for a URL whose host is such an address already. */
export function assertPublicUrl(url: string): void {
  const { hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost') || (isIP(host) !== 0 && isPrivateAddress(host)))
    throw refused(host);
}

/** Resolves names for sockets; `refuse` makes the error for a name that leads to a refused address, `isRefused` says which those are. */
export function guardedLookup(
  refuse: (host: string) => Error,
  isRefused = isPrivateAddress,
  resolve: typeof lookup = lookup,
): typeof lookup {
  return ((host: string, given: object, callback: (...results: unknown[]) => void) => {
    resolve(host, { ...given, all: true }, (error, addresses) => {
      if (error) return callback(error);
      if (addresses.some(({ address }) => isRefused(address))) return callback(refuse(host));
      const [first] = addresses;
      return (given as { all?: boolean }).all
        ? callback(null, addresses)
        : callback(null, first?.address, first?.family);
    });
  }) as never;
}

export interface SafeFetch {
  /** Rejects when there is no answer within `timeoutMs`; reads and forgets at most 64 KiB of the answer. */
  post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<number>;
  close(): Promise<void>;
}

const maxAnswerBytes = 64 * 1024;

export function openSafeFetch(options: { readonly timeoutMs: number; readonly mayBePrivate: boolean }): SafeFetch {
  const { timeoutMs, mayBePrivate } = options;
  const agent = new Agent({
    connect: { timeout: timeoutMs, ...(mayBePrivate ? {} : { lookup: guardedLookup(refused) }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connections: 16,
  });
  return {
    async post(url, body, headers) {
      if (!mayBePrivate) assertPublicUrl(url);
      const answer = await request(url, {
        ...{ method: 'POST', body, headers, dispatcher: agent, signal: AbortSignal.timeout(timeoutMs) },
      });
      await answer.body.dump({ limit: maxAnswerBytes });
      return answer.statusCode;
    },
    close: () => agent.close(),
  };
}
