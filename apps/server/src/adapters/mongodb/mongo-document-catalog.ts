/**
 * `DocumentCatalog` on MongoDB, in three collections and without transactions: a version's precondition is part of the update that
 * replaces it, a source is unique by an index. A removal first turns the document into a note of its end, then sweeps; whoever comes
 * next finishes a sweep that broke off. The feed follows the times at which the server wrote.
 */
import type { Filter as Condition } from '@bailiwick/rego';
import { Binary, type Collection, type Filter } from 'mongodb';
import type {
  CatalogDocument,
  Chunk,
  DocumentCatalog,
  DocumentChange,
  StoredVector,
} from '../../ports/document-catalog.port.js';
import type { Page } from '../../ports/policy-archive.port.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { reduceFilter } from '../document-filter.js';
import { assertStorable } from '../document-text.js';
import { fromBytes, toBytes } from '../float32-bytes.js';
import { type FeedStep, readOverlapping } from '../overlapping-feed.js';
import { isDuplicate, MongoConnection, type MongoOptions } from './mongo-connection.js';
import { toQuery } from './mongo-document-filter.js';
import {
  type ChunkRecord,
  chunkIndexes,
  type DocumentRecord,
  documentIndexes,
  hashOf,
  keyOf,
  toChunk,
  toChunkRecord,
  toDocument,
  toRecord,
  type VectorRecord,
  vectorIndexes,
} from './mongo-document-rows.js';

export interface MongoCatalogOptions extends MongoOptions {
  /** How long a removal may take before others finish it. */
  readonly removalGraceMs?: number;
  readonly now?: () => number;
}

/** A write is visible to majority reads long before this, or its writer was told that it failed. */
const overlapMs = 10_000;
/** Beyond any difference between our clock and the server's. */
const clockDifferenceMs = 120_000;
const removalsKeptMs = 8 * 24 * 3_600_000;
const namesAtOnce = 500;

/** What must not outlive a document. */
const ofADocument = [
  ...([
    'name',
    'title',
    'media_type',
    'source',
    'tags',
    'groups',
    'facts',
    'size',
    'created_by',
    'created_at',
  ] as const),
  ...(['updated_at', 'state', 'fault', 'sha256', 'generation', 'chunks', 'pages'] as const),
  ...(['claimed_by', 'claimed_until_ms'] as const),
];
const allOfADocument = Object.fromEntries(ofADocument.map((name) => [name, ''])) as Record<
  (typeof ofADocument)[number],
  ''
>;

export class MongoDocumentCatalog implements DocumentCatalog {
  readonly #connection: MongoConnection;
  readonly #graceMs: number;
  readonly #now: () => number;

  /** Connects when it is first used. */
  constructor(options: MongoCatalogOptions) {
    this.#connection = new MongoConnection(options);
    this.#graceMs = options.removalGraceMs ?? 60_000;
    this.#now = options.now ?? Date.now;
  }

  async insert(document: CatalogDocument): Promise<'inserted' | 'taken'> {
    assertStorable(document);
    const _id = keyOf(document.project, document.id);
    const fields = toRecord(document);
    // Matches only what is left of a removed one; a live one makes the upsert fail on its key.
    const insert = () =>
      this.#documents((documents) =>
        documents.updateOne(
          { _id, live: false, sweeping: false },
          { $set: fields, $unset: { removed_version: 1, removed_at: 1 }, $currentDate: { changed: true } },
          { upsert: true },
        ),
      );
    try {
      await insert();
      return 'inserted';
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    const left = await this.#documents((documents) => documents.findOne({ _id, sweeping: true }));
    if (!left) return 'taken';
    await this.#finishRemoval(left);
    return await this.insert(document);
  }

