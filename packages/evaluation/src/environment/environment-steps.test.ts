/**
 * An environment compiled step by step is the one compiled at once: after any changes of entries, candidates, flags, segments and features. And
 * what a change does not reach is shared, not made again.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EvaluationContext, FlagDefinition } from '../flags/flag-set.js';
import type { ConfigEntry } from '../hierarchy/config-entry.js';
import type { JsonValue } from '../json.js';
import { applyCommand, createRollout } from '../rollouts/apply-command.js';
import type { Rollout, RolloutStrategy } from '../rollouts/rollout.js';
import type { UnleashFeature } from '../unleash/unleash-definition.js';
import { compileEnvironment, type Environment, type EnvironmentDocument, type FlagCandidate } from './environment.js';

function running(strategy: RolloutStrategy): Rollout {
  const created = createRollout({ id: 'r', strategy }, 0);
  if ('error' in created) throw new Error(created.error.message);
  const started = applyCommand(created.rollout, { kind: 'start' }, 0);
  if ('error' in started) throw new Error(started.error.message);
  return started.rollout;
}

const keys = ['a', 'b', 'c', 'a.x', 'b.y.z', 'd'];
const flagKeys = ['f', 'g', 'h', 'i'];
const segmentKeys = ['s', 't', 'u'];
const key = fc.constantFrom(...keys);
const leaf: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 5 }) },
  { weight: 3, arbitrary: key.map((name) => `\${${name}}`) },
  { weight: 1, arbitrary: key.map((name) => `<\${${name}:none}>`) },
  { weight: 1, arbitrary: fc.constantFrom('text', '${', '${nowhere}') },
);
/** Mostly not there. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 2 }),
  fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.oneof(leaf, fc.record({ z: leaf })), { maxKeys: 2 }),
);
const rollout = fc
  .oneof(
    fc.constantFrom<RolloutStrategy>(
      { kind: 'targeting', audience: { users: ['ann'] } },
      { kind: 'time_window', startAtMs: 1, endAtMs: 5 },
    ),
    fc.constantFrom(...flagKeys).map((flag): RolloutStrategy => ({ kind: 'flag', flag, variant: 'on' })),
  )
  .map(running);
const level = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom({}, { appId: 'shop' }, { appId: 'shop', environment: 'prod' }) },
  { weight: 1, arbitrary: fc.constant({ environment: 'prod' }) },
);
const entry: fc.Arbitrary<ConfigEntry> = fc
  .record({
    ...{ key, value, level },
    merge: fc.constantFrom('replace' as const, 'deep' as const),
    candidate: seldom(fc.record({ value, rollout })),
  })
  .map(({ level: place, candidate, ...rest }) => ({ ...rest, ...place, ...(candidate ? { candidate } : {}) }));

const rule: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom(...segmentKeys, 'nowhere').map((name) => ({ $ref: name })),
  fc.constantFrom('ann', 'bob').map((name) => ({ '==': [{ var: 'targetingKey' }, name] })),
);
const definition: fc.Arbitrary<FlagDefinition> = fc
  .record({
    state: fc.constantFrom('ENABLED' as const, 'DISABLED' as const),
    rule: fc.option(rule, { nil: undefined }),
    needs: seldom(fc.constantFrom(...flagKeys)),
  })
  .map(({ state, rule: condition, needs }) => ({
    ...{ state, variants: { on: true, off: false }, defaultVariant: 'off' },
    ...(condition === undefined ? {} : { targeting: { if: [condition, 'on', 'off'] } }),
    ...(needs === undefined ? {} : { prerequisites: [{ flag: needs, variant: 'on' }] }),
  }));
const feature: fc.Arbitrary<UnleashFeature> = fc.record({
  name: fc.constantFrom('u1', 'u2', 'f'),
  enabled: fc.boolean(),
  strategies: fc.constantFrom([], [{ name: 'default', segments: [1] }], [{ name: 'default', segments: [2] }]),
});

type Change = (document: EnvironmentDocument) => EnvironmentDocument;

const place = ({ key: name, appId, environment }: ConfigEntry): string => `${name} ${appId} ${environment}`;
const without = <T>(record: Readonly<Record<string, T>>, name: string): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([other]) => other !== name));

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: entry.map((next): Change => putEntry(next)) },
  {
    weight: 1,
    arbitrary: entry.map(
      (next): Change =>
        (document) =>
          withEntries(document, [...document.entries, next]),
    ),
  },
  { weight: 2, arbitrary: fc.nat(20).map((at): Change => dropEntry(at)) },
  { weight: 1, arbitrary: fc.constant<Change>((document) => withEntries(document, document.entries.toReversed())) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...flagKeys), definition).map(([name, next]) => putFlag(name, next)),
  },
  { weight: 1, arbitrary: fc.constantFrom(...flagKeys).map((name) => dropFlag(name)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...segmentKeys), rule).map(([name, next]) => putSegment(name, next)),
  },
  { weight: 1, arbitrary: fc.constantFrom(...segmentKeys).map((name) => dropSegment(name)) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.record({ flag: fc.constantFrom(...flagKeys), definition, rollout }), { maxLength: 2 })
      .map((next) => putCandidates(next)),
  },
  { weight: 1, arbitrary: fc.tuple(feature, fc.nat(2)).map(([next, segment]) => putFeature(next, segment)) },
);

const withEntries = (document: EnvironmentDocument, entries: readonly ConfigEntry[]): EnvironmentDocument => ({
  ...document,
  entries,
});
const putEntry =
  (next: ConfigEntry): Change =>
  (document) => {
    const at = document.entries.findIndex((one) => place(one) === place(next));
    return withEntries(document, at < 0 ? [...document.entries, next] : document.entries.with(at, next));
  };
const dropEntry =
  (at: number): Change =>
  (document) =>
    withEntries(
      document,
      document.entries.filter((_one, index) => index !== at),
    );
const putFlag =
  (name: string, next: FlagDefinition): Change =>
  (document) => ({ ...document, flags: { ...document.flags, flags: { ...document.flags.flags, [name]: next } } });
const dropFlag =
  (name: string): Change =>
  (document) => ({ ...document, flags: { ...document.flags, flags: without(document.flags.flags, name) } });
const putSegment =
  (name: string, next: JsonValue): Change =>
  (document) => ({
    ...document,
    flags: { ...document.flags, $evaluators: { ...document.flags.$evaluators, [name]: next } },
  });
const dropSegment =
  (name: string): Change =>
  (document) => ({
    ...document,
    flags: { ...document.flags, $evaluators: without(document.flags.$evaluators ?? {}, name) },
  });
const putCandidates =
  (flagCandidates: readonly FlagCandidate[]): Change =>
  (document) => ({ ...document, flagCandidates });
const putFeature =
  (next: UnleashFeature, segment: number): Change =>
  (document) => {
    const features = (document.unleash?.features ?? []).filter(({ name }) => name !== next.name);
    const constraints = [{ contextName: 'userId', operator: 'IN', values: ['ann'] }];
    const segments = segment === 0 ? [] : [{ id: segment, constraints }];
    return { ...document, unleash: { features: [...features, next], segments } };
  };

const empty: EnvironmentDocument = { appId: 'shop', environment: 'prod', entries: [], flags: { flags: {} } };
const contexts: readonly EvaluationContext[] = [{}, { targetingKey: 'ann' }, { targetingKey: 'bob' }];

/** Everything that can be asked. */
function answersOf(environment: Environment): unknown {
  const { configs } = environment;
  return {
    ...{ keys: configs.keys(), faults: configs.faults, effective: configs.effective() },
    ...{ isVarying: configs.isVarying, varying: keys.filter((name) => configs.varies(name)) },
    plain: keys.map((name) => configs.get(name)),
    flagKeys: environment.flagKeys(),
    asked: contexts.flatMap((context) =>
      [0, 3].map((nowMs) => ({
        configs: keys.map((name) => environment.config(name, context, nowMs)),
        flags: [...flagKeys, 'u1', 'u2'].map((name) => environment.flag(name, context, nowMs)),
      })),
    ),
  };
}

