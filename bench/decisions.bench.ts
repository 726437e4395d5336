/** Our engine against `opa bench`: the same policies, data and inputs, in one run, pair by pair; process start excluded on both sides. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, parseJson, stringifyJson, type Value } from '@bailiwick/rego';
import { opaCommand } from '../test/servers/opa.js';
import { type DecisionCase, decisionCases } from './policies/cases.js';
import { publish, round } from './report.js';

const shared = join(process.cwd(), '..', 'shared', 'bench', 'rbac');

function rbacCases(): readonly DecisionCase[] {
  if (!existsSync(shared)) return [];
  const read = (name: string): string => readFileSync(join(shared, name), 'utf8');
  const common = { rego: read('policy.rego'), data: JSON.parse(read('data.json')) as object };
  return (['allow', 'deny'] as const).map((kind) => ({
    ...common,
    name: `bench/rbac, ${kind}`,
    path: 'gateway/authz/allow',
    input: JSON.parse(read(`input-${kind}.json`)) as object,
  }));
}

/** Nanoseconds an evaluation: the best of five runs of about 0.3 s. */
function ours(one: DecisionCase, backend: 'generated' | 'closures'): { ns: number; value: Value | undefined } {
  const policy = compile({
    modules: [{ name: 'policy.rego', text: one.rego, version: 'v1' }],
    data: parseJson(JSON.stringify(one.data)),
    backend,
  });
  const evaluate = policy.prepare(one.path);
  // A fresh copy each time would measure JSON.parse; the same object would let a memo cheat: two inputs take turns.
  const inputs = [parseJson(JSON.stringify(one.input)), parseJson(JSON.stringify(one.input))] as const;
  const run = (count: number): number => {
    const started = process.hrtime.bigint();
    for (let index = 0; index < count; index += 1) evaluate(inputs[(index & 1) as 0 | 1]);
    return Number(process.hrtime.bigint() - started);
  };
  run(2_000);
  const once = run(2_000) / 2_000;
  const count = Math.max(100, Math.ceil(3e8 / once));
  const ns = Math.min(...Array.from({ length: 5 }, () => run(count) / count));
  return { ns, value: evaluate(inputs[0]) };
}

function opa(one: DecisionCase, folder: string): { ns: number; value: unknown } {
  writeFileSync(join(folder, 'policy.rego'), one.rego);
  writeFileSync(join(folder, 'data.json'), JSON.stringify(one.data));
  writeFileSync(join(folder, 'input.json'), JSON.stringify(one.input));
  const query = `data.${one.path.replaceAll('/', '.')}`;
  const args = [
    '-d',
    join(folder, 'policy.rego'),
    '-d',
    join(folder, 'data.json'),
    '-i',
    join(folder, 'input.json'),
    query,
  ];
  const result = JSON.parse(
    execFileSync(opaCommand(), ['bench', '--format', 'json', ...args], { encoding: 'utf8', maxBuffer: 1 << 28 }),
  ) as { Extra: Record<string, number> };
  // OPA's own timer of the evaluation alone: its time for an operation would count the making of a query, too.
  const ns = result.Extra['histogram_timer_rego_query_eval_ns_median'] ?? Number.NaN;
  const evaluated = JSON.parse(
    execFileSync(opaCommand(), ['eval', '--format', 'json', ...args], { encoding: 'utf8', maxBuffer: 1 << 28 }),
  ) as { result?: { expressions: { value: unknown }[] }[] };
  return { ns, value: evaluated.result?.[0]?.expressions[0]?.value };
}

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-decisions-'));
const rows: (string | number)[][] = [];
const ratios: number[] = [];
for (const one of [...rbacCases(), ...decisionCases]) {
  const peer = opa(one, folder);
  const generated = ours(one, 'generated');
  const closures = ours(one, 'closures');
  for (const { value } of [generated, closures]) {
    if (stringifyJson(value ?? null) !== stringifyJson(parseJson(JSON.stringify(peer.value ?? null))))
      throw new Error(`${one.name}: OPA answers ${JSON.stringify(peer.value)}, we ${stringifyJson(value ?? null)}`);
  }
  ratios.push(peer.ns / generated.ns);
  rows.push([
    one.name,
    round(generated.ns / 1000, 3),
    round(closures.ns / 1000, 3),
    round(peer.ns / 1000, 1),
    `${round(peer.ns / generated.ns, 1)}×`,
    `${round(peer.ns / closures.ns, 1)}×`,
  ]);
  console.log(rows.at(-1)?.join('  '));
}
rmSync(folder, { recursive: true, force: true });
const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
publish({
  name: 'decisions',
  title: 'Decisions: our engine and OPA',
  about:
    'Time of one evaluation in µs, best of several runs: ours in Node (generated functions, and closures for places that forbid generated code), OPA 1.22 by `opa bench` (the median of its own timer of the evaluation, which leaves its overhead for a query out). Both gave the same answers.',
  columns: ['policy', 'generated µs', 'closures µs', 'OPA µs', 'OPA ÷ generated', 'OPA ÷ closures'],
  rows,
  plot: {
    title: 'One decision: our engine and OPA',
    unit: 'µs',
    labels: rows.map((row) => String(row[0])),
    series: [
      { name: 'Bailiwick, generated', color: '#1f6f54', values: rows.map((row) => Number(row[1])) },
      { name: 'Bailiwick, closures', color: '#7fb69f', values: rows.map((row) => Number(row[2])) },
      { name: 'OPA 1.22', color: '#9aa0a6', values: rows.map((row) => Number(row[3])) },
    ],
  },
  notes: [`Geometric mean of OPA ÷ generated: ${round(mean, 1)}×.`],
});
