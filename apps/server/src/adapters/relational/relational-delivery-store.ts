/** `DeliveryStore` in SQL, for SQLite and PostgreSQL alike. Taking is a conditional update a row: who changes the time first has it. */
import { type Kysely, sql } from 'kysely';
import type { Delivery, DeliveryOutcome, DeliveryStore } from '../../ports/delivery-store.port.js';
import type { Migration } from '../migrations.js';
import type { DeliveryRow, ResourceTables } from './resource-tables.js';
import { ignoreUnavailable, Schema } from './schema.js';

async function createTables(database: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE webhook_deliveries (
    id TEXT PRIMARY KEY, webhook_id TEXT NOT NULL, event TEXT NOT NULL, created_ms BIGINT NOT NULL, attempts INTEGER NOT NULL,
    next_attempt_ms BIGINT NOT NULL, state TEXT NOT NULL, status INTEGER, error TEXT
  )`.execute(database);
  await sql`CREATE INDEX webhook_deliveries_due ON webhook_deliveries (state, next_attempt_ms)`.execute(database);
  await sql`CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, created_ms)`.execute(database);
}

const migrations: readonly Migration[] = [{ number: 1, name: 'deliveries', up: createTables }];

export interface DeliveryOptions {
  readonly database: Kysely<ResourceTables>;
  readonly exclusively?: ((work: (database: Kysely<ResourceTables>) => Promise<unknown>) => Promise<void>) | undefined;
  readonly toError?: ((error: unknown) => unknown) | undefined;
}

export class RelationalDeliveryStore implements DeliveryStore {
  readonly #database: Kysely<ResourceTables>;
  readonly #toError: (error: unknown) => unknown;

  readonly #schema: Schema<ResourceTables>;

  private constructor(options: DeliveryOptions) {
    this.#database = options.database;
    this.#toError = options.toError ?? ((error) => error);
    this.#schema = new Schema(options, 'deliveries', migrations);
  }

  /** Migrates, or does so with the first call that reaches the database. */
  static async open(options: DeliveryOptions): Promise<RelationalDeliveryStore> {
    const store = new RelationalDeliveryStore(options);
    await store.#schema.ensure().catch(ignoreUnavailable);
    return store;
  }

  async enqueue(deliveries: readonly Pick<Delivery, 'id' | 'webhookId' | 'event' | 'createdAtMs'>[]): Promise<void> {
    if (deliveries.length === 0) return;
    const rows = deliveries.map(({ id, webhookId, event, createdAtMs }) => ({
      ...{ id, webhook_id: webhookId, event, created_ms: createdAtMs, next_attempt_ms: createdAtMs },
      ...{ attempts: 0, state: 'waiting', status: null, error: null },
    }));
    await this.#guard(() =>
      this.#database
        .insertInto('webhook_deliveries')
        .values(rows)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
  }

  async take(nowMs: number, untilMs: number, limit: number): Promise<readonly Delivery[]> {
    return await this.#guard(async () => {
      const due = await this.#database
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('state', '=', 'waiting')
        .where('next_attempt_ms', '<=', nowMs)
        .orderBy('next_attempt_ms')
        .limit(limit)
        .execute();
      const taken: Delivery[] = [];
      for (const row of due) {
        const mine = await this.#database
          .updateTable('webhook_deliveries')
          .set({ next_attempt_ms: untilMs })
          .where('id', '=', row.id)
          .where('state', '=', 'waiting')
          .where('next_attempt_ms', '=', row.next_attempt_ms)
          .executeTakeFirst();
        if (mine.numUpdatedRows === 1n) taken.push(toDelivery(row));
      }
      return taken;
    });
  }

  async settle(id: string, { state, attempts, nextAttemptMs, status, error }: DeliveryOutcome): Promise<void> {
    await this.#guard(() =>
      this.#database
        .updateTable('webhook_deliveries')
        .set({ state, attempts, next_attempt_ms: nextAttemptMs, status, error })
        .where('id', '=', id)
        .execute(),
    );
  }

  async of(webhookId: string, limit: number): Promise<readonly Delivery[]> {
    const rows = await this.#guard(() =>
      this.#database
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .orderBy('created_ms', 'desc')
        .orderBy('id')
        .limit(limit)
        .execute(),
    );
    return rows.map(toDelivery);
  }

  async waiting(): Promise<number> {
    const row = await this.#guard(() =>
      this.#database
        .selectFrom('webhook_deliveries')
        .select(sql<number>`count(*)`.as('count'))
        .where('state', '=', 'waiting')
        .executeTakeFirstOrThrow(),
    );
    return Number(row.count);
  }

  async prune(beforeMs: number): Promise<number> {
    const result = await this.#guard(() =>
      this.#database
        .deleteFrom('webhook_deliveries')
        .where('state', '!=', 'waiting')
        .where('created_ms', '<', beforeMs)
        .executeTakeFirst(),
    );
    return Number(result.numDeletedRows);
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    await this.#schema.ensure();
    try {
      return await work();
    } catch (error) {
      throw this.#toError(error);
    }
  }
}

const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  webhookId: row.webhook_id,
  event: row.event,
  createdAtMs: Number(row.created_ms),
  attempts: row.attempts,
  nextAttemptMs: Number(row.next_attempt_ms),
  state: row.state as Delivery['state'],
  status: row.status,
  error: row.error,
});
