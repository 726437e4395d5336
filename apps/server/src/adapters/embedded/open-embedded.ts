/**
 * Opens the embedded parts: one data folder, one SQLite file, everything an installation without servers needs.
 * Order: lock the folder, open the writer (which makes or recovers the file), then the readers, then migrate.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { migrate } from '../migrations.js';
import { lockFolder } from './folder-lock.js';
import { type HistoryTables, historyMigrations } from './history-tables.js';
import { SqliteAuditLog } from './sqlite-audit-log.js';
import { SqliteThreadDialect } from './sqlite-dialect.js';
import { SqliteKeyValueStore } from './sqlite-key-value-store.js';
import { SqlitePolicyArchive } from './sqlite-policy-archive.js';
import { SqliteThread } from './sqlite-thread.js';
import type { SqlValue, WorkerSettings } from './worker-protocol.js';

export interface EmbeddedOptions {
  /** Made when missing; one process at a time. */
  readonly directory: string;
  /** How many revisions a watch may be behind before it has to list anew. */
  readonly maxHistoryRevisions?: number;
  /** How much of old keys and values is kept for such watches. */
  readonly maxHistoryBytes?: number;
  /** For tests of a full disk: the file grows to this many pages of 4 KiB. */
  readonly maxPages?: number;
}

export interface Embedded {
  readonly keyValueStore: SqliteKeyValueStore;
  readonly policyArchive: SqlitePolicyArchive;
  readonly auditLog: SqliteAuditLog;
  /** The relational side of the same file; `withTables` adds a capability's own after its `migrate`. */
  readonly database: Kysely<HistoryTables>;
  /** Runs a statement once for each row of values, all in one commit. */
  runMany(sql: string, rows: readonly (readonly SqlValue[])[]): Promise<void>;
  /** Finishes what was asked, closes the file, then gives the folder free. */
  close(): Promise<void>;
}

/** Errors: `store.locked` when another process has the folder; `store.unavailable` when the disk cannot be used. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const lock = lockFolder(options.directory);
  const closers: (() => void | Promise<void>)[] = [() => lock.release()];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const { maxHistoryRevisions = 10_000, maxHistoryBytes = 256 * 1024 * 1024, maxPages } = options;
    const file = join(options.directory, 'bailiwick.db');
    const settings: Omit<WorkerSettings, 'role'> = {
      ...{ file, maxHistoryRevisions, maxHistoryBytes },
      ...(maxPages === undefined ? {} : { maxPages }),
    };
    const writer = await SqliteThread.open({ ...settings, role: 'writer' });
    closers.push(() => writer.close());
    const reader = await SqliteThread.open({ ...settings, role: 'reader' });
    closers.push(() => reader.close());
    const lookup = new Database(file, { readonly: true, timeout: 50 });
    closers.push(() => void lookup.close());
    const database = new Kysely<HistoryTables>({ dialect: new SqliteThreadDialect({ writer, reader }) });
    await migrate(database, 'history', historyMigrations);
    const keyValueStore = new SqliteKeyValueStore({ writer, reader, lookup });
    await keyValueStore.dropLeftLeases();
    closers.push(() => keyValueStore.close());
    return {
      keyValueStore,
      policyArchive: new SqlitePolicyArchive(database),
      auditLog: new SqliteAuditLog(database),
      database,
      runMany: async (sql, rows) => await writer.run({ kind: 'many', sql, rows }),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
