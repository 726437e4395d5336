/**
 * URLs as Go's net/url reads them: the same components, the same escapes and the same errors.
 * The text is handled as bytes, since escapes may cut through characters.
 */
import { quote, work } from '../values/index.js';
import { fromUtf8, utf8 } from './bytes.js';
import { BuiltinFailure, fail } from './errors.js';
import { parseIp } from './ip-address.js';

type Mode = 'path' | 'host' | 'zone' | 'user' | 'query' | 'fragment';

const ALLOWED: Readonly<Record<Mode, string>> = {
  path: '$&+,/:;=@',
  host: '!$&\'()*+,;=:[]<>"',
  zone: '!$&\'()*+,;=:[]<>"',
  user: '$&+,;=',
  query: '',
  fragment: '$&+,/:;=?@!()*',
};

function mustEscape(byte: number, mode: Mode): boolean {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9\-_.~]/.test(character)) return false;
  return !ALLOWED[mode].includes(character);
}

const isHex = (text: string): boolean => /^[0-9a-fA-F]{2}$/.test(text);

function checkEscape(sequence: string, mode: Mode): void {
  const wrong = (): never => fail(`invalid URL escape ${quote(sequence)}`);
  if (!isHex(sequence.slice(1))) wrong();
  const byte = Number.parseInt(sequence.slice(1), 16);
  if (mode === 'host' && byte < 0x80 && sequence !== '%25') wrong();
  if (mode === 'zone' && sequence !== '%25' && byte !== 32 && mustEscape(byte, 'host')) wrong();
}

export function unescapeUrl(text: string, mode: Mode): string {
  const isHost = mode === 'host' || mode === 'zone';
  const bytes: number[] = [];
  let isChanged = false;
  const source = utf8(text);
  for (let i = 0; i < source.length; i++) {
    work(1);
    const byte = source[i] as number;
    if (byte === 37) {
      const sequence = fromUtf8(source.subarray(i, i + 3));
      checkEscape(sequence, mode);
      bytes.push(Number.parseInt(sequence.slice(1), 16));
      i += 2;
      isChanged = true;
    } else if (byte === 43 && mode === 'query') {
      bytes.push(32);
      isChanged = true;
    } else {
      if (isHost && byte < 0x80 && mustEscape(byte, mode)) {
        fail(`invalid character ${quote(String.fromCharCode(byte))} in host name`);
      }
      bytes.push(byte);
    }
  }
  return isChanged ? fromUtf8(Uint8Array.from(bytes)) : text;
}

export function escapeUrl(text: string, mode: Mode): string {
  let out = '';
  for (const byte of utf8(text)) {
    work(2);
    if (byte === 32 && mode === 'query') out += '+';
    else if (mustEscape(byte, mode)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    else out += String.fromCharCode(byte);
  }
  return out;
}

export const queryEscape = (text: string): string => escapeUrl(text, 'query');
export const queryUnescape = (text: string): string => unescapeUrl(text, 'query');

/** The components of a URL; absent ones are empty. */
export interface ParsedUrl {
  scheme: string;
  hostname: string;
  port: string;
  path: string;
  rawPath: string;
  rawQuery: string;
  fragment: string;
  /** Host and port as written after unescaping. */
  host: string;
}

function splitScheme(text: string): readonly [scheme: string, rest: string] {
  const match = /^([A-Za-z][A-Za-z0-9+\-.]*):/.exec(text);
  if (match !== null) return [(match[1] as string).toLowerCase(), text.slice(match[0].length)];
  if (text.startsWith(':')) fail('missing protocol scheme');
  return ['', text];
}

function checkPort(port: string): void {
  if (!/^(:[0-9]*)?$/.test(port)) fail(`invalid port ${quote(port)} after host`);
}

function parseBracketedHost(host: string): string {
  const close = host.lastIndexOf(']');
  if (close < 0) fail("missing ']' in host");
  const port = host.slice(close + 1);
  checkPort(port);
  const name = host.slice(1, close);
  const zone = name.indexOf('%25');
  const plain =
    zone < 0
      ? unescapeUrl(name, 'host')
      : unescapeUrl(name.slice(0, zone), 'host') + unescapeUrl(name.slice(zone), 'zone');
  const address = parseIp(plain.split('%')[0] as string);
  if (address === undefined) fail(`invalid host: ParseAddr(${quote(plain)}): unable to parse IP`);
  if (!plain.includes(':')) fail('invalid IP-literal');
  return `[${plain}]${port}`;
}

function parseHost(scheme: string, host: string): string {
  const open = host.lastIndexOf('[');
  if (open > 0) fail('invalid IP-literal');
  if (open === 0) return parseBracketedHost(host);
  const isStrict = scheme === 'http' || scheme === 'https';
  const colon = isStrict ? host.indexOf(':') : host.lastIndexOf(':');
  if (colon >= 0) checkPort(host.slice(colon));
  return unescapeUrl(host, 'host');
}

function parseAuthority(scheme: string, authority: string): string {
  const at = authority.lastIndexOf('@');
  const host = parseHost(scheme, authority.slice(at + 1));
  if (at < 0) return host;
  const user = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) fail('net/url: invalid userinfo');
  for (const part of user.split(':', 2)) unescapeUrl(part, 'user');
  return host;
}

