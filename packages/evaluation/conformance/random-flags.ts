/** Random flags and contexts (ASCII) from a seeded generator, for differential runs. */
import type { FlagSet, JsonValue } from '../src/index.js';

type Random = () => number;

const COUNTRIES = ['de', 'fr', 'us', 'jp', 'br', 'za'];
const PLANS = ['free', 'pro', 'team', 'enterprise'];
const DOMAINS = ['example.com', 'corp.example.com', 'mail.test', 'faas.io'];
const VERSIONS = ['1', '1.2', 'v1.2.3', '1.2.3-beta.2', '1.2.3-beta.11', '2.0.0', '10.4.1+build.7', 'none', '1.2.3.4'];
const NAMES = ['a', 'b', 'c', 'd'];

/**
 * Values of another type than a rule expects. Left out is what flagd-core itself answers in two ways, compiled and
 * interpreted (a null with a default, a text beside a number, a list operator on what is no list).
 */
const ODD: Readonly<Record<string, readonly JsonValue[]>> = {
  age: [0, '7', true, 3.5],
  score: [0, '7', true],
  email: ['', 'text'],
  tags: [[]],
  company: [null, 3.5, 'text', []],
};

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const chance = (random: Random, share: number): boolean => random() < share;
const integer = (random: Random, max: number): number => Math.floor(random() * max);

/** Someone, with attributes missing, of another type or null now and then. */
export function randomContext(random: Random): Record<string, JsonValue> {
  const id = `user-${integer(random, 1_000_000)}`;
  const full: Record<string, JsonValue> = {
    targetingKey: id,
    email: `${id}@${pick(random, DOMAINS)}`,
    country: pick(random, COUNTRIES),
    plan: pick(random, PLANS),
    age: integer(random, 90),
    score: random() * 10,
    isBeta: chance(random, 0.5),
    version: pick(random, VERSIONS),
    tags: NAMES.filter(() => chance(random, 0.4)),
    company: { size: integer(random, 5000), address: { country: pick(random, COUNTRIES) } },
  };
  const context: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(full)) {
    if (chance(random, 0.06)) continue;
    context[name] = chance(random, 0.05) ? pick<JsonValue>(random, ODD[name] ?? [null, '', 0, '7', true, 3.5]) : value;
  }
  return context;
}

const attribute = (name: string): JsonValue => ({ var: name });

/** A condition; deeper ones join or negate others. */
function condition(random: Random, depth: number): JsonValue {
  if (depth > 0 && chance(random, 0.5)) {
    const inner = (): JsonValue => condition(random, depth - 1);
    return pick<() => JsonValue>(random, [
      () => ({ and: [inner(), inner()] }),
      () => ({ or: [inner(), inner(), inner()] }),
      () => ({ '!': [inner()] }),
      () => ({ '!!': [inner()] }),
      () => ({ if: [inner(), inner(), inner()] }),
      () => ({ $ref: pick(random, ['staff', 'adults', 'large']) }),
    ])();
  }
  return pick<() => JsonValue>(random, [
    () => ({ '==': [attribute('country'), pick(random, COUNTRIES)] }),
    () => ({ '!=': [attribute('plan'), pick(random, PLANS)] }),
    () => ({ '===': [attribute('plan'), pick(random, PLANS)] }),
    () => ({ '!==': [attribute('isBeta'), true] }),
    () => ({ in: [attribute('country'), COUNTRIES.filter(() => chance(random, 0.4))] }),
    () => ({ in: [pick(random, DOMAINS), { var: ['email', ''] }] }),
    () => ({ in: [pick(random, NAMES), { var: ['tags', []] }] }),
    () => ({ '>': [attribute('age'), integer(random, 90)] }),
    () => ({ '<=': [integer(random, 30), attribute('age'), 60] }),
    () => ({ '>=': [attribute('company.size'), integer(random, 5000)] }),
    () => ({ '<': [{ '+': [attribute('age'), attribute('score'), 1] }, integer(random, 100)] }),
    () => ({ '==': [{ '%': [attribute('age'), 2] }, integer(random, 2)] }),
    () => ({ '>': [{ '-': [{ '*': [attribute('score'), 3] }, 2] }, { '/': [attribute('age'), 7] }] }),
    () => ({ starts_with: [attribute('email'), `user-${integer(random, 10)}`] }),
    () => ({ ends_with: [attribute('email'), pick(random, DOMAINS)] }),
    () => ({
      sem_ver: [
        attribute('version'),
        pick(random, ['=', '!=', '<', '<=', '>', '>=', '^', '~', '?']),
        pick(random, VERSIONS),
      ],
    }),
    () => ({ some: [{ var: ['tags', []] }, { '==': [{ var: '' }, pick(random, NAMES)] }] }),
    () => ({
      all: [{ filter: [{ var: ['tags', []] }, { '!=': [{ var: '' }, 'a'] }] }, { in: [{ var: '' }, ['b', 'c']] }],
    }),
    () => ({ none: [{ map: [{ var: ['tags', []] }, { cat: [{ var: '' }, '!'] }] }, { '==': [{ var: '' }, 'c!'] }] }),
    () => ({ '>': [{ reduce: [{ var: ['tags', []] }, { '+': [{ var: 'accumulator' }, 1] }, 0] }, 1] }),
    () => ({ missing: ['email', 'company.size'] }),
    () => ({ missing_some: [1, ['email', 'plan', 'nothing']] }),
    () => ({ '==': [{ substr: [{ var: ['email', 'nobody@x'] }, 5, 1] }, String(integer(random, 10))] }),
    () => ({ '==': [{ cat: [{ var: ['country', 'none'] }, '-', { var: ['plan', 'none'] }] }, 'de-pro'] }),
    () => ({ '==': [{ var: '$flagd.flagKey' }, 'flag-3'] }),
    () => ({ '>': [{ var: '$flagd.timestamp' }, 1_000_000] }),
    () => attribute('isBeta'),
    () => attribute('company'),
    () => ({ '>=': [{ max: [{ var: ['age', 1] }, 18] }, { min: [40, 41] }] }),
  ])();
}

