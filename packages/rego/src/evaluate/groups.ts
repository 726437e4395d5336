/** The items of a comprehension by what they are asked by, for one evaluation. */
import { type Key, type RegoSet, SetBuilder, type Value } from '../values/index.js';

/** What a back end does about a question: evaluate the comprehension for it alone, evaluate it for all, or look the answer up. */
export const ALONE = 0;
export const FOR_ALL = 1;
export const KNOWN = 2;
export type Way = typeof ALONE | typeof FOR_ALL | typeof KNOWN;

/** More items are not kept; each question is answered alone then. */
const MAX_ITEMS = 200_000;

/** The memory budget that the items kept are taken from. */
export interface ElementBudget {
  elements: number;
  readonly maxElements: number;
}

export class Groups {
  /** Of the world, when the groups were made. */
  generation = -1;
  private readonly budget: ElementBudget;
  private items: Map<Key, Value[] | SetBuilder | RegoSet> | undefined;
  private isFilled = false;
  private isGivenUp = false;
  private questions = 0;
  private held = 0;

  constructor(budget: ElementBudget) {
    this.budget = budget;
  }

  restart(generation: number): void {
    this.generation = generation;
    this.items = undefined;
    this.isFilled = false;
    this.isGivenUp = false;
    this.questions = 0;
    this.held = 0;
  }

  /** A comprehension that is asked once is not worth an index. */
  next(): Way {
    if (this.isFilled) return KNOWN;
    this.questions += 1;
    return this.isGivenUp || this.questions < 2 ? ALONE : FOR_ALL;
  }

  open(): void {
    this.items = new Map();
  }

  /** `ofSet`: equal items are one. */
  add(key: Key, item: Value, ofSet: boolean): void {
    const { items, budget } = this;
    if (items === undefined) return;
    if (this.held >= MAX_ITEMS || budget.elements >= budget.maxElements) {
      this.giveUp();
      return;
    }
    const group = items.get(key);
    if (ofSet) {
      const builder = group instanceof SetBuilder ? group : new SetBuilder();
      if (group === undefined) items.set(key, builder);
      if (!builder.add(item)) return;
    } else if (Array.isArray(group)) group.push(item);
    else items.set(key, [item]);
    this.held += 1;
    budget.elements += 1;
  }

  private giveUp(): void {
    this.budget.elements -= this.held;
    this.items = undefined;
    this.isGivenUp = true;
  }

  /** Ends the evaluation for all; what to do about the question that began it. */
  close(): Way {
    this.isFilled = this.items !== undefined;
    return this.isFilled ? KNOWN : ALONE;
  }

  /** The items asked by the key; undefined for none. */
  find(key: Key): Value | undefined {
    const group = this.items?.get(key);
    if (!(group instanceof SetBuilder)) return group;
    const built = group.build();
    this.items?.set(key, built);
    return built;
  }
}
