/** Keys in DER: SubjectPublicKeyInfo, PKCS #1, PKCS #8 and SEC 1. */
import { Asn1Error, DerReader, Tag } from './asn1.js';
import { toInteger } from './bigint-math.js';
import type {
  CurveName,
  EcPrivateKey,
  EcPublicKey,
  PrivateKey,
  PublicKey,
  RsaPrivateKey,
  RsaPublicKey,
} from './crypto-provider.js';
import { edPublicKey } from './edwards.js';
import { CURVES, decompress, isOnCurve, publicPoint } from './elliptic.js';

export const RSA_OID = '1.2.840.113549.1.1.1';
export const EC_OID = '1.2.840.10045.2.1';
export const ED25519_OID = '1.3.101.112';
const CURVE_OIDS: ReadonlyMap<string, CurveName> = new Map([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
]);

function curveOf(oid: string): CurveName {
  const curve = CURVE_OIDS.get(oid);
  if (curve === undefined) throw new Asn1Error('unsupported elliptic curve');
  return curve;
}

export function parsePkcs1Public(bytes: Uint8Array): RsaPublicKey {
  const reader = new DerReader(bytes).sequence();
  const key: RsaPublicKey = { kind: 'rsa', n: reader.integer(), e: reader.integer() };
  if (key.n <= 0n || key.e <= 0n) throw new Asn1Error('x509: RSA modulus or exponent is not a positive number');
  return key;
}

/** A point in the uncompressed or compressed form of SEC 1. */
export function parsePoint(curve: CurveName, bytes: Uint8Array): EcPublicKey {
  const { width } = CURVES[curve];
  const x = toInteger(bytes.subarray(1, 1 + width));
  const form = bytes[0];
  let y: bigint | undefined;
  if (form === 4 && bytes.length === 1 + 2 * width) y = toInteger(bytes.subarray(1 + width));
  else if ((form === 2 || form === 3) && bytes.length === 1 + width) y = decompress(CURVES[curve], x, form === 3);
  if (y === undefined || !isOnCurve(CURVES[curve], x, y))
    throw new Asn1Error('failed to unmarshal elliptic curve point');
  return { kind: 'ec', curve, x, y };
}

/** The public key of a SubjectPublicKeyInfo. */
export function parsePublicKey(bytes: Uint8Array): PublicKey {
  const info = new DerReader(bytes).sequence();
  const algorithm = info.sequence();
  const oid = algorithm.objectId();
  const bits = info.bits();
  if (oid === RSA_OID) return parsePkcs1Public(bits);
  if (oid === EC_OID) return parsePoint(curveOf(algorithm.objectId()), bits);
  if (oid === ED25519_OID) return { kind: 'ed25519', bytes: bits };
  throw new Asn1Error('x509: unknown public key algorithm');
}

export function parsePkcs1Private(bytes: Uint8Array): RsaPrivateKey {
  const reader = new DerReader(bytes).sequence();
  reader.integer();
  const [n, e, d, p, q] = [reader.integer(), reader.integer(), reader.integer(), reader.integer(), reader.integer()];
  if (n <= 0n || d <= 0n || p <= 0n || q <= 0n)
    throw new Asn1Error('x509: private key contains zero or negative value');
  return { kind: 'rsa', n, e, d, p, q };
}

export function parseEcPrivate(bytes: Uint8Array, known?: CurveName): EcPrivateKey {
  const reader = new DerReader(bytes).sequence();
  if (reader.integer() !== 1n) throw new Asn1Error('x509: unknown EC private key version');
  const d = toInteger(reader.octets());
  const parameters = reader.optional(0xa0);
  const named = parameters === undefined ? undefined : curveOf(new DerReader(parameters.content).objectId());
  const curve = known ?? named;
  if (curve === undefined) throw new Asn1Error('x509: unknown elliptic curve');
  return { ...publicPoint(curve, d), d };
}

export function parsePkcs8(bytes: Uint8Array): PrivateKey {
  const reader = new DerReader(bytes).sequence();
  reader.integer();
  const algorithm = reader.sequence();
  const oid = algorithm.objectId();
  const curve = oid === EC_OID && algorithm.nextTag === Tag.ObjectId ? curveOf(algorithm.objectId()) : undefined;
  const inner = reader.octets();
  if (oid === RSA_OID) return parsePkcs1Private(inner);
  if (oid === EC_OID) return parseEcPrivate(inner, curve);
  if (oid !== ED25519_OID)
    throw new Asn1Error(`x509: PKCS#8 wrapping contained private key with unknown algorithm: ${oid}`);
  const seed = new DerReader(inner).octets();
  if (seed.length !== 32) throw new Asn1Error('x509: invalid Ed25519 private key length');
  return { ...edPublicKey(seed), seed };
}
