/**
 * The tree of rules: one node for each step of a path from `data`, rules hanging on the node of the
 * constant prefix of their reference. Which definitions exclude each other is checked on it
 * (OPA's CheckRuleConflicts).
 */

import type { Term } from '../syntax/ast.js';
import { compare, compareStrings, type Key, keyOf, type Value } from '../values/index.js';
import { type CompileContext, report, type WorkRule, writtenName } from './model.js';

export class TreeNode {
  readonly key: Value;
  readonly parent: TreeNode | undefined;
  readonly children = new Map<Key, TreeNode>();
  readonly rules: WorkRule[] = [];
  /** Set by lowering: the index of the rule set, or of the node itself. */
  ruleSet = -1;
  extent = -1;

  constructor(key: Value, parent: TreeNode | undefined) {
    this.key = key;
    this.parent = parent;
  }

  child(key: Value): TreeNode | undefined {
    return this.children.get(keyOf(key));
  }

  ensure(key: Value): TreeNode {
    const id = keyOf(key);
    const known = this.children.get(id);
    if (known !== undefined) return known;
    const made = new TreeNode(key, this);
    this.children.set(id, made);
    return made;
  }

  /** The path from `data`, which is not part of it. */
  get path(): readonly Value[] {
    const path: Value[] = [];
    for (let node: TreeNode = this; node.parent !== undefined; node = node.parent) path.push(node.key);
    return path.reverse();
  }

  get isFunction(): boolean {
    return this.rules.some((rule) => rule.args !== undefined && rule.args.length > 0);
  }

  *descendants(): Generator<TreeNode> {
    for (const child of this.children.values()) {
      yield child;
      yield* child.descendants();
    }
  }
}

export class RuleTree {
  readonly root = new TreeNode('data', undefined);

  add(rule: WorkRule): TreeNode {
    let node = this.root;
    for (const term of groundPrefix(rule.ref)) node = node.ensure(term.kind === 'scalar' ? term.value : '');
    node.rules.push(rule);
    return node;
  }

  /** The node at a path of constants, if there is one. */
  find(path: readonly Value[]): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const key of path) node = node?.child(key);
    return node;
  }
}

/** The constant terms after `data`, up to the first that is not. */
export function groundPrefix(ref: readonly Term[]): readonly Term[] {
  const rest = ref.slice(1);
  const end = rest.findIndex((term) => term.kind !== 'scalar');
  return end < 0 ? rest : rest.slice(0, end);
}

export function isGroundRef(ref: readonly Term[]): boolean {
  return ref.every((term, index) => index === 0 || term.kind === 'scalar');
}

/** A reference as OPA prints it. */
export function formatRef(ref: readonly Term[]): string {
  let result = '';
  for (const [index, term] of ref.entries()) {
    if (index === 0) result = term.kind === 'var' ? writtenName(term.name) : '';
    else if (term.kind === 'scalar' && typeof term.value === 'string') {
      result += /^[A-Za-z_][A-Za-z0-9_]*$/.test(term.value) ? `.${term.value}` : `[${JSON.stringify(term.value)}]`;
    } else if (term.kind === 'scalar') result += `[${String(term.value)}]`;
    else result += `[${term.kind === 'var' ? writtenName(term.name) || '_' : '_'}]`;
  }
  return result;
}

export function buildRuleTree(context: CompileContext): void {
  const tree = new RuleTree();
  for (const module of context.modules) {
    let node = tree.root;
    for (const part of module.source.package.path) node = node.ensure(part);
    for (const rule of module.rules) tree.add(rule);
  }
  context.tree = tree;
}

function checkNode(context: CompileContext, node: TreeNode): void {
  const [first] = node.rules;
  if (first === undefined || (node.rules.length === 1 && node.children.size === 0)) return;
  const kinds = new Set(node.rules.map((rule) => rule.kind));
  const arities = new Set(node.rules.map((rule) => rule.args?.length ?? 0));
  const complete = node.rules.filter((rule) => rule.kind === 'single' && isGroundRef(rule.ref)).length;
  const sets = node.rules.filter((rule) => rule.kind === 'multi');
  const mixesSets = sets.some((rule) => isGroundRef(rule.ref)) && sets.some((rule) => !isGroundRef(rule.ref));
  const name = formatRef(node.rules.at(-1)?.ref ?? first.ref);
  const isClosed = node.rules.some((rule) => isGroundRef(rule.ref)) && node.children.size > 0;
  const inside = [...node.descendants()].filter((child) => child.rules.length > 0 && (isClosed || child.isFunction));
  if (inside.length > 0) {
    const list = inside
      .flatMap((child) => child.rules)
      .map((rule) => `  rule ${formatRef(rule.ref)} at ${rule.location.file}:${rule.location.row}`)
      .sort(compareStrings);
    report(context, 'rego_type_error', first.location, [`rule ${name} conflicts with:`, ...list].join('\n'));
    return;
  }
  if (kinds.size > 1 || arities.size > 1 || (complete > 0 && complete < node.rules.length) || mixesSets) {
    report(context, 'rego_type_error', first.location, `conflicting rules ${name} found`);
    return;
  }
  const defaults = node.rules.filter((rule) => rule.isDefault);
  const [firstDefault] = defaults;
  if (defaults.length > 1 && firstDefault !== undefined) {
    const places = defaults.map((rule) => `${rule.location.file}:${rule.location.row}`).join(', ');
    const at = firstDefault.module.source.package.location;
    report(context, 'rego_type_error', at, `multiple default rules ${name} found at ${places}`);
  }
}

/** In the order of the keys, which is the order OPA reports in. */
function checkBelow(context: CompileContext, node: TreeNode): void {
  for (const child of [...node.children.values()].sort((a, b) => compare(a.key, b.key))) {
    checkNode(context, child);
    checkBelow(context, child);
  }
}

export function checkConflicts(context: CompileContext): void {
  checkBelow(context, context.tree.root);
  const packages = new Set<string>();
  for (const { source } of context.modules) {
    const { path } = source.package;
    const isRule = (context.tree.find(path)?.rules.length ?? 0) > 0;
    if (isRule) packages.add(['data', ...path].join('\u0000'));
  }
  if (packages.size === 0) return;
  for (const module of context.modules) {
    for (const rule of module.rules) {
      if (!isGroundRef(rule.ref)) continue;
      const path = rule.ref.map((term) => (term.kind === 'scalar' ? String(term.value) : 'data'));
      if (!packages.has(path.join('\u0000'))) continue;
      const message = `package ${path.slice(1).join('.')} conflicts with rule ${formatRef(rule.source.head.ref)} defined at ${rule.location.file}:${rule.location.row}`;
      report(context, 'rego_type_error', module.source.package.location, message);
    }
  }
}
