/**
 * A program on a real OPA, over the REST API of two servers, one for each version of the language. A
 * module goes in by PUT, which compiles; the package's document is asked for and, when that fails,
 * each rule on its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get, isObject, parseJson, type Value } from '../src/values/index.js';
import type { Program } from './generate.js';
import { type Answer, answerOf, type Outcome, PANIC } from './outcome.js';
import { withoutComprehensionIndex } from './unindexed.js';

export interface PeerUrls {
  readonly v0: string;
  readonly v1: string;
}

interface WireError {
  readonly code: string;
  readonly message?: string;
  readonly errors?: readonly {
    readonly code: string;
    readonly message?: string;
    readonly location?: { readonly file: string; readonly row: number };
  }[];
}

/** The documents a program's rules make, by path. */
export function rulePaths(program: Program): readonly string[] {
  const paths = new Set<string>();
  for (const module of program.modules) {
    const name = /^package (\S+)/m.exec(module)?.[1]?.replaceAll('.', '/');
    // A function has no value to ask for.
    for (const match of module.matchAll(/^(?:default )?(r\d+)(?!\w|\()/gm)) paths.add(`${name}/${match[1]}`);
  }
  return [...paths];
}

const packagePaths = (program: Program): readonly string[] =>
  program.modules.flatMap((module) => /^package (\S+)/m.exec(module)?.[1]?.replaceAll('.', '/') ?? []);

/** OPA has no budget: what runs away there is given up, and there is nothing to compare. */
const OPA_TIMEOUT_MS = 10_000;

/** OPA closes the connection when it panics. */
async function send(url: string, request: RequestInit): Promise<Response | undefined> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      return await fetch(url, { ...request, signal: AbortSignal.timeout(OPA_TIMEOUT_MS) });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'TimeoutError') return undefined;
      if (!(error instanceof TypeError)) throw error;
    }
  }
  return undefined;
}

export class Peer {
  private readonly urls: PeerUrls;
  private readonly command: string;
  private readonly data = new Map<string, string>();
  private readonly hasLibrary = new Set<string>();

  constructor(urls: PeerUrls, command: string) {
    this.urls = urls;
    this.command = command;
  }

  private async put(url: string, name: string, text: string): Promise<readonly string[]> {
    const response = await send(`${url}/v1/policies/${name}`, { method: 'PUT', body: text });
    if (response === undefined) return [PANIC];
    const answer = await response.text();
    if (response.ok) return [];
    const { errors, code, message } = JSON.parse(answer) as WireError;
    // OPA finds no order for some safe bodies (a negated comparison of a call of a comprehension) and has
    // no variable to blame; we run them.
    if (errors?.some((error) => error.message === 'expression is unsafe') === true) return [PANIC];
    const found = errors?.map((error) => `${error.code}@${error.location?.file ?? ''}:${error.location?.row ?? 0}`);
    return (found ?? [`${code} ${message}`]).sort();
  }

  private async load(program: Program): Promise<Pick<Outcome, 'compileErrors' | 'onlyModule'>> {
    const url = this.urls[program.version];
    const data = JSON.stringify(program.data);
    const [main = '', library] = program.modules;
    if (this.hasLibrary.has(url) || library !== undefined) {
      await this.put(url, 'm0', 'package test\n');
      await this.put(url, 'm1', 'package lib\n');
      this.hasLibrary.delete(url);
    }
    if (this.data.get(url) !== data) {
      await this.put(url, 'm0', 'package test\n');
      const response = await fetch(`${url}/v1/data`, {
        method: 'PUT',
        body: data,
        headers: { 'content-type': 'application/json' },
      });
      if (!response.ok) throw new Error(`OPA refuses the data: ${await response.text()}`);
      await response.text();
      this.data.set(url, data);
    }
    if (library !== undefined) {
      this.hasLibrary.add(url);
      const errors = await this.put(url, 'm1', library);
      if (errors.length > 0) return { compileErrors: errors, onlyModule: 1 };
    }
    return { compileErrors: await this.put(url, 'm0', main) };
  }

  private async ask(
    program: Program,
    path: string,
    input: unknown,
  ): Promise<Value | undefined | { readonly error: string }> {
    const strict = program.strictBuiltinErrors ? '?strict-builtin-errors=true' : '';
    const response = await send(`${this.urls[program.version]}/v1/data/${path}${strict}`, {
      method: 'POST',
      body: JSON.stringify({ input }),
      headers: { 'content-type': 'application/json' },
    });
    if (response === undefined) return { error: PANIC };
    const text = await response.text();
    if (response.ok) return get(parseJson(text), 'result');
    const { errors, code, message } = JSON.parse(text) as WireError;
    return { error: errors?.[0]?.code ?? `${code} ${message}` };
  }

  /**
   * The answer without OPA's indexes and early exit, which leave rules out and so also the errors those
   * would have had: which errors are met is not part of the language. By `opa eval`, so slow.
   */
  unindexed(program: Program, key: string): Answer {
    const folder = mkdtempSync(join(tmpdir(), 'rego-fuzz-'));
    try {
      const at = key.indexOf(':');
      const files = program.modules.map((text, index) => [`m${index}.rego`, withoutComprehensionIndex(text)] as const);
      const all = [
        ...files,
        ['data.json', JSON.stringify(program.data)],
        ['input.json', JSON.stringify(program.inputs[Number(key.slice(0, at))])],
      ] as const;
      for (const [name, text] of all) writeFileSync(join(folder, name), text);
      const parameters = [
        'eval',
        '--format',
        'json',
        '--disable-indexing',
        '--disable-early-exit',
        `--${program.version}-compatible`,
      ];
      if (program.strictBuiltinErrors) parameters.push('--strict-builtin-errors');
      for (const [name] of [...files, ['data.json']]) parameters.push('--data', join(folder, name as string));
      parameters.push('--input', join(folder, 'input.json'), `data.${key.slice(at + 1).replaceAll('/', '.')}`);
      const { stdout } = spawnSync(this.command, parameters, { encoding: 'utf8', timeout: OPA_TIMEOUT_MS });
      if (stdout === '') return `error ${PANIC}`;
      const output = parseJson(stdout);
      const error = get(get(get(output, 'errors') ?? [], 0) ?? {}, 'code');
      if (error !== undefined) return `error ${String(error)}`;
      const expressions = get(get(get(output, 'result') ?? [], 0) ?? {}, 'expressions') ?? [];
      return answerOf(get(get(expressions, 0) ?? {}, 'value'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async run(program: Program): Promise<Outcome> {
    const loaded = await this.load(program);
    const answers = new Map<string, Answer>();
    if (loaded.compileErrors.length > 0) return { ...loaded, answers };
    const paths = rulePaths(program);
    for (const [index, input] of program.inputs.entries()) {
      for (const path of packagePaths(program)) {
        const whole = await this.ask(program, path, input);
        const failed = isFailure(whole);
        answers.set(`${index}:${path}`, failed ? `error ${whole.error}` : answerOf(whole));
        for (const rule of paths.filter((each) => each.startsWith(`${path}/`))) {
          const answer = failed ? await this.ask(program, rule, input) : member(whole, rule.slice(path.length + 1));
          answers.set(`${index}:${rule}`, isFailure(answer) ? `error ${answer.error}` : answerOf(answer));
        }
      }
    }
    return { ...loaded, answers };
  }
}

function isFailure(answer: unknown): answer is { readonly error: string } {
  return typeof answer === 'object' && answer !== null && Object.keys(answer).join() === 'error';
}

function member(document: Value | undefined, name: string): Value | undefined {
  return document !== undefined && isObject(document) ? get(document, name) : undefined;
}
