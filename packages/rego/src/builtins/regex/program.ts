/**
 * Compiles a tree into a program for the two simulations. Instructions are parallel arrays;
 * counted repetitions are unrolled, within a bound on the program's size.
 */
import { work } from '../../values/index.js';
import type { CharClass } from './char-class.js';
import { type Assertion, type Node, RegexError } from './syntax.js';

/** What an instruction does. */
export const Op = { Class: 0, Split: 1, Save: 2, Assert: 3, Match: 4 } as const;

/** What Go allows would be three times this many. */
const MAX_INSTRUCTIONS = 1_200_000;
export const ASSERTIONS: readonly Assertion[] = [
  'begin-text',
  'end-text',
  'begin-line',
  'end-line',
  'word-boundary',
  'no-word-boundary',
];

/**
 * Instruction i: `ops[i]` with operands `x[i]` and `y[i]`. Class: x indexes `classes`, next is
 * y. Split: x is preferred over y. Save: slot x, next y. Assert: x indexes ASSERTIONS, next y.
 */
export interface Program {
  readonly ops: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly classes: readonly CharClass[];
  readonly start: number;
  readonly slotCount: number;
  readonly groupNames: readonly string[];
}

function canBeEmpty(node: Node): boolean {
  switch (node.kind) {
    case 'class':
      return false;
    case 'sequence':
      return node.items.every(canBeEmpty);
    case 'choice':
      return node.items.some(canBeEmpty);
    case 'group':
      return canBeEmpty(node.item);
    case 'repeat':
      return node.min === 0 || canBeEmpty(node.item);
    default:
      return true;
  }
}

class Compiler {
  readonly ops: number[] = [];
  readonly x: number[] = [];
  readonly y: number[] = [];
  readonly classes: CharClass[] = [];
  private readonly classIndex = new Map<CharClass, number>();

  emit(op: number, x: number, y: number): number {
    if (this.ops.length >= MAX_INSTRUCTIONS) throw new RegexError('expression too large', '');
    work(1);
    this.ops.push(op);
    this.x.push(x);
    this.y.push(y);
    return this.ops.length - 1;
  }

  /** Compiles from the end: gives the entry of a node that continues at `next`. */
  node(node: Node, next: number): number {
    switch (node.kind) {
      case 'empty':
        return next;
      case 'class':
        return this.emit(Op.Class, this.classNumber(node.class), next);
      case 'assert':
        return this.emit(Op.Assert, ASSERTIONS.indexOf(node.assertion), next);
      case 'sequence':
        return node.items.reduceRight((entry, item) => this.node(item, entry), next);
      case 'choice':
        return this.choice(node.items, next);
      case 'group':
        return this.emit(Op.Save, node.index * 2, this.node(node.item, this.emit(Op.Save, node.index * 2 + 1, next)));
      case 'repeat':
        return this.repeat(node, next);
    }
  }

  private classNumber(value: CharClass): number {
    const known = this.classIndex.get(value);
    if (known !== undefined) return known;
    this.classIndex.set(value, this.classes.length);
    return this.classes.push(value) - 1;
  }

  private choice(items: readonly Node[], next: number): number {
    const entries = items.map((item) => this.node(item, next));
    return entries.reduceRight((rest, entry) => this.emit(Op.Split, entry, rest));
  }

  private split(into: number, past: number, greedy: boolean): number {
    return greedy ? this.emit(Op.Split, into, past) : this.emit(Op.Split, past, into);
  }

  private repeat(node: Extract<Node, { kind: 'repeat' }>, next: number): number {
    const { item, min, max, greedy } = node;
    let entry = next;
    if (max === Number.POSITIVE_INFINITY) {
      if (min === 0) return this.star(item, next, greedy);
      entry = this.plus(item, next, greedy);
    } else {
      for (let i = min; i < max; i++) entry = this.optional(item, entry, next, greedy);
    }
    const required = max === Number.POSITIVE_INFINITY ? min - 1 : min;
    for (let i = 0; i < required; i++) entry = this.node(item, entry);
    return entry;
  }

  /** `x{0,n}` nests as `(x(x(x)?)?)?`: skipping one copy skips the rest. */
  private optional(item: Node, continuation: number, past: number, greedy: boolean): number {
    return this.split(this.node(item, continuation), past, greedy);
  }

  private plus(item: Node, next: number, greedy: boolean): number {
    const loop = this.emit(Op.Split, 0, 0);
    const entry = this.node(item, loop);
    this.x[loop] = greedy ? entry : next;
    this.y[loop] = greedy ? next : entry;
    return entry;
  }

  /** A star over what may be empty is `(x+)?`, so that captures come out as in Go. */
  private star(item: Node, next: number, greedy: boolean): number {
    if (canBeEmpty(item)) return this.split(this.plus(item, next, greedy), next, greedy);
    const loop = this.emit(Op.Split, 0, 0);
    const entry = this.node(item, loop);
    this.x[loop] = greedy ? entry : next;
    this.y[loop] = greedy ? next : entry;
    return loop;
  }
}

export function compileProgram(root: Node, groupNames: readonly string[]): Program {
  const compiler = new Compiler();
  const match = compiler.emit(Op.Match, 0, 0);
  const start = compiler.emit(Op.Save, 0, compiler.node(root, compiler.emit(Op.Save, 1, match)));
  const { ops, x, y, classes } = compiler;
  return { ops, x, y, classes, start, slotCount: groupNames.length * 2, groupNames };
}
