/** `AuditLogStore` on the embedded SQLite file, for installations without MongoDB. */
import { isBailiwickError } from '@bailiwick/contract';
import type { Kysely, SelectQueryBuilder } from 'kysely';
import { sql } from 'kysely';
import type { AuditFilter, AuditLogStore, AuditRecord } from '../../ports/audit-log.port.js';
import type { Page } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import type { AuditRecordRow, HistoryTables } from './history-tables.js';

type Records = SelectQueryBuilder<HistoryTables, 'policy_audit', object>;

const exactFilters = ['chain', 'actor', 'action', 'resource', 'result'] as const;

function toRow(record: AuditRecord): AuditRecordRow {
  const { chain, seq, id, ts, actor, action, resource, result } = record;
  return { chain, seq, id, ts, actor, action, resource, result, record: JSON.stringify(record) };
}

const toRecord = (row: { readonly record: string }): AuditRecord => JSON.parse(row.record) as AuditRecord;

function applyFilter(query: Records, filter: AuditFilter): Records {
  let filtered = query;
  for (const field of exactFilters) {
    const value = filter[field];
    if (value !== undefined) filtered = filtered.where(field, '=', value);
  }
  if (filter.chains !== undefined) filtered = filtered.where('chain', 'in', [...filter.chains]);
  if (filter.from !== undefined) filtered = filtered.where('ts', '>=', filter.from);
  if (filter.to !== undefined) filtered = filtered.where('ts', '<', filter.to);
  return filtered;
}

export class SqliteAuditLog implements AuditLogStore {
  readonly #database: Kysely<HistoryTables>;

  constructor(database: Kysely<HistoryTables>) {
    this.#database = database;
  }

  async append(record: AuditRecord): Promise<'appended' | 'conflict' | 'duplicate'> {
    const result = await this.#database
      .insertInto('policy_audit')
      .values(toRow(record))
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (result.numInsertedOrUpdatedRows === 1n) return 'appended';
    const same = await this.#database
      .selectFrom('policy_audit')
      .select('id')
      .where('id', '=', record.id)
      .executeTakeFirst();
    return same ? 'duplicate' : 'conflict';
  }

  async appendAll(records: readonly AuditRecord[]): Promise<number> {
    if (records.length === 0) return 0;
    try {
      // One statement: all of them, or none when any place or id is taken.
      await this.#database.insertInto('policy_audit').values(records.map(toRow)).execute();
      return records.length;
    } catch (error) {
      if (isBailiwickError(error)) throw error;
    }
    for (const [index, record] of records.entries()) if ((await this.append(record)) !== 'appended') return index;
    return records.length;
  }

  async head(chain: string): Promise<AuditRecord | undefined> {
    const row = await this.#records().where('chain', '=', chain).orderBy('seq', 'desc').limit(1).executeTakeFirst();
    return row && toRecord(row as AuditRecordRow);
  }

  async chains(): Promise<readonly string[]> {
    const rows = await this.#database.selectFrom('policy_audit').select('chain').distinct().orderBy('chain').execute();
    return rows.map((row) => row.chain);
  }

  async search(
    filter: AuditFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<AuditRecord>> {
    if (filter.chains?.length === 0) return { items: [] };
    let query = applyFilter(this.#records(), filter);
    if (options.cursor !== undefined) {
      const [ts, chain, seq] = decodeCursor(options.cursor, ['string', 'string', 'number']);
      query = query.where(sql<boolean>`(ts, chain, seq) < (${ts}, ${chain}, ${seq})`);
    }
    const rows = await query
      .orderBy('ts', 'desc')
      .orderBy('chain', 'desc')
      .orderBy('seq', 'desc')
      .limit(options.limit + 1)
      .execute();
    const items = rows.slice(0, options.limit).map((row) => toRecord(row as AuditRecordRow));
    const last = items.at(-1);
    if (rows.length === items.length || !last) return { items };
    return { items, next: encodeCursor([last.ts, last.chain, last.seq]) };
  }

  async read(chain: string, afterSeq: number, limit: number): Promise<readonly AuditRecord[]> {
    const rows = await this.#records()
      .where('chain', '=', chain)
      .where('seq', '>', afterSeq)
      .orderBy('seq')
      .limit(limit)
      .execute();
    return rows.map((row) => toRecord(row as AuditRecordRow));
  }

  async prune(before: string): Promise<number> {
    // A chain's newest record always stays, so that the next one can be joined to it.
    const result = await sql`DELETE FROM policy_audit WHERE seq < coalesce(
      (SELECT min(kept.seq) FROM policy_audit kept WHERE kept.chain = policy_audit.chain AND kept.ts >= ${before}),
      (SELECT max(newest.seq) FROM policy_audit newest WHERE newest.chain = policy_audit.chain)
    )`.execute(this.#database);
    return Number(result.numAffectedRows ?? 0n);
  }

  async isHealthy(): Promise<boolean> {
    try {
      await this.#database.selectFrom('policy_audit').select('seq').limit(1).execute();
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {}

  #records(): Records {
    return this.#database.selectFrom('policy_audit').select('record') as Records;
  }
}
