/** The part of the contract of `DocumentCatalog` about chunks, vectors and their end. */
import { randomUUID } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import type { DocumentCatalog, StoredVector } from './document-catalog.port.js';
import {
  type DocumentCatalogUnderTest,
  listAll,
  makeChunk,
  makeDocument,
  newProject,
} from './document-catalog-under-test.contract.js';

const vectorOf = (hash: string): StoredVector => ({ hash, vector: Float32Array.of(0.6, 0.8) });
const hashesOf = async (catalog: DocumentCatalog, project: string, hashes: readonly string[]) =>
  (await catalog.vectors(project, 'm', hashes)).map(({ hash }) => hash).sort();

export function describeCatalogContents(under: () => DocumentCatalogUnderTest): void {
  it('keeps chunks by ordinal, whatever their text, and takes the same again', async () => {
    const { catalog } = under();
    const project = newProject();
    const odd = { text: 'a\u0000b \ud800 "ä€😀" \u2028', headings: ['\u0000', "o'x"], page: 3 };
    const chunks = Array.from({ length: 520 }, (_, i) => makeChunk('doc/1', 1, i, i === 3 ? odd : {}));
    await catalog.putChunks(project, chunks.toReversed());
    await catalog.putChunks(project, chunks.slice(0, 10));
    expect(await catalog.chunksOf(project, 'doc/1', 1)).toEqual(chunks);
    expect(await catalog.chunksOf(project, 'doc/1', 2)).toEqual([]);
    await catalog.putChunks(project, []);
    const wanted = chunks.slice(0, 300).map(({ id }) => id);
    const found = await catalog.chunksById(project, [...wanted, 'gone']);
    expect(found.toSorted((a, b) => a.ordinal - b.ordinal)).toEqual(chunks.slice(0, 300));
    expect(await catalog.chunksById(project, [])).toEqual([]);
  });

  it('gives the chunk of the highest generation when an id is in several', async () => {
    const { catalog } = under();
    const project = newProject();
    for (const generation of [9, 10, 2])
      await catalog.putChunks(project, [makeChunk('d', generation, 0, { start: generation })]);
    const found = await catalog.chunksById(project, ['d-0']);
    expect(found.map(({ generation, start }) => [generation, start])).toEqual([[10, 10]]);
  });

  it('keeps vectors to the last bit, apart by model and by project', async () => {
    const { catalog } = under();
    const [project, another] = [newProject(), newProject()];
    const odd = Float32Array.of(1.1754942e-38, 1.401298464324817e-45, -0, 0.1, -0.333333343, 3.4028234663852886e38);
    const long = Float32Array.from({ length: 1536 }, (_, i) => Math.sin(i) / 28);
    await catalog.putVectors(project, 'm', [
      { hash: 'h1', vector: odd },
      { hash: 'h2', vector: long.subarray(0, 1536) },
    ]);
    await catalog.putVectors(project, 'n', [vectorOf('h1')]);
    await catalog.putVectors(another, 'm', [vectorOf('h2')]);
    await catalog.putVectors(project, 'm', [{ hash: 'h1', vector: odd }]);
    const found = new Map(
      (await catalog.vectors(project, 'm', ['h1', 'h2', 'gone'])).map((one) => [one.hash, one.vector]),
    );
    expect([...found.keys()].sort()).toEqual(['h1', 'h2']);
    expect(new Uint8Array((found.get('h1') as Float32Array).slice().buffer)).toEqual(new Uint8Array(odd.buffer));
    expect(found.get('h2')).toEqual(long);
    expect(await catalog.vectors(project, 'n', ['h1', 'h2'])).toEqual([vectorOf('h1')]);
    expect(await catalog.vectors(another, 'm', ['h1', 'h2'])).toEqual([vectorOf('h2')]);
    expect(await catalog.vectors(project, 'm', [])).toEqual([]);
    const many = Array.from({ length: 450 }, (_, i) => vectorOf(`many-${i}`));
    await catalog.putVectors(project, 'm', many);
    expect(
      await hashesOf(
        catalog,
        project,
        many.map(({ hash }) => hash),
      ),
    ).toHaveLength(450);
  });

  it('keeps one generation, and of the vectors those that some chunk names', async () => {
    const { catalog } = under();
    const [project, another] = [newProject(), newProject()];
    await catalog.putChunks(project, [makeChunk('d', 1, 0, { hash: 'old' }), makeChunk('d', 1, 1, { hash: 'both' })]);
    await catalog.putChunks(project, [makeChunk('d', 1, 2, { hash: 'shared' })]);
    await catalog.putChunks(project, [
      makeChunk('d', 2, 1, { hash: 'both' }),
      makeChunk('e', 1, 0, { hash: 'shared' }),
    ]);
    await catalog.putChunks(another, [makeChunk('d', 1, 0, { hash: 'old' })]);
    const hashes = ['old', 'both', 'shared'];
    for (const each of [project, another]) await catalog.putVectors(each, 'm', hashes.map(vectorOf));
    await catalog.putVectors(project, 'n', [vectorOf('old')]);
    await catalog.keepGeneration(project, 'd', 2);
    expect(await catalog.chunksOf(project, 'd', 1)).toEqual([]);
    expect((await catalog.chunksOf(project, 'd', 2)).map(({ ordinal }) => ordinal)).toEqual([1]);
    expect(await catalog.chunksOf(project, 'e', 1)).toHaveLength(1);
    expect(await hashesOf(catalog, project, hashes)).toEqual(['both', 'shared']);
    expect(await catalog.vectors(project, 'n', ['old'])).toEqual([]);
    expect(await hashesOf(catalog, another, hashes)).toEqual(['both', 'old', 'shared']);
    await catalog.keepGeneration(project, 'd', 2);
    expect(await catalog.chunksOf(project, 'd', 2)).toHaveLength(1);
  });

  it('removes a document with its chunks and vectors, once, and frees its id and source', async () => {
    const { catalog } = under();
    const project = newProject();
    const document = makeDocument(project, { generation: 1 });
    await catalog.insert(document);
    const chunks = [0, 1].map((i) => makeChunk(document.id, 1, i, { hash: `h${i}` }));
    await catalog.putChunks(project, [...chunks, makeChunk('other', 1, 0, { hash: 'h1' })]);
    await catalog.putVectors(project, 'm', ['h0', 'h1'].map(vectorOf));
    expect(await catalog.remove(project, document.id, 2)).toBe('outdated');
    expect(await catalog.get(project, document.id)).toEqual(document);
    expect(await catalog.remove(project, document.id, 1)).toBe('removed');
    expect(await catalog.get(project, document.id)).toBeUndefined();
    expect(await catalog.bySource(project, document.source)).toBeUndefined();
    expect(await listAll(catalog, project)).toEqual([]);
    expect(await catalog.select(project, { op: 'true' })).toEqual([]);
    expect(await catalog.chunksOf(project, document.id, 1)).toEqual([]);
    expect(await hashesOf(catalog, project, ['h0', 'h1'])).toEqual(['h1']);
    expect(await catalog.remove(project, document.id, 1)).toBe('removed');
    expect(await catalog.remove(project, document.id, 2)).toBe('outdated');
    expect(await catalog.remove(project, 'never', 1)).toBe('outdated');
    expect(await catalog.replace({ ...document, version: 2 })).toBe('outdated');
    expect(await catalog.insert({ ...document, title: 'again' })).toBe('inserted');
    expect(await catalog.get(project, document.id)).toEqual({ ...document, title: 'again' });
    expect(await catalog.insert({ ...document, id: 'x' })).toBe('taken');
  });

  it('lets exactly one of a removal and a replacement of the same version happen', async () => {
    const { catalog } = under();
    const other = await under().another();
    const project = newProject();
    for (let round = 0; round < 6; round += 1) {
      const document = makeDocument(project);
      await catalog.insert(document);
      const [removed, replaced] = await Promise.all([
        catalog.remove(project, document.id, 1),
        other.replace({ ...document, version: 2, title: 'new' }),
      ]);
      expect([removed === 'removed', replaced === 'replaced'].filter(Boolean)).toHaveLength(1);
      expect(await catalog.get(project, document.id)).toEqual(
        removed === 'removed' ? undefined : { ...document, version: 2, title: 'new' },
      );
    }
  });

  it('keeps a vector that a chunk came to name while its last document went', async () => {
    const { catalog } = under();
    const other = await under().another();
    const project = newProject();
    for (let round = 0; round < 10; round += 1) {
      const [going, coming] = [makeDocument(project), makeDocument(project)];
      const hash = `shared-${round}`;
      for (const document of [going, coming]) await catalog.insert(document);
      await catalog.putChunks(project, [makeChunk(going.id, 1, 0, { hash })]);
      await catalog.putVectors(project, 'm', [vectorOf(hash)]);
      const arrive = async (): Promise<boolean> => {
        await other.putChunks(project, [makeChunk(coming.id, 1, 0, { hash })]);
        return (await other.vectors(project, 'm', [hash])).length === 1;
      };
      const [, wasThere] = await Promise.all([catalog.remove(project, going.id, 1), arrive()]);
      // Who saw it after its chunk was put may rely on it.
      if (wasThere) expect(await hashesOf(catalog, project, [hash])).toEqual([hash]);
    }
  });

  it('finishes a removal that broke off in the middle', async () => {
    const { catalog, breakOffRemoval } = under();
    const project = newProject();
    const make = async (): Promise<ReturnType<typeof makeDocument>> => {
      const document = makeDocument(project, { generation: 1 });
      await catalog.insert(document);
      await catalog.putChunks(project, [makeChunk(document.id, 1, 0, { hash: `h-${document.id}` })]);
      await catalog.putVectors(project, 'm', [vectorOf(`h-${document.id}`)]);
      return document;
    };
    const isGone = async (id: string): Promise<void> => {
      expect(await catalog.get(project, id)).toBeUndefined();
      expect(await catalog.chunksOf(project, id, 1)).toEqual([]);
      expect(await hashesOf(catalog, project, [`h-${id}`])).toEqual([]);
    };
    const [again, another, byWorker] = [await make(), await make(), await make()];
    for (const document of [again, another, byWorker]) await breakOffRemoval?.(document);
    // The same removal once more …
    expect(await catalog.remove(project, again.id, 1)).toBe('removed');
    await isGone(again.id);
    if (!breakOffRemoval) {
      for (const { id } of [another, byWorker]) expect(await catalog.remove(project, id, 1)).toBe('removed');
      return;
    }
    // … a new document of the same name …
    expect(await catalog.insert({ ...another, title: 'new' })).toBe('inserted');
    expect(await catalog.chunksOf(project, another.id, 1)).toEqual([]);
    // … or nobody: then whoever next looks for work.
    await vi.waitFor(
      async () => {
        await catalog.pending(0, 1);
        await isGone(byWorker.id);
      },
      { timeout: 20_000, interval: 100 },
    );
  });

  it('says nothing of ids that look like operators or paths', async () => {
    const { catalog } = under();
    const project = newProject();
    await catalog.insert(makeDocument(project, { id: randomUUID() }));
    for (const id of ['$ne', '../x', '', '%', '{"$gt":""}', "' OR 1=1 --"])
      expect(await catalog.get(project, id)).toBeUndefined();
  });
}
