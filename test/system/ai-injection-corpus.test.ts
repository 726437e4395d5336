/** The guard's preset against the labelled corpus: prints its rates, and holds a floor under them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { injectionGuard } from '../../apps/server/src/gateway/plugins/ai-prompt-guard.js';
import { repositoryRoot } from './harness.js';

interface Prompt {
  readonly kind: 'attack' | 'benign';
  readonly text: string;
  readonly language?: string;
  readonly encoding?: string;
  /** Of the held-out ones: which round they were written in. */
  readonly set?: number;
}

const { prompts } = JSON.parse(
  readFileSync(join(repositoryRoot, 'conformance/gateway/prompt-injection.json'), 'utf8'),
) as { readonly prompts: readonly Prompt[] };

const { prompts: heldOut } = JSON.parse(
  readFileSync(join(repositoryRoot, 'conformance/gateway/prompt-injection-held-out.json'), 'utf8'),
) as { readonly prompts: readonly Prompt[] };

describe('the preset against prompt injection', () => {
  const isInjection = injectionGuard();

  it.each([1, 2])('says how it does on prompts that it was not tuned by, set %d', (set) => {
    const of = (kind: Prompt['kind']): readonly Prompt[] =>
      heldOut.filter((one) => one.set === set && one.kind === kind);
    const count = (list: readonly Prompt[]): number => list.filter(({ text }) => isInjection(text)).length;
    const [attacked, harmless] = [of('attack'), of('benign')];
    const [blocked, refused] = [count(attacked), count(harmless)];
    // Not which ones: whoever knows would tune by them.
    console.log(
      `held out, set ${set}: ${blocked} of ${attacked.length} attacks blocked, ${refused} of ${harmless.length} benign refused`,
    );
    const known = new Set(prompts.map(({ text }) => text));
    expect(heldOut.filter(({ text }) => known.has(text))).toEqual([]);
    expect(Math.min(attacked.length, harmless.length)).toBeGreaterThanOrEqual(28);
    // Guards against a break, not a promise: the figure is what is printed.
    expect(blocked / attacked.length).toBeGreaterThanOrEqual(0.4);
    expect(refused / harmless.length).toBeLessThanOrEqual(0.1);
  });
  const attacks = prompts.filter(({ kind }) => kind === 'attack');
  const benign = prompts.filter(({ kind }) => kind === 'benign');

  it('blocks most attacks of the corpus and few benign prompts', () => {
    const missed = attacks.filter(({ text }) => !isInjection(text));
    const wrong = benign.filter(({ text }) => isInjection(text));
    const blockRate = 1 - missed.length / attacks.length;
    const falseRate = wrong.length / benign.length;
    console.log(
      `prompt injection: ${attacks.length - missed.length} of ${attacks.length} attacks blocked (${(blockRate * 100).toFixed(1)} %), ` +
        `${wrong.length} of ${benign.length} benign refused (${(falseRate * 100).toFixed(1)} %)`,
    );
    for (const one of missed) console.log(`missed: ${one.language}, ${one.encoding}: ${one.text.slice(0, 90)}`);
    for (const one of wrong) console.log(`refused: ${one.text}`);
    expect(attacks.length).toBeGreaterThanOrEqual(100);
    expect(benign.length).toBeGreaterThanOrEqual(100);
    expect(blockRate).toBeGreaterThanOrEqual(0.85);
    expect(falseRate).toBeLessThanOrEqual(0.03);
  });

  it('takes time in proportion to the text', () => {
    const time = (text: string): number => {
      const began = performance.now();
      isInjection(text);
      return performance.now() - began;
    };
    const text = 'ignore all the previous and other earlier '.repeat(2_000);
    time(text);
    const once = time(text);
    expect(time(text.repeat(4))).toBeLessThan(Math.max(200, once * 12));
  });
});
