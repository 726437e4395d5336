/** The contract of `ResourceStore`: every sentence of the port as a test, for every database. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Resource, ResourceChange, ResourceStore, ResourceVersion } from './resource-store.port.js';
import { expectReason } from './store-under-test.contract.js';

/** One store, empty at the start. */
export interface ResourceStoreUnderTest {
  readonly store: ResourceStore;
  /** Another connection to the same data. */
  another(): Promise<ResourceStore>;
  dispose(): Promise<void>;
}

let clock = Date.UTC(2026, 0, 1);
const now = (): string => {
  clock += 1;
  return new Date(clock).toISOString();
};

function put(key: string, content: string, more: Partial<Resource> = {}): ResourceChange {
  const at = now();
  const resource = {
    ...({ kind: 'config', id: randomUUID(), appId: null, environment: null, key, version: 1, content } as const),
    ...{ createdAt: at, createdBy: 'ada', updatedAt: at, updatedBy: 'ada' },
    ...more,
  };
  return { resource, action: resource.version === 1 ? 'create' : 'replace' };
}

const facts = (id: string, resource: string, actor = 'ada') => ({
  ...{ id, ts: now(), actor, action: 'config.create', resource, etag_before: null, etag_after: 'pending' },
  ...{ result: 'success', request_id: 'r', client_ip: '192.0.2.1', chain: 'platform' },
});

/** Commits on the newest revision, whatever that is. */
async function commit(store: ResourceStore, ...changes: ResourceChange[]): Promise<number> {
  for (;;) {
    const result = await store.commit({ baseRevision: await store.revision(), changes, audit: [] });
    if (result.kind === 'committed') return result.revision;
  }
}

async function everything(store: ResourceStore, after = 0, limit = 3): Promise<readonly ResourceVersion[]> {
  const all: ResourceVersion[] = [];
  for (let from = after; ; ) {
    const page = await store.changesAfter(from, limit);
    const last = page.at(-1);
    if (!last) return all;
    all.push(...page);
    from = last.revision;
  }
}

