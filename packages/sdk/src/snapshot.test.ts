/** A step of an environment: what it names is changed, all else is the same object as before. */
import { describe, expect, it } from 'vitest';
import { changedKeys } from './changed-keys.js';
import { applyPatch, documentOf, type EnvironmentPatch, type EnvironmentSnapshot, toPatch } from './snapshot.js';
import { LocalWorld } from './world.js';

const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'on' } as const;
const snapshot = {
  ...{ epoch: 'e', revision: 1 },
  document: {
    ...{ appId: 'shop', environment: 'prod' },
    entries: [
      { id: '1', key: 'a', value: { n: 1 } },
      { id: '2', key: 'b', value: { names: '${a}' } },
      { id: '3', key: 'c', value: { n: 3 } },
    ],
    flags: { flags: { f: flag }, $evaluators: {} },
    unleash: { features: [{ name: 'u', enabled: true, strategies: [] }], segments: [] },
  },
} as unknown as EnvironmentSnapshot;

const nothing: EnvironmentPatch = {
  ...{ epoch: 'e', base: 1, revision: 2, entries: [], removedEntries: [] },
  ...{ flags: {}, removedFlags: [], evaluators: {}, removedEvaluators: [] },
};

describe('a patch', () => {
  it('keeps the features of Unleash, and brings or takes them', () => {
    const kept = applyPatch(snapshot, nothing);
    expect(documentOf(kept).unleash).toBe(documentOf(snapshot).unleash);
    expect(new LocalWorld(kept, 'server').flag('u', {}, 0).value).toBe(true);
    const gone = applyPatch(snapshot, toPatch({ ...nothing, unleash: null }));
    expect(new LocalWorld(gone, 'server').hasFlag('u')).toBe(false);
    expect(changedKeys(new LocalWorld(snapshot, 'server'), new LocalWorld(gone, 'server')).flags).toEqual(['u']);
  });

  it('puts an entry where it was, and shares all else', () => {
    const before = new LocalWorld(snapshot, 'server');
    const next = applyPatch(snapshot, { ...nothing, entries: [{ id: '1', key: 'a', value: { n: 9 } }] });
    const after = new LocalWorld(next, 'server', before);
    expect(after.document.entries.map(({ id }) => id)).toEqual(['1', '2', '3']);
    expect(after.config('b', {}, 0).value).toEqual({ names: { n: 9 } });
    expect(after.config('c', {}, 0).value).toBe(before.config('c', {}, 0).value);
    expect(after.document.flags.flags).toBe(before.document.flags.flags);
    expect(changedKeys(before, after)).toEqual({ configs: ['a', 'b'], flags: [] });
  });

  it('takes entries away and adds others at the end', () => {
    const next = applyPatch(snapshot, {
      ...nothing,
      ...{ entries: [{ id: '4', key: 'd', value: 4 }], removedEntries: ['2'] },
    });
    expect(documentOf(next).entries.map(({ id }) => id)).toEqual(['1', '3', '4']);
  });
});
