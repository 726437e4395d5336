/** Our Unleash import against `unleash-client` on random contexts; ASCII, because its hash reads UTF-16 units. */
import { createRequire } from 'node:module';
import { defaultStrategies } from 'unleash-client/lib/strategy/index.js';
import { compileUnleash, importUnleash, type UnleashContext } from '../src/index.js';
import { randomFrom, type SuiteReport, Tally } from './report.js';

/** Required, not imported: its default export is read in two ways by bundlers and by Node. */
const { default: UnleashClient } = createRequire(import.meta.url)(
  'unleash-client/lib/client.js',
) as typeof import('unleash-client/lib/client.js');

type Random = () => number;

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const integer = (random: Random, max: number): number => Math.floor(random() * max);
const chance = (random: Random, share: number): boolean => random() < share;
const some = (random: Random, list: readonly string[]): string[] => list.filter(() => chance(random, 0.4));

const VERSIONS = ['1.2.3', '1.2.3-beta.2', '1.2.3-beta.11', '2.0.0', 'v2.0.0', '1.2', '10.4.1+build.7', ''];
const COUNTRIES = ['de', 'fr', 'us', 'JP', ' br '];
const RANGES = ['10.0.0.0/8', '10.1.2.3', '192.168.1.0/24', 'nonsense', '2001:db8::/32', '2001:db8::1', '0.0.0.0/0'];
const ADDRESSES = ['10.1.2.3', '192.168.1.77', '8.8.8.8', '2001:db8::1', '2001:DB8:0::42', 'fe80::1', 'nowhere', ''];
const PATTERNS = ['^user-[0-4]', 'corp\\.example', '[', 'a|e', '(?i)USER'];

function constraint(random: Random): object {
  const more = { inverted: chance(random, 0.2), caseInsensitive: chance(random, 0.3) };
  return pick<() => object>(random, [
    () => ({
      contextName: 'country',
      operator: pick(random, ['IN', 'NOT_IN']),
      values: some(random, COUNTRIES),
      ...more,
    }),
    () => ({
      contextName: 'email',
      operator: pick(random, ['STR_STARTS_WITH', 'STR_ENDS_WITH', 'STR_CONTAINS']),
      values: some(random, ['user-1', 'USER-2', 'example.com', '@corp', '']),
      ...more,
    }),
    () => ({
      contextName: pick(random, ['age', 'country']),
      operator: `NUM_${pick(random, ['EQ', 'GT', 'GTE', 'LT', 'LTE'])}`,
      value: String(integer(random, 40)),
      ...more,
    }),
    () => ({
      contextName: 'version',
      operator: `SEMVER_${pick(random, ['EQ', 'GT', 'GTE', 'LT', 'LTE'])}`,
      value: pick(random, VERSIONS),
      ...more,
    }),
    () => ({
      contextName: 'currentTime',
      operator: pick(random, ['DATE_AFTER', 'DATE_BEFORE']),
      value: pick(random, ['2026-01-01T00:00:00Z', '2020-06-01', 'never']),
      ...more,
    }),
    () => ({ contextName: 'remoteAddress', operator: 'IN_CIDR', values: some(random, RANGES), ...more }),
    () => ({ contextName: 'email', operator: 'REGEX', value: pick(random, PATTERNS), ...more }),
    () => ({ contextName: 'country', operator: 'NO_OPERATOR', values: ['de'], ...more }),
  ])();
}

const several = <T>(random: Random, max: number, make: () => T): T[] =>
  Array.from({ length: integer(random, max + 1) }, make);

function variants(random: Random, stickiness: string): object[] {
  return ['red', 'green', 'blue'].map((name) => ({
    name,
    weight: integer(random, 500),
    stickiness,
    ...(chance(random, 0.5) ? { payload: { type: 'string', value: `payload-${name}` } } : {}),
    ...(chance(random, 0.2)
      ? { overrides: [{ contextName: 'userId', values: [`user-${integer(random, 500)}`] }] }
      : {}),
  }));
}

