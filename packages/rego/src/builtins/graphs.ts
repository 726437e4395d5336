/** Reachability in a graph given as an object from node to neighbours. */
import { equal, get, isArray, isSet, type ObjectValue, type RegoSet, SetBuilder, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { listOperand, objectOperand } from './operands.js';
import { any, anyOf, array, object, set } from './type-decl.js';

const nodes = anyOf(array(), set());
const graph = object(any, nodes);

function neighboursOf(edges: Value): readonly Value[] {
  if (isArray(edges)) return edges;
  return isSet(edges) ? edges.sorted() : [];
}

function reachable(edges: ObjectValue, initial: readonly Value[], context: BuiltinContext): RegoSet {
  const reached = new SetBuilder();
  const queue = [...initial];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    context.charge(1);
    const next = get(edges, node);
    if (next === undefined || !reached.add(node)) continue;
    context.charge(neighboursOf(next).length >> 1);
    for (const neighbour of neighboursOf(next)) if (!reached.has(neighbour)) queue.push(neighbour);
  }
  return reached.build();
}

/** Depth first. A path ends at a node without edges, before an unknown node, or before a cycle closes. */
class PathFinder {
  readonly paths: SetBuilder = new SetBuilder();
  private readonly edges: ObjectValue;
  private readonly context: BuiltinContext;
  private readonly path: Value[] = [];

  constructor(edges: ObjectValue, context: BuiltinContext) {
    this.edges = edges;
    this.context = context;
  }

  start(node: Value): void {
    if (get(this.edges, node) !== undefined) this.follow(node);
  }

  private follow(node: Value): void {
    this.context.charge(1 + this.path.length);
    const next = get(this.edges, node);
    if (next === undefined) {
      this.paths.add([...this.path]);
      return;
    }
    this.path.push(node);
    const neighbours = neighboursOf(next);
    if (neighbours.length === 0) this.paths.add([...this.path]);
    for (const neighbour of neighbours) {
      if (this.isOnPath(neighbour)) this.paths.add([...this.path]);
      else this.follow(neighbour);
    }
    this.path.pop();
  }

  private isOnPath(node: Value): boolean {
    this.context.charge(this.path.length >> 4);
    return this.path.some((other) => equal(other, node));
  }
}

export const graphBuiltins: readonly Builtin[] = family('graph', {
  'graph.reachable': {
    about: 'The nodes that can be reached from the initial ones, which are included.',
    args: { graph, initial: nodes },
    result: { output: set() },
    evaluate: (args, context) => reachable(objectOperand(args, 1), listOperand(args, 2, ['{array, set}']), context),
  },
  'graph.reachable_paths': {
    about: 'The paths from the initial nodes as far as they go without a cycle.',
    args: { graph, initial: nodes },
    result: { output: set(array()) },
    evaluate(args, context) {
      const finder = new PathFinder(objectOperand(args, 1), context);
      for (const node of listOperand(args, 2, ['{array, set}'])) finder.start(node);
      return finder.paths.build();
    },
  },
});
