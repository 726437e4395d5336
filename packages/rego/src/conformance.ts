/**
 * Runs one conformance case in OPA's format against the engine and says how it went. Reading files
 * is left to the caller, so that the same code runs in Node and in a browser.
 */

import { type Builtin, builtins } from './builtins/index.js';
import { isRegoErrors, isRegoEvaluationError } from './errors.js';
import { type BackendName, type Bindings, compile } from './policy.js';
import type { RegoVersion } from './syntax/ast.js';
import { keyOf, sortValues, toJsonValue, type Value } from './values/index.js';

export interface ConformanceCase {
  readonly note: string;
  readonly query: string;
  readonly modules?: readonly string[];
  readonly data?: Value;
  readonly input?: Value;
  readonly input_term?: string;
  readonly want_defined?: boolean;
  readonly want_result?: readonly Readonly<Record<string, Value>>[];
  readonly want_error_code?: string;
  readonly want_error?: string;
  readonly sort_bindings?: boolean;
  readonly ignore_generated_vars?: boolean;
  readonly strict_error?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** `undefined` when the case passed, else what was wrong. */
export type Outcome = string | undefined;

function resultKeys(
  rows: readonly Readonly<Record<string, Value>>[],
  sort: boolean,
  ignoreGenerated: boolean,
): string[] {
  const keys = new Set<string>();
  for (const row of rows) {
    const shown: Record<string, Value> = {};
    for (const [name, value] of Object.entries(row)) {
      if (ignoreGenerated && name.startsWith('__localq')) continue;
      let json = toJsonValue(value);
      if (sort && Array.isArray(json)) json = sortValues([...(json as readonly Value[])]);
      shown[name] = json;
    }
    keys.add(String(keyOf(shown)));
  }
  return [...keys].sort();
}

function checkError(testCase: ConformanceCase, error: unknown): Outcome {
  const { want_error: text, want_error_code: code } = testCase;
  if (!isRegoEvaluationError(error)) {
    if (isRegoErrors(error)) return `does not compile: ${error.message}`;
    return `crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  if (text === undefined && code === undefined) return `unexpected error: ${error.message}`;
  if (code !== undefined && error.code !== code) return `wanted ${code}, got ${error.message}`;
  if (text !== undefined && !error.message.includes(text)) return `wanted "${text}", got ${error.message}`;
  return undefined;
}

/** OPA's own runner has this function too: it lets time pass. */
const SLEEP: Builtin = {
  name: 'test.sleep',
  args: [{ type: 'string' }],
  result: { type: 'null' },
  docs: { description: 'Waits a moment.', args: [], result: undefined, categories: [] },
  evaluate: () => {
    for (const end = Date.now() + 2; Date.now() < end; );
    return null;
  },
};

/** Evaluates the case; `inputOf` reads Rego text as a value (for `input_term`). */
export function runCase(testCase: ConformanceCase, version: RegoVersion, backend: BackendName): Outcome {
  let rows: readonly Bindings[];
  try {
    const modules = (testCase.modules ?? []).map((text, index) => ({ name: `test-${index}.rego`, text, version }));
    const allowedBuiltins = [...builtins.keys(), SLEEP.name];
    const policy = compile({
      modules,
      data: testCase.data ?? {},
      backend,
      capabilities: { allowedBuiltins },
      builtins: [SLEEP],
    });
    const input = testCase.input_term === undefined ? testCase.input : termValue(testCase.input_term);
    rows = policy.query(testCase.query, input, {
      strictBuiltinErrors: testCase.strict_error === true,
      context: { env: testCase.env ?? {}, resolveHost: resolveLiteral },
    });
  } catch (error) {
    return checkError(testCase, error);
  }
  if (testCase.want_error !== undefined || testCase.want_error_code !== undefined) {
    return `wanted ${testCase.want_error_code ?? testCase.want_error}, got ${rows.length} results`;
  }
  if (testCase.want_result === undefined) return undefined;
  const got = resultKeys(rows, testCase.sort_bindings === true, testCase.ignore_generated_vars === true);
  const want = resultKeys(testCase.want_result, false, false);
  if (got.length === want.length && got.every((key, index) => key === want[index])) return undefined;
  return `wanted ${JSON.stringify(want)}, got ${JSON.stringify(got)}`;
}

/** Names that need no network: literal addresses and this machine. */
function resolveLiteral(name: string): readonly string[] {
  return name === 'localhost' ? ['127.0.0.1', '::1'] : [name];
}

function termValue(text: string): Value | undefined {
  const [row] = compile({ modules: [] }).query(`x = ${text}`);
  return row?.['x'];
}
