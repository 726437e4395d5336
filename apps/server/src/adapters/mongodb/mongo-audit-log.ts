/** `AuditLogStore` on MongoDB: collection `policy_audit`, one document a record, its id as `_id`. */
import type { Collection, Filter } from 'mongodb';
import type { AuditFilter, AuditLogStore, AuditRecord } from '../../ports/audit-log.port.js';
import type { Page } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { countBeforeDuplicate, type Index, isDuplicate, type MongoConnection } from './mongo-connection.js';

interface RecordDocument extends Omit<AuditRecord, 'id'> {
  readonly _id: string;
  /** The record as JSON text, only when BSON's text could not hold it to the last character (a lone surrogate). */
  readonly exact?: string;
}

const collectionName = 'policy_audit';
const indexes: readonly Index[] = [
  { keys: { chain: 1, seq: 1 }, isUnique: true },
  { keys: { ts: -1, chain: -1, seq: -1 } },
  { keys: { resource: 1, ts: -1 } },
];
const exactFilters = ['chain', 'actor', 'action', 'resource', 'result'] as const;

function toDocument({ id, ...rest }: AuditRecord): RecordDocument {
  const json = JSON.stringify({ id, ...rest });
  // JSON escapes lone surrogates, and nothing else, in this way.
  return /\\ud[89a-f]/i.test(json) ? { _id: id, ...rest, exact: json } : { _id: id, ...rest };
}

function toRecord({ _id, exact, ...rest }: RecordDocument): AuditRecord {
  return exact === undefined ? { id: _id, ...rest } : (JSON.parse(exact) as AuditRecord);
}

function toFilter(filter: AuditFilter): Filter<RecordDocument> {
  const parts: Filter<RecordDocument>[] = [];
  for (const field of exactFilters) {
    const value = filter[field];
    if (value !== undefined) parts.push({ [field]: { $eq: value } });
  }
  if (filter.chains !== undefined) parts.push({ chain: { $in: [...filter.chains] } });
  if (filter.from !== undefined) parts.push({ ts: { $gte: filter.from } });
  if (filter.to !== undefined) parts.push({ ts: { $lt: filter.to } });
  return parts.length === 0 ? {} : { $and: parts };
}

function after(cursor: string): Filter<RecordDocument> {
  const [ts, chain, seq] = decodeCursor(cursor, ['string', 'string', 'number']) as [string, string, number];
  return { $or: [{ ts: { $lt: ts } }, { ts, chain: { $lt: chain } }, { ts, chain, seq: { $lt: seq } }] };
}

export class MongoAuditLog implements AuditLogStore {
  readonly #connection: MongoConnection;

  constructor(connection: MongoConnection) {
    this.#connection = connection;
  }

  async append(record: AuditRecord): Promise<'appended' | 'conflict' | 'duplicate'> {
    try {
      await this.#use((records) => records.insertOne(toDocument(record)));
      return 'appended';
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    const same = await this.#use((records) => records.findOne({ _id: record.id }, { projection: { _id: 1 } }));
    return same ? 'duplicate' : 'conflict';
  }

  async appendAll(records: readonly AuditRecord[]): Promise<number> {
    if (records.length === 0) return 0;
    try {
      await this.#use((collection) => collection.insertMany(records.map(toDocument), { ordered: true }));
      return records.length;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      return countBeforeDuplicate(error);
    }
  }

  async head(chain: string): Promise<AuditRecord | undefined> {
    const document = await this.#use((records) => records.findOne({ chain: { $eq: chain } }, { sort: { seq: -1 } }));
    return document ? toRecord(document) : undefined;
  }

  async chains(): Promise<readonly string[]> {
    return (await this.#use((records) => records.distinct('chain'))).toSorted();
  }

  async search(
    filter: AuditFilter,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<AuditRecord>> {
    if (filter.chains?.length === 0) return { items: [] };
    const wanted = toFilter(filter);
    const query = options.cursor === undefined ? wanted : { $and: [wanted, after(options.cursor)] };
    const documents = await this.#use((records) =>
      records
        .find(query)
        .sort({ ts: -1, chain: -1, seq: -1 })
        .limit(options.limit + 1)
        .toArray(),
    );
    const items = documents.slice(0, options.limit).map(toRecord);
    const last = items.at(-1);
    if (documents.length === items.length || !last) return { items };
    return { items, next: encodeCursor([last.ts, last.chain, last.seq]) };
  }

  async read(chain: string, afterSeq: number, limit: number): Promise<readonly AuditRecord[]> {
    const documents = await this.#use((records) =>
      records
        .find({ chain: { $eq: chain }, seq: { $gt: afterSeq } })
        .sort({ seq: 1 })
        .limit(limit)
        .toArray(),
    );
    return documents.map(toRecord);
  }

  async prune(before: string): Promise<number> {
    let pruned = 0;
    for (const chain of await this.chains()) pruned += await this.#pruneChain(chain, before);
    return pruned;
  }

  /** Up to the first record that is young enough; a chain's newest record always stays. */
  async #pruneChain(chain: string, before: string): Promise<number> {
    return await this.#use(async (records) => {
      const projection = { seq: 1 };
      const kept =
        (await records.findOne({ chain, ts: { $gte: before } }, { projection, sort: { seq: 1 } })) ??
        (await records.findOne({ chain }, { projection, sort: { seq: -1 } }));
      if (!kept) return 0;
      const { deletedCount } = await records.deleteMany({ chain, seq: { $lt: kept.seq } });
      return deletedCount;
    });
  }

  isHealthy(): Promise<boolean> {
    return this.#connection.isHealthy();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #use<R>(work: (records: Collection<RecordDocument>) => Promise<R>): Promise<R> {
    return this.#connection.use(collectionName, indexes, work);
  }
}
