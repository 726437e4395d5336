/**
 * The file that is shipped with an application: an environment as the server signed it, for a start without server and without cache. What is
 * signed is the very text of the snapshot after a line that says what it is, with Ed25519.
 */
import { type EnvironmentSnapshot, MalformedData, toSnapshot } from './snapshot.js';

/** The answer of `GET /api/v1/environment/bootstrap`. */
export interface SignedBootstrap {
  /** JSON text of an environment. */
  readonly snapshot: string;
  /** Base64url. */
  readonly signature: string;
}

export const bootstrapPrefix = 'bailiwick-bootstrap-v1\n';

/** `publicKeyPem`: of `GET /api/v1/environment/bootstrap/public-key`. Rejects when the signature is not that key's. */
export async function verifyBootstrap(
  signed: string | SignedBootstrap,
  publicKeyPem: string,
): Promise<EnvironmentSnapshot> {
  const { snapshot, signature } = (
    typeof signed === 'string' ? JSON.parse(signed) : signed
  ) as Partial<SignedBootstrap>;
  if (typeof snapshot !== 'string' || typeof signature !== 'string')
    throw new MalformedData('the bootstrap file was refused: it needs the texts `snapshot` and `signature`');
  const body = publicKeyPem.replace(/-----[A-Z ]+-----/g, '').replace(/\s/g, '');
  const key = await crypto.subtle.importKey('spki', bytesOf(body), { name: 'Ed25519' }, false, ['verify']);
  const text = new TextEncoder().encode(bootstrapPrefix + snapshot);
  const isRight = await crypto.subtle.verify({ name: 'Ed25519' }, key, bytesOf(signature), text);
  if (!isRight) throw new MalformedData('the bootstrap file was refused: its signature is not that of the given key');
  return toSnapshot(JSON.parse(snapshot));
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
