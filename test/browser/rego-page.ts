/** The page: runs the cases in a worker, asks the client of `@bailiwick/rego/browser` what a console asks, and reports. */
import type * as client from '../../packages/rego/src/browser/index.js';
import { BACKENDS_PARAMETER, type PageReport } from './rego-messages.js';

type Conformance = PageReport['conformance'][number];

interface BrowserWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
}
declare const Worker: new (url: string, options: { readonly type: 'module' }) => BrowserWorker;
declare const location: { readonly search: string };

/** The client as it is published, not bundled into the page: it finds its worker beside itself. */
const CLIENT: string = '/index.js';
const { isRegoErrors, isRegoEvaluationError, RegoWorker } = (await import(CLIENT)) as typeof client;

function runCases(backend: string): Promise<Conformance> {
  return new Promise((resolve, reject) => {
    const worker = new Worker('/rego-cases-worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data as Conformance);
    };
    worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
    worker.postMessage({ backend });
  });
}

const MODULES = [
  {
    name: 'p.rego',
    text: `package p
allow if input.user in data.users
claims := io.jwt.decode(input.token)[1]
schema_holds if graphql.schema_is_valid("type Query { a: Int }")
hundred_thousand := numbers.range(1, 100000)
slow if {
	some a in hundred_thousand
	some b in hundred_thousand
	a + b < 0
}
`,
  },
];

/** No budget of its own may end `slow` before the time limit does, however fast the machine. */
const limits = { maxSteps: Number.MAX_SAFE_INTEGER, maxElements: Number.MAX_SAFE_INTEGER };

const TOKEN = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.';

async function askClient(): Promise<Record<string, unknown>> {
  const rego = new RegoWorker();
  const policy = await rego.compile({ modules: MODULES, data: { value: { users: ['ann'] } } });
  const asked = async (path: string): Promise<unknown> =>
    (await policy.evaluate(path, { input: { value: { user: 'ann', token: TOKEN } } })).value;
  const answers: Record<string, unknown> = {
    backend: policy.backend,
    allow: await asked('p/allow'),
    claims: await asked('p/claims'),
    schemaHolds: await asked('p/schema_holds'),
    formatted: await rego.format('package  q\nx:=1'),
    checked: (await rego.check({ modules: [{ name: 'q.rego', text: 'package q\nx := y\n' }] })).errors.map(
      (e) => e.code,
    ),
  };
  const started = performance.now();
  const slow = await policy.evaluate('p/slow', { limits, timeLimitMs: 300 }).catch((error: unknown) => error);
  answers['stopped'] = isRegoEvaluationError(slow) ? slow.code : String(slow);
  answers['stoppedAfterMs'] = Math.round(performance.now() - started);
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('not needed any more')), 200);
  answers['aborted'] = String(
    await policy.evaluate('p/slow', { limits, signal: controller.signal }).catch((e: unknown) => e),
  );
  answers['allowAfterwards'] = await asked('p/allow');
  const forced = await rego.compile({ modules: MODULES, backend: 'generated' }).catch((error: unknown) => error);
  answers['generated'] = isRegoErrors(forced) || forced instanceof Error ? 'refused' : 'made';
  rego.close();
  return answers;
}

async function run(): Promise<PageReport> {
  const backends = new URLSearchParams(location.search).get(BACKENDS_PARAMETER)?.split(',') ?? [];
  const client = await askClient();
  const conformance: Conformance[] = [];
  for (const backend of backends) conformance.push(await runCases(backend));
  return { conformance, client };
}

const report = await run().catch(
  (error: unknown): PageReport => ({ fault: String(error), conformance: [], client: {} }),
);
await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
