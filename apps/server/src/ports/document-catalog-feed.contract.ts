/** The part of the contract of `DocumentCatalog` about the feed: nothing is passed over, whoever writes meanwhile. */
import { expect, it } from 'vitest';
import type { CatalogDocument, DocumentCatalog } from './document-catalog.port.js';
import { type DocumentCatalogUnderTest, makeDocument, newProject } from './document-catalog-under-test.contract.js';

/** Follows the feed; what it knows of one project's documents. */
class Follower {
  readonly known = new Map<string, CatalogDocument | null>();
  readonly #catalog: DocumentCatalog;
  readonly #projects: ReadonlySet<string>;
  #cursor: string | undefined;

  constructor(catalog: DocumentCatalog, projects: readonly string[], cursor?: string) {
    this.#catalog = catalog;
    this.#projects = new Set(projects);
    this.#cursor = cursor;
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Reads on until nothing is new; how many steps of ours there were. */
  async catchUp(limit = 7): Promise<number> {
    let steps = 0;
    for (;;) {
      const { changes, cursor } = await this.#catalog.changesAfter(this.#cursor, limit);
      expect(changes.length).toBeLessThanOrEqual(limit);
      const names = changes.map(({ project, id }) => JSON.stringify([project, id]));
      expect(new Set(names).size).toBe(names.length);
      for (const { project, id, document } of changes) {
        if (!this.#projects.has(project)) continue;
        steps += 1;
        if (document) expect([document.project, document.id]).toEqual([project, id]);
        this.known.set(id, document);
      }
      if (changes.length === 0) {
        expect(cursor).toBe(this.#cursor);
        return steps;
      }
      this.#cursor = cursor;
    }
  }
}

export function describeFeed(under: () => DocumentCatalogUnderTest): void {
  it('feeds everything there is, then what changes, deletions too, and goes on from any cursor', async () => {
    const { catalog } = under();
    const project = newProject();
    const documents = Array.from({ length: 20 }, (_, i) => makeDocument(project, { id: `f${i}` }));
    for (const document of documents) await catalog.insert(document);
    const follower = new Follower(catalog, [project]);
    await follower.catchUp();
    expect(new Map(follower.known)).toEqual(new Map(documents.map((one) => [one.id, one])));
    const resumed = new Follower(await under().another(), [project], follower.cursor);
    const changed = { ...documents[3], version: 2, title: 'changed' } as CatalogDocument;
    await catalog.replace(changed);
    await catalog.remove(project, 'f4', 1);
    await resumed.catchUp();
    expect(resumed.known.get('f3')).toEqual(changed);
    expect(resumed.known.get('f4')).toBeNull();
    await catalog.insert(makeDocument(project, { id: 'f4', title: 'back' }));
    await resumed.catchUp(1);
    expect(resumed.known.get('f4')?.title).toBe('back');
    await follower.catchUp(3);
    expect(follower.known.get('f3')).toEqual(changed);
    expect(follower.known.get('f4')?.title).toBe('back');
    expect(await follower.catchUp()).toBe(0);
  }, 60_000);

  it('passes nothing over while twelve write at once', async () => {
    const { catalog } = under();
    const other = await under().another();
    const projects = [newProject(), newProject(), newProject()];
    const before = new Follower(catalog, projects);
    await before.catchUp(500);
    const truth = new Map<string, CatalogDocument | null>();
    let isOver = false;
    const writer = async (number: number): Promise<void> => {
      const mine = number % 2 ? catalog : other;
      for (let i = 0; i < 12; i += 1) {
        const document = makeDocument(projects[number % 3] as string, { id: `c${number}-${i}` });
        expect(await mine.insert(document)).toBe('inserted');
        truth.set(document.id, document);
        if (i % 2) continue;
        const next = { ...document, version: 2, title: 'two' };
        expect(await mine.replace(next)).toBe('replaced');
        truth.set(document.id, next);
        if (i % 4) continue;
        expect(await mine.remove(document.project, document.id, 2)).toBe('removed');
        truth.set(document.id, null);
      }
    };
    const follow = async (): Promise<Follower> => {
      const follower = new Follower(other, projects, before.cursor);
      while (!isOver) await follower.catchUp(5);
      await follower.catchUp(5);
      return follower;
    };
    const following = follow();
    await Promise.all(Array.from({ length: 12 }, (_, number) => writer(number))).finally(() => {
      isOver = true;
    });
    const follower = await following;
    expect(new Map(follower.known)).toEqual(truth);
  }, 120_000);
}
