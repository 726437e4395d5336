/**
 * What a comprehension collects, by what it is asked by, for one evaluation.
 *
 * An index must not make an evaluation fail that would not without it: what is kept has a budget apart, and two values for one key of
 * an object are an error for those who ask for that object, not for those who ask for another.
 */
import type { Location } from '../syntax/ast.js';
import { equal, type Key, ObjectBuilder, SetBuilder, type Value } from '../values/index.js';
import { keyConflict } from './operations.js';

/** What a back end does about a question: evaluate the comprehension for it alone, evaluate it for all, or look the answer up. */
export const ALONE = 0;
export const FOR_ALL = 1;
export const KNOWN = 2;
export type Way = typeof ALONE | typeof FOR_ALL | typeof KNOWN;

/** More items are not kept; each question is answered alone then. */
const MAX_ITEMS = 200_000;

/** The memory budget. What is kept has what is left of it. */
export interface ElementBudget {
  readonly elements: number;
  readonly maxElements: number;
  kept: number;
}

/** An object with two values for one of its keys, collected at a place. */
class Conflict {
  readonly at: Location;

  constructor(at: Location) {
    this.at = at;
  }
}

type Group = Value[] | SetBuilder | ObjectBuilder | Conflict | Value;

export class Groups {
  /** Of the world, when the groups were made. */
  generation = -1;
  private readonly budget: ElementBudget;
  private items: Map<Key, Group> | undefined;
  private asked: Key | undefined;
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

  /** A comprehension that is asked once is not worth an index. An undefined key: a part of the question is undefined. */
  next(key: Key | undefined): Way {
    if (this.isFilled) return KNOWN;
    // Where in its steps the comprehension meets that part decides which errors come before.
    if (key === undefined) return ALONE;
    this.questions += 1;
    return this.isGivenUp || this.questions < 2 ? ALONE : FOR_ALL;
  }

  /** Begins the evaluation for all, for the question of the key. */
  open(key: Key): void {
    this.items = new Map();
    this.asked = key;
  }

  /** True: no more is kept, and the evaluation for all can stop. */
  push(key: Key, item: Value): boolean {
    const { items } = this;
    if (items === undefined || this.isFull()) return true;
    const group = items.get(key) as Value[] | undefined;
    if (group === undefined) items.set(key, [item]);
    else group.push(item);
    this.hold();
    return false;
  }

  /** As `push`, for a set. */
  add(key: Key, item: Value): boolean {
    const { items } = this;
    if (items === undefined || this.isFull()) return true;
    let group = items.get(key) as SetBuilder | undefined;
    if (group === undefined) {
      group = new SetBuilder();
      items.set(key, group);
    }
    if (group.add(item)) this.hold();
    return false;
  }

  /** As `push`, for an object. Errors: `eval_conflict_error` when it is the object asked for that has two values for a key. */
  put(key: Key, name: Value, value: Value, at: Location): boolean {
    const { items } = this;
    if (items === undefined || this.isFull()) return true;
    let group = items.get(key) as ObjectBuilder | Conflict | undefined;
    if (group instanceof Conflict) return false;
    if (group === undefined) {
      group = new ObjectBuilder();
      items.set(key, group);
    }
    const present = group.get(name);
    if (present === undefined) {
      group.set(name, value);
      this.hold();
    } else if (!equal(present, value)) {
      if (key === this.asked) throw keyConflict(at);
      items.set(key, new Conflict(at));
    }
    return false;
  }

  private hold(): void {
    this.held += 1;
    this.budget.kept += 1;
  }

  /** Gives everything up when one more would be too many. */
  private isFull(): boolean {
    const { budget } = this;
    if (this.held < MAX_ITEMS && budget.elements + budget.kept < budget.maxElements) return false;
    budget.kept -= this.held;
    this.held = 0;
    this.items = undefined;
    this.isGivenUp = true;
    return true;
  }

  /** Ends the evaluation for all; what to do about the question that began it. */
  close(): Way {
    this.isFilled = this.items !== undefined;
    return this.isFilled ? KNOWN : ALONE;
  }

  /** What was collected for the key; undefined for nothing. Errors: `eval_conflict_error`. */
  find(key: Key | undefined): Value | undefined {
    const group = key === undefined ? undefined : this.items?.get(key);
    if (group instanceof Conflict) throw keyConflict(group.at);
    if (!(group instanceof SetBuilder || group instanceof ObjectBuilder)) return group;
    const built = group.build();
    this.items?.set(key as Key, built);
    return built;
  }
}
