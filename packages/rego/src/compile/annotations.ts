/**
 * Metadata: `# METADATA` comment blocks, read as YAML, attached to packages and rules by scope, and
 * handed to `rego.metadata.chain()` and `rego.metadata.rule()` as constants. Blocks are read only
 * when some rule asks for them.
 */

import type { Builtin } from '../builtins/builtin.js';
import { createContext } from '../builtins/context.js';
import type { Comment, Location, Module, Rule } from '../syntax/ast.js';
import { get, isArray, isObject, isPlainObject, setOwn, type Value } from '../values/index.js';
import type { CompileContext, WorkRule } from './model.js';
import { groundPrefix } from './rule-tree.js';

export interface Annotation {
  readonly scope: string;
  /** As `rego.metadata` shows it. */
  readonly value: Value;
  readonly location: Location;
  /** The statement it stands before. */
  readonly target: 'package' | Rule | undefined;
  readonly module: Module;
}

export interface RuleMetadata {
  readonly chain: Value;
  readonly rule: Value;
}

interface Block {
  readonly text: string;
  readonly location: Location;
  readonly endRow: number;
}

function isStart(comment: Comment): boolean {
  return comment.location.col === 1 && comment.text.trim().startsWith('METADATA');
}

/** The metadata blocks of a module's comments. */
function blocks(comments: readonly Comment[]): readonly Block[] {
  const result: Block[] = [];
  for (let i = 0; i < comments.length; i++) {
    const start = comments[i] as Comment;
    if (!isStart(start)) continue;
    const lines: string[] = [];
    let last = start;
    for (let next = comments[i + 1]; next !== undefined; next = comments[i + 1]) {
      if (next.location.col !== 1 || next.location.row !== last.location.row + 1 || isStart(next)) break;
      lines.push(next.text.replace(/^ /, ''));
      last = next;
      i += 1;
    }
    result.push({ text: `${lines.join('\n')}\n`, location: start.location, endRow: last.location.row });
  }
  return result;
}

function author(value: Value): Value {
  if (typeof value !== 'string') return value;
  const match = /^(.*?)\s*<([^<>\s]*)>$/.exec(value.trim());
  if (match === null) return { name: value.trim().split(/\s+/).join(' ') };
  return match[1] === '' ? { email: match[2] ?? '' } : { name: match[1] ?? '', email: match[2] ?? '' };
}

function resource(value: Value): Value {
  return typeof value === 'string' ? { ref: value } : value;
}

function schemas(value: Value): Value {
  if (!isArray(value)) return value;
  return value.map((pair) => {
    if (!isPlainObject(pair)) return pair;
    const [path = '', schema = null] = Object.entries(pair)[0] ?? [];
    const steps = path.split('.');
    if (typeof schema !== 'string') return { path: steps, definition: schema };
    return { path: steps, schema: schema.split('.') };
  });
}

const SHAPES: Readonly<Record<string, (value: Value) => Value>> = {
  title: (value) => value,
  description: (value) => value,
  entrypoint: (value) => value,
  organizations: (value) => value,
  custom: (value) => value,
  labels: (value) => value,
  authors: (value) => (isArray(value) ? value.map(author) : value),
  related_resources: (value) => (isArray(value) ? value.map(resource) : value),
  schemas,
};

function isEmpty(value: Value): boolean {
  return value === '' || value === false || value === null || (isArray(value) && value.length === 0);
}

function shown(raw: Value, scope: string): Value {
  const result: Record<string, Value> = { scope };
  for (const [name, shape] of Object.entries(SHAPES)) {
    const value = isObject(raw) ? get(raw, name) : undefined;
    if (value !== undefined && !isEmpty(value)) setOwn(result, name, shape(value));
  }
  return result;
}

