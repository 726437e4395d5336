/** OpenFeature's features (Gherkin) through our server provider and OpenFeature's own SDK. Every scenario counts, and every row of an outline. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AsyncLocalStorageTransactionContextPropagator, OpenFeature } from '@openfeature/server-sdk';
import { runStep } from './feature-steps.js';
import { FeatureWorld, snapshotOfTestFlags, type TestFlag } from './feature-world.js';
import { readFeature } from './gherkin.js';

/** Scenarios that cannot apply, by the beginning of their names. */
const inapplicable: Readonly<Record<string, string>> = {
  'CACHED reason': 'for providers that ask a server for each flag and cache its answers; ours evaluates in the process',
};

export interface FeatureReport {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly string[];
  readonly skipped?: string;
  /** What was left out, each with its reason. */
  readonly leftOut: readonly string[];
}

/** `directory`: with `*.feature` and `test-flags.json`. */
export async function runOpenFeatureFeatures(directory: string): Promise<FeatureReport> {
  const name = 'OpenFeature features, through our server provider';
  if (!existsSync(directory))
    return { name, passed: 0, failures: [], leftOut: [], skipped: `${directory} is not there` };
  const flags = JSON.parse(readFileSync(join(directory, 'test-flags.json'), 'utf8')) as Record<string, TestFlag>;
  const snapshot = snapshotOfTestFlags(flags);
  OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
  let passed = 0;
  const failures: string[] = [];
  const leftOut: string[] = [];
  const files = readdirSync(directory).filter((file) => file.endsWith('.feature'));
  for (const file of files.sort())
    for (const [index, scenario] of readFeature(readFileSync(join(directory, file), 'utf8')).entries()) {
      const label = `${file}: ${scenario.name}`;
      const why = Object.entries(inapplicable).find(([beginning]) => scenario.name.startsWith(beginning))?.[1];
      if (why !== undefined) {
        leftOut.push(`${label}: ${why}`);
        continue;
      }
      const world = new FeatureWorld(snapshot, `${file}-${index}`);
      try {
        for (const step of scenario.steps) await runStep(world, step);
        passed += 1;
      } catch (error) {
        failures.push(`${label}: ${error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error)}`);
      }
    }
  await OpenFeature.close();
  return { name, passed, failures, leftOut };
}
