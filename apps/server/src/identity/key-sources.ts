/** Where issuers' keys come from: OIDC discovery, a JWKS file, or this process itself. */
import { readFile } from 'node:fs/promises';
import type { JSONWebKeySet } from 'jose';
import { request } from 'undici';
import type { KeySource } from './token-verifier.js';

const timeoutMs = 3_000;
const maxBytes = 256 * 1024;

/** `{issuer}/.well-known/openid-configuration` → `jwks_uri`. The document must name the issuer itself (OIDC discovery 4.3). */
export function discoveredKeys(issuer: string): KeySource {
  return {
    load: async () => {
      const document = await getJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
      const { issuer: named, jwks_uri: address } = document as { issuer?: unknown; jwks_uri?: unknown };
      if (named !== issuer || typeof address !== 'string')
        throw new Error(`The discovery document of ${issuer} does not name it, or has no jwks_uri.`);
      return asKeySet(await getJson(address));
    },
  };
}

export function fileKeys(path: string): KeySource {
  return { load: async () => asKeySet(JSON.parse(await readFile(path, 'utf8'))) };
}

export function fixedKeys(keys: JSONWebKeySet): KeySource {
  return { load: async () => keys };
}

async function getJson(address: string): Promise<unknown> {
  const response = await request(address, {
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    headers: { accept: 'application/json' },
  });
  const declared = Number(response.headers['content-length'] ?? 0);
  if (response.statusCode !== 200 || declared > maxBytes) {
    await response.body.dump();
    throw new Error(`${address} answered ${response.statusCode}.`);
  }
  const text = await response.body.text();
  if (text.length > maxBytes) throw new Error(`${address} answered more than ${maxBytes} bytes.`);
  return JSON.parse(text);
}

function asKeySet(document: unknown): JSONWebKeySet {
  const { keys } = document as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('The JWKS document has no `keys`.');
  // Symmetric keys have no place in a public key set.
  return { keys: keys.filter((key: { kty?: unknown }) => key.kty !== 'oct') };
}
