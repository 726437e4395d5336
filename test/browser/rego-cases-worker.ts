/** A worker that runs OPA's cases on the very bundle a page gets: rare built-ins are loaded when a case names them. */
import { loadBuiltinsFor } from '../../packages/rego/src/builtins/on-demand.js';
import { type ConformanceCase, runCase } from '../../packages/rego/src/conformance.js';
import { isRegoErrors } from '../../packages/rego/src/errors.js';
import { parseModuleSource, parseQuery } from '../../packages/rego/src/syntax/parser.js';
import { parseJson } from '../../packages/rego/src/values/index.js';

interface LocatedCase {
  readonly file: string;
  readonly index: number;
  readonly version: 'v0' | 'v1';
  readonly testCase: ConformanceCase;
}

declare const self: {
  onmessage: ((event: { readonly data: { readonly backend: 'generated' | 'closures' } }) => void) | null;
  postMessage(message: unknown): void;
};

async function loadFor({ testCase, version }: LocatedCase): Promise<void> {
  const modules = testCase.modules ?? [];
  const texts = [...modules, testCase.query, ...(testCase.input_term === undefined ? [] : [testCase.input_term])];
  await loadBuiltinsFor(texts, (text, index) => {
    try {
      return index < modules.length ? parseModuleSource('', text, { version }) : parseQuery(text, { version: 'v1' });
    } catch (error) {
      if (isRegoErrors(error)) return undefined;
      throw error;
    }
  });
}

async function runAll(backend: 'generated' | 'closures'): Promise<void> {
  const cases = parseJson(await (await fetch('/cases.json')).text()) as unknown as readonly LocatedCase[];
  const started = performance.now();
  const failures: string[] = [];
  let passed = 0;
  for (const located of cases) {
    await loadFor(located);
    const { file, index, version, testCase } = located;
    const reason = runCase(testCase, version, backend);
    if (reason === undefined) passed += 1;
    else failures.push(`${file}#${index} ${testCase.note}: ${reason.slice(0, 300)}`);
  }
  self.postMessage({ backend, passed, failures, milliseconds: Math.round(performance.now() - started) });
}

self.onmessage = ({ data: { backend } }) => {
  // Thrown where the page's `onerror` hears of it.
  runAll(backend).catch((error: unknown) =>
    queueMicrotask(() => {
      throw error;
    }),
  );
};
