/** Comprehensions asked again and again: evaluated once for all questions, and given up where that would cost too much. */
import { describe, expect, it } from 'vitest';
import { compile } from '../policy.js';

const QUESTIONS = 400;
const words = Array.from({ length: QUESTIONS }, (_unused, index) => `w${index}`);
const input = { asked: words, words, letters: Object.fromEntries(words.map((word) => [word, word])) };
const CASES = [
  'some y in input.words; y == x',
  'some y in input.words; lower(y) == x',
  'some k, y in input.letters; k == x',
  'some y in input.words; concat("", [y]) == x',
];
const COLLECTED = ['[y | BODY]', '{y | BODY}', '{y: 1 | BODY}', '{w: v | BODY; w := y; v := [y]}'];
const FORMS = CASES.flatMap((body) => COLLECTED.map((form) => form.replace('BODY', body)));

describe.each(['generated', 'closures'] as const)('a comprehension asked again, with %s', (backend) => {
  const counts = (form: string, limits = {}, optimize = true): unknown => {
    const text = `package t\np := [n | some x in input.asked; n := count(${form})]\n`;
    return compile({ modules: [{ name: 't.rego', text }], backend, limits, optimize }).evaluate('t/p', input);
  };

  it.each(FORMS)('takes as many steps as there are elements and questions, not their product: %s', (form) => {
    const few = { maxSteps: 20 * QUESTIONS };
    expect(counts(form, few)).toEqual(words.map(() => 1));
    expect(() => counts(form, few, false)).toThrow('the step budget is used up');
  });

  it('is evaluated for each question when keeping everything would break the memory budget', () => {
    const text = 'package t\np := [[y | some y in input.words; y == x] | some x in ["w1", "w2", "w3", "w4"]]\n';
    const policy = compile({ modules: [{ name: 't.rego', text }], backend, limits: { maxElements: 100 } });
    expect(policy.evaluate('t/p', input)).toEqual([['w1'], ['w2'], ['w3'], ['w4']]);
  });

  it('keeps nothing for the next evaluation', () => {
    const text = 'package t\np := [[y | some y in input.words; y == x] | some x in ["a", "b", "a"]]\n';
    const policy = compile({ modules: [{ name: 't.rego', text }], backend });
    expect(policy.evaluate('t/p', { words: ['a', 'a', 'c'] })).toEqual([['a', 'a'], [], ['a', 'a']]);
    expect(policy.evaluate('t/p', { words: ['b'] })).toEqual([[], ['b'], []]);
    expect(policy.evaluate('t/p', { words: {} })).toEqual([[], [], []]);
    expect(policy.evaluate('t/p', {})).toEqual([[], [], []]);
  });

  it('fails in nothing that it would not meet for the questions asked', () => {
    const text = `package t
p := [[y | some y in input.words; y == x; to_number(y) > 0] | some x in ["1", "2", "1"]]
`;
    const policy = compile({ modules: [{ name: 't.rego', text }], backend });
    const strict = { strictBuiltinErrors: true };
    expect(policy.evaluate('t/p', { words: ['1', 'not a number'] }, strict)).toEqual([['1'], [], ['1']]);
  });

  it('fails in what comes before a part of the question that is undefined', () => {
    const text = 'package t\np := [[y | some y in input.words; n := to_number(y); n == x.f] | some x in input.asked]\n';
    const policy = compile({ modules: [{ name: 't.rego', text }], backend });
    const strict = { strictBuiltinErrors: true };
    const asked = [{}, {}, { f: 1 }, { f: 1 }, {}];
    expect(policy.evaluate('t/p', { words: ['1'], asked }, strict)).toEqual([[], [], ['1'], ['1'], []]);
    const wrong = { words: ['1', 'not a number'], asked: [{}, {}] };
    expect(() => policy.evaluate('t/p', wrong, strict)).toThrow('eval_builtin_error');
  });

  it('keeps nothing that makes what comes later break the memory budget', () => {
    const text = `package t
p := n if {
  found := [[y | some y in input.words; lower(y) == x] | some x in ["w1", "w2", "w3"]]
  n := count([y | some y in input.words]) + count(found)
}
`;
    const answer = (maxElements: number): unknown =>
      compile({ modules: [{ name: 't.rego', text }], backend, limits: { maxElements } }).evaluate('t/p', input);
    expect(answer(QUESTIONS + 6)).toBe(QUESTIONS + 3);
    expect(() => answer(QUESTIONS - 1)).toThrow('the memory budget is used up');
  });
});
