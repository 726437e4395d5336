/**
 * Where the built-in issuer keeps sessions, codes and grants: in the cache, so that several instances that share one know each other's. Keyed
 * by the SHA-256 of the identifier, which is a credential. What the cache forgets has to sign in again.
 */
import { createHash } from 'node:crypto';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Cache } from '../ports/cache.port.js';

const defaultSeconds = 3_600;
/** How long a grant's members are remembered, so that revoking it finds them. */
const grantMs = 14 * 86_400_000;

interface Kept {
  readonly payload: AdapterPayload;
  readonly untilMs: number;
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** The class that the provider makes one of for each of its models. */
export function sessionStore(cache: Cache): new (model: string) => Adapter {
  return class SessionStore implements Adapter {
    readonly #model: string;

    constructor(model: string) {
      this.#model = model;
    }

    async upsert(id: string, payload: AdapterPayload, expiresInSeconds: number): Promise<void> {
      const ttlMs = (expiresInSeconds || defaultSeconds) * 1_000;
      const key = this.#key(id);
      await cache.set(key, JSON.stringify({ payload, untilMs: Date.now() + ttlMs } satisfies Kept), ttlMs);
      for (const other of [payload.uid, payload.userCode])
        if (other !== undefined) await cache.set(this.#key(`by:${other}`), id, ttlMs);
      if (payload.grantId !== undefined) await rememberMember(cache, payload.grantId, key);
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      return (await this.#kept(id))?.payload;
    }

    async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
      return await this.#findBy(userCode);
    }

    async findByUid(uid: string): Promise<AdapterPayload | undefined> {
      return await this.#findBy(uid);
    }

    async consume(id: string): Promise<void> {
      const kept = await this.#kept(id);
      if (!kept) return;
      const payload = { ...kept.payload, consumed: Math.floor(Date.now() / 1_000) };
      await cache.set(this.#key(id), JSON.stringify({ ...kept, payload }), Math.max(1, kept.untilMs - Date.now()));
    }

    async destroy(id: string): Promise<void> {
      await cache.delete(this.#key(id));
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      for (const key of await membersOf(cache, grantId)) await cache.delete(key);
      await cache.delete(grantKey(grantId));
    }

    #key(id: string): string {
      return `oidc:${this.#model}:${hashed(id)}`;
    }

    async #kept(id: string): Promise<Kept | undefined> {
      const text = await cache.get(this.#key(id));
      return text === undefined ? undefined : (JSON.parse(text) as Kept);
    }

    async #findBy(other: string): Promise<AdapterPayload | undefined> {
      const id = await cache.get(this.#key(`by:${other}`));
      return id === undefined ? undefined : await this.find(id);
    }
  };
}

const grantKey = (grantId: string): string => `oidc:grant-members:${hashed(grantId)}`;

async function membersOf(cache: Cache, grantId: string): Promise<readonly string[]> {
  return JSON.parse((await cache.get(grantKey(grantId))) ?? '[]') as readonly string[];
}

async function rememberMember(cache: Cache, grantId: string, key: string): Promise<void> {
  const known = await membersOf(cache, grantId);
  if (!known.includes(key)) await cache.set(grantKey(grantId), JSON.stringify([...known, key]), grantMs);
}
