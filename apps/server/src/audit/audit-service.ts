/**
 * Records facts and answers questions about them. Facts that are not part of a policy's transaction (refusals, reads of sensitive things,
 * API keys) go into the same outbox first, so that they too survive an archive that is away.
 */
import { randomUUID } from 'node:crypto';
import { encodeOutboxEntry } from '../policies/outbox.js';
import { outboxPrefix } from '../policies/policy-model.js';
import type { AuditFacts, AuditFilter, AuditLogStore, AuditRecord } from '../ports/audit-log.port.js';
import type { KeyValueStore } from '../ports/key-value-store.port.js';
import type { Page } from '../ports/policy-archive.port.js';

export type NewFacts = Omit<AuditFacts, 'id' | 'ts'>;

export class AuditService {
  readonly #store: KeyValueStore;
  readonly #log: AuditLogStore;
  readonly #nowMs: () => number;

  constructor(store: KeyValueStore, log: AuditLogStore, nowMs: () => number = Date.now) {
    this.#store = store;
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** The facts with their id and time, for a transaction of the caller's. */
  complete(facts: NewFacts): AuditFacts {
    return { id: randomUUID(), ts: new Date(this.#nowMs()).toISOString(), ...facts };
  }

  /** Durable when it resolves. */
  async record(facts: NewFacts): Promise<void> {
    const audit = this.complete(facts);
    await this.#store.transact(
      [],
      [{ kind: 'put', key: `${outboxPrefix}${audit.chain}/${audit.id}`, value: encodeOutboxEntry({ audit }) }],
    );
  }

  /** Facts that were made durable elsewhere, with the ids they have there: repeating it changes nothing. */
  async relay(facts: readonly AuditFacts[]): Promise<void> {
    for (let at = 0; at < facts.length; at += 100)
      await this.#store.transact(
        [],
        facts.slice(at, at + 100).map((audit) => ({
          kind: 'put',
          key: `${outboxPrefix}${audit.chain}/${audit.id}`,
          value: encodeOutboxEntry({ audit }),
        })),
      );
  }

  async search(
    filter: AuditFilter,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<Page<AuditRecord>> {
    return await this.#log.search(filter, {
      limit: options.limit,
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    });
  }

  /** Every kept record of the chains, chain by chain, oldest first: what `audit verify` reads. */
  async *export(chains?: readonly string[]): AsyncGenerator<AuditRecord> {
    for (const chain of chains ?? (await this.#log.chains())) {
      for (let after = 0; ; ) {
        const page = await this.#log.read(chain, after, 500);
        yield* page;
        const last = page.at(-1);
        if (!last) break;
        after = last.seq;
      }
    }
  }

  async prune(retentionDays: number): Promise<number> {
    return await this.#log.prune(new Date(this.#nowMs() - retentionDays * 86_400_000).toISOString());
  }
}
