/**
 * The documents in force while evaluating. The root world belongs to one evaluation and is reused
 * by the next: everything remembered in it carries the generation it was found in, so starting over
 * is one addition. `with` derives other worlds, which remember for themselves.
 */
import type { Builtin } from '../builtins/builtin.js';
import type { ContextOptions } from '../builtins/index.js';
import { RegoEvaluationError } from '../errors.js';
import {
  type Budget,
  compare,
  entriesOf,
  get,
  isObject,
  type Key,
  meterWith,
  ObjectBuilder,
  type Value,
} from '../values/index.js';
import { Groups } from './groups.js';
import { type ModuleToValue, SessionContext } from './session-context.js';

/** Deterministic bounds of one evaluation, and a deadline. */
export interface Limits {
  /** Loop rounds, calls and built-in work; default 50 million. */
  readonly maxSteps?: number;
  /** Elements a comprehension or a partial rule may collect; default 5 million. */
  readonly maxElements?: number;
  /** Nested rule and function evaluations; default 500. */
  readonly maxDepth?: number;
  /** Milliseconds from the start of the evaluation; none by default. */
  readonly deadlineMs?: number;
  /** The clock for the deadline, in milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

export const DEFAULT_MAX_STEPS = 50_000_000;
export const DEFAULT_MAX_ELEMENTS = 5_000_000;
export const DEFAULT_MAX_DEPTH = 500;

/** Steps between two looks at the clock. */
const CLOCK_INTERVAL = 4096;

/** The budget of one evaluation. `left` counts down to the next look at the limits. */
export class Session implements Budget {
  left = 0;
  depth = 0;
  elements = 0;
  /** Elements kept for questions to come (`Groups`): within the same bound, but none fails for them. */
  kept = 0;
  strict = false;
  maxDepth = DEFAULT_MAX_DEPTH;
  maxElements = DEFAULT_MAX_ELEMENTS;
  readonly context: SessionContext;
  readonly errors: RegoEvaluationError[] = [];
  tracer: ((kind: string, location: unknown, detail?: unknown) => void) | undefined;
  private remaining = 0;
  private before: Budget | undefined;
  private deadline = Number.POSITIVE_INFINITY;
  private now: () => number = Date.now;

  constructor(parseModule: ModuleToValue) {
    this.context = new SessionContext((steps) => this.charge(steps), parseModule);
  }

  start(limits: Limits, strict: boolean, context: ContextOptions | undefined): void {
    this.depth = 0;
    this.elements = 0;
    this.kept = 0;
    this.strict = strict;
    this.context.reset(context);
    this.errors.length = 0;
    this.maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
    this.maxElements = limits.maxElements ?? DEFAULT_MAX_ELEMENTS;
    this.remaining = limits.maxSteps ?? DEFAULT_MAX_STEPS;
    if (limits.deadlineMs === undefined) this.deadline = Number.POSITIVE_INFINITY;
    else {
      this.now = limits.now ?? Date.now;
      this.deadline = this.now() + limits.deadlineMs;
    }
    this.left = 0;
    this.refill();
  }

  /** Lends the budget to built-ins until `finish`, which is to be called however the evaluation ends. */
  begin(): void {
    this.before = meterWith(this);
  }

  finish(): void {
    meterWith(this.before);
    this.before = undefined;
  }

  /** Runs with the budget lent. */
  metered<T>(run: () => T): T {
    this.begin();
    try {
      return run();
    } finally {
      this.finish();
    }
  }

  private refill(): void {
    const portion =
      this.deadline === Number.POSITIVE_INFINITY ? this.remaining : Math.min(this.remaining, CLOCK_INTERVAL);
    this.left = portion;
    this.remaining -= portion;
  }

  /** Called when `left` is used up. Errors: `eval_limit_error`, `eval_cancel_error`. */
  exhausted(): void {
    if (this.deadline !== Number.POSITIVE_INFINITY && this.now() > this.deadline) {
      throw new RegoEvaluationError('eval_cancel_error', 'the deadline has passed');
    }
    if (this.remaining <= 0) throw new RegoEvaluationError('eval_limit_error', 'the step budget is used up');
    this.refill();
  }

  charge(steps: number): void {
    this.left -= steps;
    while (this.left < 0) {
      const owed = -this.left;
      this.exhausted();
      this.left -= owed;
    }
  }

  enter(): void {
    this.depth += 1;
    if (this.depth > this.maxDepth) throw new RegoEvaluationError('eval_limit_error', 'the depth budget is used up');
  }

  grow(): void {
    this.elements += 1;
    if (this.elements > this.maxElements) this.hold(0);
  }

  hold(elements: number): void {
    this.elements += elements;
    if (this.elements > this.maxElements)
      throw new RegoEvaluationError('eval_limit_error', 'the memory budget is used up');
  }
}

/** What a mocked function does. */
export interface Mock {
  readonly kind: 'function' | 'builtin' | 'rule' | 'value';
  readonly set: number;
  readonly builtin: Builtin | undefined;
  readonly value: Value | undefined;
}

export type Mocks = ReadonlyMap<number | string, Mock>;

/** The base document and the places in it the plan reads. */
export class Snapshot {
  readonly data: Value;
  readonly bases: (Value | undefined)[];

