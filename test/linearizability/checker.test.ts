import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRegister, type RegisterOperation, type Value } from './register.js';

type Body = RegisterOperation extends infer Op
  ? Op extends unknown
    ? Omit<Op, 'client' | 'start' | 'end'>
    : never
  : never;

const at = (start: number, end: number, body: Body): RegisterOperation =>
  ({ client: start, start, end, ...body }) as RegisterOperation;
const read = (value: Value): Body => ({ kind: 'read', value });
const write = (value: string): Body => ({ kind: 'write', value });
const swap = (expected: Value, value: string, isDone: boolean | undefined = true): Body => ({
  kind: 'compare-and-set',
  expected,
  value,
  isDone,
});
const never = Number.POSITIVE_INFINITY;

const accepted: readonly [name: string, history: readonly RegisterOperation[]][] = [
  ['nothing', []],
  ['one after the other', [at(0, 1, read(null)), at(2, 3, write('a')), at(4, 5, read('a'))]],
  ['a read beside a write, of the old value', [at(0, 9, write('a')), at(1, 2, read(null))]],
  ['a read beside a write, of the new value', [at(0, 9, write('a')), at(1, 2, read('a'))]],
  ['new and then new, beside a write', [at(0, 9, write('a')), at(1, 2, read('a')), at(3, 4, read('a'))]],
  ['one of two racing swaps', [at(0, 9, swap(null, 'a')), at(1, 8, swap(null, 'b', false)), at(10, 11, read('a'))]],
  ['an unknown write that happened late', [at(0, never, write('a')), at(5, 6, read(null)), at(7, 8, read('a'))]],
  ['an unknown write that never happened', [at(0, never, write('a')), at(5, 6, read(null)), at(7, 8, write('b'))]],
  [
    'an unknown swap between',
    [at(0, 1, write('a')), at(2, never, swap('a', 'b', undefined)), at(5, 6, swap('b', 'c'))],
  ],
];

const rejected: readonly [name: string, history: readonly RegisterOperation[]][] = [
  ['a stale read', [at(0, 1, write('a')), at(2, 3, write('b')), at(4, 5, read('a'))]],
  ['a lost write', [at(0, 1, write('a')), at(2, 3, read(null))]],
  ['a read from the future', [at(0, 1, read('a')), at(2, 3, write('a'))]],
  ['old after new, beside a write', [at(0, 9, write('a')), at(1, 2, read('a')), at(3, 4, read(null))]],
  ['two winners of one swap', [at(0, 9, swap(null, 'a')), at(1, 8, swap(null, 'b'))]],
  ['a swap refused that had to succeed', [at(0, 1, write('a')), at(2, 3, swap('a', 'b', false))]],
  [
    'an unknown write that happened twice',
    [at(0, never, write('a')), at(2, 3, read('a')), at(4, 5, write('b')), at(6, 7, read('a'))],
  ],
  ['a value that nobody wrote', [at(0, 1, write('a')), at(2, 3, read('x'))]],
];

describe('the linearizability checker', () => {
  it.each(accepted)('accepts %s', (_, history) => {
    expect(checkRegister(history)).toEqual({ isLinearizable: true });
  });

  it.each(rejected)('rejects %s', (_, history) => {
    expect(checkRegister(history)).toMatchObject({ isLinearizable: false });
  });
});

/** Histories of a real register: each operation happens at one moment, and its interval is somewhere around that. */
const realHistory = fc
  .array(
    fc.record({
      choice: fc.constantFrom('read', 'write', 'swap', 'stale swap'),
      before: fc.integer({ min: 0, max: 40 }),
      after: fc.integer({ min: 0, max: 40 }),
      isUnknown: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((steps) => {
    let value: Value = null;
    let unknown = 0;
    return steps.map(({ choice, before, after, isUnknown: mayBeUnknown }, index): RegisterOperation => {
      const isUnknown = mayBeUnknown && choice !== 'read' && unknown < 6;
      if (isUnknown) unknown += 1;
      const moment = (index + 1) * 10;
      const end = isUnknown ? never : moment + after;
      if (choice === 'read') return at(moment - before, end, read(value));
      const next = `v${index}`;
      const expected: Value = choice === 'stale swap' ? 'gone' : value;
      const isDone = choice !== 'stale swap';
      if (isDone) value = next;
      if (choice === 'write') return at(moment - before, end, write(next));
      return at(moment - before, end, swap(expected, next, isUnknown ? undefined : isDone));
    });
  });

describe('the checker on generated histories', () => {
  it('accepts every history of a real register', () => {
    fc.assert(
      fc.property(realHistory, (history) => checkRegister(history).isLinearizable),
      { numRuns: 500 },
    );
  });

  it('rejects each of them after a stale read is planted at its end', () => {
    fc.assert(
      fc.property(realHistory, (history) => {
        const late = 100_000;
        const planted = [
          at(late, late + 1, write('x')),
          at(late + 2, late + 3, write('y')),
          at(late + 4, late + 5, read('x')),
        ];
        // Of unknown outcome: might be done last of all, but no one of them writes x again.
        return !checkRegister([...history, ...planted]).isLinearizable;
      }),
      { numRuns: 300 },
    );
  });
});
