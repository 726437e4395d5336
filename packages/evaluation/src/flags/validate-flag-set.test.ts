/** Validation: every fault with its path. */
import { describe, expect, it } from 'vitest';
import { validateFlagSet } from './validate-flag-set.js';

const base = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };
const faults = (flag: object, more: object = {}): string[] =>
  validateFlagSet({ flags: { f: { ...base, ...flag } }, ...more }).map(({ path, code }) => `${path} ${code}`);

describe('validateFlagSet', () => {
  const cases: readonly (readonly [string, object, readonly string[]])[] = [
    [
      'takes a good flag',
      {
        targeting: {
          if: [
            { in: [{ var: 'a' }, ['b']] },
            'on',
            {
              fractional: [
                ['on', 1],
                ['off', 2],
              ],
            },
          ],
        },
      },
      [],
    ],
    ['takes null for the default variant', { targeting: { if: [true, null] }, defaultVariant: null }, []],
    [
      'refuses an unknown operator',
      { targeting: { if: [{ iff: [1] }, 'on'] } },
      ['/flags/f/targeting/if/0/iff logic.unknown_operator'],
    ],
    [
      'refuses an unknown variant',
      { targeting: { if: [true, 'onn', 'off'] } },
      ['/flags/f/targeting/if/1 flag.unknown_variant'],
    ],
    [
      'refuses an unknown variant in a share',
      { targeting: { fractional: [['onn', 5]] } },
      ['/flags/f/targeting/fractional/0/0 flag.unknown_variant'],
    ],
    [
      'refuses variants of two types',
      { variants: { on: true, off: 'no' } },
      ['/flags/f/variants/off flag.mixed_variants'],
    ],
    [
      'refuses a default that is no text, and cannot be made one',
      { defaultVariant: [{ toString: 0 }] as unknown as string },
      ['/flags/f/defaultVariant flag.unknown_variant'],
    ],
    ['refuses a default that is no variant', { defaultVariant: 'x' }, ['/flags/f/defaultVariant flag.unknown_variant']],
    [
      'refuses a negative weight',
      {
        targeting: {
          fractional: [
            ['on', -1],
            ['off', 2],
          ],
        },
      },
      ['/flags/f/targeting/fractional/0/1 fractional.weight'],
    ],
    [
      'refuses half a weight',
      { targeting: { fractional: [['on', 0.5]] } },
      ['/flags/f/targeting/fractional/0/1 fractional.weight'],
    ],
    [
      'refuses weights that are all 0',
      { targeting: { fractional: [['on', 0]] } },
      ['/flags/f/targeting/fractional fractional.weight'],
    ],
    [
      'refuses weights beyond 2^31 − 1',
      {
        targeting: {
          fractional: [
            ['on', 2147483647],
            ['off', 1],
          ],
        },
      },
      ['/flags/f/targeting/fractional fractional.weight'],
    ],
    [
      'refuses an unknown segment',
      { targeting: { if: [{ $ref: 'x' }, 'on'] } },
      ['/flags/f/targeting/if/0/$ref logic.unknown_ref'],
    ],
    [
      'refuses two operators in one node',
      { targeting: { if: [true, 'on'], and: [] } },
      ['/flags/f/targeting logic.operators'],
    ],
    [
      'refuses a wrong number of operands',
      { targeting: { if: [{ starts_with: ['a'] }, 'on'] } },
      ['/flags/f/targeting/if/0/starts_with logic.operands'],
    ],
    [
      'refuses an unknown sign of versions',
      { targeting: { if: [{ sem_ver: ['1', '=>', '2'] }, 'on'] } },
      ['/flags/f/targeting/if/0/sem_ver/1 logic.version_sign'],
    ],
    ['refuses a field it does not know', { targetting: {} }, ['/flags/f/targetting flags.unknown_field']],
    ['refuses another state', { state: 'on' }, ['/flags/f/state flag.state']],
    [
      'refuses a prerequisite that is not there',
      { prerequisites: [{ flag: 'g', variant: 'on' }] },
      ['/flags/f/prerequisites/0/flag flag.prerequisites'],
    ],
    [
      'refuses prerequisites that go round',
      { prerequisites: [{ flag: 'f', variant: 'on' }] },
      ['/flags/f/prerequisites flag.prerequisite_cycle'],
    ],
  ];
  it.each(cases)('%s', (_name, flag, expected) => {
    expect(faults(flag)).toEqual(expected);
  });

  it('finds evaluators that go round', () => {
    expect(faults({}, { $evaluators: { a: { $ref: 'b' }, b: { '!': [{ $ref: 'a' }] } } }).sort()).toEqual([
      '/$evaluators/a logic.ref_cycle',
      '/$evaluators/b logic.ref_cycle',
    ]);
  });

  it.each([[null], [[]], ['text'], [{}], [{ flags: [] }], [{ flags: { f: 5 } }], [{ flags: {}, $evaluators: [] }]])(
    'refuses %j without throwing',
    (set) => {
      expect(validateFlagSet(set).length).toBeGreaterThan(0);
    },
  );

  it('does not overflow on a rule nested without bound', () => {
    let rule: unknown = true;
    for (let depth = 0; depth < 50_000; depth += 1) rule = { '!': [rule] };
    expect(faults({ targeting: { if: [rule, 'on'] } }).join()).toContain('flags.too_deep');
  });
});
