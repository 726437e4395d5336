/**
 * Arguments made to stall or to fill the memory: whatever a single call is given, it ends by the deadline with its answer or with the
 * error of the limit. `stopped` would run for minutes or for ever; `answered` looks as if it might.
 */
import { describe, expect, it } from 'vitest';
import { compile, isRegoEvaluationError, parseJson, type Value } from '../index.js';

const DEADLINE_MS = 150;
/** Far beyond the deadline, for machines that do other things; far below what any of these takes when nothing stops it. */
const LATEST_MS = 5000;
const STOPPED = ['eval_cancel_error', 'eval_limit_error'];

const a = (count: number): string => 'a'.repeat(count);
const many = (prefix: string, count: number): Value => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
/** Texts of a and b without a pattern. */
function mixed(length: number): string {
  let text = '';
  for (let seed = 1; text.length < length; seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff)
    text += (seed >> 16) & 1 ? 'a' : 'b';
  return text;
}
/** `y` after so many doublings of x0, with `last` over the largest: `#` stands for the one before. */
function doubled(first: string, next: string, last: string, times = 40): string {
  const lines = Array.from({ length: times }, (_, i) => `x${i + 1} := ${next.replaceAll('#', `x${i}`)}`);
  return `p := y if {\nx0 := ${first}\n${lines.join('\n')}\ny := ${last.replaceAll('#', `x${times}`)}\n}`;
}
const laughs = (last: string): string => doubled('[input.x]', '[#, #]', last);

type Case = readonly [name: string, body: string, input?: () => Value];

const STOPPED_CASES: readonly Case[] = [
  ['thousands of threads', 'p := regex.match(`(a|b)*a(a|b){990}c`, input)', () => mixed(300_000)],
  ['thousands of threads, with groups', 'p := regex.find_n(`(a|b)*a(a|b){490}c`, input, -1)', () => mixed(300_000)],
  ['matches that look to the end', 'p := count(regex.find_n(`.*x|a`, input, -1))', () => a(300_000)],
  [
    'a thousand groups',
    'p := regex.find_all_string_submatch_n(input.r, input.t, -1)',
    () => ({ r: '(a)?'.repeat(5000), t: a(20_000) }),
  ],
  [
    'a glob of thousands of threads',
    'p := glob.match(input.r, [], input.t)',
    () => ({ r: `*a${'?'.repeat(1000)}c`, t: mixed(300_000) }),
  ],
  [
    'a pattern in a schema',
    'p := json.match_schema({"a": input}, {"properties": {"a": {"pattern": "(a|b)*a(a|b){900}c"}}})',
    () => mixed(300_000),
  ],
  [
    'a replacement that grows',
    'p := count(regex.replace(input.t, "a", input.v))',
    () => ({ t: a(1_000_000), v: a(100_000) }),
  ],
  [
    'replacing nothing by much',
    'p := count(strings.replace_n({"": input.v}, input.t))',
    () => ({ t: a(1_000_000), v: a(100_000) }),
  ],
  [
    'affixes by affixes',
    'p := strings.any_prefix_match(input.a, input.b)',
    () => ({ a: many('a', 30_000), b: many('b', 30_000) }),
  ],
  ['a schema that tries everything', 'p := json.match_schema(input.d, input.s)', exponentialSchema],
  ['numbers without end', 'p := count(numbers.range(1, 1e300))'],
  ['numbers by the million', 'p := count(numbers.range(1, 40000000))'],
  ['widths by the thousand', 'p := count(sprintf(input, numbers.range(1, 2000)))', () => '%1000000d'.repeat(2000)],
  ['lists that double', doubled('[1]', 'array.concat(#, #)', 'count(#)')],
  ['texts that double', doubled('"a"', 'concat("", [#, #])', 'count(#)')],
  ['texts that double in templates', doubled('input.x', '$"{#}{#}"', 'count(#)'), () => ({ x: 'a' })],
  ['texts that are replaced by more', doubled('"aa"', 'replace(#, "a", "aa")', 'count(#)')],
  ['numbers that are squared', doubled('7', '# * #', '# > 1')],
  [
    'products of a hundred thousand',
    'p := product(input) > 1',
    () => Array.from({ length: 100_000 }, () => 9_007_199_254_740_991),
  ],
  ['parts shared 2^40 times, written', laughs('json.marshal(#)')],
  ['parts shared 2^40 times, laid out', laughs('json.marshal_with_options(#, {"pretty": true})')],
  ['parts shared 2^40 times, as YAML', laughs('yaml.marshal(#)')],
  ['parts shared 2^40 times, printed', laughs('sprintf("%v", [#])')],
  ['parts shared 2^40 times, as a member', laughs('count({#})')],
  ['parts shared 2^40 times, as a key', laughs('count({#: 1})')],
  ['parts shared 2^40 times, walked', laughs('count([1 | walk(#, _)])')],
  ['parts shared 2^40 times, checked', laughs('json.match_schema({"a": #}, input.s)'), sharedSchema],
  ['parts shared 2^40 times, of constants', doubled('[1]', '[#, #]', 'count({#})')],
  [
    'certificates that never end',
    'p := crypto.x509.parse_certificates(input)',
    () => `${'-----BEGIN A-----\n'.repeat(50_000)}-----END A-----`,
  ],
  ['a graph of paths', 'p := count(graph.reachable_paths(input, {"0"}))', pathGraph],
  ['a network of addresses', 'p := count(net.cidr_expand("::/0"))'],
  [
    'loops in loops in a template',
    'p := strings.render_template(input.t, {"a": input.a})',
    () => ({ t: '{{range $.a}}'.repeat(5) + '{{end}}'.repeat(5), a: Array.from({ length: 1000 }, (_, i) => i) }),
  ],
];