  async replace(document: CatalogDocument): Promise<'replaced' | 'outdated'> {
    assertStorable(document);
    const { project, id, version } = document;
    const fields = toRecord(document);
    const base = { _id: keyOf(project, id), live: true, version: version - 1, source_hash: fields.source_hash };
    const { matchedCount } = await this.#documents((documents) =>
      documents.updateOne(base, { $set: fields, $currentDate: { changed: true } }),
    );
    return matchedCount === 1 ? 'replaced' : 'outdated';
  }

  async get(project: string, id: string): Promise<CatalogDocument | undefined> {
    return await this.#one({ _id: keyOf(project, id), live: true });
  }

  async getMany(project: string, ids: readonly string[]): Promise<readonly CatalogDocument[]> {
    const keys = [...new Set(ids)].map((id) => keyOf(project, id));
    const found = await inParts(keys, (_id) =>
      this.#documents((documents) => documents.find({ _id: { $in: _id }, live: true }).toArray()),
    );
    return found.map(toDocument);
  }

  async bySource(project: string, source: string): Promise<CatalogDocument | undefined> {
    return await this.#one({ project, source_hash: hashOf(source), live: true });
  }

  async list(
    project: string,
    options: { readonly filter: Condition; readonly limit: number; readonly cursor?: string },
  ): Promise<Page<CatalogDocument>> {
    const conditions: Filter<DocumentRecord>[] = [{ project, live: true }, toQuery(reduceFilter(options.filter))];
    if (options.cursor !== undefined) {
      const [at, id] = decodeCursor(options.cursor, ['string', 'string']) as readonly [string, string];
      conditions.push({ $or: [{ created_at: { $lt: at } }, { created_at: at, id: { $gt: id } }] });
    }
    const records = await this.#documents((documents) =>
      documents
        .find({ $and: conditions })
        .sort({ created_at: -1, id: 1 })
        .limit(options.limit + 1)
        .toArray(),
    );
    const items = records.slice(0, options.limit).map(toDocument);
    const last = items.at(-1);
    return records.length > items.length && last
      ? { items, next: encodeCursor([last.created_at, last.id]) }
      : { items };
  }

  async select(project: string, filter: Condition): Promise<readonly string[]> {
    const conditions = [{ project, live: true, generation: { $gt: 0 } }, toQuery(reduceFilter(filter))];
    const found = await this.#documents((documents) =>
      documents.find({ $and: conditions }, { projection: { _id: 0, id: 1 } }).toArray(),
    );
    return found.map(({ id }) => id);
  }

  async remove(project: string, id: string, version: number): Promise<'removed' | 'outdated'> {
    const _id = keyOf(project, id);
    const end = { live: false, version: 0, removed_version: version, sweeping: true, source_hash: `removed:${_id}` };
    await this.#documents((documents) =>
      documents.updateOne(
        { _id, live: true, version },
        { $set: end, $unset: allOfADocument, $currentDate: { changed: true, removed_at: true } },
      ),
    );
    const left = await this.#documents((documents) => documents.findOne({ _id, live: false }));
    if (left?.removed_version !== version) return 'outdated';
    await this.#finishRemoval(left);
    const before = new Date(this.#now() - removalsKeptMs);
    await this.#documents((documents) =>
      documents.deleteMany({ live: false, sweeping: false, removed_at: { $lt: before } }),
    );
    return 'removed';
  }

  async pending(nowMs: number, limit: number): Promise<readonly CatalogDocument[]> {
    const before = new Date(this.#now() - this.#graceMs);
    const left = await this.#documents((documents) =>
      documents
        .find({ sweeping: true, removed_at: { $lt: before } })
        .limit(10)
        .toArray(),
    );
    for (const one of left) await this.#finishRemoval(one);
    const found = await this.#documents((documents) =>
      documents
        .find({ live: true, state: { $in: ['queued', 'processing'] }, claimed_until_ms: { $lt: nowMs } })
        .sort({ updated_at: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(toDocument);
  }

  async putChunks(project: string, chunks: readonly Chunk[]): Promise<void> {
    const records = chunks.map((chunk) => toChunkRecord(project, chunk));
    await inParts(records, async (part) => {
      const writes = part.map((replacement) => ({
        replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
      }));
      await this.#chunks((collection) => collection.bulkWrite(writes, { ordered: false }));
      return [];
    });
  }

  async chunksOf(project: string, documentId: string, generation: number): Promise<readonly Chunk[]> {
    const found = await this.#chunks((chunks) =>
      chunks.find({ project, document_id: documentId, generation }).sort({ ordinal: 1 }).toArray(),
    );
    return found.map(toChunk);
  }

  async chunksById(project: string, ids: readonly string[]): Promise<readonly Chunk[]> {
    const found = await inParts([...new Set(ids)], (id) =>
      this.#chunks((chunks) => chunks.find({ project, id: { $in: id } }).toArray()),
    );
    found.sort((a, b) => a.generation - b.generation);
    return [...new Map(found.map((record) => [record.id, toChunk(record)])).values()];
  }

  async keepGeneration(project: string, documentId: string, generation: number): Promise<void> {
    await this.#sweep(project, { project, document_id: documentId, generation: { $ne: generation } });
  }

  async putVectors(project: string, model: string, vectors: readonly StoredVector[]): Promise<void> {
    const records = vectors.map(
      ({ hash, vector }): VectorRecord => ({
        ...{ _id: keyOf(project, model, hash), project, model, hash },
        vector: new Binary(toBytes(vector)),
      }),
    );
    await this.#putVectors(records);
  }

  async vectors(project: string, model: string, hashes: readonly string[]): Promise<readonly StoredVector[]> {
    const keys = [...new Set(hashes)].map((hash) => keyOf(project, model, hash));
    const found = await inParts(keys, (_id) =>
      this.#vectors((vectors) => vectors.find({ _id: { $in: _id } }).toArray()),
    );
    return found.map(({ hash, vector }) => ({ hash, vector: fromBytes(vector.value()) }));
  }

  async changesAfter(
    cursor: string | undefined,
    limit: number,
  ): Promise<{ readonly changes: readonly DocumentChange[]; readonly cursor: string | undefined }> {
    const settled = this.#now() - clockDifferenceMs - overlapMs;
    const read = (from: number): AsyncIterable<FeedStep> => this.#steps(from);
    return await readOverlapping({ cursor, limit, overlap: overlapMs, settled, read });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** In portions, each an operation of its own within the bound of time. */
  async *#steps(from: number): AsyncIterable<FeedStep> {
    let at = new Date(from);
    let skip = 0;
    for (;;) {
      const portion = await this.#documents((documents) =>
        documents
          .find({ changed: { $gte: at } })
          .sort({ changed: 1, _id: 1 })
          .skip(skip)
          .limit(namesAtOnce)
          .toArray(),
      );
      for (const record of portion) yield toStep(record);
      const last = portion.at(-1);
      if (!last || portion.length < namesAtOnce) return;
      const same = portion.filter(({ changed }) => changed.getTime() === last.changed.getTime()).length;
      skip = last.changed.getTime() === at.getTime() ? skip + same : same;
      at = last.changed;
    }
  }

  async #finishRemoval({ _id, project, id, sweeping }: DocumentRecord): Promise<void> {
    if (!sweeping) return;
    await this.#sweep(project, { project, document_id: id });
    await this.#documents((documents) => documents.updateOne({ _id, live: false }, { $set: { sweeping: false } }));
  }

  /**
   * Removes chunks and the vectors that no other chunk names. Chunks are marked first, and go last: two sweeps at once see each other's
   * marks, and one that broke off begins again from them.
   */
  async #sweep(project: string, going: Filter<ChunkRecord>): Promise<void> {
    await this.#chunks((chunks) => chunks.updateMany(going, { $set: { going: true } }));
    const marked = await this.#chunks((chunks) => chunks.find(going, { projection: { hash: 1 } }).toArray());
    const hashes = [...new Set(marked.map(({ hash }) => hash))];
    const orphans = await this.#unnamed(project, hashes);
    const kept = await inParts(orphans, (hash) =>
      this.#vectors((vectors) => vectors.find({ project, hash: { $in: hash } }).toArray()),
    );
    await inParts(kept, async (part) => {
      await this.#vectors((vectors) => vectors.deleteMany({ _id: { $in: part.map(({ _id }) => _id) } }));
      return [];
    });
    // A chunk that came meanwhile may rely on a vector that was there: it comes back.
    const unnamed = new Set(await this.#unnamed(project, orphans));
    await this.#putVectors(kept.filter(({ hash }) => !unnamed.has(hash)));
    await this.#chunks((chunks) => chunks.deleteMany({ ...going, going: true }));
  }

  /** Those that no chunk names which stays. */
  async #unnamed(project: string, hashes: readonly string[]): Promise<readonly string[]> {
    const named = await inParts(hashes, (hash) =>
      this.#chunks((chunks) =>
        chunks.find({ project, hash: { $in: hash }, going: false }, { projection: { hash: 1 } }).toArray(),
      ),
    );
    const names = new Set(named.map(({ hash }) => hash));
    return hashes.filter((hash) => !names.has(hash));
  }

  async #putVectors(records: readonly VectorRecord[]): Promise<void> {
    await inParts(records, async (part) => {
      const writes = part.map((replacement) => ({
        replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
      }));
      await this.#vectors((vectors) => vectors.bulkWrite(writes, { ordered: false }));
      return [];
    });
  }

  async #one(filter: Filter<DocumentRecord>): Promise<CatalogDocument | undefined> {
    const found = await this.#documents((documents) => documents.findOne(filter));
    return found ? toDocument(found) : undefined;
  }

  #documents<R>(work: (documents: Collection<DocumentRecord>) => Promise<R>): Promise<R> {
    return this.#connection.use('documents', documentIndexes, work);
  }

  #chunks<R>(work: (chunks: Collection<ChunkRecord>) => Promise<R>): Promise<R> {
    return this.#connection.use('document_chunks', chunkIndexes, work);
  }

  #vectors<R>(work: (vectors: Collection<VectorRecord>) => Promise<R>): Promise<R> {
    return this.#connection.use('document_vectors', vectorIndexes, work);
  }
}

function toStep(record: DocumentRecord): FeedStep {
  const { project, id, live, version, changed, removed_version = 0 } = record;
  return {
    stamp: changed.getTime(),
    token: live ? `${version}@${changed.getTime()}` : `removed ${removed_version}@${changed.getTime()}`,
    change: { project, id, document: live ? toDocument(record) : null },
  };
}

async function inParts<T, R>(items: readonly T[], work: (part: readonly T[]) => Promise<readonly R[]>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += namesAtOnce)
    results.push(...(await work(items.slice(at, at + namesAtOnce))));
  return results;
}