function strategy(random: Random, feature: string): object {
  const percentage = String(pick(random, [0, 1, 10, 33, 50, 99, 100]));
  const groupId = pick(random, [feature, 'group-1', 'another']);
  const common = {
    constraints: several(random, 2, () => constraint(random)),
    ...(chance(random, 0.4) ? { segments: some(random, ['1', '2', '3']).map(Number) } : {}),
  };
  return pick<() => object>(random, [
    () => ({ name: 'default', parameters: {}, ...common }),
    () => ({ name: 'userWithId', parameters: { userIds: 'user-1, user-2,user-3 ,user-44' }, ...common }),
    () => ({ name: 'gradualRolloutUserId', parameters: { percentage, groupId }, ...common }),
    () => ({ name: 'gradualRolloutSessionId', parameters: { percentage, groupId }, ...common }),
    () => ({ name: 'remoteAddress', parameters: { IPs: some(random, RANGES.slice(0, 4)).join(', ') }, ...common }),
    () => ({ name: 'noSuchStrategy', parameters: {}, ...common }),
    () => {
      const stickiness = pick(random, ['default', 'userId', 'sessionId', 'country']);
      const parameters = { rollout: percentage, groupId, stickiness };
      const own = chance(random, 0.3) ? { variants: variants(random, 'userId') } : {};
      return { name: 'flexibleRollout', parameters, ...common, ...own };
    },
  ])();
}

function randomState(random: Random, count: number): object {
  const features = Array.from({ length: count }, (_one, index) => {
    const name = `feature-${index}`;
    const parent = { feature: `feature-${integer(random, count)}`, ...(chance(random, 0.3) ? { enabled: false } : {}) };
    return {
      name,
      enabled: chance(random, 0.9),
      strategies: several(random, 3, () => strategy(random, name)),
      ...(chance(random, 0.3) ? { variants: variants(random, pick(random, ['default', 'userId'])) } : {}),
      ...(chance(random, 0.15)
        ? { dependencies: [chance(random, 0.3) ? { ...parent, variants: ['red', 'blue'] } : parent] }
        : {}),
    };
  });
  const segments = [1, 2].map((id) => ({
    id,
    name: `segment-${id}`,
    constraints: several(random, 2, () => constraint(random)),
  }));
  return { version: 2, features, segments };
}

/** A user always has a userId and a sessionId: without them both sides ask chance. */
function randomUser(random: Random): UnleashContext {
  const userId = `user-${integer(random, 500)}`;
  return {
    userId,
    sessionId: `session-${integer(random, 100_000)}`,
    remoteAddress: pick(random, ADDRESSES),
    currentTime: pick(random, ['2026-06-01T12:00:00Z', '2019-01-01T00:00:00Z']),
    properties: {
      ...(chance(random, 0.9) ? { country: pick(random, COUNTRIES) } : {}),
      ...(chance(random, 0.9) ? { email: `${userId}@${pick(random, ['example.com', 'corp.example.com'])}` } : {}),
      ...(chance(random, 0.9)
        ? { age: pick<number | string>(random, [integer(random, 80), String(integer(random, 80)), 'old']) }
        : {}),
      ...(chance(random, 0.9) ? { version: pick(random, VERSIONS) } : {}),
    },
  };
}

/** `count` contexts, each on the next of a set of random features: on or off, and the variant. */
export function runUnleashDifferential(seed: number, count: number, featuresInState = 40): SuiteReport {
  const random = randomFrom(seed);
  const tally = new Tally(`unleash-client, ${count} random contexts, seed ${seed}`);
  const perState = 2_000;
  for (let done = 0; done < count; done += perState) {
    const state = randomState(random, featuresInState) as {
      features: { name: string }[];
      segments: { id: number }[];
    };
    const ours = compileUnleash(importUnleash(state).state);
    const byName = new Map(state.features.map((feature) => [feature.name, feature]));
    const byId = new Map(state.segments.map((segment) => [segment.id, segment]));
    const repository = { getToggle: (name: string) => byName.get(name), getSegment: (id: number) => byId.get(id) };
    const theirs = new UnleashClient(repository as never, defaultStrategies);
    for (let index = 0; index < Math.min(perState, count - done); index += 1) {
      const name = `feature-${index % featuresInState}`;
      const context = randomUser(random);
      const expected = theirs.getVariant(name, context as never);
      const variant = ours.getVariant(name, context);
      const label = `${name} ${JSON.stringify(byName.get(name))} for ${JSON.stringify(context)}`;
      tally.check(
        label,
        [
          ours.isEnabled(name, context),
          variant.name,
          variant.enabled,
          variant.payload ?? null,
          variant.feature_enabled,
        ],
        [
          theirs.isEnabled(name, context as never, () => false),
          expected.name,
          expected.enabled,
          expected.payload ?? null,
          expected.feature_enabled,
        ],
      );
    }
  }
  return tally.report();
}