export function describeResourceStore(name: string, start: () => Promise<ResourceStoreUnderTest>): void {
  describe(`ResourceStore: ${name}`, () => {
    let under: ResourceStoreUnderTest | undefined;
    let store: ResourceStore;
    beforeAll(async () => {
      under = await start();
      store = under.store;
    }, 120_000);
    afterAll(() => under?.dispose(), 60_000);

    it('begins at revision 0, empty, with an epoch that stays', async () => {
      expect(await store.load()).toEqual({ revision: 0, resources: [], deletions: [] });
      const [one, two] = await Promise.all([store.epoch(), under?.another().then((other) => other.epoch())]);
      expect(one).toMatch(/^[0-9a-f]{8}$/);
      expect(two).toBe(one);
    });

    it('gives back what was put to the last character, in every scope', async () => {
      const odd = JSON.stringify({ text: 'ä€😀 "q" \u2028', big: '1e400' });
      const changes = [
        put('a.b', odd),
        put('a.b', '1', { appId: 'shop' }),
        put('a.b', '12345678901234567890.5', { appId: 'shop', environment: 'prod' }),
        put('a.b', '{}', { kind: 'flag', appId: 'shop', environment: 'prod' }),
      ];
      const revision = await commit(store, ...changes);
      const { resources } = await store.load();
      for (const { resource } of changes) {
        const found = resources.find((one) => one.id === resource.id);
        expect(found).toEqual({ ...resource, revision });
      }
    });

    it('refuses a write that was checked against an older revision, and does nothing of it', async () => {
      const base = await store.revision();
      await commit(store, put('between', '1'));
      const late = await store.commit({ baseRevision: base, changes: [put('late', '1')], audit: [] });
      expect(late).toEqual({ kind: 'outdated', revision: base + 1 });
      expect((await store.load()).resources.some((one) => one.key === 'late')).toBe(false);
      expect(await store.revision()).toBe(base + 1);
    });

    it('is all or nothing: a key that is taken undoes the whole write and uses no revision', async () => {
      const base = await store.revision();
      const changes = [put('fresh', '1'), put('between', '2')];
      await expectReason(
        store.commit({ baseRevision: base, changes, audit: [facts(randomUUID(), '/x')] }),
        'resource.key_taken',
      );
      expect(await store.revision()).toBe(base);
      const { resources } = await store.load();
      expect(resources.some((one) => one.key === 'fresh')).toBe(false);
      expect((await store.changeLog({ resource: '/x' }, { limit: 5 })).items).toEqual([]);
    });

    it('numbers the writes of 24 that race without a gap and without a double', async () => {
      const other = (await under?.another()) as ResourceStore;
      const before = await store.revision();
      const won = await Promise.all(
        Array.from({ length: 24 }, (_, i) => commit(i % 2 === 0 ? store : other, put(`race-${i}`, String(i)))),
      );
      expect([...won].sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => before + 1 + i));
    });

    it('feeds every version once, in order, never half a revision', async () => {
      const before = await store.revision();
      const five = Array.from({ length: 5 }, (_, i) => put(`feed-${i}`, String(i)));
      await commit(store, ...five);
      const [first] = five;
      await commit(store, {
        ...put('feed-0', '9', { ...first?.resource, content: '9', version: 2 } as Partial<Resource>),
      });
      const page = await store.changesAfter(before, 3);
      expect(page.map((one) => one.place)).toEqual([0, 1, 2, 3, 4]);
      const all = await everything(store, before);
      expect(all.map((one) => [one.revision - before, one.key, one.version])).toEqual([
        ...five.map(({ resource }) => [1, resource.key, 1]),
        [2, 'feed-0', 2],
      ]);
      const replayed = new Map<string, string>();
      for (const one of await everything(store)) {
        if (one.content === null) replayed.delete(one.id);
        else replayed.set(one.id, one.content);
      }
      const { resources } = await store.load();
      expect(replayed).toEqual(new Map(resources.map((one) => [one.id, one.content])));
    });

    it('keeps the versions of what was deleted, newest first, in pages', async () => {
      const change = put('short-lived', '1');
      await commit(store, change);
      const second = { ...change.resource, content: '2', version: 2, updatedAt: now() };
      await commit(store, { resource: second, action: 'replace' });
      await commit(store, { resource: { ...second, content: null, version: 3 }, action: 'delete' });
      const { id } = change.resource;
      const first = await store.versions('config', id, { limit: 2 });
      expect(first.items.map((one) => [one.version, one.action, one.content])).toEqual([
        [3, 'delete', null],
        [2, 'replace', '2'],
      ]);
      const rest = await store.versions('config', id, { limit: 2, cursor: first.next as string });
      expect(rest.items.map((one) => one.version)).toEqual([1]);
      expect(rest.next).toBeUndefined();
      expect((await store.version('config', id, 2))?.content).toBe('2');
      expect(await store.version('config', id, 4)).toBeUndefined();
      const loaded = await store.load();
      expect(loaded.resources.some((one) => one.id === id)).toBe(false);
      expect(loaded.deletions).toContainEqual(expect.objectContaining({ kind: 'config', revision: loaded.revision }));
      await commit(store, put('short-lived', '1'));
    });

    it('keeps the answer of a write with it, gives it to whoever comes with the key again, and forgets it when it expires', async () => {
      const remember = {
        key: randomUUID(),
        fingerprint: 'f',
        expiresMs: 2_000,
        answer: '{"status":201}',
        nowMs: 1_000,
      };
      const { nowMs: _now, ...kept } = remember;
      const write = async (change: ResourceChange, nowMs: number) =>
        await store.commit({
          ...{ baseRevision: await store.revision(), changes: [change], audit: [] },
          remember: { ...remember, nowMs },
        });
      expect(await store.remembered(remember.key)).toBeUndefined();
      expect((await write(put('kept-once', '1'), 1_000)).kind).toBe('committed');
      const revision = await store.revision();
      expect(await write(put('kept-twice', '1'), 1_999)).toEqual({ kind: 'remembered', answer: kept });
      expect(await store.revision()).toBe(revision);
      expect(await store.remembered(remember.key)).toEqual(kept);
      expect((await write(put('kept-later', '1'), 2_000)).kind).toBe('committed');
      expect(await store.forgetAnswers(1_999)).toBe(0);
      expect(await store.forgetAnswers(2_000)).toBe(1);
      expect(await store.remembered(remember.key)).toBeUndefined();
    });

    it('says what there was at any revision', async () => {
      const change = put('once', '1', { kind: 'segment' });
      const first = await commit(store, change);
      const second = await commit(store, {
        resource: { ...change.resource, content: '2', version: 2 },
        action: 'replace',
      });
      const third = await commit(store, {
        resource: { ...change.resource, content: null, version: 3 },
        action: 'delete',
      });
      const at = async (revision: number) =>
        (await store.asOf('segment', revision)).filter((one) => one.key === 'once').map((one) => one.content);
      expect(await Promise.all([first - 1, first, second, third].map(at))).toEqual([[], ['1'], ['2'], []]);
    });

    it('writes the audit facts in the same transaction, with the revision, and finds them', async () => {
      const ids = [randomUUID(), randomUUID(), randomUUID()];
      for (const [i, id] of ids.entries()) {
        const base = await store.revision();
        const change = put(`audited-${i}`, '1', { appId: 'audited', environment: i === 2 ? 'prod' : null });
        const audit = [facts(id, `/api/v1/configs/${i}`, i === 0 ? 'bob' : 'eve')];
        await store.commit({ baseRevision: base, changes: [change], audit });
      }
      const newest = await store.changeLog({ appId: 'audited' }, { limit: 2 });
      expect(newest.items.map((one) => one.id)).toEqual([ids[2], ids[1]]);
      expect(newest.items[0]?.etag_after).toBe(String(newest.items[0]?.revision));
      const rest = await store.changeLog({ appId: 'audited' }, { limit: 2, cursor: newest.next as string });
      expect(rest.items.map((one) => one.id)).toEqual([ids[0]]);
      expect((await store.changeLog({ actor: 'bob' }, { limit: 9 })).items.map((one) => one.id)).toEqual([ids[0]]);
      const prod = await store.changeLog({ appId: 'audited', environment: 'prod' }, { limit: 9 });
      expect(prod.items.map((one) => one.id)).toEqual([ids[2]]);
      const read = await store.auditAfter((rest.items[0]?.revision ?? 0) - 1, 2);
      expect(read.map((one) => one.id)).toEqual([ids[0], ids[1]]);
      expect((await store.auditAfter(read[1]?.revision ?? 0, 2)).map((one) => one.id)).toEqual([ids[2]]);
      const [oldest] = rest.items;
      const later = await store.changeLog({ appId: 'audited', from: newest.items[1]?.ts as string }, { limit: 9 });
      expect(later.items.some((one) => one.id === oldest?.id)).toBe(false);
    });

    it('lets one of many move a reader on, from where it was', async () => {
      expect(await store.position('sender')).toBe(0);
      const won = await Promise.all(Array.from({ length: 8 }, () => store.advance('sender', 0, 5)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.advance('sender', 0, 9)).toBe(false);
      expect(await store.position('sender')).toBe(5);
      expect(await store.isHealthy()).toBe(true);
    });
  });
}
