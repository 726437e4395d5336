/**
 * Answers whether a program matches, by simulating all its threads at once and remembering the
 * sets of threads as states of an automaton that grows as inputs need it. Time is linear in the
 * input whatever the pattern; memory is bounded by starting over when there are too many states.
 *
 * A state is the set of instructions before a position's assertions are known, with what kind of
 * character came before. Reading a character settles the assertions between the two.
 */
import { work } from '../../values/index.js';
import { ASSERTIONS, Op, type Program } from './program.js';
import type { Assertion } from './syntax.js';

/** Kinds of neighbours that assertions look at. */
const Kind = { Edge: 0, Newline: 1, Word: 2, Other: 3 } as const;

const MAX_STATES = 512;
/** Threads all states may have together; a state of a large program has thousands. */
const MAX_THREADS = 100_000;
const ASCII = 128;
/** An instruction followed, in steps of a policy. */
const CLOSURE_COST = 0.25;
/** Entries of a transition table beside state numbers. */
const UNKNOWN = -1;
const MATCHED = -2;
const DEAD = -3;

interface State {
  readonly threads: readonly number[];
  readonly before: number;
  /** Next state, or MATCHED or DEAD, by code point; index ASCII is the end of the input. */
  readonly ascii: Int32Array;
  readonly others: Map<number, number>;
}

function kindOf(point: number): number {
  if (point === 10) return Kind.Newline;
  const isWord =
    (point >= 48 && point <= 57) || (point >= 65 && point <= 90) || point === 95 || (point >= 97 && point <= 122);
  return isWord ? Kind.Word : Kind.Other;
}

export function holds(assertion: Assertion, before: number, after: number): boolean {
  const isBoundary = (before === Kind.Word) !== (after === Kind.Word);
  switch (assertion) {
    case 'begin-text':
      return before === Kind.Edge;
    case 'end-text':
      return after === Kind.Edge;
    case 'begin-line':
      return before === Kind.Edge || before === Kind.Newline;
    case 'end-line':
      return after === Kind.Edge || after === Kind.Newline;
    case 'word-boundary':
      return isBoundary;
    case 'no-word-boundary':
      return !isBoundary;
  }
}

/** The kind of the code point at an offset; an edge outside the text. */
export function kindAt(text: string, offset: number): number {
  return offset < 0 || offset >= text.length ? Kind.Edge : kindOf(text.charCodeAt(offset));
}

export class Automaton {
  private readonly program: Program;
  private readonly anchored: boolean;
  private states: State[] = [];
  private numbers = new Map<string, number>();
  private threads = 0;
  private readonly seen: Uint32Array;
  private generation = 0;

  /** `anchored`: the match must begin where the text does. */
  constructor(program: Program, anchored = false) {
    this.program = program;
    this.anchored = anchored;
    this.seen = new Uint32Array(program.ops.length);
  }

  /** Whether the program matches somewhere in the text, or at its beginning when anchored. */
  test(text: string): boolean {
    let state = this.numberOf([this.program.start], Kind.Edge);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let next: number;
      if (unit < ASCII) {
        next = (this.states[state] as State).ascii[unit] as number;
        if (next === UNKNOWN) next = this.step(state, unit);
      } else {
        const point = text.codePointAt(i) as number;
        if (point > 0xffff) i++;
        next = (this.states[state] as State).others.get(point) ?? this.step(state, point);
      }
      if (next < 0) return next === MATCHED;
      state = next;
    }
    const end = (this.states[state] as State).ascii[ASCII] as number;
    return (end === UNKNOWN ? this.step(state, ASCII, true) : end) === MATCHED;
  }

  private numberOf(threads: readonly number[], before: number): number {
    const key = `${before}/${threads.join()}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    if (this.states.length >= MAX_STATES || this.threads > MAX_THREADS) {
      this.states = [];
      this.numbers = new Map();
      this.threads = 0;
    }
    this.threads += threads.length;
    this.numbers.set(key, this.states.length);
    return this.states.push({ threads, before, ascii: new Int32Array(ASCII + 1).fill(UNKNOWN), others: new Map() }) - 1;
  }

  /** Follows a code point, or the end of the input, out of a state and remembers where it leads. */
  private step(number: number, point: number, isEnd = false): number {
    const state = this.states[number] as State;
    const target = this.successor(state, point, isEnd);
    if (this.states[number] === state) {
      if (isEnd || point < ASCII) state.ascii[isEnd ? ASCII : point] = target;
      else if (state.others.size < MAX_STATES) state.others.set(point, target);
    }
    return target;
  }

  private successor(state: State, point: number, isEnd: boolean): number {
    const after = isEnd ? Kind.Edge : kindOf(point);
    work(4 + (state.threads.length >> 1));
    const reached = this.closure(state.threads, state.before, after);
    if (reached === undefined) return MATCHED;
    if (isEnd) return DEAD;
    work(reached.length);
    const { x, y, classes, start } = this.program;
    const next = new Set<number>();
    for (const at of reached) if (classes[x[at] as number]?.has(point)) next.add(y[at] as number);
    if (!this.anchored) next.add(start);
    return next.size === 0
      ? DEAD
      : this.numberOf(
          [...next].sort((a, b) => a - b),
          after,
        );
  }

  /** The class instructions reachable without reading; undefined when a match is among them. */
  private closure(threads: readonly number[], before: number, after: number): readonly number[] | undefined {
    const { ops, x, y } = this.program;
    const { seen } = this;
    this.generation++;
    const reached: number[] = [];
    const stack = [...threads];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      work(CLOSURE_COST);
      if (seen[at] === this.generation) continue;
      seen[at] = this.generation;
      switch (ops[at]) {
        case Op.Match:
          return undefined;
        case Op.Class:
          reached.push(at);
          break;
        case Op.Split:
          stack.push(x[at] as number, y[at] as number);
          break;
        case Op.Assert:
          if (holds(ASSERTIONS[x[at] as number] as Assertion, before, after)) stack.push(y[at] as number);
          break;
        default:
          stack.push(y[at] as number);
      }
    }
    return reached;
  }
}
