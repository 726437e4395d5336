/**
 * X.509 certificates and certificate requests (RFC 5280, 2986) as the objects OPA makes of
 * them, which are those of Go's crypto/x509 with Go's field names.
 */
import { fromBigInt, type Value } from '../../values/index.js';
import { BASE64, encodeBase64, fromUtf8 } from '../bytes.js';
import { parseUrl } from '../url.js';
import { Asn1Error, DerReader, type Element, Tag, toSigned } from './asn1.js';
import { extensionFields, type ParsedExtension, readExtensions } from './certificate-extensions.js';
import type { HashName, PublicKey } from './crypto-provider.js';
import { EC_OID, ED25519_OID, parsePublicKey, RSA_OID } from './keys.js';

/** A certificate, parsed as far as verification needs it. */
export interface Certificate {
  readonly raw: Uint8Array;
  readonly tbs: Uint8Array;
  readonly version: number;
  readonly serialNumber: bigint;
  readonly issuer: Element;
  readonly subject: Element;
  /** Seconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKeyInfo: Uint8Array;
  readonly publicKeyOid: string;
  readonly publicKey: PublicKey | undefined;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly extensions: readonly ParsedExtension[];
}

/** How a certificate is signed. `number` is Go's x509.SignatureAlgorithm; 0 is unknown. */
export interface SignatureAlgorithm {
  readonly number: number;
  readonly kind: 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'ed25519' | 'unknown';
  readonly hash: HashName;
}

const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map<string, SignatureAlgorithm>([
  ['1.2.840.113549.1.1.4', { number: 2, kind: 'rsa-pkcs1', hash: 'md5' }],
  ['1.2.840.113549.1.1.5', { number: 3, kind: 'rsa-pkcs1', hash: 'sha1' }],
  ['1.2.840.113549.1.1.11', { number: 4, kind: 'rsa-pkcs1', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { number: 5, kind: 'rsa-pkcs1', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { number: 6, kind: 'rsa-pkcs1', hash: 'sha512' }],
  ['1.2.840.10045.4.1', { number: 9, kind: 'ecdsa', hash: 'sha1' }],
  ['1.2.840.10045.4.3.2', { number: 10, kind: 'ecdsa', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { number: 11, kind: 'ecdsa', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { number: 12, kind: 'ecdsa', hash: 'sha512' }],
  ['1.3.101.112', { number: 16, kind: 'ed25519', hash: 'sha512' }],
]);
const UNKNOWN: SignatureAlgorithm = { number: 0, kind: 'unknown', hash: 'sha256' };
const PSS_OID = '1.2.840.113549.1.1.10';
const PSS_HASHES: ReadonlyMap<string, SignatureAlgorithm> = new Map<string, SignatureAlgorithm>([
  ['2.16.840.1.101.3.4.2.1', { number: 13, kind: 'rsa-pss', hash: 'sha256' }],
  ['2.16.840.1.101.3.4.2.2', { number: 14, kind: 'rsa-pss', hash: 'sha384' }],
  ['2.16.840.1.101.3.4.2.3', { number: 15, kind: 'rsa-pss', hash: 'sha512' }],
]);

function readAlgorithm(reader: DerReader): SignatureAlgorithm {
  const oid = reader.objectId();
  if (oid !== PSS_OID) return ALGORITHMS.get(oid) ?? UNKNOWN;
  const hash = reader.sequence().optional(0xa0);
  const name = hash === undefined ? '' : new DerReader(hash.content).sequence().objectId();
  return PSS_HASHES.get(name) ?? UNKNOWN;
}

/** Seconds since 1970 of a UTCTime or GeneralizedTime. */
function readTime(reader: DerReader): number {
  const { tag, content } = reader.any();
  const text = fromUtf8(content);
  const pattern =
    tag === Tag.UtcTime ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
  const match = pattern.exec(text);
  if (match === null) throw new Asn1Error('x509: malformed UTCTime');
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const full = tag === Tag.UtcTime ? (year >= 50 ? 1900 : 2000) + year : year;
  return Date.UTC(full, month - 1, day, hour, minute, second) / 1000;
}

/** Malformed structure is one error, as in Go. */
function strictly<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Asn1Error && !error.message.startsWith('x509:')) throw new Asn1Error(message);
    throw error;
  }
}

function readKey(info: Uint8Array): { readonly oid: string; readonly key: PublicKey | undefined } {
  const oid = new DerReader(info).sequence().sequence().objectId();
  const isKnown = oid === RSA_OID || oid === EC_OID || oid === ED25519_OID;
  return { oid, key: isKnown ? parsePublicKey(info) : undefined };
}

function readCertificate(outer: DerReader): Certificate {
  const start = outer.expect(Tag.Sequence);
  const reader = new DerReader(start.content);
  const tbs = reader.expect(Tag.Sequence);
  const body = new DerReader(tbs.content);
  const explicitVersion = body.optional(0xa0);
  const version = explicitVersion === undefined ? 1 : Number(new DerReader(explicitVersion.content).integer()) + 1;
  const serialNumber = body.integer();
  body.sequence();
  const issuer = body.expect(Tag.Sequence);
  const validity = body.sequence();
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)];
  const subject = body.expect(Tag.Sequence);
  const info = body.expect(Tag.Sequence).raw;
  body.optional(0x81);
  body.optional(0x82);
  const wrapped = body.optional(0xa3);
  const signatureAlgorithm = readAlgorithm(reader.sequence());
  const { oid, key } = readKey(info);
  return {
    raw: start.raw,
    tbs: tbs.raw,
    version,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKeyInfo: info,
    publicKeyOid: oid,
    publicKey: key,
    signatureAlgorithm,
    signature: reader.bits(),
    extensions: wrapped === undefined ? [] : readExtensions(new DerReader(wrapped.content).sequence()),
  };
}

