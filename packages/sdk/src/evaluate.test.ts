import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createClient } from './client.js';
import type { EnvironmentSnapshot } from './snapshot.js';

const snapshot: EnvironmentSnapshot = {
  epoch: 'e',
  revision: 7,
  document: {
    entries: [
      { id: '1', key: 'limit', value: 20 },
      { id: '2', key: 'name', value: 'shop' },
      { id: '3', key: 'list', value: [1, 2] },
      { id: '4', key: 'broken', value: '${nowhere}' },
    ],
    flags: {
      flags: {
        dark: {
          state: 'ENABLED',
          variants: { on: true, off: false },
          defaultVariant: 'off',
          targeting: { if: [{ '==': [{ var: 'plan' }, 'gold'] }, 'on', null] },
        },
        asleep: { state: 'DISABLED', variants: { on: true }, defaultVariant: 'on' },
        wrong: { state: 'ENABLED', variants: { on: true }, defaultVariant: 'absent' },
      },
    },
  },
};

const client = createClient({ isOffline: true, snapshot });
const empty = createClient({ isOffline: true });
afterAll(async () => {
  await Promise.all([client.close(), empty.close()]);
});

describe('an evaluation', () => {
  it('gives the value and says why', () => {
    expect(client.config('limit', 5)).toBe(20);
    expect(client.configDetails('limit', 5)).toMatchObject({ value: 20, reason: 'STATIC', revision: 7 });
    expect(client.flagDetails('dark', false, { plan: 'gold' })).toMatchObject({
      value: true,
      variant: 'on',
      reason: 'TARGETING_MATCH',
      rule: expect.stringContaining('/targeting'),
    });
    expect(client.flagDetails('dark', true, { plan: 'iron' })).toMatchObject({ value: false, variant: 'off' });
  });

  const defaults: [string, () => unknown, unknown][] = [
    ['a flag that is off', () => client.flagDetails('asleep', false), { value: false, reason: 'DISABLED' }],
    ['a flag nobody knows', () => client.flagDetails('nope', 1), { value: 1, errorCode: 'FLAG_NOT_FOUND' }],
    ['a key nobody knows', () => client.configDetails('nope', 1), { value: 1, errorCode: 'CONFIG_NOT_FOUND' }],
    ['another type', () => client.configDetails('limit', 'x'), { value: 'x', errorCode: 'TYPE_MISMATCH' }],
    ['a list for an object', () => client.configDetails('list', {}), { value: {}, errorCode: 'TYPE_MISMATCH' }],
    ['a reference to nothing', () => client.configDetails('broken', 'x'), { value: 'x', errorCode: 'PARSE_ERROR' }],
    ['a definition in error', () => client.flagDetails('wrong', false), { value: false, reason: 'ERROR' }],
    [
      'no data at all',
      () => empty.flagDetails('dark', true),
      { value: true, reason: 'DEFAULT', errorCode: 'NOT_READY' },
    ],
  ];
  for (const [what, ask, expected] of defaults)
    it(`gives the default and says why: ${what}`, () => expect(ask()).toMatchObject(expected as object));

  it('asks for any type when the default has none', () => {
    expect(client.config('limit', null)).toBe(20);
    expect(client.config('name', undefined)).toBe('shop');
  });

  it('keeps the type in its name, whatever the default', () => {
    expect(client.stringConfig('limit', 'none')).toBe('none');
    expect(client.numberConfig('limit', 1)).toBe(20);
    expect(client.booleanFlag('dark', true, { plan: 'gold' })).toBe(true);
    expect(client.objectFlag('dark', { a: 1 })).toEqual({ a: 1 });
  });

  it('never throws, whatever the arguments', () => {
    const explosive = new Proxy(
      {},
      {
        get: () => {
          throw new Error('boom');
        },
        has: () => {
          throw new Error('boom');
        },
        ownKeys: () => {
          throw new Error('boom');
        },
        getPrototypeOf: () => {
          throw new Error('boom');
        },
      },
    );
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    const evil = Object.create(null, {
      plan: {
        get: () => {
          throw explosive;
        },
        enumerable: true,
      },
    }) as object;
    // By name: fast-check itself looks into values.
    const specials = new Map<string, unknown>([
      ['explosive', explosive],
      ['cyclic', cyclic],
      ['evil', evil],
      ['symbol', Symbol('s')],
      ['function', () => 1],
      ['revoked', revoked],
    ]);
    class Special {
      readonly name: string;
      constructor(name: string) {
        this.name = name;
      }
    }
    const real = (value: unknown): unknown => (value instanceof Special ? specials.get(value.name) : value);
    const hostile = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
      fc.constantFrom(...specials.keys()).map((name) => new Special(name)),
    );
    const keys = fc.oneof(hostile, fc.constantFrom<unknown>('dark', 'limit', 'constructor', '__proto__', 'asleep'));
    fc.assert(
      fc.property(keys, hostile, hostile, (key, defaultValue, context) => {
        for (const method of ['config', 'flag', 'configDetails', 'flagDetails', 'booleanFlag', 'objectConfig'] as const)
          for (const one of [client, empty]) {
            const ask = one[method].bind(one) as (...all: unknown[]) => unknown;
            const answer = ask(real(key), real(defaultValue), real(context));
            if (method.endsWith('Details')) expect(answer).toHaveProperty('reason');
          }
      }),
      { numRuns: 2_000 },
    );
  });
});
