/**
 * Numbered, forward-only migrations for the relational adapters. A set is one capability's list; its numbers are 1, 2, 3 …
 * without a gap, and what was once released is never changed: a mistake is mended by the next number.
 */
import { type Kysely, sql } from 'kysely';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly up: (database: Kysely<unknown>) => Promise<void>;
}

interface MigrationTable {
  readonly schema_migrations: {
    readonly migration_set: string;
    readonly number: number;
    readonly name: string;
    readonly applied_at: string;
  };
}

/**
 * Brings a set up to date; each migration and its mark are one transaction. Returns how many were applied.
 * Errors: when the data was written by a newer version (it has numbers that the set does not know).
 */
export async function migrate<Tables>(
  database: Kysely<Tables>,
  set: string,
  migrations: readonly Migration[],
  now: () => Date = () => new Date(),
): Promise<number> {
  const db = database as unknown as Kysely<MigrationTable>;
  await db.schema
    .createTable('schema_migrations')
    .ifNotExists()
    .addColumn('migration_set', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('applied_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('schema_migrations_key', ['migration_set', 'number'])
    .execute();
  const done = await db
    .selectFrom('schema_migrations')
    .select(sql<number | null>`max(number)`.as('last'))
    .where('migration_set', '=', set)
    .executeTakeFirstOrThrow();
  const last = done.last ?? 0;
  if (last > migrations.length)
    throw new Error(
      `the data was written by a newer version: ${set} is at ${last}, this version knows ${migrations.length}`,
    );
  for (const [index, migration] of migrations.entries()) {
    if (migration.number !== index + 1) throw new Error(`migration ${set}/${migration.number} is out of order`);
    if (migration.number <= last) continue;
    await db.transaction().execute(async (transaction) => {
      await migration.up(transaction as unknown as Kysely<unknown>);
      const { number, name } = migration;
      const applied_at = now().toISOString();
      await transaction
        .insertInto('schema_migrations')
        .values({ migration_set: set, number, name, applied_at })
        .execute();
    });
  }
  return Math.max(0, migrations.length - last);
}
