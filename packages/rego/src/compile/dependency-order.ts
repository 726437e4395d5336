/** Rule sets in an order in which each comes after those it needs: so they can be compiled a few at a time. */
import type { WorkRule } from './model.js';
import type { Step } from './plan.js';
import type { PlanBuilder } from './plan-builder.js';
import { visitReferences } from './reach.js';

/** Rule sets compiled together: about a millisecond's work. */
const GROUP = 16;

type Graph = ReadonlyMap<WorkRule, ReadonlySet<WorkRule>>;

const withBranches = (rule: WorkRule): readonly WorkRule[] => [rule, ...rule.otherwise.flatMap(withBranches)];

class Order {
  private readonly plan: PlanBuilder;
  private readonly graph: Graph;
  private readonly setOf = new Map<WorkRule, number>();
  private readonly seen = new Set<number>();

  constructor(plan: PlanBuilder, graph: Graph) {
    this.plan = plan;
    this.graph = graph;
    for (const { index } of plan.sets)
      for (const rule of plan.rulesOf(index)) for (const branch of withBranches(rule)) this.setOf.set(branch, index);
  }

  private needs(index: number): Iterator<number> {
    const found = new Set<number>();
    for (const rule of this.plan.rulesOf(index))
      for (const branch of withBranches(rule))
        for (const needed of this.graph.get(branch) ?? []) {
          const set = this.setOf.get(needed);
          if (set !== undefined) found.add(set);
        }
    return found.values();
  }

  /** What the rule set needs and has not been given before, then itself. Not recursive: chains may be long. */
  *upTo(root: number): Generator<number> {
    if (this.seen.has(root)) return;
    this.seen.add(root);
    const stack = [{ index: root, needs: this.needs(root) }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.needs.next();
      if (next.done === true) {
        stack.pop();
        yield top.index;
      } else if (!this.seen.has(next.value)) {
        this.seen.add(next.value);
        stack.push({ index: next.value, needs: this.needs(next.value) });
      }
    }
  }
}

/** Steps that reach what `steps` reach, a few rule sets at a time, none that needs a later one; `with` may bring in more at the end. */
export function* inDependencyOrder(
  plan: PlanBuilder,
  graph: Graph,
  steps: readonly Step[],
): Generator<readonly Step[]> {
  const order = new Order(plan, graph);
  let group: Step[] = [];
  const roots: number[] = [];
  const extent = (index: number): void => {
    for (const child of plan.extents[index]?.children ?? []) {
      if (child.set >= 0) roots.push(child.set);
      else extent(child.extent);
    }
  };
  const lookup = (index: number): void => void roots.push(plan.lookups[index]?.set ?? -1);
  visitReferences(steps, { set: (index) => roots.push(index), lookup, extent });
  for (const root of roots) {
    for (const set of order.upTo(root)) {
      group.push({ step: 'test', value: { op: 'rule', world: 0, set } });
      if (group.length < GROUP) continue;
      yield group;
      group = [];
    }
  }
  yield [...group, ...steps];
}
