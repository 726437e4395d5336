/** Which documents and rules are not known in partial evaluation, and where references lead. */
import type { WorkRule } from '../compile/model.js';
import { rulesReached } from '../compile/recursion.js';
import type { TreeNode } from '../compile/rule-tree.js';
import type { CompiledModules } from '../compile/stages.js';
import { type Expression, operatorName, type Term } from '../syntax/ast.js';
import { equal } from '../values/index.js';
import { headExpressions } from './rules.js';
import { referencesOf } from './terms.js';

/** Whether two references may meet: one is the beginning of the other. */
function overlap(a: readonly Term[], b: readonly Term[]): boolean {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const [one, other] = [a[at] as Term, b[at] as Term];
    if (one.kind === 'var' && other.kind === 'var' && at === 0 && one.name !== other.name) return false;
    if (one.kind === 'scalar' && other.kind === 'scalar' && !equal(one.value, other.value)) return false;
  }
  return true;
}

export const isPrefixOf = (prefix: readonly Term[], ref: readonly Term[]): boolean =>
  prefix.length <= ref.length && overlap(prefix, ref);

/** The rules at the beginning of a reference. */
export interface RuleSite {
  readonly node: TreeNode;
  /** How many terms of the reference lead there, `data` included. */
  readonly depth: number;
}

export class Unknowns {
  private readonly compiled: CompiledModules;
  private readonly documents: readonly (readonly Term[])[];
  private readonly rules: ReadonlySet<WorkRule>;

  /** `documents`: references from `input` or `data`. */
  constructor(compiled: CompiledModules, documents: readonly (readonly Term[])[]) {
    this.compiled = compiled;
    this.documents = documents;
    this.rules = this.find();
  }

  private find(): ReadonlySet<WorkRule> {
    const { graph, modules } = this.compiled.context;
    const found = new Set<WorkRule>();
    const all = modules.flatMap((module) => module.rules.flatMap((rule) => [rule, ...rule.otherwise]));
    const touches = (rule: WorkRule): boolean =>
      [...rule.body, ...headExpressions(rule)].some((expression) => this.readsUnknown(expression));
    for (const rule of all) if (touches(rule)) found.add(rule);
    for (let grew = true; grew; ) {
      grew = false;
      for (const rule of all) {
        if (found.has(rule)) continue;
        const reached = [...(graph.get(rule) ?? []), ...rule.otherwise];
        if (!reached.some((other) => found.has(other))) continue;
        found.add(rule);
        grew = true;
      }
    }
    return found;
  }

  /** Whether everything below a reference is unknown. */
  covers(ref: readonly Term[]): boolean {
    return this.documents.some((unknown) => isPrefixOf(unknown, ref));
  }

  private readsUnknown(expression: Expression): boolean {
    return referencesOf(expression).some((ref) => this.documents.some((unknown) => overlap(unknown, ref)));
  }

  /** Whether an expression depends on what is not known, be it by rules. */
  reaches(expression: Expression): boolean {
    if (this.readsUnknown(expression)) return true;
    const { tree } = this.compiled.context;
    return referencesOf(expression).some((ref) => {
      const [head] = ref;
      if (head?.kind !== 'var' || head.name !== 'data') return false;
      return [...rulesReached(tree, ref)].some((rule) => this.rules.has(rule));
    });
  }

  /** The rules a reference leads to, if some of them depend on unknowns. */
  rulesAt(terms: readonly Term[]): RuleSite | undefined {
    const [head, ...steps] = terms;
    if (head?.kind !== 'var' || head.name !== 'data') return undefined;
    let node: TreeNode | undefined = this.compiled.context.tree.root;
    for (const [index, step] of steps.entries()) {
      if (step.kind !== 'scalar') return undefined;
      node = node?.child(step.value);
      if (node === undefined) return undefined;
      if (node.rules.length > 0) {
        const isUnknown =
          node.rules.some((rule) => this.rules.has(rule)) || steps.some((each) => each.kind !== 'scalar');
        return isUnknown ? { node, depth: index + 2 } : undefined;
      }
    }
    return undefined;
  }

  /** A function of the modules, also one that depends on no unknowns itself. */
  functionAt(operator: Term): TreeNode | undefined {
    if (operator.kind !== 'ref' || (operatorName(operator) ?? '').startsWith('internal.')) return undefined;
    const [head, ...steps] = operator.terms;
    if (head?.kind !== 'var' || head.name !== 'data') return undefined;
    const node = this.compiled.context.tree.find(steps.map((step) => (step.kind === 'scalar' ? step.value : '')));
    return node !== undefined && node.rules.length > 0 && node.children.size === 0 ? node : undefined;
  }
}
