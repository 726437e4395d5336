import { createRollout, type EnvironmentDocument } from '@bailiwick/evaluation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedKeys } from './changed-keys.js';
import { applyPatch, type EnvironmentSnapshot } from './snapshot.js';
import { LocalWorld } from './world.js';

const flag = (targeting: unknown = {}, prerequisites?: unknown) => ({
  ...{ state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting },
  ...(prerequisites === undefined ? {} : { prerequisites }),
});

const world = (document: Partial<EnvironmentDocument> | Record<string, unknown>): LocalWorld =>
  new LocalWorld(
    { epoch: 'a', revision: 1, document: { entries: [], flags: { flags: {} }, ...document } } as EnvironmentSnapshot,
    'server',
  );

const changes = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  changedKeys(world(before), world(after));

describe('changed keys', () => {
  it('are those whose effective value is another, references included', () => {
    const entries = (host: string, level: Record<string, string> = {}) => [
      { id: '1', key: 'host', value: host, ...level },
      { id: '2', key: 'url', value: 'https://${host}/' },
      { id: '3', key: 'other', value: 1 },
    ];
    expect(changes({ entries: entries('a') }, { entries: entries('b') }).configs).toEqual(['host', 'url']);
    expect(changes({ entries: entries('a') }, { entries: entries('a').reverse() }).configs).toEqual([]);
  });

  it('are not those that a more specific entry hides', () => {
    const scope = { appId: 'shop', environment: null };
    const entries = (value: number) => [
      { id: '1', key: 'k', value },
      { id: '2', key: 'k', value: 7, appId: 'shop' },
    ];
    expect(changes({ ...scope, entries: entries(1) }, { ...scope, entries: entries(2) }).configs).toEqual([]);
  });

  it('are those under a rollout that changed, and those that refer to them', () => {
    const made = createRollout({ id: 'r', strategy: { kind: 'immediate' } }, 0);
    if ('error' in made) throw new Error(made.error.message);
    const entries = (candidate?: unknown) => [
      { id: '1', key: 'host', value: 'a', ...(candidate === undefined ? {} : { candidate }) },
      { id: '2', key: 'url', value: 'https://${host}/' },
      { id: '3', key: 'other', value: 1 },
    ];
    const after = entries({ value: 'b', rollout: made.rollout });
    expect(changes({ entries: entries() }, { entries: after }).configs).toEqual(['host', 'url']);
  });

  it('are flags whose segment, prerequisite or own definition changed', () => {
    const flags = (rule: unknown) => ({
      flags: {
        direct: flag({ if: [{ $ref: 'inner' }, 'on'] }),
        nested: flag({ if: [{ $ref: 'outer' }, 'on'] }),
        leaning: flag({}, [{ flag: 'nested', variant: 'on' }]),
        apart: flag(),
      },
      $evaluators: { inner: rule, outer: { '!': [{ $ref: 'inner' }] }, unused: { '==': [1, 1] } },
    });
    const one = { '==': [{ var: 'a' }, 1] };
    const two = { '==': [{ var: 'a' }, 2] };
    expect(changes({ flags: flags(one) }, { flags: flags(two) }).flags).toEqual(['direct', 'leaning', 'nested']);
    expect(changes({ flags: flags(one) }, { flags: flags(one) }).flags).toEqual([]);
  });

  it('name every key that anybody gets another answer for', () => {
    const keys = ['a', 'b', 'c', 'd'];
    const value = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.constantFrom('${a}', '${b}', 'x${c}'));
    const entries = fc.array(fc.record({ key: fc.constantFrom(...keys), value }), { maxLength: 4 }).map((list) => {
      const byKey = new Map(list.map((entry) => [entry.key, { id: entry.key, ...entry }]));
      return [...byKey.values()];
    });
    const rule = fc.constantFrom({}, { if: [{ $ref: 's' }, 'on'] }, { if: [{ '==': [{ var: 'x' }, 1] }, 'on'] });
    const needs = fc.option(
      fc.constantFrom(...keys).map((one) => [{ flag: one, variant: 'on' }]),
      { nil: undefined },
    );
    const flags = fc.dictionary(
      fc.constantFrom(...keys),
      fc.tuple(rule, needs).map(([r, n]) => flag(r, n)),
    );
    const segment = fc.constantFrom({ '==': [{ var: 'x' }, 1] }, { '==': [{ var: 'x' }, 2] });
    const document = fc
      .record({ entries, flags, segment })
      .map((one) => ({ entries: one.entries, flags: { flags: one.flags, $evaluators: { s: one.segment } } }));
    fc.assert(
      fc.property(document, document, (before, after) => {
        const [old, now] = [world(before), world(after)];
        const { configs, flags: changed } = changedKeys(old, now);
        for (const key of keys)
          for (const context of [{}, { x: 1 }, { x: 2 }]) {
            if (!configs.includes(key))
              expect(now.compiled.config(key, context, 0)).toEqual(old.compiled.config(key, context, 0));
            // Where a message begins to tell of a circle depends on the order of the flags.
            if (!changed.includes(key))
              expect({ ...now.compiled.flag(key, context, 0), errorMessage: undefined }).toEqual({
                ...{ ...old.compiled.flag(key, context, 0), errorMessage: undefined },
              });
          }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a patch', () => {
  it('leads to what it says, `__proto__` included', () => {
    const before = {
      epoch: 'a',
      revision: 1,
      document: { entries: [{ id: '1', key: 'a', value: 1 }], flags: { flags: {} } },
    };
    const flags = JSON.parse('{"__proto__": {"state": "ENABLED", "variants": {"on": 1}, "defaultVariant": "on"}}');
    const after = applyPatch(before, {
      ...{ epoch: 'a', base: 1, revision: 2, entries: [{ id: '2', key: 'b', value: 2 }], removedEntries: ['1'] },
      ...{ flags, removedFlags: [], evaluators: {}, removedEvaluators: [] },
    });
    expect(after.document.entries).toEqual([{ id: '2', key: 'b', value: 2 }]);
    expect(new LocalWorld(after, 'server').flag('__proto__', {}, 0)).toMatchObject({ value: 1 });
    expect(before.document.entries).toHaveLength(1);
  });
});
