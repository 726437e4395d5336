/**
 * Kysely over the SQLite threads: selects go to the reader, single statements join the writer's group commits, and a
 * transaction has the writer for itself until it ends.
 */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type TransactionSettings,
} from 'kysely';
import type { SqliteThread, ThreadTransaction } from './sqlite-thread.js';
import type { SqlResult, SqlValue } from './worker-protocol.js';

interface Threads {
  readonly writer: SqliteThread;
  readonly reader: SqliteThread;
}

function toSqlValue(value: unknown): SqlValue {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite has no ${typeof value} parameters; encode objects as JSON first`);
}

class ThreadConnection implements DatabaseConnection {
  readonly #threads: Threads;
  #transaction: ThreadTransaction | undefined;

  constructor(threads: Threads) {
    this.#threads = threads;
  }

  async begin(): Promise<void> {
    this.#transaction = await this.#threads.writer.transaction();
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    await transaction?.[how]();
  }

  async executeQuery<R>({ query, sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const isRead =
      query.kind === 'SelectQueryNode' || (query.kind === 'RawNode' && /^\s*(select|explain)\b/i.test(sql));
    const { rows, changes, lastInsertRowid } = await this.#run(sql, parameters.map(toSqlValue), isRead);
    return {
      rows: rows as readonly unknown[] as R[],
      numAffectedRows: BigInt(changes),
      insertId: BigInt(lastInsertRowid),
    };
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  #run(sql: string, parameters: readonly SqlValue[], isRead: boolean): Promise<SqlResult> {
    if (this.#transaction) return this.#transaction.run(sql, parameters);
    const { reader, writer } = this.#threads;
    return (isRead ? reader : writer).run({ kind: 'sql', sql, parameters });
  }
}

class ThreadDriver implements Driver {
  readonly #threads: Threads;

  constructor(threads: Threads) {
    this.#threads = threads;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<ThreadConnection> {
    return new ThreadConnection(this.#threads);
  }

  async beginTransaction(connection: ThreadConnection, _settings: TransactionSettings): Promise<void> {
    await connection.begin();
  }

  async commitTransaction(connection: ThreadConnection): Promise<void> {
    await connection.end('commit');
  }

  async rollbackTransaction(connection: ThreadConnection): Promise<void> {
    await connection.end('rollback');
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

/** SQLite can change its schema inside a transaction; Kysely's own adapter is careful and says it cannot. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

export class SqliteThreadDialect implements Dialect {
  readonly #threads: Threads;

  constructor(threads: Threads) {
    this.#threads = threads;
  }

  createDriver(): Driver {
    return new ThreadDriver(this.#threads);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new TransactionalSqliteAdapter();
  }

  createIntrospector(database: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(database);
  }
}
