/**
 * JSON Web Tokens (RFC 7515, 7519): decoding, verification with keys from certificates, public
 * keys and JWK sets, and signing. A token nested by `cty: JWT` is unwrapped.
 */
import {
  compareNumbers,
  entriesOf,
  fromDouble,
  get,
  hasKey,
  isArray,
  isNumber,
  isObject,
  JsonError,
  type ObjectValue,
  parseJson,
  stringifyJson,
  toDouble,
  toJsonValue,
  type Value,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, type BuiltinEntry, family } from './builtin.js';
import { BASE64_URL_RAW, decodeBase64Url, encodeBase64, encodeHex, fromUtf8, utf8 } from './bytes.js';
import { Asn1Error } from './crypto/asn1.js';
import { certificatePublicKey } from './crypto/certificate.js';
import { equalBytes, type HashName, type PublicKey, type SignatureScheme } from './crypto/crypto-provider.js';
import { type Jwk, JwkError, parseJwks } from './crypto/jwk.js';
import { parsePublicKey } from './crypto/keys.js';
import { decodePem } from './crypto/pem.js';
import { readJson } from './encoding.js';
import { BuiltinFailure, fail } from './errors.js';
import { objectOperand, operand, stringOperand } from './operands.js';
import { any, boolean, object, string, tuple } from './type-decl.js';

type Algorithm = { readonly kind: 'hmac'; readonly hash: HashName } | SignatureScheme;

const HASHES: readonly (readonly [bits: string, hash: HashName])[] = [
  ['256', 'sha256'],
  ['384', 'sha384'],
  ['512', 'sha512'],
];

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['EdDSA', { kind: 'ed25519' }],
  ...HASHES.flatMap(([bits, hash]): [string, Algorithm][] => [
    [`HS${bits}`, { kind: 'hmac', hash }],
    [`RS${bits}`, { kind: 'rsa-pkcs1', hash }],
    [`PS${bits}`, { kind: 'rsa-pss', hash }],
    [`ES${bits}`, { kind: 'ecdsa', hash }],
  ]),
]);

