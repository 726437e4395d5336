/**
 * Object comprehensions asked again and again. Two values for one key are an error for those who ask for that object only, with the
 * code, the message and the place that the comprehension evaluated alone gives.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegoEvaluationError } from '../errors.js';
import { compile } from '../policy.js';
import { parseJson, toJson, type Value } from '../values/index.js';

const ROW = { owner: 'a', zone: 'z', id: 'i', name: 'n' };
const row = (owner: string, id: string, name: string, zone = 'z'): typeof ROW => ({ owner, zone, id, name });
const BY_OWNER = '{y.id: y.name | some y in input.rows; lower(y.owner) == x}';
const CONFLICT = { code: 'eval_conflict_error', message: expect.stringContaining('object keys must be unique') };

interface Run {
  readonly text: string;
  readonly input: unknown;
  readonly data?: unknown;
  readonly optimize?: boolean;
  readonly strict?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
}

describe.each(['generated', 'closures'] as const)('an object comprehension asked again, with %s', (backend) => {
  const run = ({ text, input, data, strict = false, ...options }: Run): unknown => {
    const policy = compile({ modules: [{ name: 't.rego', text: `package t\n${text}\n` }], backend, ...options });
    if (data !== undefined) policy.setData('', parseJson(JSON.stringify(data)));
    const question = parseJson(JSON.stringify(input));
    return toJson(policy.evaluate('t/p', question, { strictBuiltinErrors: strict }) as Value);
  };

  /** What is told of an error: its code, message and place. */
  const outcome = (options: Run): unknown => {
    try {
      return run(options);
    } catch (error) {
      if (!(error instanceof RegoEvaluationError)) throw error;
      const { code, message, location } = error;
      return { code, message, location };
    }
  };

  const both = (options: Run): unknown => {
    const indexed = outcome(options);
    expect(indexed).toEqual(outcome({ ...options, optimize: false }));
    return indexed;
  };

  const asked = (questions: readonly string[], rows: readonly unknown[], form = BY_OWNER): unknown =>
    both({ text: `p := [o | some x in input.asked; o := ${form}]`, input: { asked: questions, rows } });

  it('takes what those who ask for it would', () => {
    const rows = [row('a', '1', 'n'), row('b', '1', 'm'), row('A', '2', 'o'), row('a', '1', 'n')];
    expect(asked(['a', 'b', 'c', 'a'], rows)).toEqual([
      { '1': 'n', '2': 'o' },
      { '1': 'm' },
      {},
      { '1': 'n', '2': 'o' },
    ]);
  });

  it('has keys that are no texts', () => {
    const text =
      'p := [[k, o[k]] | some x in input.asked; o := {y: i | some i, y in input.rows; y == x}; some k in [x]]';
    const rows = [1, 1.5, [1], { a: null }, null, true];
    expect(both({ text, input: { asked: [...rows, 2], rows } })).toEqual(rows.map((key, index) => [key, index]));
  });

  it.each([
    ['asked for the second time', ['a', 'c']],
    ['asked for the first time', ['c', 'a']],
    ['asked for when all is known', ['a', 'b', 'c']],
  ])('has a conflict when the object with it is %s', (_when, questions) => {
    const rows = [row('a', '1', 'n'), row('c', '1', 'n'), row('b', '1', 'n'), row('c', '1', 'other')];
    expect(asked(questions, rows)).toMatchObject({ ...CONFLICT, location: { row: 2, col: 40 } });
  });

  it.each([
    ['{ 1: x | some x in [1, 2]}', 2, 8],
    ['{  count([1]): x |\n some x in [1, 2]}', 2, 9],
    ['{\n {y | y := 1}: x | some x in [1, 2]}', 3, 2],
  ])('has a conflict at the key, as OPA has: %s', (form, line, col) => {
    expect(both({ text: `p := ${form}`, input: {} })).toMatchObject({ ...CONFLICT, location: { row: line, col } });
  });

  it('has none when another object is asked for', () => {
    const rows = [
      row('a', '1', 'n'),
      row('c', '1', 'n'),
      row('b', '1', 'n'),
      row('c', '1', 'other'),
      row('c', '1', 'n'),
    ];
    expect(asked(['a', 'b', 'a'], rows)).toEqual([{ '1': 'n' }, { '1': 'n' }, { '1': 'n' }]);
  });

  it('is asked by several things', () => {
    const form = '{y.id: y.name | some y in input.rows; lower(y.owner) == x.owner; lower(y.zone) == x.zone}';
    const rows = [row('a', '1', 'n', 'q'), row('a', '1', 'm', 'r'), row('b', '1', 'n', 'q'), row('b', '1', 'm', 'q')];
    const ask = (...pairs: readonly (readonly [string, string])[]): unknown => {
      const questions = pairs.map(([owner, zone]) => ({ owner, zone }));
      return both({
        text: `p := [o | some x in input.asked; o := ${form}]`,
        input: { asked: [...questions, {}], rows },
      });
    };
    expect(ask(['a', 'q'], ['a', 'r'], ['b', 'r'])).toEqual([{ '1': 'n' }, { '1': 'm' }, {}, {}]);
    expect(ask(['a', 'q'], ['a', 'r'], ['b', 'q'])).toMatchObject(CONFLICT);
  });

  it('is the answer of a function', () => {
    const text =
      'p := [named(x) | some x in input.asked]\nnamed(x) := {y.id: y.name | some y in input.rows; y.owner == x}';
    const rows = [row('a', '1', 'n'), row('b', '1', 'm'), row('c', '1', 'n'), row('c', '1', 'm')];
    expect(both({ text, input: { asked: ['b', 'a', 'd'], rows } })).toEqual([{ '1': 'm' }, { '1': 'n' }, {}]);
    expect(both({ text, input: { asked: ['b', 'a', 'c'], rows } })).toMatchObject({
      ...CONFLICT,
      location: { row: 3 },
    });
    const few = { maxSteps: 6000 };
    const many = Array.from({ length: 400 }, (_unused, index) => row(`o${index}`, '1', 'n'));
    const input = { asked: many.map(({ owner }) => owner), rows: many };
    expect(run({ text, input, limits: few })).toEqual(many.map(() => ({ '1': 'n' })));
    expect(() => run({ text, input, limits: few, optimize: false })).toThrow('the step budget is used up');
  });

  it('is inside of another comprehension, or has another inside', () => {
    const rows = [row('a', '1', 'n'), row('b', '1', 'm'), row('c', '1', 'n'), row('c', '1', 'm')];
    const inside = `p := {x: o | some x in input.asked; o := ${BY_OWNER}}`;
    expect(both({ text: inside, input: { asked: ['b', 'a'], rows } })).toEqual({ a: { '1': 'n' }, b: { '1': 'm' } });
    const outside = `p := [{y: l | some y in input.asked; y == x; l := count([1 | some r in input.rows; r.owner == y])} | some x in ["a", "c", "d"]]`;
    expect(both({ text: outside, input: { asked: ['a', 'c'], rows } })).toEqual([{ a: 1 }, { c: 2 }, {}]);
  });

  it('is asked in other words', () => {
    const text = `p := [[o, l] |
  some x in input.asked
  o := ${BY_OWNER}
  l := ${BY_OWNER} with input.rows as array.concat(input.rows, [{"owner": x, "id": "1", "name": x}])
]`;
    const rows = [row('a', '2', 'n')];
    const want = [
      [{}, { '1': 'b' }],
      [{ '2': 'n' }, { '1': 'a', '2': 'n' }],
      [{}, { '1': 'c' }],
    ];
    expect(both({ text, input: { asked: ['b', 'a', 'c'], rows } })).toEqual(want);
    expect(both({ text, input: { asked: ['b', 'a', 'c'], rows: [row('c', '1', 'n')] } })).toMatchObject(CONFLICT);
  });

  it('fails first in what comes first', () => {
    const text =
      'p := [o | some x in input.asked; o := {y.id: n | some y in input.rows; n := to_number(y.name); y.owner == x}]';
    const conflict = [row('a', '1', '1'), row('a', '1', '2')];
    const wrong = row('b', '1', 'no number');
    for (const strict of [true, false])
      for (const questions of [['a'], ['b', 'a'], ['b', 'c', 'a'], ['b', 'c']])
        for (const rows of [[...conflict, wrong], [wrong, ...conflict], conflict])
          both({ text, input: { asked: questions, rows }, strict });
    const last = { text, input: { asked: ['b', 'a'], rows: [...conflict, wrong] } };
    expect(both({ ...last, strict: false })).toMatchObject(CONFLICT);
    expect(both({ ...last, strict: true })).toMatchObject({ code: 'eval_builtin_error' });
  });

  it('is evaluated for each question when keeping everything would break the memory budget', () => {
    const rows = Array.from({ length: 400 }, (_unused, index) => row(`o${index}`, '1', 'n'));
    const text = `p := [o | some x in ["o1", "o2", "o3", "none"]; o := ${BY_OWNER}]`;
    const want = [{ '1': 'n' }, { '1': 'n' }, { '1': 'n' }, {}];
    expect(both({ text, input: { rows }, limits: { maxElements: 100 } })).toEqual(want);
    const conflict = [...rows, row('o3', '1', 'm')];
    expect(both({ text, input: { rows: conflict }, limits: { maxElements: 100 } })).toMatchObject(CONFLICT);
  });

  const owner = fc.constantFrom<unknown>('a', 'a', 'b', 'A', 1, ['a']);
  const rows = fc.array(
    fc.oneof(
      { weight: 15, arbitrary: fc.record({ owner, zone: owner, id: owner, name: fc.constantFrom('1', '2', 'x') }) },
      { weight: 1, arbitrary: fc.record({ owner, id: owner }, { requiredKeys: [] }) },
      { weight: 1, arbitrary: owner },
    ),
    { minLength: 1, maxLength: 16 },
  );
  const documents = fc.record({
    rows,
    words: fc.array(owner, { maxLength: 8 }),
    want: fc.constantFrom<unknown>({}, { a: '1' }, 'a'),
  });
  const questions = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ f: owner, g: owner }) },
      { weight: 1, arbitrary: fc.record({ f: owner, g: owner }, { requiredKeys: [] }) },
    ),
    { minLength: 1, maxLength: 6 },
  );

  const program = fc
    .record({
      loop: fc.constantFrom(
        'some y in input.rows',
        'some i, y in input.rows; i > 0',
        'y := data.rows[_]',
        'some y in listed',
        'some y in input.rows; some y.id in input.words',
        'some w in input.words; some y in data.rows; w != y.name',
        'some y in array.concat(input.rows, input.words)',
      ),
      before: fc.constantFrom('', '', 'n := to_number(y.name)', 'y.id != "b"', 'not y.id == 1'),
      compared: fc.uniqueArray(
        fc.constantFrom(
          'y.owner == x',
          'x == lower(y.owner)',
          'y.zone == x',
          'y.zone == q.f',
          'y == x',
          'q.g == [y.id]',
          'y.id == q.g',
        ),
        { minLength: 1, maxLength: 2 },
      ),
      after: fc.constantFrom('', '', 'y.name != "2"', 'k := y.id; v := y.name', 'y.id'),
      head: fc.constantFrom(
        '{y.id: y.name',
        '{y.id: y',
        '{y: y.zone',
        '{"one": y.id',
        '{y.name: [y.id, y.zone]',
        '[y.id',
        '{y.name',
      ),
      place: fc.constantFrom(
        'p := [r | some q in input.asked; x := q.f; r := IT]',
        'p contains r if { some q in input.asked; x := q.f; r := IT }',
        'p := [r | some q in input.asked; r := f(q.f, q)]\nf(x, q) := IT if q',
        'p := {j: r | some j, q in input.asked; x := q.f; r := IT}',
        'p := r if { r := [c | some q in input.asked; x := q.f; c := IT] with input.rows as data.rows }',
        'p := [c | some q in input.asked; x := q.f; c := count(IT) + count(IT)]',
        'p contains q if { some q in input.asked; x := q.f; input.want == IT }',
        'p contains j if { some j, q in input.asked; x := q.f; not input.want in IT }',
        'p[x] contains r if { some q in input.asked; x := q.f; r := IT }',
      ),
    })
    .map(({ loop, before, compared, after, head, place }) => {
      const body = [loop, before, ...compared, after].filter((part) => part !== '').join('; ');
      const comprehension = `${head} | ${body}${head.startsWith('[') ? ']' : '}'}`;
      const filled = place.replaceAll('IT', () => comprehension);
      return `listed contains y if { some y in input.rows; y.owner }\n${filled}`;
    });

  it('gives in random programs what it gives alone', () => {
    let conflicts = 0;
    let values = 0;
    fc.assert(
      fc.property(program, documents, documents, questions, fc.boolean(), (text, data, rest, asked, strict) => {
        const found = both({ text, data, input: { ...rest, asked }, strict });
        const { code } = found as { code?: string };
        if (code === undefined) values += 1;
        else if (code === 'eval_conflict_error') conflicts += 1;
        else expect(code).toMatch(/^eval_(type|builtin)_error$/);
      }),
      { numRuns: 400 },
    );
    expect(conflicts).toBeGreaterThan(2);
    expect(values).toBeGreaterThan(100);
  }, 60_000);
});