/** The certificates that follow one another in some bytes. Errors: `Asn1Error`. */
export function parseCertificates(bytes: Uint8Array): readonly Certificate[] {
  const certificates: Certificate[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const reader = new DerReader(rest);
    certificates.push(strictly('x509: malformed certificate', () => readCertificate(reader)));
    rest = reader.rest;
  }
  return certificates;
}

/** The public key of the one certificate. */
export function certificatePublicKey(bytes: Uint8Array): PublicKey {
  const key = parseCertificates(bytes)[0]?.publicKey;
  if (key === undefined) throw new Asn1Error('x509: unsupported public key algorithm');
  return key;
}

const base64 = (bytes: Uint8Array): string => encodeBase64(bytes, BASE64);
const oidNumbers = (oid: string): Value => oid.split('.').map(Number);
const orNull = (list: readonly Value[]): Value => (list.length === 0 ? null : list);

export function keyToValue(key: PublicKey | undefined): Value {
  switch (key?.kind) {
    case 'rsa':
      return { N: fromBigInt(key.n), E: fromBigInt(key.e) };
    case 'ec':
      return { Curve: {}, X: fromBigInt(key.x), Y: fromBigInt(key.y) };
    case 'ed25519':
      return base64(key.bytes);
    default:
      return null;
  }
}

const KEY_ALGORITHMS: ReadonlyMap<string, number> = new Map([
  [RSA_OID, 1],
  ['1.2.840.10040.4.1', 2],
  [EC_OID, 3],
  [ED25519_OID, 4],
]);

const NAME_LISTS: ReadonlyMap<string, string> = new Map([
  ['2.5.4.6', 'Country'],
  ['2.5.4.7', 'Locality'],
  ['2.5.4.8', 'Province'],
  ['2.5.4.9', 'StreetAddress'],
  ['2.5.4.10', 'Organization'],
  ['2.5.4.11', 'OrganizationalUnit'],
  ['2.5.4.17', 'PostalCode'],
]);

function readString({ tag, content }: Element): string {
  if (tag !== 0x1e) return fromUtf8(content);
  const units = Array.from(
    { length: content.length / 2 },
    (_, i) => ((content[i * 2] as number) << 8) | (content[i * 2 + 1] as number),
  );
  return String.fromCharCode(...units);
}

/** A distinguished name as Go's pkix.Name. */
function nameToValue(name: Element): Value {
  const lists: Record<string, Value[]> = {};
  const names: Value[] = [];
  let [commonName, serialNumber] = ['', ''];
  const reader = new DerReader(name.content);
  while (!reader.isDone) {
    const parts = new DerReader(reader.expect(Tag.Set).content);
    while (!parts.isDone) {
      const part = parts.sequence();
      const oid = part.objectId();
      const value = readString(part.any());
      names.push({ Type: oidNumbers(oid), Value: value });
      const list = NAME_LISTS.get(oid);
      if (list !== undefined) lists[list] = [...(lists[list] ?? []), value];
      else if (oid === '2.5.4.3') commonName = value;
      else if (oid === '2.5.4.5') serialNumber = value;
    }
  }
  const out: Record<string, Value> = { CommonName: commonName, SerialNumber: serialNumber, ExtraNames: null };
  for (const list of NAME_LISTS.values()) out[list] = lists[list] ?? null;
  return { ...out, Names: orNull(names) };
}

function timeToText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

export function extensionToValue(extension: ParsedExtension): Value {
  return { Id: oidNumbers(extension.oid), Critical: extension.critical, Value: base64(extension.value) };
}

