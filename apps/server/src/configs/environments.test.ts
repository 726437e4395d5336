/**
 * An environment that is brought up to date piece by piece is the one that is made whole, and so are the index of entries and what is fetched;
 * after any changes.
 */
import type { EvaluationContext, JsonValue, Rollout } from '@bailiwick/evaluation';
import { applyCommand, createRollout } from '@bailiwick/evaluation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceKind, ResourceScope, ResourceVersion } from '../ports/resource-store.port.js';
import { candidatesOf } from '../rollouts/candidates.js';
import type { Item } from './config-content.js';
import { ConfigurationState, type StateChange } from './configuration-state.js';
import { EntryIndex } from './entry-index.js';
import { patchBetween } from './environment-patch.js';
import { Environments, type EnvironmentView, scopeSlot } from './environments.js';
import { type Audience, FetchService } from './fetch-service.js';

/** Of a secret nobody can open yet, until `isOpen`. */
class Cipher {
  isOpen = false;
  readonly plain = ({ content }: Item<{ readonly value?: JsonValue; readonly sensitive?: boolean }>) =>
    content.sensitive === true && !this.isOpen ? undefined : content.value;
  readonly opened = (): JsonValue | undefined => undefined;
}

class Feed {
  readonly epoch = 'e';
  readonly isStale = false;
  readonly whenReached = (): Promise<boolean> => Promise.resolve(true);
  readonly state = new ConfigurationState({ revision: 0, resources: [], deletions: [] });
  readonly #listeners: ((change: StateChange) => void)[] = [];

  onChange(listener: (change: StateChange) => void): () => void {
    this.#listeners.push(listener);
    return () => undefined;
  }

  write(kind: ResourceKind, id: string, key: string, scope: ResourceScope, content: unknown): void {
    const known = this.state.get(kind, id);
    if (content === undefined && known === undefined) return;
    const revision = this.state.revision + 1;
    const text = content === undefined ? null : JSON.stringify(content);
    const place = known === undefined ? { ...scope, key } : { ...scopeOf(known), key: known.key };
    const made = { updatedAt: '', updatedBy: '', action: '', rolledBackTo: null, place: 0 };
    const version: ResourceVersion = { kind, id, ...place, version: revision, revision, content: text, ...made };
    const change = this.state.apply([version], revision);
    for (const listener of this.#listeners) listener(change);
  }
}

const scopeOf = ({ appId, environment }: ResourceScope): ResourceScope => ({ appId, environment });
const scopes: readonly ResourceScope[] = [
  { appId: null, environment: null },
  { appId: 'shop', environment: null },
  { appId: 'shop', environment: 'prod' },
  { appId: 'shop', environment: 'test' },
  { appId: 'other', environment: 'prod' },
];
const keys = ['a', 'b', 'c.d'];
const nameOf = (scope: ResourceScope, key: string): string => `${scope.appId} ${scope.environment} ${key}`;

function running(user: string): Rollout {
  const created = createRollout({ id: 'r', strategy: { kind: 'targeting', audience: { users: [user] } } }, 0);
  if ('error' in created) throw new Error(created.error.message);
  const started = applyCommand(created.rollout, { kind: 'start' }, 0);
  if ('error' in started) throw new Error(started.error.message);
  return started.rollout;
}

const scope = fc.constantFrom(...scopes);
const key = fc.constantFrom(...keys);
const value = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  key.map((name) => `\${${name}}`),
  key.map((name) => ({ it: [`\${${name}}`] })),
);
const config = fc.record({
  ...{ value, type: fc.constant('any') },
  sensitive: fc.constantFrom(false, false, false, true),
  dependsOn: fc.constantFrom([], [], ['a']),
});
/** True: an Unleash feature, next to which all flags are put together anew. */
const seldom = fc.nat(20).map((n) => n === 0);
const flag = fc
  .tuple(fc.constantFrom('on', 'off'), fc.constantFrom('s', 't', undefined), seldom)
  .map(([defaultVariant, segment, isUnleash]) => ({
    definition: {
      ...{ state: 'ENABLED', variants: { on: true, off: false }, defaultVariant },
      ...(segment === undefined ? {} : { targeting: { if: [{ $ref: segment }, 'on', 'off'] } }),
    },
    ...(isUnleash ? { unleash: { feature: { name: 'a', enabled: true, strategies: [] }, segments: [] } } : {}),
  }));
const segment = fc.constantFrom('ann', 'bob').map((name) => ({ rule: { '==': [{ var: 'targetingKey' }, name] } }));