describe('an environment compiled step by step', () => {
  it('is the one compiled at once, after any changes', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), (changes) => {
        let document = empty;
        let stepped = compileEnvironment(document);
        for (const next of changes) {
          document = next(document);
          stepped = compileEnvironment(document, { previous: stepped });
          expect(answersOf(stepped)).toEqual(answersOf(compileEnvironment(document)));
        }
      }),
      { numRuns: 400 },
    );
  }, 120_000);

  it('is the same for another scope than the one it follows', () => {
    const before = compileEnvironment({ ...empty, entries: [{ key: 'a', value: 1, appId: 'shop' }] });
    const after = compileEnvironment(
      { ...empty, appId: 'other', entries: [{ key: 'a', value: 1, appId: 'shop' }] },
      { previous: before },
    );
    expect(after.configs.keys()).toEqual([]);
  });

  it('shares what a change does not reach', () => {
    const flag = (segment: string): FlagDefinition => ({
      ...{ state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' },
      targeting: { if: [{ $ref: segment }, 'on', 'off'] },
    });
    const is = (name: string): JsonValue => ({ '==': [{ var: 'targetingKey' }, name] });
    const document: EnvironmentDocument = {
      ...empty,
      entries: [
        { key: 'a', value: 'one' },
        { key: 'b', value: { names: ['${a}'] } },
        { key: 'c', value: 'two' },
        { key: 'd', value: { names: ['${c}'] } },
      ],
      flags: { flags: { f: flag('s'), g: flag('t') }, $evaluators: { s: is('ann'), t: is('bob') } },
    };
    const before = compileEnvironment(document);
    const changed = putSegment('s', is('eve'))(putEntry({ key: 'a', value: 'three' })(document));
    const after = compileEnvironment(changed, { previous: before });
    expect(after.config('b', {}, 0)).toEqual({ names: ['three'] });
    expect(after.config('d', {}, 0)).toBe(before.config('d', {}, 0));
    expect(after.flag('g', {}, 0)).toBe(before.flag('g', {}, 0));
    expect(after.flag('f', {}, 0)).not.toBe(before.flag('f', {}, 0));
    expect(after.flag('f', { targetingKey: 'eve' }, 0).variant).toBe('on');
  });
});
