/**
 * `DocumentCatalog` on Cosmos DB: one container, a partition a project. A replacement's precondition is the item's ETag, a source is
 * unique by a unique key. A removal first puts a note in the document's place, then sweeps; whoever comes next finishes a sweep that
 * broke off. The feed follows the service's own times (`_ts`), so it wants one region that writes.
 */
import type { SqlParameter } from '@azure/cosmos';
import type { Filter } from '@bailiwick/rego';
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
import { type FeedStep, readOverlapping } from '../overlapping-feed.js';
import { storeUnavailable } from '../store-errors.js';
import { CosmosContainer, type CosmosOptions, outcomeOf } from './cosmos-container.js';
import { toCosmosCondition } from './cosmos-document-filter.js';
import {
  type ChunkItem,
  type DocumentItem,
  documentItemId,
  type RemovalItem,
  sourceKey,
  toChunk,
  toChunkItem,
  toDocument,
  toDocumentItem,
  toVector,
  toVectorItem,
  type VectorItem,
  vectorItemId,
  type Written,
} from './cosmos-items.js';

export interface CosmosCatalogOptions extends CosmosOptions {
  /** How long a removal may take before others finish it. */
  readonly removalGraceMs?: number;
  readonly now?: () => number;
}

/** Between the service's own machines clocks differ by far less. */
const overlapSeconds = 10;
/** Beyond any difference between our clock and the service's. */
const clockDifferenceSeconds = 120;
const removalsKeptSeconds = 8 * 24 * 3600;
const namesAtOnce = 200;
/** A race for one item is over after as many rounds; more means that something else is wrong. */
const attempts = 20;

type DocumentPlace = DocumentItem | RemovalItem;

export class CosmosDocumentCatalog implements DocumentCatalog {
  readonly #container: CosmosContainer;
  readonly #graceMs: number;
  readonly #now: () => number;

  /** Connects when it is first used. */
  constructor(options: CosmosCatalogOptions) {
    this.#container = new CosmosContainer(options);
    this.#graceMs = options.removalGraceMs ?? 60_000;
    this.#now = options.now ?? Date.now;
  }

  async insert(document: CatalogDocument): Promise<'inserted' | 'taken'> {
    assertStorable(document);
    const item = toDocumentItem(document);
    const { project } = document;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const there = attempt === 0 ? undefined : await this.#container.read<DocumentPlace>(project, item.id);
      if (there?.kind === 'document') return 'taken';
      if (there?.sweeping) {
        await this.#finishRemoval(there);
        continue;
      }
      try {
        if (there) await this.#replaceItem(item, there._etag);
        else await this.#container.use((container) => container.items.create(item));
        return 'inserted';
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === undefined) throw error;
        // The place is free, so it is the source that is taken.
        if (outcome === 409 && attempt > 0 && (there || !(await this.#container.read(project, item.id))))
          return 'taken';
      }
    }
    throw storeUnavailable('Cosmos DB', new Error('too many write the same document'));
  }

  async replace(document: CatalogDocument): Promise<'replaced' | 'outdated'> {
    assertStorable(document);
    const item = toDocumentItem(document);
    const there = await this.#container.read<DocumentPlace>(document.project, item.id);
    if (there?.kind !== 'document' || there.version !== document.version - 1) return 'outdated';
    if (there.uniqueKey !== item.uniqueKey) return 'outdated';
    return await this.#replaceItem(item, there._etag).then(
      () => 'replaced',
      (error: unknown) => {
        if (outcomeOf(error) === undefined) throw error;
        return 'outdated';
      },
    );
  }

  async get(project: string, id: string): Promise<CatalogDocument | undefined> {
    const item = await this.#container.read<DocumentPlace>(project, documentItemId(id));
    return item?.kind === 'document' ? toDocument(item) : undefined;
  }

  async getMany(project: string, ids: readonly string[]): Promise<readonly CatalogDocument[]> {
    const names = [...new Set(ids)].map(documentItemId);
    const items = await this.#among<DocumentItem>(project, 'document', 'c.id', names);
    return items.map(toDocument);
  }

  async bySource(project: string, source: string): Promise<CatalogDocument | undefined> {
    const [item] = await this.#among<DocumentItem>(project, 'document', 'c.uniqueKey', [sourceKey(source)]);
    return item && toDocument(item);
  }

