/** `with` modifiers: what they replace is known when compiling, only the values are not. */
import type { Expression, Term, With } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import type { Value } from '../values/index.js';
import type { Lowerer } from './lower.js';
import type { WorkRule } from './model.js';
import type { Atom, Replacement, WithModifiers } from './plan.js';
import type { PlanBuilder } from './plan-builder.js';
import type { TreeNode } from './rule-tree.js';
import { walkBody, walkTerm } from './walk.js';

interface Collected {
  input: { path: readonly Atom[]; value: Atom }[];
  data: { path: readonly Value[]; value: Atom | undefined }[];
  functions: { target: number | string; by: Replacement }[];
  hiddenSets: number[];
  hiddenExtents: number[];
}

function rootOf(term: Term): string | undefined {
  const head = term.kind === 'ref' ? term.terms[0] : term;
  return head?.kind === 'var' ? head.name : undefined;
}

function functionReplacement(lowerer: Lowerer, value: Term): Replacement | undefined {
  const name = operatorName(value);
  if (name === undefined || (value.kind === 'var' && lowerer.isBound(value.name))) return undefined;
  const set = lowerer.builder.functionSet(value);
  if (set !== undefined) return { kind: 'function', set };
  const node = ruleNode(lowerer, value);
  if (node !== undefined) return { kind: 'rule', set: node.ruleSet };
  const builtin = lowerer.builder.builtin(name);
  return builtin === undefined ? undefined : { kind: 'builtin', builtin };
}

function ruleNode(lowerer: Lowerer, value: Term): TreeNode | undefined {
  if (rootOf(value) !== 'data' || value.kind !== 'ref') return undefined;
  const path = value.terms.slice(1).map((term) => (term.kind === 'scalar' ? term.value : ''));
  const node = lowerer.builder.tree.find(path);
  return node !== undefined && node.ruleSet >= 0 ? node : undefined;
}

function hide(node: TreeNode | undefined, into: Pick<Collected, 'hiddenSets' | 'hiddenExtents'>): void {
  if (node === undefined) return;
  for (const each of [node, ...node.descendants()]) {
    if (each.ruleSet >= 0) into.hiddenSets.push(each.ruleSet);
    if (each.extent >= 0) into.hiddenExtents.push(each.extent);
  }
}

/** The document a modifier replaces: its path from `data` on; undefined when it replaces something else. */
function documentPath(builder: PlanBuilder, { target }: With): readonly Value[] | undefined {
  if (rootOf(target) !== 'data' || builder.functionSet(target) !== undefined) return undefined;
  const path = target.kind === 'ref' ? target.terms.slice(1) : [];
  return path.map((term) => (term.kind === 'scalar' ? term.value : ''));
}

/** The rule sets that some `with` of the rules replaces. */
export function setsReplaced(builder: PlanBuilder, rules: Iterable<WorkRule>): ReadonlySet<number> {
  const into = { hiddenSets: [] as number[], hiddenExtents: [] as number[] };
  const visitor = {
    expression: (expression: Expression): undefined => {
      for (const modifier of expression.with) {
        const path = documentPath(builder, modifier);
        if (path !== undefined) hide(builder.tree.find(path), into);
      }
    },
  };
  for (const rule of rules) {
    walkBody(rule.body, visitor);
    for (const term of [...rule.ref, ...(rule.args ?? []), rule.key, rule.value]) {
      if (term !== undefined) walkTerm(term, visitor);
    }
  }
  return new Set(into.hiddenSets);
}

/** Emits the step that makes the modified world and returns its number. */
export function lowerWith(lowerer: Lowerer, modifiers: Expression['with']): number {
  const collected: Collected = { input: [], data: [], functions: [], hiddenSets: [], hiddenExtents: [] };
  for (const modifier of modifiers) {
    const { target } = modifier;
    const root = rootOf(target);
    const set = lowerer.builder.functionSet(target);
    const path = target.kind === 'ref' ? target.terms.slice(1) : [];
    if (set !== undefined || (root !== 'input' && root !== 'data')) {
      const replacement = functionReplacement(lowerer, modifier.value) ?? {
        kind: 'value',
        value: lowerer.atom(modifier.value),
      };
      collected.functions.push({ target: set ?? operatorName(target) ?? '', by: replacement });
    } else if (root === 'input') {
      const keys = path.map((term) => lowerer.atom(term));
      collected.input.push({ path: keys, value: lowerer.atom(modifier.value) });
    } else {
      const keys = documentPath(lowerer.builder, modifier) ?? [];
      const isFunction = lowerer.builder.functionSet(modifier.value) !== undefined;
      collected.data.push({ path: keys, value: isFunction ? undefined : lowerer.atom(modifier.value) });
      hide(lowerer.builder.tree.find(keys), collected);
    }
  }
  const outer = lowerer.world;
  const world = lowerer.worlds;
  lowerer.worlds += 1;
  lowerer.emit({ step: 'with', world, outer, modifiers: collected satisfies WithModifiers });
  return world;
}
