/** X.509 certificates, certificate requests and private keys. */
import {
  EMPTY_ARRAY,
  entriesOf,
  fromBigInt,
  isArray,
  isInteger,
  isNumber,
  isSet,
  type ObjectValue,
  toBigInt,
  type Value,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { BASE64, BASE64_URL_RAW, concatBytes, decodeBase64, encodeBase64, fromUtf8 } from './bytes.js';
import { Asn1Error } from './crypto/asn1.js';
import { byteLength, invert, toFixedBytes } from './crypto/bigint-math.js';
import { type Certificate, certificateToValue, parseCertificates, parseRequest } from './crypto/certificate.js';
import { type ChainOptions, verifyChain } from './crypto/certificate-chain.js';
import type { PrivateKey, RsaPrivateKey } from './crypto/crypto-provider.js';
import { CURVES } from './crypto/elliptic.js';
import { parseEcPrivate, parsePkcs1Private, parsePkcs8 } from './crypto/keys.js';
import { decodePem, type PemBlock, pemBlocks } from './crypto/pem.js';
import { BuiltinFailure, fail } from './errors.js';
import { objectOperand, stringOperand } from './operands.js';
import { any, array, boolean, object, string, tuple } from './type-decl.js';

const BEGIN = '-----BEGIN';

/** Turns malformed DER into the built-in's error. */
function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Asn1Error) return fail(error.message);
    throw error;
  }
}

function fromPem(text: string): readonly Certificate[] {
  const blocks = pemBlocks(text);
  const other = blocks.find(({ type }) => type !== 'CERTIFICATE');
  if (other !== undefined) return fail(`PEM block type is '${other.type}', expected CERTIFICATE`);
  return parseCertificates(concatBytes(...blocks.map(({ bytes }) => bytes)));
}

function readCertificates(text: string): readonly Certificate[] {
  return reading(() => {
    if (text.startsWith(BEGIN)) return fromPem(text);
    const bytes = decodeBase64(text, BASE64);
    const decoded = fromUtf8(bytes);
    return decoded.startsWith(BEGIN) ? fromPem(decoded) : parseCertificates(bytes);
  });
}

const INVALID: Value = [false, EMPTY_ARRAY];

function verify(text: string, options: ChainOptions, context: BuiltinContext): readonly Certificate[] | undefined {
  try {
    return verifyChain(readCertificates(text), options, context.crypto);
  } catch (error) {
    if (error instanceof BuiltinFailure) return undefined;
    throw error;
  }
}

const USAGES = [
  'KeyUsageAny',
  'KeyUsageServerAuth',
  'KeyUsageClientAuth',
  'KeyUsageCodeSigning',
  'KeyUsageEmailProtection',
  'KeyUsageIPSECEndSystem',
  'KeyUsageIPSECTunnel',
  'KeyUsageIPSECUser',
  'KeyUsageTimeStamping',
  'KeyUsageOCSPSigning',
  'KeyUsageMicrosoftServerGatedCrypto',
  'KeyUsageNetscapeServerGatedCrypto',
  'KeyUsageMicrosoftCommercialCodeSigning',
  'KeyUsageMicrosoftKernelCodeSigning',
];

function readUsages(value: Value): readonly number[] {
  if (!isArray(value) && !isSet(value)) return fail("'KeyUsages' should be an Array or Set");
  const names = (isArray(value) ? value : value.sorted()).filter((item) => typeof item === 'string');
  const trimmed = names.map((name) => name.replace(/^"+|"+$/g, ''));
  const wrong = trimmed.filter((name) => !USAGES.includes(name));
  if (wrong.length > 0) return fail(`invalid entries for 'KeyUsages' found: [${wrong.join(' ')}]`);
  return trimmed.map((name) => USAGES.indexOf(name));
}

function wholeNumber(name: string, value: Value, kind: string): bigint {
  if (!isNumber(value)) return fail(`'${name}' should be a number`);
  return isInteger(value) ? (toBigInt(value) as bigint) : fail(`'${name}' should be a valid ${kind}`);
}

function readOptions(source: ObjectValue, context: BuiltinContext): ChainOptions {
  let options = defaultOptions(context);
  for (const [name, value] of entriesOf(source)) {
    if (name === 'DNSName') {
      if (typeof value !== 'string') return fail("'DNSName' should be a string");
      options = { ...options, dnsName: value.replace(/^"+|"+$/g, '') };
    } else if (name === 'CurrentTime') {
      options = { ...options, now: Number(wholeNumber(name, value, 'int64 number') / 1_000_000_000n) };
    } else if (name === 'MaxConstraintComparisons') wholeNumber(name, value, 'number');
    else if (name === 'KeyUsages') options = { ...options, keyUsages: readUsages(value) };
    else if (typeof name === 'string') return fail('invalid key option');
  }
  return options;
}

