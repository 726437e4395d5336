/** The extensions of certificates, as the fields Go's x509.Certificate has for them. */
import type { Value } from '../../values/index.js';
import { BASE64, encodeBase64, fromUtf8 } from '../bytes.js';
import { formatIp } from '../ip-address.js';
import { Asn1Error, DerReader, Tag } from './asn1.js';
import { toInteger } from './bigint-math.js';

export interface ParsedExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

export function readExtensions(reader: DerReader): readonly ParsedExtension[] {
  const extensions: ParsedExtension[] = [];
  while (!reader.isDone) {
    const extension = reader.sequence();
    const oid = extension.objectId();
    const critical = extension.optional(Tag.Boolean)?.content[0] === 0xff;
    if (extensions.some((other) => other.oid === oid)) {
      throw new Asn1Error('x509: certificate contains duplicate extensions');
    }
    extensions.push({ oid, critical, value: extension.octets() });
  }
  return extensions;
}

/** Go's x509.ExtKeyUsage numbers. */
const EXTENDED_USAGES: ReadonlyMap<string, number> = new Map([
  ['2.5.29.37.0', 0],
  ['1.3.6.1.5.5.7.3.1', 1],
  ['1.3.6.1.5.5.7.3.2', 2],
  ['1.3.6.1.5.5.7.3.3', 3],
  ['1.3.6.1.5.5.7.3.4', 4],
  ['1.3.6.1.5.5.7.3.5', 5],
  ['1.3.6.1.5.5.7.3.6', 6],
  ['1.3.6.1.5.5.7.3.7', 7],
  ['1.3.6.1.5.5.7.3.8', 8],
  ['1.3.6.1.5.5.7.3.9', 9],
  ['1.3.6.1.4.1.311.10.3.3', 10],
  ['2.16.840.1.113730.4.1', 11],
  ['1.3.6.1.4.1.311.2.1.22', 12],
  ['1.3.6.1.4.1.311.61.1.1', 13],
]);

type Fields = Record<string, Value>;

/** The fields extensions give, and the URIs among the alternative names. */
export interface ExtensionFields {
  readonly values: Readonly<Fields>;
  readonly uris: readonly string[];
}

const push = (fields: Fields, name: string, value: Value): void => {
  fields[name] = [...((fields[name] ?? []) as readonly Value[]), value];
};

function readKeyUsage(value: Uint8Array, fields: Fields): void {
  const bits = new DerReader(value).bits();
  let usage = 0;
  for (let i = 0; i < 9; i++) if (((bits[i >> 3] ?? 0) >> (7 - (i & 7))) & 1) usage |= 1 << i;
  fields['KeyUsage'] = usage;
}

function readBasicConstraints(value: Uint8Array, fields: Fields): void {
  const reader = new DerReader(value).sequence();
  fields['BasicConstraintsValid'] = true;
  fields['IsCA'] = reader.optional(Tag.Boolean)?.content[0] === 0xff;
  const length = reader.isDone ? -1 : Number(reader.integer());
  fields['MaxPathLen'] = length;
  fields['MaxPathLenZero'] = length === 0;
}

function readAlternativeNames(value: Uint8Array, fields: Fields, uris: string[]): void {
  const reader = new DerReader(value).sequence();
  while (!reader.isDone) {
    const { tag, content } = reader.any();
    if (tag === 0x81) push(fields, 'EmailAddresses', fromUtf8(content));
    else if (tag === 0x82) push(fields, 'DNSNames', fromUtf8(content));
    else if (tag === 0x86) uris.push(fromUtf8(content));
    else if (tag === 0x87) {
      if (content.length !== 4 && content.length !== 16) {
        throw new Asn1Error(`x509: cannot parse IP address of length ${content.length}`);
      }
      push(fields, 'IPAddresses', formatIp({ value: toInteger(content), bits: content.length === 4 ? 32 : 128 }));
    }
  }
}

function readExtendedUsage(value: Uint8Array, fields: Fields): void {
  const reader = new DerReader(value).sequence();
  while (!reader.isDone) {
    const oid = reader.objectId();
    const known = EXTENDED_USAGES.get(oid);
    if (known === undefined) push(fields, 'UnknownExtKeyUsage', oid.split('.').map(Number));
    else push(fields, 'ExtKeyUsage', known);
  }
}

function readPolicies(value: Uint8Array, fields: Fields): void {
  const reader = new DerReader(value).sequence();
  while (!reader.isDone) {
    const oid = reader.sequence().objectId();
    push(fields, 'PolicyIdentifiers', oid.split('.').map(Number));
    push(fields, 'Policies', oid);
  }
}

function readDistributionPoints(value: Uint8Array, fields: Fields): void {
  const reader = new DerReader(value).sequence();
  while (!reader.isDone) {
    const name = reader.sequence().optional(0xa0);
    const full = name === undefined ? undefined : new DerReader(name.content).optional(0xa0);
    if (full === undefined) continue;
    const uri = new DerReader(full.content).optional(0x86);
    if (uri !== undefined) push(fields, 'CRLDistributionPoints', fromUtf8(uri.content));
  }
}

