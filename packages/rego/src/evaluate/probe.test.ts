/** Questions a hash index answers, and the same without any index. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../policy.js';
import { parseJson, toJson, type Value } from '../values/index.js';

const POLICY = `package t
declared if { some g in data.grants; g.subject == input.subject; g.action == input.action }
one if data.grants[_].subject == input.subject
keyed contains [k, g.n] if { some k, g in data.grants; g.subject == input.subject }
opened contains i if { g := data.grants[i]; input.subject == g.subject; g.at.zone == input.zone }
nested contains x if { some g in data.teams[input.team].members; g.subject == input.subject; x := g.n }
written contains g.n if { some g in data.grants; g.action == "read"; g.n > 1 }
counted := count([1 | some g in data.grants; g.subject == input.subject])
listed := [g.n | some g in data.grants; g.action == input.action]
mapped := {k: g.n | some k, g in data.grants; g.action == input.action}
bound contains y if { some g in data.grants; x := g.subject; x == input.subject; y := g.action }
joined contains [a.n, b.n] if { some a in data.grants; some b in data.grants; a.subject == b.action }
replaced_by_set := n if { n := count([1 | some g in data.grants; g.subject == input.subject]) with data.grants as {g | some g in input.grants} }
paired contains [a, b.n] if { some a in input.words; some b in input.grants; b.subject == a }
grouped contains [a, [b.n | some b in input.grants; b.subject == a]] if { some a in input.words }
all_known if { every a in input.words { some b in readable; b.subject == a } }
readable contains g if { some g in input.grants; g.action == "read" }
without if { not any_open }
any_open if { some g in data.grants; g.subject == input.nobody }
replaced := n if { n := count([1 | some g in data.grants; g.subject == input.subject]) with data.grants as input.grants }
same contains [a, [g | some g in input.grants; g == a]] if some a in input.words
raised contains [a, {y | some y in input.words; upper(y) == upper(a)}] if some a in input.words
keys_of contains [a, [g | some k, g in data.grants; k == a]] if some a in input.words
equals(x) := [y | some y in input.words; y == x]
called contains [a, equals(a)] if some a in input.words
by_field contains [g.n, [i | some i, y in input.words; y == g.subject]] if some g in data.grants
by_two contains [a, b, [1 | some k, y in input.words; y == a; k == b]] if { some a in input.words; some b in [0, 1, 2] }
by_nested contains [a, {[x, y] | some x in input.words; some y in input.words; [x, y] == [a, a]}] if some a in input.words
in_other_words contains [a, n] if { some a in input.words; n := [y | some y in input.words; y == a] with input.words as ["a", a, "a"] }
in_no_words contains [a, n] if { some a in input.words; n := count([1 | some y in input.words; y == a; y != "b"]) with input.words as [] }
missing contains a if { some a in input.words; count([1 | some y in data.grants; y == a]) == 0 }
`;

const word = fc.constantFrom<unknown>('a', 'b', 'read', 1, 1.5, null, true, [1], { k: 'a' }, '1');
const grant = fc.oneof(
  { weight: 8, arbitrary: fc.record({ subject: word, action: word, at: fc.record({ zone: word }), n: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ subject: word, n: fc.nat(3) }, { requiredKeys: [] }) },
  { weight: 1, arbitrary: word },
);
const grants = fc.oneof(
  fc.array(grant, { maxLength: 20 }),
  fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', '1', 'read'), grant),
  word,
);
const world = fc.record({
  data: fc.record({ grants, teams: fc.record({ x: fc.record({ members: grants }) }) }),
  input: fc.record(
    { subject: word, action: word, zone: word, team: fc.constantFrom('x', 'y'), grants, words: fc.array(word) },
    { requiredKeys: [] },
  ),
});

describe.each(['generated', 'closures'] as const)('indexes of data and of comprehensions, with %s', (backend) => {
  const modules = [{ name: 'p.rego', text: POLICY }];
  const indexed = compile({ modules, backend });
  const unindexed = compile({ modules, backend, optimize: false });
  const answer = (policy: typeof indexed, input: Value): unknown => {
    try {
      return toJson(policy.evaluate('data.t', input) as Value);
    } catch (error) {
      return String(error);
    }
  };

  it('find what looking through everything finds', () => {
    fc.assert(
      fc.property(world, ({ data, input }) => {
        const [documents, question] = [parseJson(JSON.stringify(data)), parseJson(JSON.stringify(input))];
        indexed.setData('', documents);
        unindexed.setData('', documents);
        expect(answer(indexed, question)).toEqual(answer(unindexed, question));
      }),
      { numRuns: 300 },
    );
  });

  it('find the same while a large index is on its way', () => {
    const words = ['a', 'b', 'read', 1, null, [1]];
    const shapes = fc.record({ count: fc.integer({ min: 1000, max: 20_000 }), step: fc.integer({ min: 1, max: 7 }) });
    fc.assert(
      fc.property(shapes, fc.array(word, { minLength: 4, maxLength: 20 }), ({ count, step }, questions) => {
        const grantAt = (n: number): object => ({ subject: words[(n * step) % 6], action: words[n % 5], n });
        const grants = Array.from({ length: count }, (_, n) => grantAt(n));
        const data = parseJson(JSON.stringify({ grants }));
        indexed.setData('', data);
        unindexed.setData('', data);
        // A slice of the index is built at each question.
        for (const subject of questions) {
          const input = parseJson(JSON.stringify({ subject, action: 'read' }));
          for (const rule of ['listed', 'keyed'])
            expect(indexed.evaluate(`data.t.${rule}`, input)).toEqual(unindexed.evaluate(`data.t.${rule}`, input));
        }
      }),
      { numRuns: 5 },
    );
  }, 30_000);

  it('make a question to 100,000 grants as quick as one to ten', () => {
    const of = (count: number): Value =>
      parseJson(
        JSON.stringify({
          grants: Array.from({ length: count }, (_, n) => ({ subject: `u${n}`, action: 'read', at: { zone: 'z' }, n })),
        }),
      );
    const input = parseJson('{"subject": "u7", "action": "read", "zone": "z"}');
    for (const path of ['declared', 'one', 'keyed', 'opened', 'counted', 'bound'].map((name) => `data.t.${name}`)) {
      indexed.setData('', of(10));
      const small = indexed.evaluate(path, input) as Value;
      indexed.setData('', of(100_000));
      expect(toJson(indexed.evaluate(path, input, { limits: { maxSteps: 100 } }) as Value)).toEqual(toJson(small));
      expect(() => unindexed.setData('', of(1000))).not.toThrow();
      expect(() => unindexed.evaluate(path, input, { limits: { maxSteps: 5 } })).toThrow('eval_limit_error');
    }
  });
});
