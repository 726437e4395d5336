/** Rego at size: compiling 512 KiB, replacing 1 MiB of data under evaluations, and 100,000 grants in memory beside a real OPA. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, parseJson, parseJsonInSteps, type Value } from '@bailiwick/rego';
import { opaCommand } from '../test/servers/opa.js';
import { startProcess, waitUntilReady } from '../test/servers/processes.js';
import type { Plot } from './plot.js';
import { percentile, publish, round } from './report.js';
import { freePort } from './server-process.js';

const GRANTS = 100_000;
const MIB = 2 ** 20;
/** Evaluations a replacement. */
const ROUND = 10_000;
const CHILD_ARGUMENT = 'memory-child';

const GRANTS_POLICY = `package authz
default allow := false
allow if {
	some grant in data.grants
	grant.subject == input.subject
	grant.action == input.action
	grant.resource == input.resource
}
`;

interface Grant {
  readonly subject: string;
  readonly action: string;
  readonly resource: string;
}

const ACTIONS = ['read', 'write', 'delete', 'share'];

const grantOf = (index: number): Grant => ({
  subject: `user-${index % 20_000}`,
  action: ACTIONS[index % ACTIONS.length] ?? 'read',
  resource: `project-${index % 997}/document-${index}`,
});

const grantsText = (count: number, version = 0): string =>
  JSON.stringify({ version, grants: Array.from({ length: count }, (_unused, index) => grantOf(index)) });

/** Rules of several kinds, as many as fill the size. */
function regoText(bytes: number): string {
  const parts = ['package big\n'];
  let length = 0;
  for (let index = 0; length < bytes; index += 1) {
    const text = `
# Rule ${index}: who may act on documents of kind ${index}.
allow_${index} if {
	input.kind == "kind-${index}"
	some role in input.subject.roles
	permission := data.permissions[role][_]
	permission.action == input.action
	startswith(input.path, "/api/${index}/")
	not blocked_${index}
}

blocked_${index} if input.subject.id in data.blocked["kind-${index}"]

limits_${index}[name] := value if {
	some name, limit in data.limits
	value := min([limit.max, ${index % 50}])
}
`;
    parts.push(text);
    length += text.length;
  }
  return parts.join('');
}

const elapsed = (started: number): number => performance.now() - started;

/** OPA's own timers of parsing and compiling a file, in milliseconds. */
function opaCompileMs(file: string): number {
  const output = execFileSync(opaCommand(), ['eval', '--metrics', '--format', 'json', '--data', file, 'true'], {
    encoding: 'utf8',
  });
  const { metrics } = JSON.parse(output) as { metrics: Record<string, number> };
  const [parse, compiling] = [metrics['timer_rego_module_parse_ns'], metrics['timer_rego_module_compile_ns']];
  return ((parse ?? Number.NaN) + (compiling ?? Number.NaN)) / 1e6;
}

