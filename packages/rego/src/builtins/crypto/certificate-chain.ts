/** Verification of a certificate chain (RFC 5280, section 6), as far as Go's x509.Verify goes. */
import { get, type Value } from '../../values/index.js';
import { type Certificate, certificateToValue } from './certificate.js';
import { type CryptoProvider, equalBytes } from './crypto-provider.js';

export interface ChainOptions {
  /** Empty for any. */
  readonly dnsName: string;
  /** Seconds since 1970. */
  readonly now: number;
  /** Go's x509.ExtKeyUsage numbers, any of which will do; 0 is any usage. */
  readonly keyUsages: readonly number[];
}

const SERVER_AUTH = 1;
const CERT_SIGN = 1 << 5;

interface Link {
  readonly certificate: Certificate;
  readonly fields: Value;
}

const field = (link: Link, name: string): Value => get(link.fields, name) as Value;

function isSignedBy(child: Certificate, parent: Certificate, crypto: CryptoProvider): boolean {
  const { kind, hash } = child.signatureAlgorithm;
  if (parent.publicKey === undefined || kind === 'unknown' || hash === 'md5' || hash === 'sha1') return false;
  const scheme = kind === 'ed25519' ? { kind } : { kind, hash };
  const signature = kind === 'ecdsa' ? toFixedSignature(child.signature, parent) : child.signature;
  if (signature === undefined) return false;
  return crypto.verify(scheme, parent.publicKey, { data: child.tbs, signature });
}

/** An ECDSA signature in DER as r and s side by side. */
function toFixedSignature(der: Uint8Array, parent: Certificate): Uint8Array | undefined {
  if (parent.publicKey?.kind !== 'ec') return undefined;
  const width = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }[parent.publicKey.curve];
  const out = new Uint8Array(width * 2);
  let at = (der[1] ?? 0) & 0x80 ? 3 : 2;
  for (const end of [width, width * 2]) {
    const length = der[at + 1] ?? 0;
    let part = der.subarray(at + 2, at + 2 + length);
    while (part.length > 0 && part[0] === 0) part = part.subarray(1);
    if (der[at] !== 2 || part.length > width) return undefined;
    out.set(part, end - part.length);
    at += 2 + length;
  }
  return out;
}

function isValidAt(link: Link, now: number): boolean {
  return link.certificate.notBefore <= now && now <= link.certificate.notAfter;
}

/** Whether a certificate may sign others, with so many authorities between it and the leaf. */
function mayIssue(link: Link, between: number): boolean {
  if (link.certificate.version >= 3 && (field(link, 'BasicConstraintsValid') !== true || field(link, 'IsCA') !== true))
    return false;
  const usage = field(link, 'KeyUsage') as number;
  if (usage !== 0 && (usage & CERT_SIGN) === 0) return false;
  const limit = field(link, 'MaxPathLen') as number;
  const isLimited = limit > 0 || (limit === 0 && field(link, 'MaxPathLenZero') === true);
  return !isLimited || between <= limit;
}

/** Whether a chain allows one of the usages: each certificate with a list must have it. */
function allowsUsage(chain: readonly Link[], usages: readonly number[]): boolean {
  if (usages.includes(0)) return true;
  return usages.some((usage) =>
    chain.every((link) => {
      const known = (field(link, 'ExtKeyUsage') ?? []) as readonly number[];
      const unknown = (field(link, 'UnknownExtKeyUsage') ?? []) as readonly Value[];
      if (known.length === 0 && unknown.length === 0) return true;
      return known.includes(0) || known.includes(usage);
    }),
  );
}

function matchesHost(pattern: string, host: string): boolean {
  const [wanted, given] = [
    pattern.toLowerCase().replace(/\.$/, '').split('.'),
    host.toLowerCase().replace(/\.$/, '').split('.'),
  ];
  if (wanted.length !== given.length || given.includes('')) return false;
  return wanted.every((part, i) => (i === 0 && part === '*') || part === given[i]);
}

function isForHost(leaf: Link, host: string): boolean {
  if (host === '') return true;
  const address = /^\[.*\]$/.test(host) ? host.slice(1, -1) : host;
  if (/^[0-9.]+$|:/.test(address)) return ((field(leaf, 'IPAddresses') ?? []) as readonly Value[]).includes(address);
  return ((field(leaf, 'DNSNames') ?? []) as readonly string[]).some((name) => matchesHost(name, host));
}

function isWithin(name: string, domain: string): boolean {
  const suffix = domain.replace(/^\./, '').toLowerCase();
  return domain === '' || name.toLowerCase() === suffix || name.toLowerCase().endsWith(`.${suffix}`);
}

/** Whether the leaf's host names keep to what an authority may name. */
function keepsToNames(leaf: Link, authority: Link): boolean {
  const names = (field(leaf, 'DNSNames') ?? []) as readonly string[];
  const permitted = field(authority, 'PermittedDNSDomains') as readonly string[] | null;
  const excluded = (field(authority, 'ExcludedDNSDomains') ?? []) as readonly string[];
  if (names.some((name) => excluded.some((domain) => isWithin(name, domain)))) return false;
  return permitted === null || names.every((name) => permitted.some((domain) => isWithin(name, domain)));
}

/**
 * The chain from the last certificate up to the first, which is trusted, through the others.
 * Undefined when there is none.
 */
export function verifyChain(
  certificates: readonly Certificate[],
  options: ChainOptions,
  crypto: CryptoProvider,
): readonly Certificate[] | undefined {
  if (certificates.length < 2) return undefined;
  const links = certificates.map((certificate) => ({ certificate, fields: certificateToValue(certificate) }));
  const [root, leaf] = [links[0] as Link, links.at(-1) as Link];
  const middle = links.slice(1, -1);
  const usages = options.keyUsages.length === 0 ? [SERVER_AUTH] : options.keyUsages;
  if (!isValidAt(leaf, options.now) || !isForHost(leaf, options.dnsName)) return undefined;
  if (field(leaf, 'UnhandledCriticalExtensions') !== null) return undefined;

  const extend = (chain: readonly Link[]): readonly Link[] | undefined => {
    const last = chain.at(-1) as Link;
    for (const parent of [root, ...middle]) {
      if (chain.includes(parent) || !equalBytes(parent.certificate.subject.raw, last.certificate.issuer.raw)) continue;
      if (!mayIssue(parent, chain.length - 1) || !isValidAt(parent, options.now) || !keepsToNames(leaf, parent))
        continue;
      if (!isSignedBy(last.certificate, parent.certificate, crypto)) continue;
      const longer = [...chain, parent];
      if (parent !== root) {
        const found = extend(longer);
        if (found !== undefined) return found;
      } else if (allowsUsage(longer, usages)) return longer;
    }
    return undefined;
  };

  if (equalBytes(leaf.certificate.raw, root.certificate.raw)) return [leaf.certificate];
  return extend([leaf])?.map((link) => link.certificate);
}