function splitHost(host: string): readonly [hostname: string, port: string] {
  const colon = host.lastIndexOf(':');
  const hasPort = colon >= 0 && /^:[0-9]*$/.test(host.slice(colon));
  const name = hasPort ? host.slice(0, colon) : host;
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  return [bare, hasPort ? host.slice(colon + 1) : ''];
}

/** Escapes that the default escaping of the path would not make are kept as the raw path. */
function setPath(url: ParsedUrl, raw: string): void {
  url.path = unescapeUrl(raw, 'path');
  url.rawPath = escapeUrl(url.path, 'path') === raw ? '' : raw;
}

function parseParts(text: string): ParsedUrl {
  const url: ParsedUrl = {
    scheme: '',
    hostname: '',
    port: '',
    path: '',
    rawPath: '',
    rawQuery: '',
    fragment: '',
    host: '',
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Go refuses them in URLs
  if (/[\u0000-\u001f\u007f]/.test(text)) fail('net/url: invalid control character in URL');
  if (text === '*') return { ...url, path: '*' };
  const [scheme, afterScheme] = splitScheme(text);
  url.scheme = scheme;
  const question = afterScheme.indexOf('?');
  let rest = question < 0 ? afterScheme : afterScheme.slice(0, question);
  url.rawQuery = question < 0 ? '' : afterScheme.slice(question + 1);
  if (!rest.startsWith('/')) {
    if (scheme !== '') return url;
    if ((rest.split('/')[0] as string).includes(':')) fail('first path segment in URL cannot contain colon');
  }
  if ((scheme !== '' || !rest.startsWith('///')) && rest.startsWith('//')) {
    const slash = rest.indexOf('/', 2);
    url.host = parseAuthority(scheme, slash < 0 ? rest.slice(2) : rest.slice(2, slash));
    [url.hostname, url.port] = splitHost(url.host);
    rest = slash < 0 ? '' : rest.slice(slash);
  }
  setPath(url, rest);
  return url;
}

/** Errors: `BuiltinFailure` with Go's wording. */
export function parseUrl(text: string): ParsedUrl {
  const hash = text.indexOf('#');
  const before = hash < 0 ? text : text.slice(0, hash);
  try {
    const url = parseParts(before);
    if (hash >= 0) url.fragment = unescapeUrl(text.slice(hash + 1), 'fragment');
    return url;
  } catch (error) {
    if (!(error instanceof BuiltinFailure)) throw error;
    return fail(`parse ${quote(text)}: ${error.message}`);
  }
}

/** The path as it goes over the wire: as written where that is properly escaped, escaped otherwise. */
export function escapedPath(url: ParsedUrl): string {
  if (url.rawPath !== '' && /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@[\]/]|%[0-9A-Fa-f]{2})*$/.test(url.rawPath))
    return url.rawPath;
  return url.path === '*' ? '*' : escapeUrl(url.path, 'path');
}
