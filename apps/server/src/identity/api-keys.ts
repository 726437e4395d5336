/**
 * API keys: `bwk_<id>_<secret>`, 256 bits of chance; only a SHA-256 of the secret is kept. They live in the live store, so that a key is
 * known, and a revoked one unknown, on every instance within milliseconds.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type ApiKey, type ApiKeyRequest, BailiwickError, type CreatedApiKey } from '@bailiwick/contract';
import type { AuditService, NewFacts } from '../audit/audit-service.js';
import type { Caller } from '../decisions/decision-service.js';
import { encodeOutboxEntry } from '../policies/outbox.js';
import { outboxPrefix, ownPrefix } from '../policies/policy-model.js';
import type { KeyValueStore, Operation, Watch } from '../ports/key-value-store.port.js';

const prefix = `${ownPrefix}api-keys/`;
const keyPattern = /^bwk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

interface StoredKey extends ApiKey {
  /** Base64url of the SHA-256 of the secret. */
  readonly hash: string;
}

/** What a right credential stands for, so that it need not be hashed again for every call. */
interface Right {
  readonly stored: StoredKey;
  readonly caller: Caller;
  readonly expiresMs: number;
}

const maxRight = 10_000;

export class ApiKeys {
  readonly #store: KeyValueStore;
  readonly #audit: AuditService;
  readonly #nowMs: () => number;
  readonly #known = new Map<string, { readonly key: StoredKey; readonly revision: number }>();
  /** Credentials that were right, for as long as the key they belong to is the very same. In memory only, as in the requests they came with. */
  readonly #right = new Map<string, Right>();
  #watch: Watch | undefined;

  constructor(store: KeyValueStore, audit: AuditService, nowMs: () => number = Date.now) {
    this.#store = store;
    this.#audit = audit;
    this.#nowMs = nowMs;
  }

  async start(): Promise<void> {
    const load = (items: readonly { key: string; value: string; modRevision: number }[]): void => {
      for (const item of items)
        this.#known.set(item.key.slice(prefix.length), {
          key: JSON.parse(item.value) as StoredKey,
          revision: item.modRevision,
        });
    };
    const range = await this.#store.range(prefix);
    load(range.items);
    this.#watch = this.#store.watch({
      prefix,
      afterRevision: range.revision,
      onBatch: (batch) => {
        for (const event of batch.events) {
          if (event.kind === 'put') load([event.item]);
          else this.#known.delete(event.key.slice(prefix.length));
        }
      },
      onResync: (fresh) => {
        this.#known.clear();
        load(fresh.items);
      },
    });
  }

  async stop(): Promise<void> {
    await this.#watch?.close();
  }

  static isApiKey(credential: string): boolean {
    return credential.startsWith('bwk_');
  }

  /** Throws `api_key.invalid` (401), the same for an unknown, a wrong, a revoked and an expired one. */
  authenticate(credential: string): Caller {
    const right = this.#right.get(credential);
    if (right !== undefined) {
      if (this.#known.get(right.stored.id)?.key === right.stored && right.expiresMs > this.#nowMs())
        return right.caller;
      this.#right.delete(credential);
    }
    const match = keyPattern.exec(credential);
    const stored = match?.[1] === undefined ? undefined : this.#known.get(match[1])?.key;
    const expected = Buffer.from(stored?.hash ?? '', 'base64url');
    const given = sha256(match?.[2] ?? '');
    const isRight = expected.length === given.length && timingSafeEqual(expected, given);
    if (!stored || !isRight || Date.parse(stored.expires_at) <= this.#nowMs()) {
      throw new BailiwickError('unauthenticated', {
        reason: 'api_key.invalid',
        message: 'The API key is unknown, revoked or expired.',
      });
    }
    const sub = `api-key:${stored.id}`;
    const caller: Caller = {
      actor: sub,
      claims: {
        sub,
        name: stored.name,
        roles: stored.roles,
        ...(stored.project === undefined ? {} : { project: stored.project }),
        ...(stored.app_id === undefined ? {} : { app_id: stored.app_id }),
        ...(stored.environment === undefined ? {} : { environment: stored.environment }),
        ...(stored.kind === undefined ? {} : { key_kind: stored.kind }),
      },
    };
    if (this.#right.size >= maxRight) this.#right.delete(this.#right.keys().next().value as string);
    this.#right.set(credential, { stored, caller, expiresMs: Date.parse(stored.expires_at) });
    return caller;
  }

  async create(
    request: ApiKeyRequest,
    context: Pick<NewFacts, 'actor' | 'request_id' | 'client_ip'>,
  ): Promise<CreatedApiKey> {
    if (request.environment !== undefined && request.app_id === undefined)
      throw new BailiwickError('invalid', {
        reason: 'api_key.environment_without_app',
        message: 'An environment belongs to an app: name `app_id` too.',
      });
    const id = randomBytes(8).toString('hex');
    const secret = randomBytes(32).toString('base64url');
    const now = this.#nowMs();
    const key: ApiKey = {
      id,
      name: request.name,
      roles: request.roles ?? [],
      ...(request.project === undefined ? {} : { project: request.project }),
      ...(request.app_id === undefined ? {} : { app_id: request.app_id }),
      ...(request.environment === undefined ? {} : { environment: request.environment }),
      ...(request.kind === undefined ? {} : { kind: request.kind }),
      created_by: context.actor,
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + (request.expires_in_days ?? 90) * 86_400_000).toISOString(),
    };
    const stored: StoredKey = { ...key, hash: sha256(secret).toString('base64url') };
    await this.#store.transact(
      [{ key: prefix + id, modRevision: 0 }],
      [{ kind: 'put', key: prefix + id, value: JSON.stringify(stored) }, this.#fact('api_key.create', id, context)],
    );
    this.#known.set(id, { key: stored, revision: 0 });
    return { ...key, key: `bwk_${id}_${secret}` };
  }

  list(): readonly ApiKey[] {
    return [...this.#known.values()]
      .map(({ key: { hash: _hash, ...shown } }) => shown)
      .sort((a, b) => b.created_at.localeCompare(a.created_at));
  }

  /** Throws `api_key.not_found`. */
  async revoke(id: string, context: Pick<NewFacts, 'actor' | 'request_id' | 'client_ip'>): Promise<void> {
    const known = await this.#store.get(prefix + id);
    if (!known)
      throw new BailiwickError('not-found', { reason: 'api_key.not_found', message: `There is no API key ${id}.` });
    await this.#store.transact([], [{ kind: 'delete', key: prefix + id }, this.#fact('api_key.revoke', id, context)]);
    this.#known.delete(id);
  }

  #fact(action: string, id: string, context: Pick<NewFacts, 'actor' | 'request_id' | 'client_ip'>): Operation {
    const audit = this.#audit.complete({
      ...context,
      action,
      resource: `/api/v1/api-keys/${id}`,
      etag_before: null,
      etag_after: null,
      result: 'success',
      chain: 'platform',
    });
    return { kind: 'put', key: `${outboxPrefix}platform/${audit.id}`, value: encodeOutboxEntry({ audit }) };
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
