/** `PolicyArchive` on MongoDB: collection `policy_versions`, the specification's fields (section 11) and the exact data. */
import type { Json } from '@bailiwick/contract';
import type { Collection, Filter } from 'mongodb';
import type { Page, PolicyArchive, PolicyName, PolicyVersion } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { storeUnavailable } from '../store-errors.js';
import { type Index, isDuplicate, type MongoConnection } from './mongo-connection.js';
import { readableCopy } from './readable-copy.js';

interface VersionDocument {
  /** `platform/3`, `project/team-a/3`: unique even before the index is built. */
  readonly _id: string;
  readonly scope: 'platform' | 'project';
  readonly project?: string;
  readonly version: number;
  readonly etag: string;
  readonly ts: string;
  readonly actor: string;
  readonly action: PolicyVersion['action'];
  readonly rolled_back_to?: number;
  readonly rego: string;
  /** For people; missing when BSON could not hold it. */
  readonly data?: Json;
  /** The data as JSON text: what is read back. */
  readonly data_json: string;
}

const collectionName = 'policy_versions';
const indexes: readonly Index[] = [
  { keys: { scope: 1, project: 1, version: 1 }, isUnique: true },
  { keys: { scope: 1, project: 1, etag: 1 } },
];

type Place = Pick<VersionDocument, 'scope' | 'project'>;

const placeOf = (policy: PolicyName): Place =>
  policy === 'platform' ? { scope: 'platform' } : { scope: 'project', project: policy };

function toDocument(version: PolicyVersion): VersionDocument {
  const { scope, project, version: number, etag, ts, actor, action, rolledBackTo, rego, dataText } = version;
  const readable = readableCopy(dataText);
  return {
    _id: scope === 'platform' ? `platform/${number}` : `project/${project}/${number}`,
    scope,
    ...(project === undefined ? {} : { project }),
    ...{ version: number, etag, ts, actor, action },
    ...(rolledBackTo === undefined ? {} : { rolled_back_to: rolledBackTo }),
    rego,
    ...(readable === undefined ? {} : { data: readable }),
    data_json: dataText,
  };
}

function toVersion(document: VersionDocument): PolicyVersion {
  const { scope, project, version, etag, ts, actor, action, rolled_back_to: rolledBackTo, rego } = document;
  return {
    scope,
    ...(project === undefined ? {} : { project }),
    ...{ version, etag, ts, actor, action },
    ...(rolledBackTo === undefined ? {} : { rolledBackTo }),
    rego,
    dataText: document.data_json,
  };
}

export class MongoPolicyArchive implements PolicyArchive {
  readonly #connection: MongoConnection;

  constructor(connection: MongoConnection) {
    this.#connection = connection;
  }

  async append(version: PolicyVersion): Promise<void> {
    await this.appendAll([version]);
  }

  async appendAll(versions: readonly PolicyVersion[]): Promise<void> {
    if (versions.length === 0) return;
    const documents = versions.map(toDocument);
    try {
      await this.#use((collection) => collection.insertMany(documents, { ordered: false }));
    } catch (error) {
      // Those that were not there before have been inserted all the same.
      if (!isDuplicate(error)) throw error;
      await this.#assertOnMajority(documents.map(({ _id }) => _id));
    }
  }

  /**
   * A key that is taken may be taken by our own earlier attempt that has not reached a majority yet, and could be rolled
   * back: only a majority read (the client's default) tells that the versions are there to stay.
   */
  async #assertOnMajority(ids: readonly string[]): Promise<void> {
    const found = await this.#use((collection) =>
      collection.find({ _id: { $in: [...new Set(ids)] } }, { projection: { _id: 1 } }).toArray(),
    );
    if (found.length < new Set(ids).size) throw storeUnavailable('MongoDB', new Error('not yet on a majority'));
  }

  async list(
    policy: PolicyName,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page<PolicyVersion>> {
    const [before] = options.cursor === undefined ? [] : decodeCursor(options.cursor, ['number']);
    const older = before === undefined ? {} : { version: { $lt: before as number } };
    const filter: Filter<VersionDocument> = { ...placeOf(policy), ...older };
    const documents = await this.#use((versions) =>
      versions
        .find(filter, { projection: { data: 0 } })
        .sort({ version: -1 })
        .limit(options.limit + 1)
        .toArray(),
    );
    const items = documents.slice(0, options.limit).map(toVersion);
    const last = items.at(-1);
    return documents.length > items.length && last ? { items, next: encodeCursor([last.version]) } : { items };
  }

  async get(policy: PolicyName, version: number): Promise<PolicyVersion | undefined> {
    return await this.#findOne({ ...placeOf(policy), version });
  }

  async findByEtag(policy: PolicyName, etag: string): Promise<PolicyVersion | undefined> {
    return await this.#findOne({ ...placeOf(policy), etag: { $eq: etag } });
  }

  async prune(policy: PolicyName, keep: number): Promise<number> {
    return await this.#use(async (versions) => {
      const place = placeOf(policy);
      const [first] = await versions
        .find(place, { projection: { version: 1 } })
        .sort({ version: -1 })
        .skip(keep)
        .limit(1)
        .toArray();
      if (!first) return 0;
      const { deletedCount } = await versions.deleteMany({ ...place, version: { $lte: first.version } });
      return deletedCount;
    });
  }

  isHealthy(): Promise<boolean> {
    return this.#connection.isHealthy();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #findOne(filter: Filter<VersionDocument>): Promise<PolicyVersion | undefined> {
    const document = await this.#use((versions) =>
      versions.findOne(filter, { projection: { data: 0 }, sort: { version: -1 } }),
    );
    return document ? toVersion(document) : undefined;
  }

  #use<R>(work: (versions: Collection<VersionDocument>) => Promise<R>): Promise<R> {
    return this.#connection.use(collectionName, indexes, work);
  }
}
