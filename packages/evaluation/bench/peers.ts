/**
 * The same hundred flags in our form and in that of each peer: a segment with two constraints (staff by address, and a
 * country), and half of those by bucket. `bench/evaluation.bench.ts` times them side by side.
 */
import { createRequire } from 'node:module';
import { GrowthBookClient } from '@growthbook/growthbook';
import type { EvaluationContext as OpenFeatureContext } from '@openfeature/core';
import { FlagdCore } from '@openfeature/flagd-core';
import { defaultStrategies } from 'unleash-client/lib/strategy/index.js';
import { compileFlags, compileUnleash, type FlagSet, importUnleash, type UnleashState } from '../src/index.js';

const { default: UnleashClient } = createRequire(import.meta.url)(
  'unleash-client/lib/client.js',
) as typeof import('unleash-client/lib/client.js');

/** Someone, as each of them wants to be told. */
export interface Person {
  readonly targetingKey: string;
  readonly email: string;
  readonly country: string;
}

const FLAGS = 100;
const COUNTRIES = ['de', 'fr', 'us', 'jp'];
const SEGMENT_COUNTRIES = ['de', 'fr', 'us'];
const DOMAIN = '@example.com';

/** The keys of the flags, in turn. */
export const flagKeys: readonly string[] = Array.from({ length: FLAGS }, (_one, index) => `feature-${index}`);

/** A thousand people; about two in three are in the segment. */
const made: readonly Person[] = Array.from({ length: 1000 }, (_one, index) => ({
  targetingKey: `user-${index * 7919}`,
  email: `user-${index}${index % 9 === 0 ? '@elsewhere.test' : DOMAIN}`,
  country: COUNTRIES[index % COUNTRIES.length] as string,
}));

/** Read from JSON, as requests are: a text that was put together is slower to look at. */
export const people = JSON.parse(JSON.stringify(made)) as readonly Person[];

/** In flagd's form. */
export const flagSet: FlagSet = {
  $evaluators: {
    segment: { and: [{ ends_with: [{ var: 'email' }, DOMAIN] }, { in: [{ var: 'country' }, SEGMENT_COUNTRIES] }] },
  },
  flags: Object.fromEntries(
    flagKeys.map((key) => [
      key,
      {
        state: 'ENABLED' as const,
        variants: { on: true, off: false },
        defaultVariant: 'off',
        targeting: {
          if: [
            { $ref: 'segment' },
            {
              fractional: [
                ['on', 50],
                ['off', 50],
              ],
            },
            'off',
          ],
        },
      },
    ]),
  ),
};

/** In Unleash's form. */
export const unleashState: UnleashState = {
  segments: [
    {
      id: 1,
      constraints: [
        { contextName: 'email', operator: 'STR_ENDS_WITH', values: [DOMAIN] },
        { contextName: 'country', operator: 'IN', values: SEGMENT_COUNTRIES },
      ],
    },
  ],
  features: flagKeys.map((name) => ({
    name,
    enabled: true,
    strategies: [
      { name: 'flexibleRollout', segments: [1], parameters: { rollout: '50', stickiness: 'userId', groupId: name } },
    ],
  })),
};

/** In GrowthBook's form. */
const growthBookFeatures = Object.fromEntries(
  flagKeys.map((key) => [
    key,
    {
      defaultValue: false,
      rules: [
        {
          condition: { email: { $regex: `${DOMAIN}$` }, country: { $in: SEGMENT_COUNTRIES } },
          force: true,
          coverage: 0.5,
          hashAttribute: 'id',
        },
      ],
    },
  ]),
);

/** One way to evaluate: a flag's key and someone's index → on or off. */
export interface Contender {
  readonly name: string;
  readonly evaluate: (flagKey: string, person: number) => boolean;
}

const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** Everyone in the race; contexts are made beforehand for each, in the form it takes. */
export function contenders(): readonly Contender[] {
  const ours = compileFlags(flagSet);
  const imported = compileUnleash(importUnleash(unleashState).state);
  const flagd = new FlagdCore(undefined, silent);
  flagd.setConfigurations(JSON.stringify(flagSet));
  const features = new Map(unleashState.features.map((feature) => [feature.name, feature]));
  const segments = new Map(unleashState.segments.map((segment) => [segment.id, segment]));
  const repository = { getToggle: (name: string) => features.get(name), getSegment: (id: number) => segments.get(id) };
  const unleash = new UnleashClient(repository as never, defaultStrategies);
  const growthBook = new GrowthBookClient().initSync({ payload: { features: growthBookFeatures } });
  const unleashContexts = people.map(({ targetingKey, email, country }) => ({
    userId: targetingKey,
    properties: { email, country },
  }));
  const userContexts = people.map(({ targetingKey, email, country }) => ({
    attributes: { id: targetingKey, email, country },
  }));
  const contexts = people.map((person) => ({ ...person }));
  const off = (): boolean => false;
  return [
    {
      name: 'Bailiwick',
      evaluate: (key, at) => ours.evaluate(key, contexts[at] as Person & Record<string, string>).value === true,
    },
    {
      name: 'Bailiwick, Unleash import',
      evaluate: (key, at) => imported.isEnabled(key, unleashContexts[at] as never),
    },
    {
      name: 'flagd-core 4.0.1',
      evaluate: (key, at) =>
        flagd.resolveBooleanEvaluation(key, false, contexts[at] as unknown as OpenFeatureContext, silent).value,
    },
    { name: 'GrowthBook 1.8.0', evaluate: (key, at) => growthBook.isOn(key, userContexts[at] as never) },
    { name: 'unleash-client 6.12.1', evaluate: (key, at) => unleash.isEnabled(key, unleashContexts[at] as never, off) },
  ];
}
