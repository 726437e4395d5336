/** `PolicyArchive` on the embedded SQLite file, for installations without MongoDB. */
import type { Kysely } from 'kysely';
import type { Page, PolicyArchive, PolicyName, PolicyVersion } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import type { HistoryTables, PolicyVersionRow } from './history-tables.js';

type Place = Pick<PolicyVersionRow, 'scope' | 'project'>;

/** `platform` is a reserved project name, so one name says both. */
const placeOf = (policy: PolicyName): Place =>
  policy === 'platform' ? { scope: 'platform', project: '' } : { scope: 'project', project: policy };

function toRow(version: PolicyVersion): PolicyVersionRow {
  const { scope, project = '', rolledBackTo = null, dataText, ...rest } = version;
  const { version: number, etag, ts, actor, action, rego } = rest;
  return {
    ...{ scope, project, version: number, etag, ts, actor, action, rolled_back_to: rolledBackTo, rego },
    data: dataText,
  };
}

function toVersion(row: PolicyVersionRow): PolicyVersion {
  const { scope, project, rolled_back_to: rolledBackTo, data, action, version, etag, ts, actor, rego } = row;
  return {
    ...(scope === 'project' ? { scope, project } : { scope }),
    ...{ version, etag, ts, actor, action: action as PolicyVersion['action'] },
    ...(rolledBackTo === null ? {} : { rolledBackTo }),
    rego,
    dataText: data,
  };
}

export class SqlitePolicyArchive implements PolicyArchive {
  readonly #database: Kysely<HistoryTables>;

  constructor(database: Kysely<HistoryTables>) {
    this.#database = database;
  }

  async append(version: PolicyVersion): Promise<void> {
    await this.appendAll([version]);
  }

  async appendAll(versions: readonly PolicyVersion[]): Promise<void> {
    if (versions.length === 0) return;
    await this.#database
      .insertInto('policy_versions')
      .values(versions.map(toRow))
      .onConflict((conflict) => conflict.columns(['scope', 'project', 'version']).doNothing())
      .execute();
  }

  async list(
    policy: PolicyName,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<PolicyVersion>> {
    let query = this.#of(policy).orderBy('version', 'desc');
    if (options.cursor !== undefined) {
      const [before] = decodeCursor(options.cursor, ['number']);
      query = query.where('version', '<', before as number);
    }
    const rows = await query.limit(options.limit + 1).execute();
    const items = rows.slice(0, options.limit).map(toVersion);
    const last = items.at(-1);
    return rows.length > items.length && last ? { items, next: encodeCursor([last.version]) } : { items };
  }

  async get(policy: PolicyName, version: number): Promise<PolicyVersion | undefined> {
    const row = await this.#of(policy).where('version', '=', version).executeTakeFirst();
    return row && toVersion(row);
  }

  async findByEtag(policy: PolicyName, etag: string): Promise<PolicyVersion | undefined> {
    const row = await this.#of(policy).where('etag', '=', etag).orderBy('version', 'desc').limit(1).executeTakeFirst();
    return row && toVersion(row);
  }

  async prune(policy: PolicyName, keep: number): Promise<number> {
    const { scope, project } = placeOf(policy);
    const result = await this.#database
      .deleteFrom('policy_versions')
      .where('scope', '=', scope)
      .where('project', '=', project)
      .where('version', 'not in', (from) =>
        from
          .selectFrom('policy_versions')
          .select('version')
          .where('scope', '=', scope)
          .where('project', '=', project)
          .orderBy('version', 'desc')
          .limit(keep),
      )
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }

  async isHealthy(): Promise<boolean> {
    try {
      await this.#database.selectFrom('policy_versions').select('version').limit(1).execute();
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {}

  #of(policy: PolicyName) {
    const { scope, project } = placeOf(policy);
    return this.#database
      .selectFrom('policy_versions')
      .selectAll()
      .where('scope', '=', scope)
      .where('project', '=', project);
  }
}
