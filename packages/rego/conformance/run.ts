/** Reads a folder of case files in OPA's format (`v0` and `v1` below it) and runs every case. Node only. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type ConformanceCase, runCase } from '../src/conformance.js';
import { type BackendName, parseJson, type syntax, type Value } from '../src/index.js';

export interface ConformanceReport {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly {
    readonly file: string;
    readonly index: number;
    readonly note: string;
    readonly reason: string;
  }[];
}

/** YAML's values as Rego's: integers of any size kept. */
function toValue(value: unknown): Value {
  if (typeof value === 'bigint') return parseJson(value.toString());
  if (Array.isArray(value)) return value.map(toValue);
  if (typeof value === 'object' && value !== null) {
    const result: Record<string, Value> = {};
    for (const [key, element] of Object.entries(value)) {
      Object.defineProperty(result, key, {
        value: toValue(element),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return result;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value as Value;
}

function readCases(file: string): readonly ConformanceCase[] {
  const document = parse(readFileSync(file, 'utf8'), { intAsBigInt: true }) as {
    cases?: readonly Record<string, unknown>[];
  };
  return (document.cases ?? []).map((raw) => {
    const testCase = { ...raw };
    for (const name of ['data', 'input', 'want_result']) {
      if (testCase[name] !== undefined) testCase[name] = toValue(testCase[name]);
    }
    return testCase as unknown as ConformanceCase;
  });
}

function caseFiles(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .sort();
}

export interface LocatedCase {
  readonly file: string;
  /** Its place in the file. */
  readonly index: number;
  readonly version: syntax.RegoVersion;
  readonly testCase: ConformanceCase;
}

/** Every case under `directory` (or its `v0`/`v1` folders). */
export function* locatedCases(directory: string): Generator<LocatedCase> {
  for (const file of caseFiles(directory)) {
    const version = /(^|[\\/])v0[\\/]/.test(join(directory, file)) ? 'v0' : 'v1';
    for (const [index, testCase] of readCases(join(directory, file)).entries()) {
      yield { file, index, version, testCase };
    }
  }
}

/** Runs every case under `directory` with one back end. */
export function runRegoConformance(directory: string, options: { readonly backend: BackendName }): ConformanceReport {
  const failures: ConformanceReport['failures'][number][] = [];
  let passed = 0;
  for (const { file, index, version, testCase } of locatedCases(directory)) {
    const reason = runCase(testCase, version, options.backend);
    if (reason === undefined) passed += 1;
    else failures.push({ file, index, note: testCase.note, reason });
  }
  return { passed, failed: failures.length, failures };
}
