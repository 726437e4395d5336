/** The contract of `AuditLogStore`: every sentence of the port as a test, for every adapter. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditLogStore, AuditRecord } from './audit-log.port.js';
import { expectReason } from './store-under-test.contract.js';

/** One audit log, empty at the start. */
export interface AuditLogUnderTest {
  readonly log: AuditLogStore;
  /** Closes `log` and opens the same data again. */
  reopen(): Promise<AuditLogStore>;
  dispose(): Promise<void>;
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString();

export function makeRecord(chain: string, seq: number, more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    id: `${chain}/${seq}`,
    ts: at(seq),
    actor: 'ada@example.com',
    action: 'policy.replace',
    resource: `/policies/${chain}`,
    etag_before: seq === 1 ? null : String(seq - 1),
    etag_after: String(seq),
    result: 'success',
    request_id: `request-${seq}`,
    client_ip: '192.0.2.1',
    chain,
    seq,
    hash_prev: String(seq - 1).padStart(64, '0'),
    hash: String(seq).padStart(64, '0'),
    ...more,
  };
}

const places = (records: readonly AuditRecord[]): string[] => records.map((record) => `${record.chain}:${record.seq}`);

export function describeAuditLog(name: string, start: () => Promise<AuditLogUnderTest>): void {
  describe(`AuditLogStore: ${name}`, () => {
    let under: AuditLogUnderTest | undefined;
    let log: AuditLogStore;
    beforeAll(async () => {
      under = await start();
      log = under.log;
    }, 120_000);
    afterAll(() => under?.dispose(), 60_000);

    it('gives back records to the last character, in the order of the chain', async () => {
      const records = [
        makeRecord('exact', 1, { signature: 'c2lnbmF0dXJl', detail: 'a "quoted" $detail.with\u0000 ä€😀\u2028' }),
        makeRecord('exact', 2, { actor: '', etag_after: null, result: 'conflict', detail: 'lone \ud800 surrogate' }),
        makeRecord('exact', 3, { resource: '/policies/ä', client_ip: '::1' }),
      ];
      for (const record of records) expect(await log.append(record)).toBe('appended');
      expect(await log.read('exact', 0, 10)).toEqual(records);
      expect(await log.read('exact', 1, 1)).toEqual([records[1]]);
      expect(await log.read('exact', 3, 10)).toEqual([]);
      expect(await log.head('exact')).toEqual(records[2]);
      expect(await log.head('nobody')).toBeUndefined();
    });

    it('appends consecutive records at once, and stops before the first whose place is taken', async () => {
      expect(await log.appendAll([1, 2, 3].map((seq) => makeRecord('batch', seq)))).toBe(3);
      const taken = [makeRecord('batch', 4), makeRecord('batch', 2, { id: 'other-2' }), makeRecord('batch', 5)];
      expect(await log.appendAll(taken)).toBe(1);
      expect((await log.read('batch', 0, 10)).map((record) => record.seq)).toEqual([1, 2, 3, 4]);
    });

    it('tells a record that is there already from another in its place', async () => {
      expect(await log.append(makeRecord('twice', 1))).toBe('appended');
      expect(await log.append(makeRecord('twice', 1))).toBe('duplicate');
      expect(await log.append(makeRecord('twice', 1, { id: 'other' }))).toBe('conflict');
      expect(await log.append(makeRecord('twice', 2, { id: 'twice/1' }))).toBe('duplicate');
      expect(places(await log.read('twice', 0, 10))).toEqual(['twice:1']);
    });

    it('gives each place to one of 20 that race for it, and a chain without gap or double comes out', async () => {
      const sealNext = async (id: string): Promise<void> => {
        for (;;) {
          const seq = ((await log.head('race'))?.seq ?? 0) + 1;
          if ((await log.append(makeRecord('race', seq, { id }))) !== 'conflict') return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, i) => sealNext(`race-${i}`)));
      // At least once is how the outbox delivers: the same ids again must change nothing.
      await Promise.all(Array.from({ length: 20 }, (_, i) => sealNext(`race-${i}`)));
      const records = await log.read('race', 0, 100);
      expect(records.map((record) => record.seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      expect(new Set(records.map((record) => record.id)).size).toBe(20);
    });

    it('searches newest first by time, chain and place, in pages that neither skip nor repeat', async () => {
      for (let seq = 1; seq <= 5; seq += 1) {
        await log.append(makeRecord('s-a', seq, { ts: at(5000 + seq) }));
        await log.append(makeRecord('s-b', seq, { ts: at(5000 + Math.min(seq, 3)) }));
      }
      const chains = ['s-a', 's-b'];
      const expected = ['s-a:5', 's-a:4', 's-b:5', 's-b:4', 's-b:3', 's-a:3', 's-b:2', 's-a:2', 's-b:1', 's-a:1'];
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await log.search({ chains }, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...places(page.items));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(found).toEqual(expected);
      expect('next' in (await log.search({ chains }, { limit: 10 }))).toBe(false);
    });

    it('filters by every field, and shows nothing to a caller that may see no chain', async () => {
      await log.append(makeRecord('f', 1, { ts: at(9001), actor: 'bob' }));
      await log.append(makeRecord('f', 2, { ts: at(9002), action: 'policy.delete', result: 'forbidden' }));
      await log.append(makeRecord('f', 3, { ts: at(9003), resource: '/policies/platform' }));
      const find = async (filter: Parameters<AuditLogStore['search']>[0]): Promise<string[]> =>
        places((await log.search({ chain: 'f', ...filter }, { limit: 10 })).items);
      expect(await find({})).toEqual(['f:3', 'f:2', 'f:1']);
      expect(await find({ actor: 'bob' })).toEqual(['f:1']);
      expect(await find({ action: 'policy.delete' })).toEqual(['f:2']);
      expect(await find({ result: 'forbidden' })).toEqual(['f:2']);
      expect(await find({ resource: '/policies/platform' })).toEqual(['f:3']);
      expect(await find({ from: at(9002) })).toEqual(['f:3', 'f:2']);
      expect(await find({ to: at(9002) })).toEqual(['f:1']);
      expect(await find({ from: at(9002), to: at(9003) })).toEqual(['f:2']);
      expect(await find({ chains: ['f', 'race'] })).toEqual(['f:3', 'f:2', 'f:1']);
      expect(await find({ chains: ['race'] })).toEqual([]);
      expect(await find({ chains: [] })).toEqual([]);
      expect(await find({ actor: '{"$ne":null}' })).toEqual([]);
    });

    it('refuses a cursor that it did not give out', async () => {
      await expectReason(log.search({}, { limit: 3, cursor: 'nonsense' }), 'request.invalid_cursor');
    });

    it('names every chain once', async () => {
      expect(await log.chains()).toEqual(expect.arrayContaining(['exact', 'f', 'race', 's-a', 's-b', 'twice']));
      expect(new Set(await log.chains()).size).toBe((await log.chains()).length);
    });

    it('prunes from the start of a chain only, and never its newest record', async () => {
      const old = at(-1000);
      const young = at(10_000);
      for (const [index, ts] of [old, old, young, old, young].entries())
        await log.append(makeRecord('p-a', index + 1, { ts }));
      for (const seq of [1, 2, 3]) await log.append(makeRecord('p-b', seq, { ts: old }));
      expect(await log.prune(at(0))).toBe(4);
      expect(await log.prune(at(0))).toBe(0);
      expect(places(await log.read('p-a', 0, 10))).toEqual(['p-a:3', 'p-a:4', 'p-a:5']);
      expect(places(await log.read('p-b', 0, 10))).toEqual(['p-b:3']);
      expect((await log.read('exact', 0, 10)).length).toBe(3);
    });

    it('is healthy, and has everything after it was opened again', async () => {
      expect(await log.isHealthy()).toBe(true);
      log = await (under as AuditLogUnderTest).reopen();
      expect((await log.head('race'))?.seq).toBe(20);
    });
  });
}
