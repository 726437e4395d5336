/**
 * Finds the leftmost match with its groups: Pike's simulation, whose threads are kept in order of
 * preference. Time is the product of the text's and the program's lengths.
 */
import { work } from '../../values/index.js';
import { holds, kindAt } from './automaton.js';
import { ASSERTIONS, Op, type Program } from './program.js';
import type { Assertion } from './syntax.js';

/** Offsets by group: start at 2i, end at 2i + 1, or -1 where a group took no part. */
export type Slots = readonly number[];

/** An instruction followed, in steps of a policy. */
const STEP_COST = 0.5;

interface ThreadList {
  at: number[];
  slots: number[][];
}

export class Matcher {
  private readonly program: Program;
  private readonly seen: Uint32Array;
  private generation = 0;

  constructor(program: Program) {
    this.program = program;
    this.seen = new Uint32Array(program.ops.length);
  }

  /** The leftmost match that starts at an offset or after it. */
  find(text: string, from: number): Slots | undefined {
    const { x, y, ops, classes, slotCount } = this.program;
    let current: ThreadList = { at: [], slots: [] };
    let found: number[] | undefined;
    for (let offset = from; ; ) {
      if (found === undefined) this.addStart(current, text, offset, slotCount);
      const isEnd = offset >= text.length;
      if (current.at.length === 0 && (found !== undefined || isEnd)) return found;
      const point = isEnd ? -1 : (text.codePointAt(offset) as number);
      const after = offset + (point > 0xffff ? 2 : 1);
      const next: ThreadList = { at: [], slots: [] };
      this.generation++;
      work(1 + (current.at.length >> 1));
      for (let i = 0; i < current.at.length; i++) {
        const at = current.at[i] as number;
        const slots = current.slots[i] as number[];
        if (ops[at] === Op.Match) {
          found = slots;
          break;
        }
        if (!isEnd && classes[x[at] as number]?.has(point))
          this.add(next, y[at] as number, { text, offset: after, slots });
      }
      if (isEnd) return found;
      current = next;
      offset = after;
    }
  }

  private addStart(list: ThreadList, text: string, offset: number, slotCount: number): void {
    if (list.at.length === 0) this.generation++;
    this.add(list, this.program.start, { text, offset, slots: new Array<number>(slotCount).fill(-1) });
  }

  /** Follows what reads nothing, depth first, so that preferred threads come first. */
  private add(list: ThreadList, start: number, position: { text: string; offset: number; slots: number[] }): void {
    const { ops, x, y } = this.program;
    const { text, offset } = position;
    const stack: { at: number; slots: number[] }[] = [{ at: start, slots: position.slots }];
    for (let thread = stack.pop(); thread !== undefined; thread = stack.pop()) {
      const { at } = thread;
      let { slots } = thread;
      if (this.seen[at] === this.generation) continue;
      this.seen[at] = this.generation;
      work(STEP_COST);
      switch (ops[at]) {
        case Op.Split:
          stack.push({ at: y[at] as number, slots }, { at: x[at] as number, slots });
          break;
        case Op.Save:
          work(slots.length >> 5);
          slots = slots.with(x[at] as number, offset);
          stack.push({ at: y[at] as number, slots });
          break;
        case Op.Assert:
          if (holds(ASSERTIONS[x[at] as number] as Assertion, kindAt(text, offset - 1), kindAt(text, offset))) {
            stack.push({ at: y[at] as number, slots });
          }
          break;
        default:
          list.at.push(at);
          list.slots.push(slots);
      }
    }
  }
}