interface Step {
  readonly kind: ResourceKind;
  readonly place: ResourceScope;
  readonly key: string;
  /** Undefined: it goes. */
  readonly content: unknown;
}
const rollout = fc
  .tuple(fc.constantFrom('config' as const, 'flag' as const), fc.constantFrom('ann', 'bob'), flag)
  .map(([kind, user, { definition }]) => (place: ResourceScope, name: string): unknown => ({
    target: { kind, id: `${kind} ${nameOf(place, name)}`, ...(kind === 'config' ? { value: user } : { definition }) },
    rollout: running(user),
  }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('config' as const), place: scope, key, content: maybe(config) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flag' as const), place: scope, key, content: maybe(flag) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant('segment' as const), place: scope },
      ...{ key: fc.constantFrom('s', 't'), content: maybe(segment) },
    }),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(scope, key, maybe(rollout)).map(([place, name, make]) => ({
      ...{ kind: 'rollout' as const, place, key: name },
      content: make?.(place, name),
    })),
  },
);

function maybe<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 3, arbitrary }, { weight: 1, arbitrary: fc.constant(undefined) });
}

const contexts: readonly EvaluationContext[] = [{}, { targetingKey: 'ann' }, { targetingKey: 'bob' }];

/** All that can be asked of a view; lists that are in no order are put in one. */
function contentOf({ document, compiled, sensitiveKeys, isPartial, revision, isVarying }: EnvironmentView): unknown {
  const byId = [...document.entries].sort((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1));
  const byFlag = [...(document.flagCandidates ?? [])].sort((a, b) => (a.flag < b.flag ? -1 : 1));
  return {
    ...{ revision, isVarying, isPartial, byId, byFlag, flags: document.flags, unleash: document.unleash },
    sensitive: [...sensitiveKeys].sort(),
    faults: compiled.configs.faults,
    configs: contexts.map((context) => keys.map((name) => compiled.config(name, context, 1))),
    answers: contexts.map((context) => [...keys, 'u'].map((name) => compiled.flag(name, context, 1))),
    flagKeys: compiled.flagKeys(),
  };
}

/** What is to be fetched from a view, without anything kept. */
function fetchedOf(feed: Feed, view: EnvironmentView, audience: Audience, context: EvaluationContext): unknown {
  const { compiled, sensitiveKeys, appId: app_id, environment, revision } = view;
  const shown = compiled.configs.keys().filter((one) => audience === 'server' || !sensitiveKeys.has(one));
  const values = shown.flatMap((one) => {
    const found = compiled.config(one, context, 1);
    return found === undefined ? [] : [[one, found] as const];
  });
  const missing = shown.filter((one) => compiled.config(one, context, 1) === undefined);
  const sources = values.map(([one]) => {
    const { level, entry } = compiled.configs.explain(one)?.source ?? { level: 'none', entry: { id: '' } };
    return [one, { level, id: entry.id, version: feed.state.get('config', entry.id ?? '')?.version }];
  });
  return {
    ...{ app_id, environment, epoch: feed.epoch, revision, stale: false },
    ...{ values: Object.fromEntries(values), sources: Object.fromEntries(sources) },
    ...(missing.length === 0 ? {} : { missing }),
  };
}

/** Everything that can be fetched is what the views say, and an ETag stands for one answer only. */
async function expectFetched(
  feed: Feed,
  fetches: FetchService,
  views: Environments,
  answers: Map<string, string>,
): Promise<void> {
  for (const { appId, environment } of scopes)
    for (const audience of ['server', 'client'] as const)
      for (const context of [undefined, { targetingKey: 'ann' }]) {
        const question = { app_id: appId, environment, ...(context === undefined ? {} : { context }) };
        const { etag, body } = await fetches.fetch(question, audience);
        const text = String(body());
        const view = views.view({ appId, environment });
        expect(JSON.parse(text)).toEqual(fetchedOf(feed, view, audience, context ?? {}));
        const place = `${scopeSlot(view)} ${etag}`;
        expect(answers.get(place) ?? text).toBe(text);
        answers.set(place, text);
      }
}