function defaultOptions(context: BuiltinContext): ChainOptions {
  return { dnsName: '', now: Number(context.nowNs / 1_000_000_000n), keyUsages: [] };
}

function verifyWithOptions(args: readonly Value[], context: BuiltinContext): Value {
  const text = stringOperand(args, 1);
  const source = objectOperand(args, 2);
  try {
    readCertificates(text);
  } catch (error) {
    if (error instanceof BuiltinFailure) return INVALID;
    throw error;
  }
  const chain = verify(text, readOptions(source, context), context);
  return chain === undefined ? INVALID : [true, chain.map((certificate) => certificateToValue(certificate, false))];
}

function parsePrivateBlock({ type, bytes }: PemBlock): PrivateKey | undefined {
  if (type === 'RSA PRIVATE KEY') return parsePkcs1Private(bytes);
  if (type === 'PRIVATE KEY') return parsePkcs8(bytes);
  return type === 'EC PRIVATE KEY' ? parseEcPrivate(bytes) : undefined;
}

function privateKeys(text: string): readonly PrivateKey[] {
  let pem = text;
  try {
    pem = fromUtf8(decodeBase64(text, BASE64));
  } catch (error) {
    if (!(error instanceof BuiltinFailure)) throw error;
  }
  return reading(() =>
    pemBlocks(pem)
      .map(parsePrivateBlock)
      .filter((key) => key !== undefined),
  );
}

function precomputed({ d, p, q }: RsaPrivateKey): Value {
  return {
    Dp: fromBigInt(d % (p - 1n)),
    Dq: fromBigInt(d % (q - 1n)),
    Qinv: fromBigInt(invert(q, p)),
    CRTValues: [],
  };
}

/** A private key as Go's encoding/json shows its struct. */
function privateKeyToValue(key: PrivateKey): Value {
  switch (key.kind) {
    case 'rsa': {
      const primes = [fromBigInt(key.p), fromBigInt(key.q)];
      const common = { N: fromBigInt(key.n), E: fromBigInt(key.e), D: fromBigInt(key.d) };
      return { ...common, Primes: primes, Precomputed: precomputed(key) };
    }
    case 'ec':
      return { Curve: {}, X: fromBigInt(key.x), Y: fromBigInt(key.y), D: fromBigInt(key.d) };
    case 'ed25519':
      return encodeBase64(concatBytes(key.seed, key.bytes), BASE64);
  }
}

/** A private key as a JWK. */
function privateKeyToJwk(key: PrivateKey): Value {
  const encode = (value: bigint, length = byteLength(value)): string =>
    encodeBase64(toFixedBytes(value, length), BASE64_URL_RAW);
  switch (key.kind) {
    case 'rsa': {
      const { n, e, d, p, q } = key;
      const common = { kty: 'RSA', n: encode(n), e: encode(e), d: encode(d), p: encode(p), q: encode(q) };
      return { ...common, dp: encode(d % (p - 1n)), dq: encode(d % (q - 1n)), qi: encode(invert(q, p)) };
    }
    case 'ec': {
      const { width } = CURVES[key.curve];
      return { kty: 'EC', crv: key.curve, x: encode(key.x, width), y: encode(key.y, width), d: encode(key.d, width) };
    }
    case 'ed25519': {
      const text = (bytes: Uint8Array): string => encodeBase64(bytes, BASE64_URL_RAW);
      return { kty: 'OKP', crv: 'Ed25519', x: text(key.bytes), d: text(key.seed) };
    }
  }
}

function parsePrivateKeyToJwk(args: readonly Value[]): Value {
  const text = stringOperand(args, 1);
  if (text === '') return fail('input PEM data was empty');
  const key = privateKeys(text.startsWith(BEGIN) ? text : fromUtf8(decodeBase64(text, BASE64)))[0];
  return key === undefined ? null : privateKeyToJwk(key);
}

function parseRequestText(text: string): Value {
  const isPem = text.startsWith('-----BEGIN CERTIFICATE REQUEST-----');
  const bytes = isPem ? undefined : decodeBase64(text, BASE64);
  const pem = decodePem(bytes === undefined ? text : fromUtf8(bytes));
  if (pem !== undefined && pem.block.type !== 'CERTIFICATE REQUEST') {
    return fail('invalid PEM-encoded certificate signing request');
  }
  return reading(() => parseRequest(pem?.block.bytes ?? bytes ?? new Uint8Array(0)));
}

