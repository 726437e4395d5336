/**
 * Where the built-in issuer keeps sessions, codes and grants: in memory, bounded, gone at a restart. Its accounts and keys are elsewhere
 * and stay. Enough for local use; an organisation brings its own issuer.
 */
import type { Adapter, AdapterPayload } from 'oidc-provider';

interface Entry {
  readonly payload: AdapterPayload;
  readonly untilMs: number;
}

const maxEntries = 20_000;
const entries = new Map<string, Entry>();

export class SessionMemory implements Adapter {
  readonly #model: string;

  constructor(model: string) {
    this.#model = model;
  }

  async upsert(id: string, payload: AdapterPayload, expiresInSeconds: number): Promise<void> {
    if (entries.size >= maxEntries) entries.delete(entries.keys().next().value ?? '');
    entries.set(this.#key(id), { payload, untilMs: Date.now() + (expiresInSeconds || 3600) * 1000 });
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const entry = entries.get(this.#key(id));
    if (entry && entry.untilMs > Date.now()) return entry.payload;
    entries.delete(this.#key(id));
    return undefined;
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#search((payload) => payload.userCode === userCode);
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#search((payload) => payload.uid === uid);
  }

  async consume(id: string): Promise<void> {
    const entry = entries.get(this.#key(id));
    if (entry) entry.payload['consumed'] = Math.floor(Date.now() / 1000);
  }

  async destroy(id: string): Promise<void> {
    entries.delete(this.#key(id));
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [key, entry] of entries) if (entry.payload.grantId === grantId) entries.delete(key);
  }

  #key(id: string): string {
    return `${this.#model}:${id}`;
  }

  #search(isWanted: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
    for (const [key, entry] of entries) {
      if (key.startsWith(`${this.#model}:`) && entry.untilMs > Date.now() && isWanted(entry.payload))
        return entry.payload;
    }
    return undefined;
  }
}
