/**
 * Stage "recursion": rules that depend on themselves are refused (`rego_recursion_error`). A
 * reference depends on every rule it may reach: constant steps narrow, variable steps do not.
 */
import type { Steps } from '../steps.js';
import type { Term } from '../syntax/ast.js';
import { equal } from '../values/index.js';
import { constantBindings, expandReference } from './known-values.js';
import { allRules, type CompileContext, report, type WorkRule } from './model.js';
import { formatRef, isGroundRef, type RuleTree, type TreeNode } from './rule-tree.js';
import { walkExpression, walkTerm } from './walk.js';

function mayIntersect(reference: readonly Term[], rule: readonly Term[], from: number): boolean {
  for (let i = from; i < reference.length && i < rule.length; i++) {
    const a = reference[i] as Term;
    const b = rule[i] as Term;
    if (a.kind === 'scalar' && b.kind === 'scalar' && !equal(a.value, b.value)) return false;
  }
  return true;
}

/** The rules a reference from `data` may reach, added to `found`. */
export function rulesReached(
  tree: RuleTree,
  reference: readonly Term[],
  found: Set<WorkRule> = new Set(),
): Set<WorkRule> {
  const visit = (node: TreeNode, index: number): void => {
    for (const rule of node.rules) if (mayIntersect(reference, rule.ref, index)) found.add(rule);
    const term = reference[index];
    if (term === undefined) {
      for (const child of node.descendants()) for (const rule of child.rules) found.add(rule);
    } else if (term.kind === 'scalar') {
      const child = node.child(term.value);
      if (child !== undefined) visit(child, index + 1);
    } else {
      for (const child of node.children.values()) visit(child, index + 1);
    }
  };
  visit(tree.root, 1);
  return found;
}

/** Who depends on a rule depends on its `else` branches, too. */
function withBranches(rules: Set<WorkRule>): Set<WorkRule> {
  for (const rule of rules) {
    if (rule.otherwise.length > 0) return new Set([...rules].flatMap((each) => [each, ...each.otherwise]));
  }
  return rules;
}

/** What a rule's branch depends on; its `else` branches depend for themselves. */
function reachedBy(tree: RuleTree, rule: WorkRule): Set<WorkRule> {
  const reached = new Set<WorkRule>();
  let bindings: ReturnType<typeof constantBindings> | undefined;
  let index = 0;
  const visitor = {
    term: (term: Term): undefined => {
      if (term.kind !== 'ref') return undefined;
      const [head] = term.terms;
      if (head?.kind !== 'var' || head.name !== 'data') return undefined;
      if (isGroundRef(term.terms)) {
        rulesReached(tree, term.terms, reached);
        return undefined;
      }
      bindings ??= constantBindings(rule.body);
      for (const reference of expandReference(term.terms, bindings, index)) rulesReached(tree, reference, reached);
      return undefined;
    },
  };
  for (const expression of rule.body) {
    walkExpression(expression, visitor);
    index += 1;
  }
  for (const term of [...rule.ref.slice(1), ...(rule.args ?? []), rule.key, rule.value]) {
    if (term !== undefined) walkTerm(term, visitor);
  }
  return withBranches(reached);
}

/** Notes for every rule and `else` branch what it depends on, a step a rule. */
export function* buildGraph(context: CompileContext): Steps<void> {
  context.graph = new Map();
  for (const rule of allRules(context)) {
    context.graph.set(rule, reachedBy(context.tree, rule));
    yield;
  }
}

/** Who depends on whom, the other way round. */
export function dependents(graph: Map<WorkRule, Set<WorkRule>>): Map<WorkRule, Set<WorkRule>> {
  const result = new Map<WorkRule, Set<WorkRule>>();
  for (const [rule, reached] of graph) {
    for (const other of reached) {
      const known = result.get(other);
      if (known === undefined) result.set(other, new Set([rule]));
      else known.add(rule);
    }
  }
  return result;
}

function pathBack(graph: Map<WorkRule, Set<WorkRule>>, start: WorkRule): readonly WorkRule[] | undefined {
  const from = new Map<WorkRule, WorkRule>();
  const queue: WorkRule[] = [start];
  for (const rule of queue) {
    for (const next of graph.get(rule) ?? []) {
      if (next === start) {
        const path = [start];
        for (let at = rule; at !== start; at = from.get(at) as WorkRule) path.push(at);
        return [...path, start].reverse();
      }
      if (from.has(next)) continue;
      from.set(next, rule);
      queue.push(next);
    }
  }
  return undefined;
}

/** The rules that lie on some cycle: strongly connected components, found without recursion. */
function cyclic(graph: Map<WorkRule, Set<WorkRule>>): Set<WorkRule> {
  const order = new Map<WorkRule, number>();
  const low = new Map<WorkRule, number>();
  const open: WorkRule[] = [];
  const isOpen = new Set<WorkRule>();
  const result = new Set<WorkRule>();
  const enter = (rule: WorkRule): { rule: WorkRule; next: Iterator<WorkRule> } => {
    order.set(rule, order.size);
    low.set(rule, order.size - 1);
    open.push(rule);
    isOpen.add(rule);
    return { rule, next: (graph.get(rule) ?? new Set<WorkRule>()).values() };
  };
  const lower = (rule: WorkRule, to: number): void => {
    low.set(rule, Math.min(low.get(rule) as number, to));
  };
  const leave = (rule: WorkRule): void => {
    if (low.get(rule) !== order.get(rule)) return;
    const members = open.splice(open.lastIndexOf(rule));
    for (const member of members) isOpen.delete(member);
    if (members.length > 1 || graph.get(rule)?.has(rule) === true) for (const member of members) result.add(member);
  };
  for (const start of graph.keys()) {
    if (order.has(start)) continue;
    const stack = [enter(start)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const step = top.next.next();
      if (step.done === true) {
        stack.pop();
        leave(top.rule);
        const parent = stack.at(-1);
        if (parent !== undefined) lower(parent.rule, low.get(top.rule) as number);
      } else if (!order.has(step.value)) stack.push(enter(step.value));
      else if (isOpen.has(step.value)) lower(top.rule, order.get(step.value) as number);
    }
  }
  return result;
}

export function checkRecursion(context: CompileContext): void {
  const { graph } = context;
  for (const rule of cyclic(graph)) {
    const path = pathBack(graph, rule) ?? [rule];
    const shown = path.map((step) => formatRef(step.ref)).join(' -> ');
    report(context, 'rego_recursion_error', rule.location, `rule ${formatRef(rule.ref)} is recursive: ${shown}`);
  }
}