interface Token {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

function splitToken(value: Value): Token {
  const text = stringOperand([value], 1);
  if (!text.includes('.')) return fail('encoded JWT had no period separators');
  const parts = text.split('.');
  if (parts.length !== 3) return fail(`encoded JWT must have 3 sections, found ${parts.length}`);
  return { header: parts[0] as string, payload: parts[1] as string, signature: parts[2] as string };
}

/** Names the part whose encoding is wrong. */
function decodePart(text: string, name: string): Uint8Array {
  try {
    return decodeBase64Url(text);
  } catch (error) {
    if (!(error instanceof BuiltinFailure)) throw error;
    return fail(`JWT ${name} had invalid encoding: ${error.message}`);
  }
}

function toObject(text: string): ObjectValue {
  let value: Value;
  try {
    value = readJson(text);
  } catch (error) {
    if (error instanceof BuiltinFailure) return fail(`invalid JSON: ${error.message}`);
    throw error;
  }
  return isObject(value) ? value : fail('decoded JSON type was not an Object');
}

function decodeHeader(token: Token): ObjectValue {
  const text = fromUtf8(decodePart(token.header, 'header'));
  let header: ObjectValue;
  try {
    header = toObject(text);
  } catch (error) {
    if (!(error instanceof BuiltinFailure)) throw error;
    return fail(`bad JWT header: ${error.message}`);
  }
  return hasKey(header, 'enc') ? fail('JWT is a JWE object, which is not supported') : header;
}

function decode(value: Value): Value {
  const token = splitToken(value);
  const header = decodeHeader(token);
  const payload = fromUtf8(decodePart(token.payload, 'payload'));
  if (get(header, 'cty') === 'JWT') return decode(payload.replace(/^["']+|["']+$/g, ''));
  return [header, toObject(payload), encodeHex(decodePart(token.signature, 'signature'))];
}

/** A key to verify with; without `alg` it serves any algorithm it fits. */
interface VerificationKey {
  readonly alg: string;
  readonly kid: string;
  readonly key: PublicKey | Uint8Array;
}

function fromPem(type: string, bytes: Uint8Array): PublicKey {
  const read = (what: string, parse: () => PublicKey): PublicKey => {
    try {
      return parse();
    } catch (error) {
      if (error instanceof Asn1Error) return fail(`failed to parse a PEM ${what}: ${error.message}`);
      throw error;
    }
  };
  if (type === 'CERTIFICATE') return read('certificate', () => certificatePublicKey(bytes));
  if (type === 'PUBLIC KEY') return read('public key', () => parsePublicKey(bytes));
  return fail('failed to extract a Key from the PEM certificate');
}

function fromJwks(text: string): readonly VerificationKey[] {
  let keys: readonly Jwk[];
  try {
    keys = parseJwks(text);
  } catch (error) {
    if (error instanceof JwkError || error instanceof JsonError) {
      return fail(`failed to parse a JWK key (set): ${error.message}`);
    }
    throw error;
  }
  const usable = keys.filter(({ alg }) => alg === '' || ALGORITHMS.has(alg));
  return usable.map(({ alg, kid, publicKey, secret }) => ({
    alg,
    kid,
    key: (publicKey ?? secret) as PublicKey | Uint8Array,
  }));
}

const keyCache = new Map<string, readonly VerificationKey[]>();
const KEY_CACHE_SIZE = 100;

function verificationKeys(text: string): readonly VerificationKey[] {
  const known = keyCache.get(text);
  if (known !== undefined) return known;
  const pem = decodePem(text);
  if (pem !== undefined && pem.rest.length > 0) return fail('extra data after a PEM certificate block');
  const keys =
    pem === undefined ? fromJwks(text) : [{ alg: '', kid: '', key: fromPem(pem.block.type, pem.block.bytes) }];
  if (keyCache.size >= KEY_CACHE_SIZE) keyCache.clear();
  keyCache.set(text, keys);
  return keys;
}

interface Header {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** Whether the header asks for something critical that is not understood. */
  readonly isUnderstood: boolean;
}

const KNOWN_HEADERS = ['alg', 'kid', 'typ', 'cty', 'crit'];

function readHeader(source: ObjectValue): Header {
  const text = (name: string): string => {
    const value = hasKey(source, name) ? get(source, name) : '';
    return typeof value === 'string' ? value : fail(`${name}: must be a string`);
  };
  text('typ');
  const critical = get(source, 'crit');
  if (critical !== undefined && !isArray(critical)) fail('crit: must be a list');
  const list = (critical ?? []) as readonly Value[];
  if (critical !== undefined && !list.some((item) => typeof item === 'string')) fail('crit: must be a nonempty list');
  const isUnderstood = list.every((name) => KNOWN_HEADERS.includes(String(name)) || !hasKey(source, name));
  return { alg: text('alg'), kid: text('kid'), cty: text('cty'), isUnderstood };
}

interface Signed {
  readonly input: Uint8Array;
  readonly signature: Uint8Array;
}

function signedParts(token: Token): Signed {
  return { input: utf8(`${token.header}.${token.payload}`), signature: decodeBase64Url(token.signature) };
}

function isSignedBy(
  key: VerificationKey['key'],
  algorithm: Algorithm,
  signed: Signed,
  context: BuiltinContext,
): boolean {
  if (algorithm.kind === 'hmac') {
    if (!(key instanceof Uint8Array)) return false;
    return equalBytes(context.crypto.hmac(algorithm.hash, key, signed.input), signed.signature);
  }
  if (key instanceof Uint8Array) return false;
  return context.crypto.verify(algorithm, key, { data: signed.input, signature: signed.signature });
}

/** Tries the key the header names, else every key that may be of the algorithm. */
function isVerified(
  keys: readonly VerificationKey[],
  header: Header,
  verify: (key: VerificationKey) => boolean,
): boolean {
  const named = header.kid === '' ? undefined : keys.find(({ kid }) => kid === header.kid);
  if (named !== undefined) return verify(named);
  return keys.some((key) => (key.alg === '' || key.alg === header.alg) && verify(key));
}

function verifyWithKeys(name: string): BuiltinEntry {
  const algorithm = ALGORITHMS.get(name) as Algorithm;
  return {
    about: `Whether a token is signed with ${name} by a key of a certificate, a public key or a JWK set.`,
    args: { jwt: string, certificate: string },
    result: { result: boolean },
    evaluate(args, context) {
      const token = splitToken(operand(args, 1));
      const keys = verificationKeys(stringOperand(args, 2));
      const signed = signedParts(token);
      const header = readHeader(decodeHeader(token));
      return isVerified(keys, header, ({ key }) => isSignedBy(key, algorithm, signed, context));
    },
  };
}

function verifyWithSecret(name: string): BuiltinEntry {
  const algorithm = ALGORITHMS.get(name) as Algorithm;
  return {
    about: `Whether a token is signed with ${name} by a secret.`,
    args: { jwt: string, secret: string },
    result: { result: boolean },
    evaluate(args, context) {
      stringOperand(args, 1);
      const secret = utf8(stringOperand(args, 2));
      return isSignedBy(secret, algorithm, signedParts(splitToken(operand(args, 1))), context);
    },
  };
}

interface Constraints {
  readonly keys: readonly VerificationKey[];
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  /** Nanoseconds since 1970, as the double OPA compares with. */
  readonly time: number;
}

const CONSTRAINTS = ['cert', 'secret', 'alg', 'iss', 'aud', 'time'];

function timeConstraint(value: Value): number {
  if (!isNumber(value)) return fail('token time constraint: must be a number');
  const time = toDouble(value);
  return time < 0 ? fail('token time constraint: must not be negative') : time;
}

function readConstraints(source: ObjectValue, context: BuiltinContext): Constraints {
  for (const [name] of entriesOf(source)) {
    if (!CONSTRAINTS.includes(name as string)) fail(`unknown token validation constraint: ${String(name)}`);
  }
  const text = (name: string): string => {
    const value = hasKey(source, name) ? get(source, name) : '';
    return typeof value === 'string' ? value : fail(`${name} constraint: must be a string`);
  };
  const given = get(source, 'time');
  const [cert, secret] = [text('cert'), text('secret')];
  const keys = hasKey(source, 'cert') ? verificationKeys(cert) : undefined;
  const time = given === undefined ? Number(context.nowNs) : timeConstraint(given);
  if (keys !== undefined && secret !== '') fail('duplicate key constraints');
  if (keys === undefined && secret === '') fail('no key constraint');
  const trusted = keys ?? [{ alg: '', kid: '', key: utf8(secret) }];
  return { keys: trusted, alg: text('alg'), iss: text('iss'), aud: text('aud'), time };
}

function hasAudience(wanted: string, audience: Value | undefined): boolean {
  if (audience === undefined) return wanted === '';
  return isArray(audience) ? audience.includes(wanted) : audience === wanted;
}

/** Whether the claims hold at the time and for the issuer and audience asked for. */
function claimsHold(payload: ObjectValue, constraints: Constraints): boolean {
  if (constraints.iss !== '' && get(payload, 'iss') !== constraints.iss) return false;
  if (!hasAudience(constraints.aud, get(payload, 'aud'))) return false;
  const seconds = fromDouble(constraints.time / 1_000_000_000);
  const expiry = get(payload, 'exp');
  if (expiry !== undefined) {
    if (!isNumber(expiry)) return fail('exp value must be a number');
    if (compareNumbers(seconds, expiry) >= 0) return false;
  }
  const start = get(payload, 'nbf');
  if (start === undefined) return true;
  if (!isNumber(start)) return fail('nbf value must be a number');
  return compareNumbers(seconds, start) >= 0;
}

const UNVERIFIED: Value = [false, {}, {}];

function decodeVerify(args: readonly Value[], context: BuiltinContext): Value {
  const constraints = readConstraints(objectOperand(args, 2), context);
  let encoded = operand(args, 1);
  for (;;) {
    const token = splitToken(encoded);
    const source = decodeHeader(token);
    const header = readHeader(source);
    const algorithm = ALGORITHMS.get(header.alg);
    if (header.alg === '' || !header.isUnderstood) return UNVERIFIED;
    if (constraints.alg !== '' && constraints.alg !== header.alg) return UNVERIFIED;
    const signed = signedParts(token);
    const isValid =
      algorithm !== undefined &&
      isVerified(constraints.keys, header, ({ key }) => isSignedBy(key, algorithm, signed, context));
    if (!isValid) return UNVERIFIED;
    const payload = fromUtf8(decodePart(token.payload, 'payload'));
    if (header.cty.toLowerCase() === 'jwt') {
      encoded = payload;
      continue;
    }
    const claims = toObject(payload);
    return claimsHold(claims, constraints) ? [true, source, claims] : UNVERIFIED;
  }
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}

function headerString(headers: Value | undefined, name: string): string | undefined {
  const value = headers === undefined ? undefined : get(headers, name);
  return typeof value === 'string' ? value : undefined;
}

function readHeaders(text: string): Value {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    // The library behind OPA reads leniently: text that begins no value is as good as no object.
    if (!/^\s*(?:[[{"]|$)/.test(text)) return null;
    const reason = text === '' ? 'cannot parse empty string' : error.message;
    return fail(`missing or invalid 'alg' header: cannot parse JSON: ${reason}`);
  }
}

function signingKey(text: string): Jwk {
  try {
    return parseJwks(text)[0] ?? fail('no keys found in JWK set');
  } catch (error) {
    if (error instanceof JwkError || error instanceof JsonError)
      return fail(`failed to parse JWK set: ${error.message}`);
    throw error;
  }
}

interface Unsigned {
  readonly headers: string;
  readonly payload: string;
  readonly key: string;
}

function sign({ headers, payload, key }: Unsigned, context: BuiltinContext): string {
  const jwk = signingKey(key);
  const parsed = readHeaders(headers);
  const name = headerString(parsed, 'alg');
  if (name === undefined) return fail('missing or invalid \'alg\' header: jwsbb: header "alg" not found');
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined) return fail(`unknown JWS algorithm: ${name}`);
  const type = headerString(parsed, 'typ');
  if ((type === undefined || type === 'JWT') && !isJson(payload)) return fail('type is JWT but payload is not JSON');
  const encode = (bytes: Uint8Array): string => encodeBase64(bytes, BASE64_URL_RAW);
  const input = `${encode(utf8(headers))}.${encode(utf8(payload))}`;
  return `${input}.${encode(signature(jwk, algorithm, utf8(input), context))}`;
}

function signature(jwk: Jwk, algorithm: Algorithm, input: Uint8Array, context: BuiltinContext): Uint8Array {
  if (algorithm.kind === 'hmac') {
    if (jwk.secret === undefined) return fail('failed to sign: the key is not a symmetric one');
    return context.crypto.hmac(algorithm.hash, jwk.secret, input);
  }
  if (jwk.privateKey === undefined) return fail('failed to sign: the key is not a private one');
  return context.crypto.sign(algorithm, jwk.privateKey, input);
}

const asJson = (value: Value): string => stringifyJson(toJsonValue(value));

export const tokenBuiltins: readonly Builtin[] = family('tokens', {
  'io.jwt.decode': {
    about: 'Header, payload and signature (in hexadecimal) of a token, without verifying it.',
    args: { jwt: string },
    result: { output: tuple(object(), object(), string) },
    evaluate: (args) => decode(operand(args, 1)),
  },
  'io.jwt.decode_verify': {
    about: 'Whether a token is valid under constraints, with its header and payload if so.',
    nondeterministic: true,
    args: { jwt: string, constraints: object(string, any) },
    result: { output: tuple(boolean, object(), object()) },
    evaluate: decodeVerify,
  },
  'io.jwt.encode_sign': {
    about: 'A token with the given headers and payload, signed by a JWK.',
    nondeterministic: true,
    args: { headers: object(string, any), payload: object(string, any), key: object(string, any) },
    result: { output: string },
    evaluate(args, context) {
      const [headers, payload, key] = [operand(args, 1), operand(args, 2), operand(args, 3)].map(asJson);
      return sign({ headers: headers as string, payload: payload as string, key: key as string }, context);
    },
  },
  'io.jwt.encode_sign_raw': {
    about: 'A token with headers and payload given as JSON text, signed by a JWK.',
    nondeterministic: true,
    args: { headers: string, payload: string, key: string },
    result: { output: string },
    evaluate(args, context) {
      const key = stringOperand(args, 3);
      return sign({ headers: stringOperand(args, 1), payload: stringOperand(args, 2), key }, context);
    },
  },
  ...Object.fromEntries(
    [...ALGORITHMS.keys()].map((name) => [
      `io.jwt.verify_${name.toLowerCase()}`,
      name.startsWith('HS') ? verifyWithSecret(name) : verifyWithKeys(name),
    ]),
  ),
});