function exponentialSchema(): Value {
  const definitions: Record<string, Value> = { d0: { type: 'string' } };
  for (let i = 1; i < 40; i++) {
    const before = { $ref: `#/definitions/d${i - 1}` };
    definitions[`d${i}`] = { anyOf: [before, before] };
  }
  return { d: {}, s: { $ref: '#/definitions/d39', definitions } };
}

function sharedSchema(): Value {
  const list = { items: { $ref: '#/definitions/list' } };
  return { x: 1, s: { definitions: { list }, properties: { a: list } } };
}

function pathGraph(): Value {
  return Object.fromEntries(Array.from({ length: 60 }, (_, i) => [String(i), [String(i + 1), String(i + 2)]]));
}

const ANSWERED: readonly (readonly [name: string, body: string, input: () => Value, want: unknown])[] = [
  ['nested stars', 'p := regex.match(`(a*)*b`, input)', () => a(1_000_000), false],
  ['equal alternatives', 'p := regex.match(`^(a|a)*$`, input)', () => `${a(1_000_000)}!`, false],
  ['counts in counts', 'p := regex.is_valid(`((a{1,1000}){1,1000}){1,1000}`)', () => null, false],
  ['a pattern of a megabyte', 'p := regex.is_valid(input)', () => 'abcdefgh'.repeat(131_072), true],
  [
    'a hundred thousand alternatives',
    'p := regex.match(input.r, input.t)',
    () => ({ r: `${'a|'.repeat(90_000)}b`, t: 'x'.repeat(1_000_000) }),
    false,
  ],
  ['groups in groups', 'p := regex.is_valid(input)', () => '('.repeat(100_000) + ')'.repeat(100_000), false],
  ['braces that do not count', 'p := regex.is_valid(input)', () => `${'{'.repeat(300_000)}}`, true],
  ['flags and flags', 'p := regex.is_valid(input)', () => '(?i)'.repeat(60_000), true],
  ['classes that do not close', 'p := regex.is_valid(input)', () => `[${'[:x'.repeat(100_000)}`, false],
  ['sets of every character', 'p := regex.globs_match(input, "a")', () => '[\u0001-\u{10ffff}]'.repeat(100), false],
  ['YAML folded over lines', 'p := count(yaml.unmarshal(input).a)', () => `a: "${'x\n\n '.repeat(20_000)}"`, 40_000],
  ['YAML folded in a block', 'p := count(yaml.unmarshal(input).a)', () => `a: >\n${'  x\n\n'.repeat(20_000)}`, 40_000],
  [
    'certificates that do not end',
    'p := count(crypto.x509.parse_certificates(input))',
    () => '-----BEGIN CERTIFICATE-----\n'.repeat(100_000),
    0,
  ],
  ['a number too large', 'p := json.unmarshal("1e999999999")', () => null, 'undefined'],
  ['an amount too large', 'p := units.parse("1e1000000000")', () => null, 'undefined'],
  ['a shift too far', 'p := bits.lsh(1, 1000000000)', () => null, 'undefined'],
  ['a shift far enough', 'p := bits.rsh(bits.lsh(5, 1000000), 1000000)', () => null, 5],
  ['a width too large', 'p := sprintf("%1000000000d", [1])', () => null, '%!(NOVERB)%!(EXTRA int64=1)'],
];

describe.each(['generated', 'closures'] as const)('hostile arguments, with %s', (backend) => {
  function outcomeOf(body: string, input: Value): unknown {
    const started = performance.now();
    try {
      const policy = compile({ modules: [{ name: 'p.rego', text: `package t\n${body}\n` }], backend });
      return policy.evaluate('t/p', input, { limits: { deadlineMs: DEADLINE_MS } }) ?? 'undefined';
    } catch (error) {
      if (isRegoEvaluationError(error)) return error.code;
      throw error;
    } finally {
      expect(performance.now() - started).toBeLessThan(LATEST_MS);
    }
  }

  for (const [name, body, input] of STOPPED_CASES)
    it(`are stopped: ${name}`, () => {
      expect(STOPPED).toContain(outcomeOf(body, input?.() ?? { x: 1 }));
    });

  it.each(ANSWERED)('are answered: %s', (_name, body, input, want) => {
    const policy = compile({ modules: [{ name: 'p.rego', text: `package t\n${body}\n` }], backend });
    const started = performance.now();
    expect(policy.evaluate('t/p', input()) ?? 'undefined').toBe(want);
    expect(performance.now() - started).toBeLessThan(LATEST_MS);
  });

  it('stop at the same step each time', () => {
    const policy = compile({ modules: [{ name: 'p.rego', text: 'package t\np := json.marshal(input)' }], backend });
    const input = parseJson(`[${'[1,2,3],'.repeat(20_000)}4]`);
    const takes = (maxSteps: number): boolean => {
      try {
        return policy.evaluate('t/p', input, { limits: { maxSteps } }) !== undefined;
      } catch {
        return false;
      }
    };
    let [low, high] = [1, 10_000_000];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (takes(middle)) high = middle;
      else low = middle;
    }
    expect([takes(low), takes(high), takes(low), takes(high)]).toEqual([false, true, false, true]);
    expect(low).toBeGreaterThan(10_000);
  });
});
