/** `DecisionStore` on the embedded SQLite file. The whole entry is kept as JSON text; what is searched by stands beside it. */
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { DecisionFilter, DecisionStore, StoredDecision } from '../../ports/decision-store.port.js';
import type { Page } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { type Migration, migrate } from '../migrations.js';
import type { Embedded } from './open-embedded.js';

interface DecisionRow {
  readonly place: number;
  readonly decision_id: string;
  readonly ts: string;
  readonly project: string | null;
  readonly actor: string;
  readonly path: string;
  readonly allowed: number;
  readonly req_id: string | null;
  readonly entry: string;
}

interface DecisionTables {
  readonly decisions: DecisionRow;
}

type Rows = SelectQueryBuilder<DecisionTables, 'decisions', object>;

async function createTables(database: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE decisions (
    place INTEGER PRIMARY KEY AUTOINCREMENT, decision_id TEXT NOT NULL UNIQUE, ts TEXT NOT NULL, project TEXT, actor TEXT NOT NULL,
    path TEXT NOT NULL, allowed INTEGER NOT NULL, req_id TEXT, entry TEXT NOT NULL
  )`.execute(database);
  await sql`CREATE INDEX decisions_project ON decisions (project, place)`.execute(database);
  await sql`CREATE INDEX decisions_actor ON decisions (actor, place)`.execute(database);
  await sql`CREATE INDEX decisions_request ON decisions (req_id)`.execute(database);
}

const migrations: readonly Migration[] = [{ number: 1, name: 'decisions', up: createTables }];

export class SqliteDecisionStore implements DecisionStore {
  readonly #database: Kysely<DecisionTables>;
  readonly #runMany: Embedded['runMany'];

  private constructor(database: Kysely<DecisionTables>, runMany: Embedded['runMany']) {
    this.#database = database;
    this.#runMany = runMany;
  }

  static async open({ database, runMany }: Pick<Embedded, 'database' | 'runMany'>): Promise<SqliteDecisionStore> {
    const own = database as unknown as Kysely<DecisionTables>;
    await migrate(own, 'decisions', migrations);
    return new SqliteDecisionStore(own, runMany);
  }

  async append(entries: readonly StoredDecision[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#runMany(insert, entries.map(toRow));
  }

  async get(decisionId: string): Promise<StoredDecision | undefined> {
    const row = await this.#rows().where('decision_id', '=', decisionId).executeTakeFirst();
    return row && toEntry(row as DecisionRow);
  }

  async search(
    filter: DecisionFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<StoredDecision>> {
    if (filter.projects?.length === 0) return { items: [] };
    let query = applyFilter(this.#rows(), filter);
    if (options.cursor !== undefined)
      query = query.where('place', '<', decodeCursor(options.cursor, ['number'])[0] as number);
    const rows = (await query
      .orderBy('place', 'desc')
      .limit(options.limit + 1)
      .execute()) as unknown as DecisionRow[];
    const page = rows.slice(0, options.limit);
    const last = page.at(-1);
    const items = page.map(toEntry);
    return rows.length > items.length && last ? { items, next: encodeCursor([last.place]) } : { items };
  }

  async prune(keep: number): Promise<number> {
    const result = await sql`DELETE FROM decisions WHERE place <= (SELECT max(place) FROM decisions) - ${keep}`.execute(
      this.#database,
    );
    return Number(result.numAffectedRows ?? 0n);
  }

  #rows(): Rows {
    return this.#database.selectFrom('decisions').selectAll() as unknown as Rows;
  }
}

function applyFilter(query: Rows, filter: DecisionFilter): Rows {
  let filtered = query;
  if (filter.project !== undefined) filtered = filtered.where('project', '=', filter.project);
  if (filter.projects !== undefined) filtered = filtered.where('project', 'in', [...filter.projects]);
  if (filter.actor !== undefined) filtered = filtered.where('actor', '=', filter.actor);
  if (filter.path !== undefined) filtered = filtered.where('path', '=', filter.path);
  if (filter.requestId !== undefined) filtered = filtered.where('req_id', '=', filter.requestId);
  if (filter.allowed !== undefined) filtered = filtered.where('allowed', '=', filter.allowed ? 1 : 0);
  if (filter.from !== undefined) filtered = filtered.where('ts', '>=', filter.from);
  if (filter.to !== undefined) filtered = filtered.where('ts', '<', filter.to);
  return filtered;
}

const insert =
  'INSERT INTO decisions (decision_id, ts, project, actor, path, allowed, req_id, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING';

/** In the order of `insert`. */
function toRow(entry: StoredDecision) {
  const input = entry.input as { readonly path?: unknown } | null;
  return [
    entry.decision_id,
    entry.timestamp,
    entry.project ?? null,
    entry.requested_by,
    typeof input?.path === 'string' ? input.path : entry.path,
    entry.allowed ? 1 : 0,
    entry.req_id ?? null,
    JSON.stringify(entry),
  ];
}

const toEntry = (row: { readonly entry: string }): StoredDecision => JSON.parse(row.entry) as StoredDecision;