describe('environments', () => {
  it('brought up to date are those made whole, and the steps between them say what changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(step, fc.nat(2)), { minLength: 1, maxLength: 30 }),
        fc.nat(30),
        async (steps, opening) => {
          const feed = new Feed();
          const cipher = new Cipher();
          const open = () => new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
          const kept = open();
          const index = new EntryIndex(feed, cipher);
          const fetches = new FetchService(feed, kept, () => 1);
          const answers = new Map<string, string>();
          for (const [at, [{ kind, place, key: name, content }, asked]] of steps.entries()) {
            feed.write(kind, `${kind} ${nameOf(place, name)}`, name, place, content);
            if (at === opening) {
              cipher.isOpen = true;
              kept.forget();
            }
            // Not after every step: several may be taken at once.
            if (asked === 0) continue;
            const whole = open();
            const fresh = new EntryIndex(feed, cipher);
            await expectFetched(feed, fetches, whole, answers);
            for (const one of scopes) expect(contentOf(kept.view(one))).toEqual(contentOf(whole.view(one)));
            for (const one of keys)
              expect([...index.closure(new Set([one]), [])].sort()).toEqual(
                [...fresh.closure(new Set([one]), [])].sort(),
              );
          }
        },
      ),
      { numRuns: 300 },
    );
  }, 120_000);

  it('share what a change does not concern, and the step holds only what it does', () => {
    const feed = new Feed();
    const cipher = new Cipher();
    const environments = new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
    const [, , prod = { appId: null, environment: null }] = scopes;
    for (const [n, name] of keys.entries()) feed.write('config', `c${n}`, name, prod, { value: { n }, type: 'object' });
    feed.write('flag', 'f', 'f', prod, {
      definition: { state: 'ENABLED', variants: { on: true }, defaultVariant: 'on' },
    });
    const before = environments.view(prod);
    feed.write('config', 'c1', 'b', prod, { value: { n: 9 }, type: 'object' });
    const after = environments.view(prod);
    expect(patchBetween('e', before, after)).toEqual({
      ...{ epoch: 'e', base: before.revision, revision: after.revision },
      ...{ entries: [expect.objectContaining({ id: 'c1', value: { n: 9 } })], removedEntries: [] },
      ...{ flags: {}, removedFlags: [], evaluators: {}, removedEvaluators: [] },
    });
    expect(after.document.entries[0]).toBe(before.document.entries[0]);
    expect(after.compiled.flag('f', {}, 0)).toBe(before.compiled.flag('f', {}, 0));
    expect(after.compiled.config('c.d', {}, 0)).toBe(before.compiled.config('c.d', {}, 0));
  });

  it('are fetched as they are in a rollout’s window, to the millisecond, also by who gives no context', async () => {
    const feed = new Feed();
    const cipher = new Cipher();
    const environments = new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
    const [, , prod = { appId: null, environment: null }] = scopes;
    const window = createRollout({ id: 'r', strategy: { kind: 'time_window', startAtMs: 10, endAtMs: 20 } }, 0);
    if ('error' in window) throw new Error(window.error.message);
    const scheduled = applyCommand(window.rollout, { kind: 'start' }, 0);
    if ('error' in scheduled) throw new Error(scheduled.error.message);
    feed.write('config', 'c', 'a', prod, { value: 'old', type: 'string' });
    const target = { kind: 'config', id: 'c', value: 'new' };
    feed.write('rollout', 'r', 'a', prod, { target, rollout: scheduled.rollout });
    let nowMs = 5;
    const fetches = new FetchService(feed, environments, () => nowMs);
    const read = async (): Promise<[string, unknown]> => {
      const { etag, body } = await fetches.fetch({ app_id: prod.appId, environment: prod.environment }, 'server');
      return [etag, (JSON.parse(String(body())) as { values: Record<string, unknown> }).values['a']];
    };
    const [before, early] = await read();
    nowMs = 10;
    const [within, during] = await read();
    nowMs = 20;
    const [after, late] = await read();
    expect([early, during, late]).toEqual(['old', 'new', 'old']);
    expect(within).not.toBe(before);
    expect(after).toBe(before);
  });

  it('go on as they are when a secret of another place can be read, and tell only who had to do without it', () => {
    const feed = new Feed();
    const cipher = new Cipher();
    const environments = new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
    const [, , prod, test] = scopes as [ResourceScope, ResourceScope, ResourceScope, ResourceScope];
    feed.write('config', 'c1', 'a', prod, { value: 'plain', type: 'string' });
    feed.write('config', 'c2', 'a', test, { value: 'hush', type: 'string', sensitive: true });
    const before = environments.view(prod);
    expect(environments.view(test)).toMatchObject({ isPartial: true });
    const told: boolean[] = [];
    environments.onChange((isTouched) => told.push(isTouched(prod), isTouched(test)));
    cipher.isOpen = true;
    environments.forget();
    expect(told).toEqual([false, true]);
    expect(environments.view(prod)).toBe(before);
    expect(environments.view(test).compiled.config('a', {}, 0)).toBe('hush');
    expect(environments.view(test)).toMatchObject({ isPartial: false });
  });

  it('are compiled before anybody asks, those that have something of their own', async () => {
    const feed = new Feed();
    const cipher = new Cipher();
    const [global, app, prod, test] = scopes as [ResourceScope, ResourceScope, ResourceScope, ResourceScope];
    for (const [n, place] of [global, app, prod, test].entries())
      feed.write('config', `c${n}`, 'a', place, { value: n, type: 'number' });
    const environments = new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
    await environments.warm();
    expect(environments.size).toBe(2);
    const late = new Environments(feed, cipher, () => candidatesOf(feed.state, cipher));
    await late.warm(-1);
    expect(late.size).toBe(0);
  });
});
