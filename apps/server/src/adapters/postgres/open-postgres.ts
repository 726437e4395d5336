/**
 * PostgreSQL through Kysely: a pool a process, statements prepared once a connection, every operation bounded in time.
 * Errors of the connection and of a server that cannot serve become `store.unavailable`; a statement's own faults stay.
 */
import { createHash } from 'node:crypto';
import { Kysely, PostgresDialect, type PostgresPool, sql } from 'kysely';
import pg from 'pg';

export { toPostgresError } from '../postgres-errors.js';

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Connections at most. */
  readonly poolSize: number;
  /** PEM of the authority that signed the server's certificate; TLS is used and checked when given. */
  readonly ca?: string;
  /** The bound of every statement and of waiting for a connection. */
  readonly timeoutMs?: number;
  /** Off where a pooler in between forgets prepared statements. */
  readonly arePrepared?: boolean;
  /** A lost idle connection: for the log; the pool replaces it. */
  readonly onError?: (error: Error) => void;
}

export interface Postgres<Tables> {
  readonly database: Kysely<Tables>;
  /** Runs `work` while no other instance runs its own: for migrations. */
  exclusively(work: (database: Kysely<Tables>) => Promise<unknown>): Promise<void>;
  /** For the metrics: connections open, of which idle, and callers that wait. */
  pool(): { readonly total: number; readonly idle: number; readonly waiting: number };
  close(): Promise<void>;
}

/** Any number, the same in every version. */
const migrationLock = 7_240_501;

/** Connects when it is first used. */
export function openPostgres<Tables>(options: PostgresOptions): Postgres<Tables> {
  const timeoutMs = options.timeoutMs ?? 5_000;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs + 500,
    idle_in_transaction_session_timeout: 3 * timeoutMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: 'bailiwick',
    ...(options.ca === undefined ? {} : { ssl: { ca: options.ca } }),
  });
  // An idle connection that breaks must not end the process.
  pool.on('error', (error) => options.onError?.(error));
  // Nor one that is in use: its statement rejects, which is all the caller needs.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const dialect = new PostgresDialect({ pool: options.arePrepared === false ? pool : preparing(pool) });
  const database = new Kysely<Tables>({ dialect });
  return {
    database,
    exclusively: (work) =>
      database.connection().execute(async (connection) => {
        await sql`SELECT pg_advisory_lock(${migrationLock})`.execute(connection);
        try {
          await work(connection);
        } finally {
          await sql`SELECT pg_advisory_unlock(${migrationLock})`.execute(connection);
        }
      }),
    pool: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => database.destroy(),
  };
}

/** Names every statement with parameters by its text, which makes PostgreSQL keep its plan for the connection. */
function preparing(pool: pg.Pool): PostgresPool {
  const names = new Map<string, string>();
  const nameOf = (text: string): string => {
    let name = names.get(text);
    if (name === undefined) {
      name = createHash('sha1').update(text).digest('hex');
      // Statements come from a fixed set of queries; lists of varying length are the exception that must not pile up.
      if (names.size < 500) names.set(text, name);
      else return '';
    }
    return name;
  };
  return {
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect();
      return {
        release: () => client.release(),
        query: ((text: string, values: unknown[]) => {
          const name = values.length > 0 ? nameOf(text) : '';
          return client.query(name === '' ? { text, values } : { name, text, values });
        }) as never,
      };
    },
  };
}
