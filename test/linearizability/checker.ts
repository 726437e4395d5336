/**
 * Is a concurrent history linearizable? Wing and Gong's search with Lowe's memory of visited configurations: look for an
 * order of the operations that respects real time (one that ended before another began comes first) and in which each
 * answer is what a single copy would have given. Exponential at worst; histories of a key with some hundred operations
 * and a dozen of unknown outcome take milliseconds. Linearizability is local: keys are checked one by one.
 */

export interface Operation<State> {
  readonly start: number;
  /** Infinity when the outcome is unknown: it may have been done at any time after its start, or never. */
  readonly end: number;
  /** The state after it, undefined when its answer is impossible in this state. */
  readonly apply: (state: State) => State | undefined;
  readonly label: string;
}

export type Verdict =
  | { readonly isLinearizable: true }
  /** `deepest`: the most operations that could be put in order; `stuckAt`: the one that then could not. */
  | { readonly isLinearizable: false; readonly deepest: number; readonly stuckAt: string };

interface Node<State> {
  readonly operation: Operation<State>;
  readonly index: number;
  readonly time: number;
  /** Of a call: where it returns; of a return: undefined. */
  readonly returns: Node<State> | undefined;
  previous: Node<State> | undefined;
  next: Node<State> | undefined;
}

function link<State>(operations: readonly Operation<State>[]): Node<State> {
  const nodes: Node<State>[] = [];
  for (const [index, operation] of operations.entries()) {
    const rest = { operation, index, previous: undefined, next: undefined };
    const returns: Node<State> = { ...rest, time: operation.end, returns: undefined };
    nodes.push({ ...rest, time: operation.start, returns }, returns);
  }
  // At equal times a call comes first: that counts the two as concurrent, which never rejects a correct store.
  nodes.sort((a, b) => a.time - b.time || (a.returns ? 0 : 1) - (b.returns ? 0 : 1));
  const [any] = operations;
  const head = { operation: any, index: -1, time: -1, returns: undefined } as unknown as Node<State>;
  let last = head;
  for (const node of nodes) {
    node.previous = last;
    last.next = node;
    last = node;
  }
  return head;
}

function unlink<State>(node: Node<State>): void {
  if (node.previous) node.previous.next = node.next;
  if (node.next) node.next.previous = node.previous;
}

function relink<State>(node: Node<State>): void {
  if (node.previous) node.previous.next = node;
  if (node.next) node.next.previous = node;
}

/** The set of operations already in order, as a key of the memory. */
class DoneSet {
  readonly #words: Uint16Array;

  constructor(size: number) {
    this.#words = new Uint16Array(Math.ceil(size / 16));
  }

  flip(index: number): void {
    const word = index >> 4;
    this.#words[word] = (this.#words[word] as number) ^ (1 << (index & 15));
  }

  toKey(): string {
    return String.fromCharCode(...this.#words);
  }
}

/** `keyOf` tells states apart. Cost: see the head of the file. */
export function checkLinearizable<State>(
  operations: readonly Operation<State>[],
  initial: State,
  keyOf: (state: State) => string,
): Verdict {
  const head = link(operations);
  const done = new DoneSet(operations.length);
  const visited = new Set<string>();
  const stack: { readonly call: Node<State>; readonly before: State }[] = [];
  let state = initial;
  let deepest = -1;
  let stuckAt = '';
  let node = head.next;
  while (node) {
    if (node.returns) {
      const after = node.operation.apply(state);
      if (after !== undefined) {
        done.flip(node.index);
        const configuration = `${done.toKey()}|${keyOf(after)}`;
        if (!visited.has(configuration)) {
          visited.add(configuration);
          stack.push({ call: node, before: state });
          state = after;
          unlink(node);
          unlink(node.returns);
          node = head.next;
          continue;
        }
        done.flip(node.index);
      }
      node = node.next;
      continue;
    }
    // What is left was to be in order before this return: the last choice was wrong. What never returned need not be done.
    if (node.time === Number.POSITIVE_INFINITY) break;
    if (stack.length > deepest) {
      deepest = stack.length;
      stuckAt = node.operation.label;
    }
    const last = stack.pop();
    if (!last) return { isLinearizable: false, deepest, stuckAt };
    done.flip(last.call.index);
    state = last.before;
    relink(last.call.returns as Node<State>);
    relink(last.call);
    node = last.call.next;
  }
  return { isLinearizable: true };
}