export function uriToValue(text: string): Value {
  const url = parseUrl(text);
  return {
    Scheme: url.scheme,
    Opaque: '',
    User: null,
    Host: url.host,
    Path: url.path,
    RawPath: url.rawPath,
    OmitHost: false,
    ForceQuery: false,
    RawQuery: url.rawQuery,
    Fragment: url.fragment,
    RawFragment: '',
  };
}

/** A certificate as an object; `withUris` adds the URIs as plain text. */
export function certificateToValue(certificate: Certificate, withUris = true): Value {
  const fields = extensionFields(certificate.extensions);
  const uris = fields.uris.length === 0 ? null : fields.uris;
  return {
    ...fields.values,
    Raw: base64(certificate.raw),
    RawTBSCertificate: base64(certificate.tbs),
    RawSubjectPublicKeyInfo: base64(certificate.publicKeyInfo),
    RawSubject: base64(certificate.subject.raw),
    RawIssuer: base64(certificate.issuer.raw),
    Signature: base64(certificate.signature),
    SignatureAlgorithm: certificate.signatureAlgorithm.number,
    PublicKeyAlgorithm: KEY_ALGORITHMS.get(certificate.publicKeyOid) ?? 0,
    PublicKey: keyToValue(certificate.publicKey),
    Version: certificate.version,
    SerialNumber: fromBigInt(certificate.serialNumber),
    Issuer: nameToValue(certificate.issuer),
    Subject: nameToValue(certificate.subject),
    NotBefore: timeToText(certificate.notBefore),
    NotAfter: timeToText(certificate.notAfter),
    Extensions: orNull(certificate.extensions.map(extensionToValue)),
    ExtraExtensions: null,
    URIs: uris?.map(uriToValue) ?? null,
    ...(withUris ? { URIStrings: uris } : {}),
  };
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

interface RequestAttributes {
  readonly attributes: readonly Value[];
  readonly extensions: readonly ParsedExtension[];
}

function readAttributes(reader: DerReader): RequestAttributes {
  const attributes: Value[] = [];
  const extensions: ParsedExtension[] = [];
  while (!reader.isDone) {
    const attribute = reader.sequence();
    const oid = attribute.objectId();
    const values = new DerReader(attribute.expect(Tag.Set).content);
    if (oid !== EXTENSION_REQUEST) continue;
    const found = readExtensions(values.sequence());
    extensions.push(...found);
    const shown = found.map(({ oid: id, value }) => ({ Type: oidNumbers(id), Value: base64(value) }));
    attributes.push({ Type: oidNumbers(oid), Value: [shown] });
  }
  return { attributes, extensions };
}

function readRequest(bytes: Uint8Array): Value {
  const outer = new DerReader(bytes);
  const start = outer.expect(Tag.Sequence);
  if (!outer.isDone) throw new Asn1Error('asn1: syntax error: trailing data');
  const reader = new DerReader(start.content);
  const tbs = reader.expect(Tag.Sequence);
  const body = new DerReader(tbs.content);
  const version = Number(toSigned(body.expect(Tag.Integer).content));
  const subject = body.expect(Tag.Sequence);
  const info = body.expect(Tag.Sequence).raw;
  const wrapped = body.optional(0xa0);
  const { attributes, extensions } = readAttributes(new DerReader(wrapped?.content ?? new Uint8Array(0)));
  const algorithm = readAlgorithm(reader.sequence());
  const { oid, key } = readKey(info);
  const { values, uris } = extensionFields(extensions);
  return {
    Raw: base64(start.raw),
    RawTBSCertificateRequest: base64(tbs.raw),
    RawSubjectPublicKeyInfo: base64(info),
    RawSubject: base64(subject.raw),
    Version: version,
    Signature: base64(reader.bits()),
    SignatureAlgorithm: algorithm.number,
    PublicKeyAlgorithm: KEY_ALGORITHMS.get(oid) ?? 0,
    PublicKey: keyToValue(key),
    Subject: nameToValue(subject),
    Attributes: attributes,
    Extensions: orNull(extensions.map(extensionToValue)),
    ExtraExtensions: null,
    DNSNames: values['DNSNames'] as Value,
    EmailAddresses: values['EmailAddresses'] as Value,
    IPAddresses: values['IPAddresses'] as Value,
    URIs: orNull(uris.map(uriToValue)),
  };
}

/** A certificate request as an object. Errors: `Asn1Error`. */
export function parseRequest(bytes: Uint8Array): Value {
  try {
    return readRequest(bytes);
  } catch (error) {
    if (!(error instanceof Asn1Error) || /^(x509|asn1):/.test(error.message)) throw error;
    throw new Asn1Error(`asn1: structure error: ${error.message}`);
  }
}
