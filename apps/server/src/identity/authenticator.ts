/** Who is calling: a bearer token or an API key, from the `Authorization` header (or `X-API-Key`). */
import { BailiwickError } from '@bailiwick/contract';
import type { Caller } from '../decisions/decision-service.js';
import { ApiKeys } from './api-keys.js';
import type { TokenVerifier } from './token-verifier.js';

export class Authenticator {
  readonly #tokens: TokenVerifier;
  readonly #apiKeys: ApiKeys;

  constructor(tokens: TokenVerifier, apiKeys: ApiKeys) {
    this.#tokens = tokens;
    this.#apiKeys = apiKeys;
  }

  /** The caller of a token that was verified before and still holds; undefined: it must be verified. Costs one hash and no promise. */
  recall(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Caller | undefined {
    const { authorization } = headers;
    if (headers['x-api-key'] !== undefined || typeof authorization !== 'string') return undefined;
    const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
    const claims = token === undefined ? undefined : this.#tokens.recall(token);
    return claims && { actor: claims.sub, claims };
  }

  /** Throws with kind `unauthenticated`. `headers` have lower-case names, as Node gives them. */
  async authenticate(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Promise<Caller> {
    const apiKey = headers['x-api-key'];
    if (typeof apiKey === 'string') return this.#apiKeys.authenticate(apiKey);
    const credential = bearer(headers['authorization']);
    if (ApiKeys.isApiKey(credential)) return this.#apiKeys.authenticate(credential);
    const claims = await this.#tokens.verify(credential);
    return { actor: claims.sub, claims };
  }
}

function bearer(header: string | readonly string[] | undefined): string {
  const match = typeof header === 'string' ? /^Bearer +([^\s]+)$/i.exec(header) : null;
  if (match?.[1] !== undefined) return match[1];
  throw new BailiwickError('unauthenticated', {
    reason: 'token.missing',
    message:
      'Send a token: `Authorization: Bearer …`. The bootstrap administrator’s is in `admin.token` in the data folder.',
  });
}