function statementAfter(module: Module, row: number): 'package' | Rule | 'import' | undefined {
  const below: { row: number; target: 'package' | Rule | 'import' }[] = [
    { row: module.package.location.row, target: 'package' as const },
    ...module.imports.map((statement) => ({ row: statement.location.row, target: 'import' as const })),
    ...module.rules.map((rule) => ({ row: rule.location.row, target: rule })),
  ];
  return below.filter((statement) => statement.row > row).sort((a, b) => a.row - b.row)[0]?.target;
}

function readYaml(builtin: Builtin | undefined, text: string): Value | undefined {
  try {
    return builtin?.evaluate([text], createContext());
  } catch {
    return undefined;
  }
}

/** The annotations of a module, in order; blocks that are no YAML are left out. */
export function moduleAnnotations(module: Module, yaml: Builtin | undefined): readonly Annotation[] {
  return blocks(module.comments).flatMap((block) => {
    const raw = readYaml(yaml, block.text);
    if (raw === undefined) return [];
    const target = statementAfter(module, block.location.row);
    const given = isObject(raw) ? get(raw, 'scope') : undefined;
    const isEntrypoint = isObject(raw) && get(raw, 'entrypoint') === true;
    const ruleScope = isEntrypoint ? 'document' : 'rule';
    const scope = typeof given === 'string' ? given : target === 'package' ? 'package' : ruleScope;
    const value = shown(raw, scope);
    return [{ scope, value, location: block.location, target: target === 'import' ? undefined : target, module }];
  });
}

function pathOf(rule: WorkRule): readonly Value[] {
  return groundPrefix(rule.ref).map((term) => (term.kind === 'scalar' ? term.value : ''));
}

function isPrefix(prefix: readonly Value[], path: readonly Value[]): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => part === path[index]);
}

class Metadata {
  private readonly all: readonly Annotation[];
  private readonly documents = new Map<string, Annotation>();

  constructor(context: CompileContext) {
    const yaml = context.builtins.get('yaml.unmarshal');
    this.all = context.modules.flatMap((module) => moduleAnnotations(module.source, yaml));
    for (const module of context.modules) {
      for (const rule of module.rules) {
        const own = this.all.find((annotation) => annotation.target === rule.source && annotation.scope === 'document');
        if (own !== undefined) this.documents.set(JSON.stringify(pathOf(rule)), own);
      }
    }
  }

  private own(rule: WorkRule): readonly Annotation[] {
    const found = this.all.filter((annotation) => annotation.target === rule.source && annotation.scope === 'rule');
    return [...found].sort((a, b) => b.location.row - a.location.row);
  }

  of(rule: WorkRule): RuleMetadata {
    const own = this.own(rule);
    const path = pathOf(rule);
    const packagePath = rule.module.source.package.path;
    const chain: Value[] = own.map(({ value }) => ({ annotations: value, path }));
    if (own.length === 0) chain.push({ path });
    const document = this.documents.get(JSON.stringify(path));
    if (document !== undefined) chain.push({ annotations: document.value, path });
    const packages = this.all.filter((annotation) => annotation.target === 'package');
    for (const { value, module } of packages.filter((annotation) => annotation.scope === 'package')) {
      if (module.package.path.join('\u0000') === packagePath.join('\u0000')) {
        chain.push({ annotations: value, path: packagePath });
        break;
      }
    }
    const wider = packages.filter(
      ({ scope, module }) => scope === 'subpackages' && isPrefix(module.package.path, packagePath),
    );
    for (const { value, module } of [...wider].sort(
      (a, b) => b.module.package.path.length - a.module.package.path.length,
    )) {
      chain.push({ annotations: value, path: module.package.path });
    }
    return { chain, rule: own.at(-1)?.value ?? {} };
  }
}

/** Finds a rule's metadata; the comments are read when first asked. */
export function ruleMetadata(context: CompileContext): (rule: WorkRule) => RuleMetadata {
  let metadata: Metadata | undefined;
  return (rule) => {
    metadata ??= new Metadata(context);
    return metadata.of(rule);
  };
}
