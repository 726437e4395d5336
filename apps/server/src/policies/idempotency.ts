/**
 * Idempotency-Key for writes (specification, sections 5 and 11). A reservation under a short lease marks a write that runs; the write's own
 * transaction turns it into the remembered answer, so that a crash leaves either both or neither. Remembered for 24 h (setting).
 */
import { createHash } from 'node:crypto';
import { BailiwickError } from '@bailiwick/contract';
import type { Compare, KeyValueStore, Operation } from '../ports/key-value-store.port.js';
import { ownPrefix } from './policy-model.js';

const prefix = `${ownPrefix}idempotency/`;
const reservationTtlMs = 30_000;

/** What is needed to give the first answer again; its ETag is the record's own revision. */
export interface RememberedWrite {
  readonly status: number;
  readonly policy: string;
  readonly version: number;
}

interface StoredRecord {
  readonly fingerprint: string;
  readonly expiresMs: number;
  readonly write?: RememberedWrite;
}

export interface Reservation {
  readonly condition: Compare;
  /** The operation that turns the reservation into the remembered answer. */
  remember(write: RememberedWrite): Operation;
  /** Frees the key after a refusal, so that a corrected request may use it again. Never throws. */
  release(): Promise<void>;
}

export type Admission =
  | { readonly kind: 'first'; readonly reservation: Reservation }
  | { readonly kind: 'replay'; readonly write: RememberedWrite; readonly revision: number };

export class IdempotencyKeys {
  readonly #store: KeyValueStore;
  readonly #keptMs: number;
  readonly #nowMs: () => number;

  constructor(store: KeyValueStore, keptHours: number, nowMs: () => number = Date.now) {
    this.#store = store;
    this.#keptMs = keptHours * 3_600_000;
    this.#nowMs = nowMs;
  }

  /**
   * `fingerprint` is over everything that makes the request what it is. Throws `idempotency.in_progress` (409) while the first runs and
   * `idempotency.key_reused` (422) when the key came with another request.
   */
  async admit(actor: string, key: string, fingerprint: string): Promise<Admission> {
    const storeKey = prefix + rememberedName(actor, key);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const known = await this.#store.get(storeKey);
      const record = known ? (JSON.parse(known.value) as StoredRecord) : undefined;
      if (known && record && record.expiresMs > this.#nowMs())
        return this.#replay(record, known.modRevision, fingerprint);
      const lease = await this.#store.grantLease(reservationTtlMs);
      const value = JSON.stringify({ fingerprint, expiresMs: this.#nowMs() + reservationTtlMs } satisfies StoredRecord);
      const reserved = await this.#store.transact(
        [{ key: storeKey, modRevision: known?.modRevision ?? 0 }],
        [{ kind: 'put', key: storeKey, value, leaseId: lease.id }],
      );
      if (!reserved.succeeded) {
        await lease.release();
        continue;
      }
      return { kind: 'first', reservation: this.#reservation(storeKey, reserved.revision, fingerprint, lease) };
    }
    throw inProgress();
  }

  #replay(record: StoredRecord, revision: number, fingerprint: string): Admission {
    if (record.fingerprint !== fingerprint) throw keyReused();
    if (!record.write) throw inProgress();
    return { kind: 'replay', write: record.write, revision };
  }

  #reservation(key: string, revision: number, fingerprint: string, lease: { release(): Promise<void> }): Reservation {
    return {
      condition: { key, modRevision: revision },
      remember: (write) => ({
        kind: 'put',
        key,
        value: JSON.stringify({ fingerprint, expiresMs: this.#nowMs() + this.#keptMs, write } satisfies StoredRecord),
      }),
      release: async () => {
        // Releasing the lease removes the reservation; a remembered answer has been put without the lease and stays.
        await lease.release().catch(() => undefined);
      },
    };
  }

  /** Deletes what has expired; called by the worker role. Returns how many went. */
  async sweep(): Promise<number> {
    const { items } = await this.#store.range(prefix);
    const expired = items.filter((item) => (JSON.parse(item.value) as StoredRecord).expiresMs <= this.#nowMs());
    for (const item of expired)
      await this.#store.transact(
        [{ key: item.key, modRevision: item.modRevision }],
        [{ kind: 'delete', key: item.key }],
      );
    return expired.length;
  }
}

/** Under what an answer is remembered: a key is its caller's own. Throws `idempotency.bad_key`. */
export function rememberedName(actor: string, key: string): string {
  if (key.length > 255 || !/^[\x21-\x7e]+$/.test(key)) {
    throw new BailiwickError('invalid', {
      reason: 'idempotency.bad_key',
      message: 'Idempotency-Key is 1 to 255 visible ASCII characters.',
    });
  }
  return createHash('sha256').update(`${actor}\n${key}`).digest('hex');
}

export const keyReused = (): BailiwickError =>
  new BailiwickError('unprocessable', {
    reason: 'idempotency.key_reused',
    message: 'This Idempotency-Key came before with another request. Use a new key for a new request.',
  });

const inProgress = (): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'idempotency.in_progress',
    message: 'The first request with this Idempotency-Key is still running. Ask again in a moment.',
    retryAfterSeconds: 1,
  });
