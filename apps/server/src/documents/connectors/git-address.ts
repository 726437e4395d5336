/** Which addresses of repositories are taken, and how git is held to the very machine that was looked at. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPrivateAddress } from '../../notifications/safe-fetch.js';
import { connectorError } from './connector.js';
import { allowedFolder } from './folder-connector.js';

export interface GitAddress {
  readonly protocol: 'https' | 'ssh' | 'file';
  /** What git is given. */
  readonly url: string;
  /** Without user names: what sources are made of. */
  readonly repository: string;
  readonly host: string;
  readonly port: number;
}

/**
 * `https://HOST/PATH`, `ssh://USER@HOST/PATH`, `USER@HOST:PATH`, `file:///PATH`. Errors: `connector.invalid_address` for everything else, for
 * what git could take as an option, and for a password in the address: addresses are logged.
 */
export function parseGitAddress(given: string): GitAddress {
  const invalid = (detail: string): Error => connectorError('connector.invalid_address', detail);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there.
  if (given.startsWith('-') || /[\u0000-\u0020\u007f\\]/.test(given))
    throw invalid('It has characters that no such address has.');
  const short = /^([\w.-]+)@([\w.-]+):(?!\/\/)(.+)$/.exec(given);
  const text = short ? `ssh://${short[1]}@${short[2]}/${short[3]}` : given;
  if (!URL.canParse(text)) throw invalid('Give https://, ssh:// or file:///.');
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  const name = protocol.slice(0, -1);
  if (name !== 'https' && name !== 'ssh' && name !== 'file') throw invalid('Only https, ssh and file are taken.');
  if (password !== '' || (name === 'https' && username !== ''))
    throw invalid('Credentials do not belong into an address.');
  if (search !== '' || hash !== '') throw invalid('It has a query or a fragment.');
  if ([hostname, username, pathname.slice(1)].some((part) => decodeURIComponent(part).startsWith('-')))
    throw invalid('A part of it begins with a dash.');
  if (name === 'file' ? hostname !== '' : hostname === '') throw invalid('Its host is missing, or one too many.');
  const place = `${hostname}${port === '' ? '' : `:${port}`}${pathname}`.replace(/(?:\.git)?\/*$/, '');
  return {
    protocol: name,
    url: text,
    repository: place,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (name === 'ssh' ? 22 : 443),
  };
}

export interface GitFence {
  readonly mayBePrivate: boolean;
  readonly allowedRoots: readonly string[];
}

export interface PinnedAddress {
  readonly settings: readonly (readonly [string, string])[];
  readonly sshCommand?: string;
}

/** Looks the host up once, and makes git go there and nowhere else. Errors: `connector.private_address`, `not_allowed`, `unreachable`. */
export async function pinGitAddress(
  { protocol, url, host, port }: GitAddress,
  fence: GitFence,
): Promise<PinnedAddress> {
  if (protocol === 'file') {
    await allowedFolder(decodeURIComponent(new URL(url).pathname), fence.allowedRoots);
    return { settings: [] };
  }
  const found =
    isIP(host) !== 0
      ? [{ address: host }]
      : await lookup(host, { all: true }).catch((error: unknown) => {
          throw connectorError('connector.unreachable', 'Its name is not known.', error);
        });
  const [first] = found;
  if (!first) throw connectorError('connector.unreachable', 'Its name is not known.');
  if (!fence.mayBePrivate && found.some(({ address }) => isPrivateAddress(address)))
    throw connectorError('connector.private_address');
  const { address } = first;
  if (protocol === 'https')
    return {
      settings: [
        ['http.curloptResolve', `${host}:${port}:${isIP(address) === 6 ? `[${address}]` : address}`],
        ['http.proxy', ''],
      ],
    };
  return {
    settings: [],
    sshCommand: `ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o HostName=${address} -o HostKeyAlias=${host} -o ProxyCommand=none -o PermitLocalCommand=no -o ForwardAgent=no -o ConnectTimeout=20`,
  };
}
