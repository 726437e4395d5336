/** Our flags against `@openfeature/flagd-core` on random contexts; ASCII, because flagd-core hashes UTF-16 units. */
import type { EvaluationContext as OpenFeatureContext } from '@openfeature/core';
import { FlagdCore } from '@openfeature/flagd-core';
import { compileFlags, type EvaluationContext } from '../src/index.js';
import { randomContext, randomFlagSet } from './random-flags.js';
import { randomFrom, type SuiteReport, Tally } from './report.js';

const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** `count` contexts, each on the next of a set of random flags; a new set now and then. */
export function runFlagdDifferential(seed: number, count: number, flagsInSet = 50): SuiteReport {
  const random = randomFrom(seed);
  const tally = new Tally(`flagd-core, ${count} random contexts, seed ${seed}`);
  const perSet = 2_000;
  for (let done = 0; done < count; done += perSet) {
    const set = randomFlagSet(random, flagsInSet);
    const ours = compileFlags(set);
    const theirs = new FlagdCore(undefined, silent);
    theirs.setConfigurations(JSON.stringify(set));
    for (let index = 0; index < Math.min(perSet, count - done); index += 1) {
      const key = `flag-${index % flagsInSet}`;
      const context = randomContext(random);
      const answer = ours.evaluate(key, context as EvaluationContext, Date.now());
      const { value, variant, reason } = theirs.resolveStringEvaluation(
        key,
        'code default',
        context as OpenFeatureContext,
        silent,
      );
      const label = `${key} ${JSON.stringify(set.flags[key])} for ${JSON.stringify(context)}`;
      // Ours says SPLIT where flagd says TARGETING_MATCH for shares.
      const ourReason = answer.reason === 'SPLIT' ? 'TARGETING_MATCH' : answer.reason;
      tally.check(
        label,
        [answer.value ?? 'code default', answer.variant ?? null, ourReason],
        [value, variant ?? null, reason],
      );
    }
  }
  return tally.report();
}
