/**
 * Keys that this installation makes for itself at its first start and keeps in the data folder, readable by its owner only: an RSA key for
 * the tokens of the built-in issuer, and Ed25519 keys for the audit's signatures and for the environments that applications are shipped with.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, type JSONWebKeySet, type JWK, SignJWT } from 'jose';

export interface LocalKeys {
  readonly tokenKey: KeyObject;
  readonly tokenKeyId: string;
  readonly publicKeySet: JSONWebKeySet;
  /** With the private parts, for the built-in issuer. */
  readonly privateKeySet: { readonly keys: readonly JWK[] };
  readonly auditKey: KeyObject;
  /** PEM; `bailiwick audit verify` reads it. */
  readonly auditPublicKeyPem: string;
  /** Signs bootstrap files; SDKs are given the public one. */
  readonly bootstrapKey: KeyObject;
  readonly bootstrapPublicKeyPem: string;
}

/** Tokens that this installation signs for itself carry this issuer: it does not depend on the address it is reached at. */
export const bootstrapIssuer = 'urn:bailiwick:local';

export async function loadLocalKeys(directory: string): Promise<LocalKeys> {
  const folder = join(directory, 'keys');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const tokenKey = keyIn(
    join(folder, 'token.pem'),
    () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  );
  const auditKey = keyIn(join(folder, 'audit.pem'), () => generateKeyPairSync('ed25519').privateKey);
  const bootstrapKey = keyIn(join(folder, 'bootstrap.pem'), () => generateKeyPairSync('ed25519').privateKey);
  const publicJwk = await exportJWK(createPublicKey(tokenKey));
  const tokenKeyId = await calculateJwkThumbprint(publicJwk);
  const members = { kid: tokenKeyId, use: 'sig', alg: 'RS256' };
  const auditPublicKeyPem = createPublicKey(auditKey).export({ type: 'spki', format: 'pem' }).toString();
  writeFileSync(join(directory, 'audit-public-key.pem'), auditPublicKeyPem);
  return {
    tokenKey,
    tokenKeyId,
    publicKeySet: { keys: [{ ...publicJwk, ...members }] },
    privateKeySet: { keys: [{ ...(await exportJWK(tokenKey)), ...members }] },
    auditKey,
    auditPublicKeyPem,
    bootstrapKey,
    bootstrapPublicKeyPem: createPublicKey(bootstrapKey).export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** Reads the key or makes it; written beside and renamed, so that a crash leaves no half a key. */
function keyIn(path: string, generate: () => KeyObject): KeyObject {
  if (existsSync(path)) return createPrivateKey(readFileSync(path));
  const key = generate();
  writeFileSync(`${path}.new`, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return key;
}

export interface LocalTokenOptions {
  readonly subject: string;
  readonly roles: readonly string[];
  readonly project?: string | undefined;
  readonly audience: string;
  readonly days: number;
}

/** A token of the installation itself: the bootstrap administrator's, and those that `bailiwick token` makes. */
export async function signLocalToken(keys: LocalKeys, options: LocalTokenOptions): Promise<string> {
  const claims = { roles: [...options.roles], ...(options.project === undefined ? {} : { project: options.project }) };
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: keys.tokenKeyId, typ: 'JWT' })
    .setIssuer(bootstrapIssuer)
    .setAudience(options.audience)
    .setSubject(options.subject)
    .setIssuedAt()
    .setJti(crypto.randomUUID())
    .setExpirationTime(`${options.days}d`)
    .sign(keys.tokenKey);
}