/** Blocks of a PEM text, of base64 of one, or of base64 of DER. */
function looseBlocks(text: string, type: string): readonly PemBlock[] {
  if (text.startsWith(BEGIN)) return pemBlocks(text);
  const bytes = decodeBase64(text, BASE64);
  const decoded = fromUtf8(bytes);
  return decoded.startsWith(BEGIN) ? pemBlocks(decoded) : [{ type, bytes }];
}

function isKeyOf(key: PrivateKey, certificate: Certificate): boolean {
  const own = certificate.publicKey;
  if (own?.kind === 'rsa' && key.kind === 'rsa') return own.n === key.n && own.e === key.e;
  if (own?.kind === 'ec' && key.kind === 'ec') return own.x === key.x && own.y === key.y;
  return own?.kind === 'ed25519' && key.kind === 'ed25519' && own.bytes.every((byte, i) => byte === key.bytes[i]);
}

function keyPair(args: readonly Value[]): Value {
  return reading(() => {
    const certificates = looseBlocks(stringOperand(args, 1), 'CERTIFICATE').filter(
      ({ type }) => type === 'CERTIFICATE',
    );
    if (certificates.length === 0) return fail('tls: failed to find any PEM data in certificate input');
    const block = looseBlocks(stringOperand(args, 2), 'PRIVATE KEY').find(({ type }) => type.endsWith('PRIVATE KEY'));
    if (block === undefined) return fail('tls: failed to find any PEM data in key input');
    const leaf = parseCertificates((certificates[0] as PemBlock).bytes)[0] as Certificate;
    const key = parsePrivateBlock(block);
    if (key === undefined) return fail('tls: failed to parse private key');
    if (key.kind !== leaf.publicKey?.kind) return fail('tls: private key type does not match public key type');
    if (!isKeyOf(key, leaf)) return fail('tls: private key does not match public key');
    return {
      Certificate: certificates.map(({ bytes }) => encodeBase64(bytes, BASE64)),
      PrivateKey: privateKeyToValue(key),
      SupportedSignatureAlgorithms: null,
      OCSPStaple: null,
      SignedCertificateTimestamps: null,
      Leaf: certificateToValue(leaf, false),
    };
  });
}

const certificateList = array(object(string, any));

export const certificateBuiltins: readonly Builtin[] = family('crypto', {
  'crypto.x509.parse_certificates': {
    about: 'The certificates of a PEM or base64 text.',
    args: { certs: string },
    result: { output: certificateList },
    evaluate: (args) => readCertificates(stringOperand(args, 1)).map((certificate) => certificateToValue(certificate)),
  },
  'crypto.x509.parse_and_verify_certificates': {
    about: 'Whether the last certificate chains up to the first, with the chain if so.',
    args: { certs: string },
    result: { output: tuple(boolean, certificateList) },
    evaluate(args, context) {
      const chain = verify(stringOperand(args, 1), defaultOptions(context), context);
      return chain === undefined ? INVALID : [true, chain.map((certificate) => certificateToValue(certificate))];
    },
  },
  'crypto.x509.parse_and_verify_certificates_with_options': {
    about: 'Whether the last certificate chains up to the first for a name, a time and key usages.',
    args: { certs: string, options: object(string, any) },
    result: { output: tuple(boolean, certificateList) },
    evaluate: verifyWithOptions,
  },
  'crypto.x509.parse_certificate_request': {
    about: 'A certificate signing request as an object.',
    args: { csr: string },
    result: { output: object(string, any) },
    evaluate: (args) => parseRequestText(stringOperand(args, 1)),
  },
  'crypto.x509.parse_keypair': {
    about: 'A certificate with its private key as an object.',
    args: { cert: string, pem: string },
    result: { output: object(string, any) },
    evaluate: keyPair,
  },
  'crypto.x509.parse_rsa_private_key': {
    about: 'A private key as a JWK.',
    args: { pem: string },
    result: { output: object(string, any) },
    evaluate: parsePrivateKeyToJwk,
  },
  'crypto.parse_private_keys': {
    about: 'The private keys of a PEM text; null for an empty one.',
    args: { keys: string },
    result: { output: array(object(string, any)) },
    evaluate(args) {
      const text = stringOperand(args, 1);
      return text === '' ? null : privateKeys(text).map(privateKeyToValue);
    },
  },
});
