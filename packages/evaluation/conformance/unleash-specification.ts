/** Unleash's client specification: each file has a state and contexts with the expected answers. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileUnleash, importUnleash, type UnleashContext } from '../src/index.js';
import { type SuiteReport, Tally } from './report.js';

interface Specification {
  readonly name: string;
  readonly state: unknown;
  readonly tests?: readonly {
    readonly description: string;
    readonly context: UnleashContext;
    readonly toggleName: string;
    readonly expectedResult: boolean;
  }[];
  readonly variantTests?: readonly {
    readonly description: string;
    readonly context: UnleashContext;
    readonly toggleName: string;
    readonly expectedResult: {
      readonly name: string;
      readonly payload?: unknown;
      readonly enabled: boolean;
      readonly feature_enabled?: boolean;
    };
  }[];
}

/** Runs every specification in a folder; random stickiness gets numbers from `random`, dates the moment `nowMs`. */
export function runUnleashSpecification(folder: string, random: () => number, nowMs: number): SuiteReport {
  const name = 'unleash specification';
  if (!existsSync(folder)) return { name, passed: 0, failures: [], skipped: `${folder} is not there` };
  const tally = new Tally(name);
  const files = readdirSync(folder).filter((file) => /^\d.*\.json$/.test(file));
  for (const file of files.sort()) {
    const specification = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Specification;
    const features = compileUnleash(importUnleash(specification.state).state);
    const world = { random, nowMs };
    for (const { description, context, toggleName, expectedResult } of specification.tests ?? [])
      tally.check(`${file}: ${description}`, features.isEnabled(toggleName, context, world), expectedResult);
    for (const { description, context, toggleName, expectedResult } of specification.variantTests ?? []) {
      const { name: variant, payload, enabled, feature_enabled } = features.getVariant(toggleName, context, world);
      const { feature_enabled: isOn = feature_enabled } = expectedResult;
      const shape = (one: typeof expectedResult): unknown => [one.name, one.payload ?? null, one.enabled];
      tally.check(
        `${file}: ${description}`,
        [shape({ name: variant, payload, enabled }), feature_enabled],
        [shape(expectedResult), isOn],
      );
    }
  }
  return tally.report();
}