  constructor(data: Value, paths: readonly (readonly Value[])[]) {
    this.data = data;
    this.bases = paths.map((path) => lookupPath(data, path));
  }

  /** Reads the paths added since: what is asked first may read documents nothing read before. */
  extend(paths: readonly (readonly Value[])[]): void {
    for (let index = this.bases.length; index < paths.length; index++) {
      this.bases.push(lookupPath(this.data, paths[index] ?? []));
    }
  }

  base(index: number, paths: readonly (readonly Value[])[]): Value | undefined {
    if (index < this.bases.length) return this.bases[index];
    return lookupPath(this.data, paths[index] ?? []);
  }
}

export function lookupPath(data: Value, path: readonly Value[]): Value | undefined {
  let current: Value | undefined = data;
  for (const key of path) {
    if (current === undefined) return undefined;
    current = get(current, key);
  }
  return current;
}

export class World {
  readonly session: Session;
  input: Value | undefined;
  snapshot: Snapshot;
  generation = 1;
  /** By rule set: the generation a value was remembered in, and the value. */
  readonly stamps: number[];
  readonly memo: (Value | undefined)[];
  readonly extentStamps: number[];
  readonly extents: (Value | undefined)[];
  readonly lookupStamps: number[];
  readonly lookups: (Map<Key, Value | undefined> | undefined)[];
  readonly callStamps: number[];
  readonly calls: (Map<unknown, unknown> | undefined)[];
  /** What comprehensions keep. */
  private readonly groups: (Groups | undefined)[] = [];
  mocks: Mocks | undefined;
  /** Rule sets and extents a `with` on data hides; undefined when none are. */
  hidden: ReadonlySet<number> | undefined;
  hiddenExtents: ReadonlySet<number> | undefined;

  constructor(session: Session, snapshot: Snapshot, sets: number, extents: number, lookups: number) {
    this.session = session;
    this.snapshot = snapshot;
    this.stamps = new Array<number>(sets).fill(0);
    this.memo = new Array<Value | undefined>(sets).fill(undefined);
    this.extentStamps = new Array<number>(extents).fill(0);
    this.extents = new Array<Value | undefined>(extents).fill(undefined);
    this.lookupStamps = new Array<number>(lookups).fill(0);
    this.lookups = new Array<Map<Key, Value | undefined> | undefined>(lookups).fill(undefined);
    this.callStamps = new Array<number>(sets).fill(0);
    this.calls = new Array<Map<unknown, unknown> | undefined>(sets).fill(undefined);
  }

  /** The map of answers a lookup has given in this evaluation. */
  lookupMemo(index: number): Map<Key, Value | undefined> {
    let map = this.lookups[index];
    if (this.lookupStamps[index] !== this.generation) {
      this.lookupStamps[index] = this.generation;
      if (map === undefined) {
        map = new Map();
        this.lookups[index] = map;
      } else map.clear();
    }
    return map as Map<Key, Value | undefined>;
  }

  /** The map of answers a function has given in this evaluation. */
  callMemo(index: number): Map<unknown, unknown> {
    let map = this.calls[index];
    if (this.callStamps[index] !== this.generation) {
      this.callStamps[index] = this.generation;
      if (map === undefined) {
        map = new Map();
        this.calls[index] = map;
      } else map.clear();
    }
    return map as Map<unknown, unknown>;
  }

  /** What a comprehension keeps in this evaluation. */
  group(index: number): Groups {
    let group = this.groups[index];
    if (group === undefined) {
      group = new Groups(this.session);
      this.groups[index] = group;
    }
    if (group.generation !== this.generation) group.restart(this.generation);
    return group;
  }

  derive(): World {
    const world = new World(this.session, this.snapshot, this.stamps.length, this.extents.length, this.lookups.length);
    world.input = this.input;
    world.mocks = this.mocks;
    world.hidden = this.hidden;
    world.hiddenExtents = this.hiddenExtents;
    return world;
  }
}

/** A copy of `document` with the value at `path` replaced; what is in the way becomes an object. */
export function replaceAt(document: Value | undefined, path: readonly Value[], value: Value): Value {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const builder = new ObjectBuilder();
  let inner: Value | undefined;
  if (document !== undefined && isObject(document)) {
    for (const [name, element] of entriesOf(document)) builder.set(name, element);
    inner = get(document, key);
  }
  builder.set(key, replaceAt(inner, rest, value));
  return builder.build();
}

/** The document without what is at the path; without a path an empty one. */
export function removeAt(document: Value, path: readonly Value[]): Value {
  const [key, ...rest] = path;
  if (key === undefined) return {};
  if (!isObject(document)) return document;
  const inner = get(document, key);
  if (inner === undefined) return document;
  const builder = new ObjectBuilder();
  for (const [name, element] of entriesOf(document)) {
    if (compare(name, key) !== 0) builder.set(name, element);
    else if (rest.length > 0) builder.set(name, removeAt(inner, rest));
  }
  return builder.build();
}
