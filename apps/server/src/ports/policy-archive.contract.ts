/** The contract of `PolicyArchive`: every sentence of the port as a test, for every adapter. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PolicyArchive, PolicyVersion } from './policy-archive.port.js';
import { expectReason } from './store-under-test.contract.js';

/** One archive, empty at the start. */
export interface ArchiveUnderTest {
  readonly archive: PolicyArchive;
  /** Closes `archive` and opens the same data again. */
  reopen(): Promise<PolicyArchive>;
  dispose(): Promise<void>;
}

export function makeVersion(policy: string, version: number, more: Partial<PolicyVersion> = {}): PolicyVersion {
  return {
    ...(policy === 'platform' ? { scope: 'platform' } : { scope: 'project', project: policy }),
    version,
    etag: `${policy}-${version}`,
    ts: `2026-01-01T00:00:00.${String(version).padStart(3, '0')}Z`,
    actor: 'ada@example.com',
    action: version === 1 ? 'create' : 'replace',
    rego: `package project.authz\n\nallow { input.version == ${version} }\n`,
    dataText: JSON.stringify({ version }),
    ...more,
  };
}

/** What a store may spoil: number types, dollar and dotted keys, `__proto__`, order, empty names, every plane. */
const awkward = JSON.parse(`{
  "numbers": [0, 1, -1, 1.5, 1e21, 1e-7, 0.1, 9007199254740991, -9007199254740991, 1.7976931348623157e308, 5e-324, 4294967296],
  "$set": {"a.b": 1, "$where": "1"}, "a.b.c": {"": null}, "__proto__": {"polluted": true}, "constructor": 1,
  "_id": "mine", "order": {"b": 1, "a": 2, "10": 3, "9": 4}, "text": "ä€😀\\u2028\\u0000\\ud800", "deep": [[[[[[{}]]]]]],
  "date": "2026-01-01T00:00:00.000Z", "$date": {"$numberLong": "1"}, "mixed": [null, true, false, "", []]
}`) as object;

export function describePolicyArchive(name: string, start: () => Promise<ArchiveUnderTest>): void {
  describe(`PolicyArchive: ${name}`, () => {
    let under: ArchiveUnderTest | undefined;
    let archive: PolicyArchive;
    beforeAll(async () => {
      under = await start();
      archive = under.archive;
    }, 120_000);
    afterAll(() => under?.dispose(), 60_000);

    it('gives back exactly what was appended, whatever the data', async () => {
      const versions = [
        makeVersion('exact', 1, { dataText: JSON.stringify(awkward) }),
        makeVersion('exact', 2, {
          action: 'rollback',
          rolledBackTo: 1,
          dataText: '{"digits":12345678901234567890.123456789}',
        }),
        makeVersion('exact', 3, { action: 'delete', rego: '', dataText: '{}' }),
        makeVersion('exact', 4, { dataText: 'null', rego: 'ä\u0000€😀\r\n' }),
        makeVersion('platform', 1, { dataText: JSON.stringify([awkward]) }),
      ];
      for (const version of versions) await archive.append(version);
      for (const version of versions) {
        const found = await archive.get(version.project ?? 'platform', version.version);
        expect(found).toEqual(version);
      }
      expect(await archive.get('exact', 9)).toBeUndefined();
      expect(await archive.get('nobody', 1)).toBeUndefined();
    });

    it('keeps the first of the same (scope, project, version), also when 20 append at once', async () => {
      await archive.append(makeVersion('once', 1, { actor: 'first' }));
      await archive.append(makeVersion('once', 1, { actor: 'second' }));
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => archive.append(makeVersion('once', 2, { actor: `${i}` }))),
      );
      const { items } = await archive.list('once', { limit: 10 });
      expect(items.map((item) => item.version)).toEqual([2, 1]);
      expect(items[1]?.actor).toBe('first');
    });

    it('appends many at once, keeping the first of those that are there already', async () => {
      await archive.append(makeVersion('many', 2, { actor: 'first' }));
      await archive.appendAll([1, 2, 3].map((version) => makeVersion('many', version)));
      const { items } = await archive.list('many', { limit: 10 });
      expect(items.map((item) => [item.version, item.actor])).toEqual([
        [3, 'ada@example.com'],
        [2, 'first'],
        [1, 'ada@example.com'],
      ]);
    });

    it('lists newest first, in pages, without a hole when a version is appended between two pages', async () => {
      for (const version of [3, 1, 2, 5, 4, 7, 6]) await archive.append(makeVersion('pages', version));
      const first = await archive.list('pages', { limit: 3 });
      expect(first.items.map((item) => item.version)).toEqual([7, 6, 5]);
      await archive.append(makeVersion('pages', 8));
      const second = await archive.list('pages', { limit: 3, cursor: first.next ?? '' });
      expect(second.items.map((item) => item.version)).toEqual([4, 3, 2]);
      const third = await archive.list('pages', { limit: 3, cursor: second.next ?? '' });
      expect(third.items.map((item) => item.version)).toEqual([1]);
      expect('next' in third).toBe(false);
      expect('next' in (await archive.list('pages', { limit: 8 }))).toBe(false);
    });

    it('refuses a cursor that it did not give out', async () => {
      await expectReason(archive.list('pages', { limit: 3, cursor: 'nonsense' }), 'request.invalid_cursor');
      const other = Buffer.from('[{"$gt":0}]').toString('base64url');
      await expectReason(archive.list('pages', { limit: 3, cursor: other }), 'request.invalid_cursor');
    });

    it('keeps policies apart', async () => {
      await archive.append(makeVersion('apart', 1));
      await archive.append(makeVersion('apart-b', 1));
      expect((await archive.list('apart', { limit: 10 })).items).toHaveLength(1);
      expect((await archive.list('apart-', { limit: 10 })).items).toHaveLength(0);
    });

    it('finds a version by its ETag, only within the policy', async () => {
      await archive.append(makeVersion('tag-a', 1, { etag: '41' }));
      await archive.append(makeVersion('tag-b', 1, { etag: '42' }));
      expect((await archive.findByEtag('tag-a', '41'))?.version).toBe(1);
      expect(await archive.findByEtag('tag-a', '42')).toBeUndefined();
    });

    it('prunes all but the newest, of one policy', async () => {
      for (let version = 1; version <= 8; version += 1) await archive.append(makeVersion('prune', version));
      await archive.append(makeVersion('prune-not', 1));
      expect(await archive.prune('prune', 5)).toBe(3);
      expect(await archive.prune('prune', 5)).toBe(0);
      const { items } = await archive.list('prune', { limit: 10 });
      expect(items.map((item) => item.version)).toEqual([8, 7, 6, 5, 4]);
      expect((await archive.list('prune-not', { limit: 10 })).items).toHaveLength(1);
    });

    it('keeps the largest policy: 512 KiB of Rego and 1 MiB of data', async () => {
      const rego = `package a\n${'#'.repeat(512 * 1024 - 10)}`;
      const data = { blob: 'x'.repeat(1024 * 1024 - 11) };
      await archive.append(makeVersion('large', 1, { rego, dataText: JSON.stringify(data) }));
      const found = await archive.get('large', 1);
      expect(found?.rego === rego).toBe(true);
      expect(found?.dataText === JSON.stringify(data)).toBe(true);
    });

    it('is healthy, and has everything after it was opened again', async () => {
      expect(await archive.isHealthy()).toBe(true);
      archive = await (under as ArchiveUnderTest).reopen();
      expect((await archive.list('pages', { limit: 1 })).items[0]?.version).toBe(8);
    });
  });
}