function readInformationAccess(value: Uint8Array, fields: Fields): void {
  const reader = new DerReader(value).sequence();
  while (!reader.isDone) {
    const access = reader.sequence();
    const method = access.objectId();
    const { tag, content } = access.any();
    if (tag !== 0x86) continue;
    if (method === '1.3.6.1.5.5.7.48.1') push(fields, 'OCSPServer', fromUtf8(content));
    if (method === '1.3.6.1.5.5.7.48.2') push(fields, 'IssuingCertificateURL', fromUtf8(content));
  }
}

function readSubtrees(content: Uint8Array, prefix: string, fields: Fields): void {
  const reader = new DerReader(content);
  while (!reader.isDone) {
    const { tag, content: name } = reader.sequence().any();
    if (tag === 0x82) push(fields, `${prefix}DNSDomains`, fromUtf8(name));
    else if (tag === 0x81) push(fields, `${prefix}EmailAddresses`, fromUtf8(name));
    else if (tag === 0x86) push(fields, `${prefix}URIDomains`, fromUtf8(name));
    else if (tag === 0x87) {
      const half = name.length / 2;
      const ip = formatIp({ value: toInteger(name.subarray(0, half)), bits: half === 4 ? 32 : 128 });
      const mask = encodeBase64(name.subarray(half), BASE64);
      push(fields, `${prefix}IPRanges`, { IP: ip, Mask: mask });
    }
  }
}

function readNameConstraints(extension: ParsedExtension, fields: Fields): void {
  const reader = new DerReader(extension.value).sequence();
  const permitted = reader.optional(0xa0);
  const excluded = reader.optional(0xa1);
  if (permitted !== undefined) readSubtrees(permitted.content, 'Permitted', fields);
  if (excluded !== undefined) readSubtrees(excluded.content, 'Excluded', fields);
  fields['PermittedDNSDomainsCritical'] = extension.critical;
}

function readAuthorityKey(value: Uint8Array, fields: Fields): void {
  const id = new DerReader(value).sequence().optional(0x80);
  if (id !== undefined) fields['AuthorityKeyId'] = encodeBase64(id.content, BASE64);
}

type Reader = (extension: ParsedExtension, fields: Fields, uris: string[]) => void;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  [
    '2.5.29.14',
    ({ value }, fields) => {
      fields['SubjectKeyId'] = encodeBase64(new DerReader(value).octets(), BASE64);
    },
  ],
  ['2.5.29.15', ({ value }, fields) => readKeyUsage(value, fields)],
  ['2.5.29.17', ({ value }, fields, uris) => readAlternativeNames(value, fields, uris)],
  ['2.5.29.19', ({ value }, fields) => readBasicConstraints(value, fields)],
  ['2.5.29.30', readNameConstraints],
  ['2.5.29.31', ({ value }, fields) => readDistributionPoints(value, fields)],
  ['2.5.29.32', ({ value }, fields) => readPolicies(value, fields)],
  ['2.5.29.35', ({ value }, fields) => readAuthorityKey(value, fields)],
  ['2.5.29.37', ({ value }, fields) => readExtendedUsage(value, fields)],
  ['1.3.6.1.5.5.7.1.1', ({ value }, fields) => readInformationAccess(value, fields)],
]);

const ABSENT: Readonly<Fields> = {
  KeyUsage: 0,
  UnhandledCriticalExtensions: null,
  ExtKeyUsage: null,
  UnknownExtKeyUsage: null,
  BasicConstraintsValid: false,
  IsCA: false,
  MaxPathLen: 0,
  MaxPathLenZero: false,
  SubjectKeyId: null,
  AuthorityKeyId: null,
  OCSPServer: null,
  IssuingCertificateURL: null,
  DNSNames: null,
  EmailAddresses: null,
  IPAddresses: null,
  PermittedDNSDomainsCritical: false,
  PermittedDNSDomains: null,
  ExcludedDNSDomains: null,
  PermittedIPRanges: null,
  ExcludedIPRanges: null,
  PermittedEmailAddresses: null,
  ExcludedEmailAddresses: null,
  PermittedURIDomains: null,
  ExcludedURIDomains: null,
  CRLDistributionPoints: null,
  PolicyIdentifiers: null,
  Policies: null,
  PolicyMappings: null,
  InhibitAnyPolicy: 0,
  InhibitAnyPolicyZero: false,
  InhibitPolicyMapping: 0,
  InhibitPolicyMappingZero: false,
  RequireExplicitPolicy: 0,
  RequireExplicitPolicyZero: false,
};

/** Everything the extensions say. */
export function extensionFields(extensions: readonly ParsedExtension[]): ExtensionFields {
  const values: Fields = { ...ABSENT };
  const uris: string[] = [];
  for (const name of Object.keys(values)) if (values[name] === null) delete values[name];
  for (const extension of extensions) {
    const read = READERS.get(extension.oid);
    if (read !== undefined) read(extension, values, uris);
    else if (extension.critical) push(values, 'UnhandledCriticalExtensions', extension.oid.split('.').map(Number));
  }
  return { values: { ...ABSENT, ...values }, uris };
}