/** A rule that gives a variant: branches, shares, evaluators, null. */
function targeting(random: Random, depth: number): JsonValue {
  const result = (): JsonValue => (depth > 0 && chance(random, 0.35) ? targeting(random, depth - 1) : leaf(random));
  const branches: JsonValue[] = [];
  for (let index = 0; index <= integer(random, 3); index += 1) branches.push(condition(random, 2), result());
  return { if: chance(random, 0.7) ? [...branches, result()] : branches };
}

function leaf(random: Random): JsonValue {
  const share = (name: JsonValue): JsonValue => [name, integer(random, 100)];
  return pick<() => JsonValue>(random, [
    () => pick(random, NAMES),
    () => pick(random, NAMES),
    () => null,
    () => ({ fractional: [share('a'), share('b')] }),
    () => ({ fractional: [['a'], ['b'], ['c']] }),
    () => ({ fractional: NAMES.map((name) => [name, integer(random, 100_000)]) }),
    () => ({ fractional: [attribute('email'), share('a'), share('c'), share(null)] }),
    () => ({
      fractional: [{ cat: [attribute('$flagd.flagKey'), { var: ['company.size', 0] }] }, share('b'), share('d')],
    }),
    () => ({ fractional: [share({ if: [attribute('isBeta'), 'a', 'b'] }), ['c', { '-': [50, { var: ['age', 0] }] }]] }),
    () => ({ cat: ['', pick(random, [...NAMES, 'unknown'])] }),
    () => attribute('country'),
    () => ({ $ref: 'everyone' }),
  ])();
}

/** `count` flags, and the evaluators they use. */
export function randomFlagSet(random: Random, count: number): FlagSet {
  const flags: Record<string, FlagSet['flags'][string]> = {};
  for (let index = 0; index < count; index += 1) {
    const rule = chance(random, 0.05) ? {} : chance(random, 0.1) ? leaf(random) : targeting(random, 2);
    flags[`flag-${index}`] = {
      state: chance(random, 0.04) ? 'DISABLED' : 'ENABLED',
      variants: { a: `value-a-${index}`, b: `value-b-${index}`, c: `value-c-${index}`, d: '', de: 'germany' },
      defaultVariant: chance(random, 0.1) ? null : pick(random, NAMES),
      targeting: typeof rule === 'object' && rule !== null ? rule : { if: [true, rule] },
    };
  }
  return {
    flags,
    $evaluators: {
      staff: { ends_with: [attribute('email'), '@corp.example.com'] },
      adults: { '>=': [attribute('age'), 18] },
      large: {
        and: [{ '>': [attribute('company.size'), 1000] }, { '==': [attribute('company.address.country'), 'de'] }],
      },
      everyone: {
        fractional: [
          ['a', 25_000],
          ['b', 25_000],
          ['c', 50_000],
        ],
      },
    },
  };
}
