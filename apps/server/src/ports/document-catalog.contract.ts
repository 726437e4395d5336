/** The contract of `DocumentCatalog`: every sentence of the port as a test, for every database. The feed's part has a file of its own. */
import { randomInt } from 'node:crypto';
import { type Filter, isPartialEvaluationError, matchesFilter, type Value } from '@bailiwick/rego';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CatalogDocument, DocumentCatalog } from './document-catalog.port.js';
import { describeCatalogContents } from './document-catalog-contents.contract.js';
import { describeFeed } from './document-catalog-feed.contract.js';
import {
  all,
  type DocumentCatalogUnderTest,
  listAll,
  makeChunk,
  makeDocument,
  newProject,
} from './document-catalog-under-test.contract.js';
import { anyFilter, attributesOf, describedDocument } from './random-documents.contract.js';
import { expectReason } from './store-under-test.contract.js';

/** How many random filters a run asks: fewer where each is a slow round trip. */
export interface DocumentCatalogContract {
  readonly filters: number;
}

const idsOf = (documents: readonly CatalogDocument[]): readonly string[] => documents.map(({ id }) => id).sort();

/** The answer, or undefined when the store says that it cannot say it. */
async function unlessRefused<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isPartialEvaluationError(error)) return undefined;
    throw error;
  }
}