/** In turn with OPA, so that both meet the same load. */
function measureCompile(): (string | number)[][] {
  const text = regoText(512 * 1024);
  const modules = [{ name: 'big.rego', text }];
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-compile-'));
  const file = join(folder, 'big.rego');
  writeFileSync(file, text);
  const times: number[] = [];
  const firsts: number[] = [];
  const rests: number[] = [];
  const theirs: number[] = [];
  const input = { kind: 'kind-7', subject: { id: 'ada', roles: ['editor'] }, path: '/api/7/x' };
  const data = { permissions: { editor: [{ action: 'read' }] }, blocked: {}, limits: {} };
  try {
    for (let run = 0; run < 9; run += 1) {
      let started = performance.now();
      const policy = compile({ modules, data });
      times.push(elapsed(started));
      started = performance.now();
      if (policy.evaluate('big/allow_7', { ...input, action: 'read' }) !== true) throw new Error('not allowed');
      firsts.push(elapsed(started));
      started = performance.now();
      policy.prepare('big');
      rests.push(elapsed(started));
      theirs.push(opaCompileMs(file));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const rules = text.split('\n# Rule').length - 1;
  const ratios = times.slice(1).map((time, index) => time / (theirs[index + 1] ?? Number.NaN));
  return [
    [
      `compile ${Math.round(text.length / 1024)} KiB of Rego (${rules * 3} rules)`,
      `${round(times[0] ?? Number.NaN, 0)} ms the first time, ${round(percentile(times, 0.5), 0)} ms the median`,
      '< 500 ms',
    ],
    [
      'then the first answer of one of its rules',
      `${round(firsts[0] ?? Number.NaN, 1)} ms the first time, ${round(percentile(firsts, 0.5), 1)} ms the median`,
      '',
    ],
    [
      'then the code of all other rules, once something asks for them',
      `${round(rests[0] ?? Number.NaN, 0)} ms the first time, ${round(percentile(rests, 0.5), 0)} ms the median`,
      '',
    ],
    [
      'OPA 1.22 parses and compiles the same',
      `${round(percentile(theirs, 0.5), 0)} ms the median, ${round(Math.min(...theirs), 0)} ms the least`,
      '',
    ],
    ['our time divided by OPA’s, run by run', `${round(percentile(ratios, 0.5), 2)} the median`, ''],
  ];
}

/** Evaluations follow one another, for about half a second a replacement; the pause is the time between two answers. */
function measureReplacement(): { readonly rows: (string | number)[][]; readonly plot: Plot } {
  const count = Math.ceil(MIB / (grantsText(1_000).length / 1_000));
  const texts = [grantsText(count, 1), grantsText(count, 2)];
  const policy = compile({
    modules: [{ name: 'grants.rego', text: GRANTS_POLICY }],
    data: parseJson(texts[0] ?? '{}'),
  });
  const evaluate = policy.prepare('authz/allow');
  const inputs = Array.from(
    { length: 100 },
    (_unused, index) => grantOf(Math.floor((index * count) / 100)) as unknown as Value,
  );
  const parsing: number[] = [];
  const steps: number[] = [];
  const setting: number[] = [];
  const firsts: number[] = [];
  const pauses: number[] = [];
  const evaluations: number[] = [];
  for (let replacement = 0; replacement < 20; replacement += 1) {
    const text = texts[replacement % 2] ?? '{}';
    const started = performance.now();
    parseJson(text);
    parsing.push(elapsed(started));
    let last = performance.now();
    let swapped: number | undefined;
    let reading: ReturnType<typeof parseJsonInSteps> | undefined;
    let longest = 0;
    for (let index = 0; index < ROUND; index += 1) {
      if (index === ROUND / 2) reading = parseJsonInSteps(text);
      if (reading !== undefined) {
        const begun = performance.now();
        const step = reading.next();
        const read = performance.now();
        longest = Math.max(longest, read - begun);
        if (step.done === true) {
          reading = undefined;
          policy.setData('', step.value);
          swapped = performance.now();
          setting.push(swapped - read);
        }
      }
      if (evaluate(inputs[index % inputs.length]) !== true) throw new Error('a grant is not found');
      const now = performance.now();
      if (swapped !== undefined) {
        firsts.push(now - swapped);
        swapped = undefined;
      }
      evaluations.push(now - last);
      last = now;
    }
    steps.push(longest);
    // The longest of this round's gaps: a step of reading, the swap, the first evaluation after it, and whatever the collector does.
    pauses.push(evaluations.slice(-ROUND).reduce((longest, one) => Math.max(longest, one), 0));
  }
  const size = round((texts[0]?.length ?? 0) / MIB, 2);
  const span = (values: readonly number[]): string =>
    `${round(percentile(values, 0.5), 2)} ms median, ${round(Math.max(...values), 2)} ms worst`;
  const parts = {
    'a step of reading': steps,
    'the swap': setting,
    'first evaluation': firsts,
    'longest pause': pauses,
  };
  const of = (p: number): number[] => Object.values(parts).map((values) => round(percentile(values, p), 2));
  const plot: Plot = {
    title: `Replacing ${size} MiB of data under evaluations`,
    unit: 'ms',
    labels: Object.keys(parts),
    series: [
      { name: 'median', color: '#2563eb', values: of(0.5) },
      { name: 'worst of 20', color: '#93a3b8', values: of(1) },
    ],
  };
  const rows = [
    [`read ${size} MiB of JSON (${count} grants) at once`, span(parsing), ''],
    ['the longest step of reading it in steps, one an evaluation', span(steps), ''],
    ['swap the data', span(setting), ''],
    ['the first evaluation after the swap', span(firsts), ''],
    ['longest pause of evaluations (a step, the swap, the first evaluation)', span(pauses), '< 20 ms'],
    [
      'an evaluation meanwhile (a rule that asks for one of all grants)',
      `${round(percentile(evaluations, 0.5) * 1000, 2)} µs median`,
      '',
    ],
  ];
  return { rows, plot };
}

interface Memory {
  readonly heapBytes: number;
  readonly rssBytes: number;
}

/** Runs in a process of its own: what the policy and its data add to the heap. */
async function memoryChild(file: string): Promise<void> {
  const collect = async (): Promise<void> => {
    for (let round = 0; round < 4; round += 1) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await collect();
  const before = process.memoryUsage().heapUsed;
  const policy = compile({
    modules: [{ name: 'grants.rego', text: GRANTS_POLICY }],
    data: parseJson(readFileSync(file, 'utf8')),
  });
  const evaluate = policy.prepare('authz/allow');
  // Enough questions for the index to be whole.
  for (let question = 1; question <= 100; question += 1)
    if (evaluate(grantOf(GRANTS - question) as unknown as Value) !== true) throw new Error('a grant is not found');
  await collect();
  const { heapUsed, rss } = process.memoryUsage();
  if (evaluate(grantOf(0) as unknown as Value) !== true) throw new Error('a grant is not found');
  console.log(JSON.stringify({ heapBytes: heapUsed - before, rssBytes: rss } satisfies Memory));
}

const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1024;

/** OPA with the same policy and data from files, after one decision and a rest in which its collector may work. */
async function opaMemory(files: readonly string[], expected: boolean): Promise<Memory> {
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const parameters = ['run', '--server', '--addr', address, '--disable-telemetry', '--log-level', 'error', ...files];
  const server = startProcess(opaCommand(), parameters);
  try {
    await waitUntilReady('OPA', async () => (await fetch(`${url}/health`)).ok, server);
    const answer = await fetch(`${url}/v1/data/authz/allow`, {
      method: 'POST',
      body: JSON.stringify({ input: grantOf(GRANTS - 1) }),
    });
    const { result } = (await answer.json()) as { result?: boolean };
    if (expected && result !== true) throw new Error('OPA does not find the grant');
    // Go gives memory back in the background: its forced collection comes after two minutes without another.
    await new Promise((resolve) => setTimeout(resolve, 130_000));
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const heapBytes = Number(/^go_memstats_heap_alloc_bytes (\S+)/m.exec(metrics)?.[1]);
    return { heapBytes, rssBytes: rssOf(server.pid) };
  } finally {
    await server.end('SIGTERM');
  }
}

async function measureMemory(): Promise<(string | number)[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-data-'));
  const data = join(folder, 'data.json');
  const policy = join(folder, 'policy.rego');
  const text = grantsText(GRANTS);
  writeFileSync(data, text);
  writeFileSync(policy, GRANTS_POLICY);
  try {
    const self = fileURLToPath(import.meta.url);
    const output = execFileSync(process.execPath, ['--expose-gc', self, CHILD_ARGUMENT, data], { encoding: 'utf8' });
    const ours = JSON.parse(output) as Memory;
    const [empty, full] = await Promise.all([opaMemory([], false), opaMemory([policy, data], true)]);
    const mib = (bytes: number): string => `${round(bytes / MIB, 1)} MiB`;
    const grants = `${GRANTS.toLocaleString('en')} grants (${mib(text.length)} of JSON)`;
    return [
      [`${grants}: our heap`, mib(ours.heapBytes), 'below OPA’s'],
      [`${grants}: OPA’s heap`, `${mib(full.heapBytes - empty.heapBytes)} more than empty`, ''],
      [`${grants}: our process`, mib(ours.rssBytes), 'below OPA’s'],
      [`${grants}: OPA’s process`, `${mib(full.rssBytes)} (empty: ${mib(empty.rssBytes)})`, ''],
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const [argument, file] = process.argv.slice(2);
  if (argument === CHILD_ARGUMENT && file !== undefined) return memoryChild(file);
  const part = process.argv[2];
  if (part === 'compile') return console.table(measureCompile());
  if (part === 'replace') return console.table(measureReplacement().rows);
  const replacement = measureReplacement();
  const rows = [...measureCompile(), ...replacement.rows, ...(await measureMemory())];
  publish({
    name: 'rego-data',
    title: 'Rego at size: compiling, replacing data, memory',
    about:
      'Our engine in Node, generated functions: compiling one large module; replacing the whole data document while evaluations follow one another on the same thread; and the memory of a large document, each side in a process of its own after collections, OPA 1.22 two minutes after its start.',
    columns: ['what', 'measured', 'aim'],
    rows,
    plot: replacement.plot,
    notes: [
      'Compiling reads and checks everything, as OPA’s two timers do; the code of a rule is made when something first asks for it, or prepares its path.',
      'The grants are an array that the rule asks by three fields: a hash index over it is built in slices, one at each question after a swap.',
      'The heap of OPA is what it holds beyond an OPA without policy and data; ours is what the process holds beyond its start.',
    ],
  });
}

await main();