  async list(
    project: string,
    options: { readonly filter: Filter; readonly limit: number; readonly cursor?: string },
  ): Promise<Page<CatalogDocument>> {
    const { sql, parameters } = toCosmosCondition(reduceFilter(options.filter));
    let after = '';
    if (options.cursor !== undefined) {
      const [at, id] = decodeCursor(options.cursor, ['string', 'string']);
      parameters.push({ name: '@at', value: at ?? '' }, { name: '@id', value: id ?? '' });
      after = ' AND (c.created_at < @at OR (c.created_at = @at AND c.documentId > @id))';
    }
    const { limit } = options;
    const items = await this.#container.query<DocumentItem>(project, {
      query: `SELECT TOP ${limit + 1} * FROM c WHERE c.project = @project AND c.kind = 'document' AND ${sql}${after} ORDER BY c.created_at DESC, c.documentId ASC`,
      parameters: [...parameters, { name: '@project', value: project }],
    });
    const page = items.slice(0, limit).map(toDocument);
    const last = page.at(-1);
    return items.length > page.length && last
      ? { items: page, next: encodeCursor([last.created_at, last.id]) }
      : { items: page };
  }

  async select(project: string, filter: Filter): Promise<readonly string[]> {
    const { sql, parameters } = toCosmosCondition(reduceFilter(filter));
    return await this.#container.query<string>(project, {
      query: `SELECT VALUE c.documentId FROM c WHERE c.project = @project AND c.kind = 'document' AND c.generation > 0 AND ${sql}`,
      parameters: [...parameters, { name: '@project', value: project }],
    });
  }

  async remove(project: string, id: string, version: number): Promise<'removed' | 'outdated'> {
    const name = documentItemId(id);
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const there = await this.#container.read<DocumentPlace>(project, name);
      if (there?.kind === 'removal') {
        if (there.removedVersion !== version) return 'outdated';
        await this.#finishRemoval(there);
        return 'removed';
      }
      if (there?.version !== version) return 'outdated';
      const note: RemovalItem = {
        ...{ id: name, project, uniqueKey: name, kind: 'removal', documentId: id, removedVersion: version },
        ...{ removedMs: this.#now(), sweeping: true },
      };
      // Whether it is done or somebody was faster: the next round sees what there is now.
      await this.#replaceItem(note, there._etag).catch((error: unknown) => {
        if (outcomeOf(error) === undefined) throw error;
      });
    }
    throw storeUnavailable('Cosmos DB', new Error('too many write the same document'));
  }

  async pending(nowMs: number, limit: number): Promise<readonly CatalogDocument[]> {
    const left = await this.#container.query<RemovalItem>(undefined, {
      query: `SELECT TOP 10 * FROM c WHERE c.kind = 'removal' AND c.sweeping = true AND c.removedMs < @before`,
      parameters: [{ name: '@before', value: this.#now() - this.#graceMs }],
    });
    for (const one of left) await this.#finishRemoval(one);
    const items = await this.#container.query<DocumentItem>(undefined, {
      query: `SELECT TOP ${limit} * FROM c WHERE c.kind = 'document' AND c.state IN ('queued', 'processing') AND c.claimedUntilMs < @now ORDER BY c.updated_at ASC`,
      parameters: [{ name: '@now', value: nowMs }],
    });
    return items.map(toDocument);
  }

  async putChunks(project: string, chunks: readonly Chunk[]): Promise<void> {
    const items = new Map(chunks.map((chunk) => toChunkItem(project, chunk)).map((item) => [item.id, item]));
    await this.#container.upsert([...items.values()]);
  }

  async chunksOf(project: string, documentId: string, generation: number): Promise<readonly Chunk[]> {
    const items = await this.#chunks(project, 'c.documentId = @document AND c.generation = @generation', [
      { name: '@document', value: documentId },
      { name: '@generation', value: generation },
    ]);
    return items.map(toChunk).sort((a, b) => a.ordinal - b.ordinal);
  }

  async chunksById(project: string, ids: readonly string[]): Promise<readonly Chunk[]> {
    const items = await this.#among<ChunkItem>(project, 'chunk', 'c.chunkId', [...new Set(ids)]);
    const ascending = items.toSorted((a, b) => a.generation - b.generation);
    return [...new Map(ascending.map((item) => [item.chunkId, toChunk(item)])).values()];
  }

  async keepGeneration(project: string, documentId: string, generation: number): Promise<void> {
    await this.#sweep(project, documentId, generation);
  }

  async putVectors(project: string, model: string, vectors: readonly StoredVector[]): Promise<void> {
    const items = new Map(vectors.map((one) => [one.hash, toVectorItem(project, model, one)]));
    await this.#container.upsert([...items.values()]);
  }

  async vectors(project: string, model: string, hashes: readonly string[]): Promise<readonly StoredVector[]> {
    const names = [...new Set(hashes)].map((hash) => vectorItemId(model, hash));
    const items = await this.#among<VectorItem>(project, 'vector', 'c.id', names);
    return items.map(toVector);
  }

  async changesAfter(
    cursor: string | undefined,
    limit: number,
  ): Promise<{ readonly changes: readonly DocumentChange[]; readonly cursor: string | undefined }> {
    const settled = Math.floor(this.#now() / 1000) - clockDifferenceSeconds - overlapSeconds;
    const read = (from: number): AsyncIterable<FeedStep> => this.#steps(from);
    return await readOverlapping({ cursor, limit, overlap: overlapSeconds, settled, read });
  }

  async close(): Promise<void> {
    this.#container.close();
  }

  async *#steps(from: number): AsyncIterable<FeedStep> {
    const query = {
      query: `SELECT * FROM c WHERE c.kind IN ('document', 'removal') AND c._ts >= @from ORDER BY c._ts ASC`,
      parameters: [{ name: '@from', value: from }],
    };
    for await (const page of this.#container.pages<DocumentPlace & Written>(query, 500))
      for (const item of page) yield toStep(item);
  }

  async #finishRemoval(note: RemovalItem): Promise<void> {
    if (!note.sweeping) return;
    const { id, project, documentId } = note;
    await this.#sweep(project, documentId, undefined);
    const there = await this.#container.read<DocumentPlace>(project, id);
    if (there?.kind !== 'removal' || !there.sweeping) return;
    const { _etag, ...kept } = there;
    const done = { ...kept, sweeping: false, ttl: removalsKeptSeconds };
    // Somebody else who finished it, or has put a new document there, has done it too.
    await this.#replaceItem(done, _etag).catch((error: unknown) => {
      if (outcomeOf(error) === undefined) throw error;
    });
  }

  /**
   * Removes chunks and the vectors that no other chunk names. Chunks are marked first, and go last: two sweeps at once see each other's
   * marks, and one that broke off begins again from them.
   */
  async #sweep(project: string, documentId: string, kept: number | undefined): Promise<void> {
    const going = await this.#chunks(project, 'c.documentId = @document AND c.generation != @kept', [
      { name: '@document', value: documentId },
      { name: '@kept', value: kept ?? -1 },
    ]);
    const unmarked = going.filter((chunk) => !chunk.going).map((chunk) => ({ ...chunk, going: true }));
    await this.#container.upsert(unmarked);
    const orphans = await this.#unnamed(project, [...new Set(going.map(({ hash }) => hash))]);
    const vectors = await this.#among<VectorItem>(project, 'vector', 'c.hash', orphans);
    await this.#container.remove(
      project,
      vectors.map(({ id }) => id),
    );
    // A chunk that came meanwhile may rely on a vector that was there: it comes back.
    const unnamed = new Set(await this.#unnamed(project, orphans));
    const missed = vectors.filter(({ hash }) => !unnamed.has(hash));
    await this.#container.upsert(missed);
    await this.#container.remove(
      project,
      going.map(({ id }) => id),
    );
  }

  /** Those that no chunk names which stays. */
  async #unnamed(project: string, hashes: readonly string[]): Promise<readonly string[]> {
    const chunks = await this.#among<ChunkItem>(project, 'chunk', 'c.hash', hashes);
    const named = new Set(chunks.filter(({ going }) => !going).map(({ hash }) => hash));
    return hashes.filter((hash) => !named.has(hash));
  }

  async #chunks(project: string, condition: string, parameters: readonly SqlParameter[]) {
    return await this.#container.query<ChunkItem>(project, {
      query: `SELECT * FROM c WHERE c.project = @project AND c.kind = 'chunk' AND ${condition}`,
      parameters: [...parameters, { name: '@project', value: project }],
    });
  }

  /** Items of a kind whose column has one of the values. */
  async #among<T>(
    project: string,
    kind: 'document' | 'chunk' | 'vector',
    column: 'c.id' | 'c.uniqueKey' | 'c.chunkId' | 'c.hash',
    values: readonly string[],
  ): Promise<readonly T[]> {
    const found: T[] = [];
    for (let at = 0; at < values.length; at += namesAtOnce) {
      const query = `SELECT * FROM c WHERE c.project = @project AND c.kind = @kind AND ARRAY_CONTAINS(@values, ${column})`;
      const parameters = [
        { name: '@project', value: project },
        { name: '@kind', value: kind },
        { name: '@values', value: values.slice(at, at + namesAtOnce) as string[] },
      ];
      found.push(...(await this.#container.query<T>(project, { query, parameters })));
    }
    return found;
  }

  async #replaceItem(item: DocumentPlace, etag: string): Promise<void> {
    const accessCondition = { type: 'IfMatch', condition: etag };
    await this.#container.use((container) => container.item(item.id, item.project).replace(item, { accessCondition }));
  }
}

function toStep(item: DocumentPlace & Written): FeedStep {
  const { project, documentId: id, _ts: stamp } = item;
  return item.kind === 'document'
    ? { stamp, token: item._etag, change: { project, id, document: toDocument(item) } }
    : { stamp, token: `removed ${item.removedVersion} ${item.removedMs}`, change: { project, id, document: null } };
}