export function describeDocumentCatalog(
  name: string,
  start: () => Promise<DocumentCatalogUnderTest>,
  contract: DocumentCatalogContract = { filters: 400 },
): void {
  describe(`DocumentCatalog: ${name}`, () => {
    let under: DocumentCatalogUnderTest | undefined;
    let catalog: DocumentCatalog;
    beforeAll(async () => {
      under = await start();
      catalog = under.catalog;
    }, 120_000);
    afterAll(() => under?.dispose(), 60_000);

    it('gives back what was inserted, to the last character', async () => {
      const project = newProject();
      const document = makeDocument(project, {
        ...{
          id: 'a/b?c#d%e\\f',
          name: 'o\'x "y" ä€😀.pdf',
          title: '$where {"a":1} \u2028',
          source: `https://x/?${'q'.repeat(3000)}`,
        },
        ...{
          tags: ['b', 'a', ''],
          groups: ['g.1'],
          created_by: 'eve',
          size: 5_000_000_000,
          generation: 3,
          pages: 7,
          notes: ['Left out: speaker notes (2).', 'Left out: "hidden" text (1).'],
          chunks: 9,
        },
        metadata: {
          dept: 'x',
          'a.b': 1,
          $c: true,
          'q"r': ['y', 'z'],
          level: 0.1,
          big: -2054125198918339000,
          __proto: '',
        },
        ...{
          state: 'failed',
          fault: { reason: 'x.y', message: 'no "way"' },
          claim: { owner: 'one', untilMs: 1_790_000_000_000 },
        },
      });
      expect(await catalog.insert(document)).toBe('inserted');
      expect(await catalog.get(project, document.id)).toEqual(document);
      expect(await catalog.bySource(project, document.source)).toEqual(document);
      expect(await catalog.getMany(project, [document.id, 'gone', document.id])).toEqual([document]);
      expect(await catalog.get(project, 'gone')).toBeUndefined();
      expect(await catalog.bySource(project, 'gone')).toBeUndefined();
      expect(await catalog.getMany(project, [])).toEqual([]);
    });

    it('takes an id and a source once a project, of those that race too', async () => {
      const project = newProject();
      const first = makeDocument(project);
      const other = (await under?.another()) as DocumentCatalog;
      const raced = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          (i % 2 ? other : catalog).insert({ ...first, id: `${first.id}-${i}`, title: String(i) }),
        ),
      );
      expect(raced.filter((one) => one === 'inserted')).toHaveLength(1);
      const winner = (await catalog.bySource(project, first.source)) as CatalogDocument;
      expect(await catalog.insert({ ...winner, source: 'upload:other', title: 'no' })).toBe('taken');
      expect(await catalog.insert({ ...winner, id: 'other', title: 'no' })).toBe('taken');
      expect(await listAll(catalog, project)).toEqual([winner]);
      expect(await catalog.insert({ ...winner, project: `${project}-2` })).toBe('inserted');
    });

    it('lets exactly one of many replace a version', async () => {
      const project = newProject();
      const document = makeDocument(project);
      await catalog.insert(document);
      const other = (await under?.another()) as DocumentCatalog;
      for (let version = 2; version < 6; version += 1) {
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, i) =>
            (i % 2 ? other : catalog).replace({ ...document, version, title: `${version}/${i}`, size: i }),
          ),
        );
        const won = answers.flatMap((answer, i) => (answer === 'replaced' ? [i] : []));
        expect(won).toHaveLength(1);
        const title = `${version}/${won[0]}`;
        expect(await other.get(project, document.id)).toEqual({ ...document, version, title, size: won[0] });
      }
      expect(await catalog.replace({ ...document, version: 5 })).toBe('outdated');
      expect(await catalog.replace({ ...document, version: 7 })).toBe('outdated');
      expect(await catalog.replace({ ...document, version: 6, source: 'upload:moved' })).toBe('outdated');
      expect(await catalog.replace({ ...document, id: 'gone', version: 2 })).toBe('outdated');
      expect((await catalog.get(project, document.id))?.version).toBe(5);
    });

    it('refuses attributes that not every store can hold, and keeps what there was', async () => {
      const project = newProject();
      const document = makeDocument(project);
      await catalog.insert(document);
      const bad: Partial<CatalogDocument>[] = [
        { title: 'a\u0000b' },
        { tags: ['\ud800'] },
        { metadata: { x: Number.NaN } },
        { metadata: { 'a\u0000': 1 } },
        { metadata: { x: ['\udc00'] } },
      ];
      for (const more of bad) {
        await expectReason(catalog.replace({ ...document, version: 2, ...more }), 'document.not_storable');
        await expectReason(catalog.insert(makeDocument(project, more)), 'document.not_storable');
      }
      expect(await listAll(catalog, project)).toEqual([document]);
    });

    it('lists newest first, then by id, in pages that the filter thins out in the store', async () => {
      const project = newProject();
      const documents = Array.from({ length: 25 }, (_, i) =>
        makeDocument(project, {
          id: `d${String(i).padStart(2, '0')}`,
          created_at: `2026-01-0${1 + (i % 3)}T00:00:00.000Z`,
          tags: i % 2 ? ['odd'] : [],
        }),
      );
      for (const document of documents) await catalog.insert(document);
      const order = [...documents].sort((a, b) =>
        a.created_at === b.created_at ? (a.id < b.id ? -1 : 1) : a.created_at < b.created_at ? 1 : -1,
      );
      expect(await listAll(catalog, project, all, 4)).toEqual(order);
      const odd: Filter = { op: 'contains', field: ['tags'], value: 'odd' };
      expect(await listAll(catalog, project, odd, 5)).toEqual(order.filter(({ tags }) => tags.length > 0));
      await expectReason(
        catalog.list(project, { filter: all, limit: 5, cursor: 'nonsense' }),
        'request.invalid_cursor',
      );
    });

    it('selects and lists what the filter says of each document, or says that it cannot', async () => {
      const project = newProject();
      const seed = randomInt(2 ** 31);
      const documents = fc
        .sample(describedDocument, { numRuns: 40, seed })
        .map((described, i) =>
          makeDocument(project, { ...described, id: `d${i}`, generation: i % 5 === 0 ? 0 : 1 + (i % 2) }),
        );
      await Promise.all(documents.map((document) => catalog.insert(document)));
      let answered = 0;
      await fc.assert(
        fc.asyncProperty(anyFilter, async (filter) => {
          const matching = documents.filter((one) => matchesFilter(filter, attributesOf(one) as unknown as Value));
          const selected = await unlessRefused(catalog.select(project, filter));
          const listed = await unlessRefused(listAll(catalog, project, filter));
          expect(selected === undefined).toBe(listed === undefined);
          if (selected === undefined || listed === undefined) return;
          answered += 1;
          expect([...selected].sort()).toEqual(idsOf(matching.filter(({ generation }) => generation > 0)));
          expect(idsOf(listed)).toEqual(idsOf(matching));
        }),
        { seed, numRuns: contract.filters },
      );
      // Refusing is honest; refusing most of them would be no store.
      expect(answered).toBeGreaterThan(contract.filters * 0.6);
    }, 120_000);

    it('holds several conditions to one and the same element', async () => {
      const project = newProject();
      const documents = [[], [''], ['b'], ['', 'b'], ['bb'], ['ab', 'ba'], ['a', 'bab', 'c']].map((tags, i) =>
        makeDocument(project, { id: `e${i}`, generation: 1, tags }),
      );
      for (const document of documents) await catalog.insert(document);
      const one = [
        { op: 'eq', field: [], value: 'b' },
        { op: 'ne', field: [], value: 'b' },
        { op: 'gt', field: [], value: 'b' },
        { op: 'lte', field: [], value: 'b' },
        { op: 'in', field: [], values: ['', 'bb'] },
        { op: 'in', field: [], values: ['b', 'bab'] },
        { op: 'startsWith', field: [], value: 'b' },
        { op: 'endsWith', field: [], value: 'b' },
        { op: 'includes', field: [], value: 'ba' },
      ] satisfies Filter[];
      const either = one.flatMap((filter): Filter[] => [filter, { op: 'not', filter }]);
      const pairs = either.flatMap((left, i) => either.slice(i + 1).map((right) => [left, right]));
      let answered = 0;
      for (const filters of pairs) {
        const filter: Filter = { op: 'any', field: ['tags'], filter: { op: 'and', filters } };
        const selected = await unlessRefused(catalog.select(project, filter));
        if (selected === undefined) continue;
        answered += 1;
        const expected = documents.filter((each) => matchesFilter(filter, attributesOf(each) as unknown as Value));
        expect([...selected].sort(), JSON.stringify(filters)).toEqual(idsOf(expected));
      }
      expect(answered).toBeGreaterThan(pairs.length * 0.6);
    });

    it('answers a filter with a thousand alternatives', async () => {
      const project = newProject();
      const document = makeDocument(project, { generation: 1, metadata: { n: 'v7' }, tags: ['t8'], name: 'n9' });
      await catalog.insert(document);
      await catalog.insert(makeDocument(project, { generation: 1, metadata: { n: 'v-7' } }));
      const values = Array.from({ length: 1000 }, (_, i) => i);
      const filters: Filter[] = [
        { op: 'in', field: ['metadata', 'n'], values: values.map((i) => `v${i}`) },
        { op: 'any', field: ['tags'], filter: { op: 'in', field: [], values: values.map((i) => `t${i}`) } },
        { op: 'in', field: ['name'], values: values.map((i) => `n${i}`) },
        { op: 'or', filters: values.slice(0, 300).map((i) => ({ op: 'contains', field: ['tags'], value: `t${i}` })) },
      ];
      for (const filter of filters) expect(await catalog.select(project, filter)).toEqual([document.id]);
    });

    it('gives out documents that wait for work, oldest first, of all projects, unless someone is at them', async () => {
      const projects = [newProject(), newProject()] as const;
      const make = (i: number, more: Partial<CatalogDocument>): CatalogDocument =>
        makeDocument(projects[i % 2] as string, { id: `w${i}`, updated_at: `1999-01-01T00:00:0${i}.000Z`, ...more });
      const documents = [
        make(0, { state: 'processing', claim: { owner: 'x', untilMs: 999 } }),
        make(1, { state: 'queued' }),
        make(2, { state: 'ready' }),
        make(3, { state: 'failed', fault: { reason: 'a.b', message: 'm' } }),
        make(4, { state: 'processing', claim: { owner: 'x', untilMs: 1001 } }),
        make(5, { state: 'processing' }),
      ];
      for (const document of [...documents].reverse()) await catalog.insert(document);
      const ours = new Set<string>(projects);
      const found = (await catalog.pending(1000, 50)).filter(({ project }) => ours.has(project));
      expect(found).toEqual([documents[0], documents[1], documents[5]]);
      expect(await catalog.pending(1000, 2)).toEqual([documents[0], documents[1]]);
      expect((await catalog.pending(1002, 50)).some(({ id }) => id === 'w4')).toBe(true);
    });

    it('never shows one project anything of another', async () => {
      const [mine, theirs] = [newProject(), newProject()];
      const document = makeDocument(theirs, { id: 'same', generation: 1, tags: ['x'] });
      await catalog.insert(document);
      await catalog.putChunks(theirs, [makeChunk('same', 1, 0, { hash: 'h' })]);
      await catalog.putVectors(theirs, 'm', [{ hash: 'h', vector: Float32Array.of(1, 0) }]);
      expect(await catalog.get(mine, 'same')).toBeUndefined();
      expect(await catalog.getMany(mine, ['same'])).toEqual([]);
      expect(await catalog.bySource(mine, document.source)).toBeUndefined();
      expect(await catalog.list(mine, { filter: all, limit: 5 })).toEqual({ items: [] });
      expect(await catalog.select(mine, all)).toEqual([]);
      expect(await catalog.chunksOf(mine, 'same', 1)).toEqual([]);
      expect(await catalog.chunksById(mine, ['same-0'])).toEqual([]);
      expect(await catalog.vectors(mine, 'm', ['h'])).toEqual([]);
      expect(await catalog.replace({ ...document, project: mine, version: 2 })).toBe('outdated');
      expect(await catalog.remove(mine, 'same', 1)).toBe('outdated');
      await catalog.keepGeneration(mine, 'same', 2);
      expect(await catalog.chunksOf(theirs, 'same', 1)).toHaveLength(1);
      expect(await catalog.vectors(theirs, 'm', ['h'])).toHaveLength(1);
    });

    describeCatalogContents(() => under as DocumentCatalogUnderTest);
    describeFeed(() => under as DocumentCatalogUnderTest);
  });
}
