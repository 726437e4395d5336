/**
 * Our formatter and our syntax trees beside a real OPA's, on every module of the case files: one
 * `opa fmt` over a folder for each version, one query that parses all v1 modules, and `opa parse` for the
 * v0 modules, which no query parses. Node only.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RegoVersion } from '../src/syntax/ast.js';
import { parseModuleSource } from '../src/syntax/parser.js';
import { formatText } from '../src/tools/format-text.js';
import { syntaxTreeJson } from '../src/tools/syntax-tree.js';
import { get, keyOf, parseJson, stringifyJson, type Value } from '../src/values/index.js';
import { locatedCases } from './run.js';

export interface CaseModule {
  readonly name: string;
  readonly version: RegoVersion;
  readonly text: string;
}

export interface ModuleDifference {
  readonly module: CaseModule;
  readonly opa: string;
  readonly ours: string;
}

/** The different modules of the cases under `directory`. */
export function caseModules(directory: string): readonly CaseModule[] {
  const modules = new Map<string, CaseModule>();
  for (const { version, testCase } of locatedCases(directory)) {
    for (const text of testCase.modules ?? []) {
      const id = `${version}${text}`;
      if (!modules.has(id)) modules.set(id, { name: `m${modules.size}.rego`, version, text });
    }
  }
  return [...modules.values()];
}

function inFolder<T>(action: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'rego-modules-'));
  try {
    return action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function ours(module: CaseModule, act: (module: CaseModule) => string): string {
  try {
    return act(module);
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Differences between `opa fmt` and ours. Modules OPA does not format must not be formatted by us. */
export function compareFormatting(command: string, modules: readonly CaseModule[]): readonly ModuleDifference[] {
  return inFolder((folder) => {
    for (const { name, text } of modules) writeFileSync(join(folder, name), text);
    const refused = new Set<string>();
    for (const version of ['v0', 'v1'] as const) {
      let names = modules.filter((module) => module.version === version).map(({ name }) => name);
      // OPA stops at a module it cannot format: without it, once more.
      while (names.length > 0) {
        const run = spawnSync(command, ['fmt', `--${version}-compatible`, '--write', ...names], {
          cwd: folder,
          encoding: 'utf8',
        });
        if (run.status === 0) break;
        const [failed] = /m\d+\.rego/.exec(run.stderr) ?? [];
        if (failed === undefined) throw new Error(run.stderr);
        refused.add(failed);
        names = names.slice(names.indexOf(failed) + 1);
      }
    }
    const differences: ModuleDifference[] = [];
    for (const module of modules) {
      const isRefused = refused.has(module.name);
      const opa = isRefused ? 'error' : readFileSync(join(folder, module.name), 'utf8');
      const own = ours(module, ({ name, text, version }) => formatText(name, text, { version }));
      if (isRefused ? !own.startsWith('error') : own !== opa) differences.push({ module, opa, ours: own });
    }
    return differences;
  });
}

/** `opa parse` of one module: its JSON, or an error. */
async function parseAlone(command: string, folder: string, { name, version }: CaseModule): Promise<string> {
  const flags = version === 'v0' ? ['--v0-compatible'] : [];
  try {
    const { stdout } = await promisify(execFile)(command, ['parse', '--format', 'json', ...flags, name], {
      cwd: folder,
      maxBuffer: 64 << 20,
    });
    return stdout;
  } catch {
    return 'error';
  }
}

/** `rego.parse_module` of many modules in one query. It reads v1, and leaves out annotations. */
function parseTogether(command: string, folder: string, modules: readonly CaseModule[]): ReadonlyMap<string, Value> {
  const input = Object.fromEntries(modules.map(({ name, text }) => [name, text]));
  writeFileSync(join(folder, 'input.json'), stringifyJson(input));
  const query = '{name: tree | some name, text in input; tree := rego.parse_module(name, text)}';
  const run = spawnSync(command, ['eval', '--format', 'values', '--input', 'input.json', query], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  const trees = get(parseJson(run.stdout), 0);
  return new Map(modules.map(({ name }) => [name, get(trees as Value, name) as Value]));
}

const isParsedAlone = ({ version, text }: CaseModule): boolean => version === 'v0' || text.includes('METADATA');

/** Differences between `opa parse --format json` and ours, byte by byte where OPA was asked for one module. */
export async function compareTrees(
  command: string,
  modules: readonly CaseModule[],
): Promise<readonly ModuleDifference[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rego-modules-'));
  try {
    const answers = new Map<string, string>();
    const queue = modules.filter(isParsedAlone);
    for (const { name, text } of queue) writeFileSync(join(folder, name), text);
    const together = modules.filter((module) => !isParsedAlone(module));
    for (const [name, tree] of parseTogether(command, folder, together))
      answers.set(name, tree === undefined ? 'error' : String(keyOf(tree)));
    const work = async (): Promise<void> => {
      for (let module = queue.pop(); module !== undefined; module = queue.pop())
        answers.set(module.name, await parseAlone(command, folder, module));
    };
    await Promise.all([work(), work(), work()]);
    const differences: ModuleDifference[] = [];
    for (const module of modules) {
      const opa = answers.get(module.name) ?? 'error';
      const own = ours(module, ({ name, text, version }) => {
        const tree = `${syntaxTreeJson(parseModuleSource(name, text, { version }))}\n`;
        return isParsedAlone(module) ? tree : String(keyOf(parseJson(tree)));
      });
      if (opa === 'error' ? !own.startsWith('error') : own.trimEnd() !== opa.trimEnd())
        differences.push({ module, opa, ours: own });
    }
    return differences;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
