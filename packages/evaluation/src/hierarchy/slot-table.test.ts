import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotTable } from './slot-table.js';

const key = fc.integer({ min: 0, max: 40 }).map((n) => `k${n}`);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set' as const), key, value: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key, value: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('follow' as const), key, value: fc.nat() }) },
);

describe('a table of slots', () => {
  it('is a map, and so is each that follows it, also when several follow the same one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const made = [{ table: new SlotTable<number>(), map: new Map<string, number>() }];
        for (const { kind, key: name, value } of steps) {
          if (kind === 'follow') {
            const before = made[value % made.length] as (typeof made)[number];
            made.push({ table: new SlotTable(before.table), map: new Map(before.map) });
            continue;
          }
          // Only the newest changes, as the one that is being made.
          const { table, map } = made.at(-1) as (typeof made)[number];
          if (kind === 'set') {
            table.set(name, value);
            map.set(name, value);
          } else {
            table.delete(name);
            map.delete(name);
          }
        }
        for (const { table, map } of made) {
          expect(table.size).toBe(map.size);
          expect(table.keys().sort()).toEqual([...map.keys()].sort());
          for (let n = 0; n <= 40; n += 1) expect(table.get(`k${n}`)).toBe(map.get(`k${n}`));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives up the places of keys that are gone', () => {
    let table = new SlotTable<number>();
    for (let n = 0; n < 1_000; n += 1) {
      table = new SlotTable(table);
      table.set(`k${n}`, n);
      table.delete(`k${n - 3}`);
    }
    expect(table.keys().sort()).toEqual(['k997', 'k998', 'k999']);
    expect([table.get('k1'), table.get('k999'), table.size]).toEqual([undefined, 999, 3]);
  });
});
