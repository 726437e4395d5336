/**
 * The back end for places that forbid code generation: every step becomes a closure holding its
 * successor. A frame is an array: locals first, then the worlds, then the clause's result.
 *
 * Over 500 lines: one compiler, a case for each kind of step and operation.
 */
import type { Atom, Clause, Comprehension, Definitions, Lookup, Op, RuleSet, Step } from '../compile/plan.js';
import {
  EMPTY_ARRAY,
  EMPTY_OBJECT,
  EMPTY_SET,
  equal,
  get,
  isArray,
  isObject,
  isSet,
  type Key,
  keyOf,
  ObjectBuilder,
  SetBuilder,
  size,
  type Value,
} from '../values/index.js';
import { CLASS_MEMBER_NAMES, element, field } from './containers.js';
import type { CompiledLookup, CompiledSet, Engine } from './engine.js';
import { ALONE, FOR_ALL, type Groups } from './groups.js';
import { compareBy, conflict, isMember, isMemberAt, iterateUntil, PartialObject, putUnique } from './operations.js';
import { probe, probeEntries, questionOf } from './probe.js';
import { isWorthRemembering } from './remembering.js';
import { candidates, indexClauses } from './rule-index.js';
import type { World } from './world.js';

/** Slots hold values, worlds and collectors; the plan says which, so reads are casts. */
export type Frame = unknown[];
type Read = (frame: Frame) => Value | undefined;
/** Runs the rest of a body; true means that nothing more is wanted. */
export type Run = (frame: Frame) => boolean;
/** A step that neither loops nor branches: false fails. */
type Simple = (frame: Frame) => boolean;

/** Told of every step of a rule's body, for explanations. */
export type StepObserver = (rule: string, step: Step, passed: boolean) => void;

export class ClosureCompiler {
  private readonly engine: Engine;
  private readonly rule: string;
  private base = 0;

  constructor(engine: Engine, rule = '') {
    this.engine = engine;
    this.rule = rule;
  }

  private observed(step: Step, made: Simple): Simple {
    const { observer } = this.engine;
    if (observer === undefined || step.at === undefined) return made;
    return (frame) => {
      const passed = made(frame);
      observer(this.rule, step, passed);
      return passed;
    };
  }

  /** A loop passed when its body was entered at all. */
  private observedLoop(step: Step, next: Run): Run {
    const { observer } = this.engine;
    if (observer === undefined || step.at === undefined) return this.branching(step, next);
    let entered = false;
    const run = this.branching(step, (frame) => {
      entered = true;
      observer(this.rule, step, true);
      return next(frame);
    });
    return (frame) => {
      entered = false;
      const stopped = run(frame);
      if (!entered) observer(this.rule, step, false);
      return stopped;
    };
  }

  /** The code of a body: `done` is called at its end, each time it gets there. */
  body(steps: readonly Step[], slots: number, done: Run): Run {
    this.base = slots;
    return this.steps(steps, 0, done);
  }

  private world(number: number): (frame: Frame) => World {
    const slot = this.base + number;
    return (frame) => frame[slot] as World;
  }

  atom(atom: Atom): Read {
    if (atom.op === 'const') {
      const { value } = atom;
      return () => value;
    }
    const { slot } = atom;
    return (frame) => frame[slot] as Value;
  }

  private steps(steps: readonly Step[], from: number, done: Run): Run {
    const simple: Simple[] = [];
    let index = from;
    for (; index < steps.length; index++) {
      const made = this.simple(steps[index] as Step);
      if (made === undefined) break;
      simple.push(this.observed(steps[index] as Step, made));
    }
    const step = steps[index];
    const next = step === undefined ? done : this.observedLoop(step, this.steps(steps, index + 1, done));
    return sequence(simple, next);
  }

  private simple(step: Step): Simple | undefined {
    switch (step.step) {
      case 'let': {
        const { slot } = step;
        const read = this.op(step.value);
        return (frame) => {
          const value = read(frame);
          if (value === undefined) return false;
          frame[slot] = value;
          return true;
        };
      }
      case 'test': {
        const read = this.op(step.value);
        return (frame) => {
          const value = read(frame);
          return value !== undefined && value !== false;
        };
      }
      case 'equal': {
        const [left, right] = [this.op(step.left), this.op(step.right)];
        for (const [constant, read] of [
          [step.left, right],
          [step.right, left],
        ] as const) {
          if (constant.op !== 'const' || (typeof constant.value === 'object' && constant.value !== null)) continue;
          const { value } = constant;
          return (frame) => read(frame) === value;
        }
        return (frame) => {
          const a = left(frame);
          if (a === undefined) return false;
          const b = right(frame);
          return b !== undefined && (a === b || equal(a, b));
        };
      }
      case 'has': {
        const [from, value] = [this.op(step.from), this.atom(step.value)];
        return (frame) => {
          const of = from(frame);
          return of !== undefined && isMember(value(frame) as Value, of);
        };
      }
      case 'array-shape': {
        const read = this.op(step.value);
        return (frame) => {
          const value = read(frame);
          return isArray(value) && value.length === step.size;
        };
      }
      case 'object-shape': {
        const read = this.op(step.value);
        return (frame) => {
          const value = read(frame);
          return isObject(value) && (step.size < 0 || size(value) === step.size);
        };
      }
      case 'not-key': {
        const read = this.op(step.value);
        const keys = new Set(step.keys.map(keyOf));
        return (frame) => {
          const value = read(frame);
          return value !== undefined && !keys.has(keyOf(value));
        };
      }
      case 'not': {
        const exists = this.exists(step.steps);
        return (frame) => !exists(frame);
      }
      case 'some': {
        const branches = step.branches.map((branch) => this.exists(branch));
        return (frame) => branches.some((branch) => branch(frame));
      }
      case 'every':
        return this.every(step);
      case 'with': {
        const slot = this.base + step.world;
        const outer = this.world(step.outer);
        const { engine } = this;
        return (frame) => {
          frame[slot] = engine.modify(outer(frame), step.modifiers, (atom) =>
            atom.op === 'const' ? atom.value : (frame[atom.slot] as Value),
          );
          return true;
        };
      }
      case 'fail':
        return () => false;
      default:
        return undefined;
    }
  }

  private exists(steps: readonly Step[]): Simple {
    return this.steps(steps, 0, () => true);
  }

  private every(step: Step & { step: 'every' }): Simple {
    const from = this.op(step.from);
    const exists = this.exists(step.steps);
    const world = this.world(0);
    const { key, value } = step;
    return (frame) => {
      const domain = from(frame);
      if (!(isArray(domain) || isSet(domain) || isObject(domain))) return false;
      const { session } = world(frame);
      return !iterateUntil(domain, (k, v) => {
        if (--session.left < 0) session.exhausted();
        if (key >= 0) frame[key] = k;
        frame[value] = v;
        return !exists(frame);
      });
    };
  }

  private branching(step: Step, next: Run): Run {
    const world = this.world(0);
    switch (step.step) {
      case 'iterate': {
        const from = this.op(step.from);
        const { key, value } = step;
        return (frame) => {
          const of = from(frame);
          if (of === undefined) return false;
          const { session } = world(frame);
          if (key < 0 && isArray(of)) {
            for (let i = 0; i < of.length; i++) {
              if (--session.left < 0) session.exhausted();
              frame[value] = of[i];
              if (next(frame)) return true;
            }
            return false;
          }
          return iterateUntil(of, (k, v) => {
            if (--session.left < 0) session.exhausted();
            if (key >= 0) frame[key] = k;
            frame[value] = v;
            return next(frame);
          });
        };
      }
      case 'probe': {
        const from = this.op(step.from);
        const keys = this.list(step.keys);
        const { key, value } = step;
        const question = questionOf(step);
        if (key >= 0) {
          return (frame) => {
            const { session } = world(frame);
            for (const [name, found] of probeEntries(from(frame), question, keys(frame))) {
              if (--session.left < 0) session.exhausted();
              frame[key] = name;
              frame[value] = found;
              if (next(frame)) return true;
            }
            return false;
          };
        }
        return (frame) => {
          const found = probe(from(frame), question, keys(frame));
          const { session } = world(frame);
          for (let i = 0; i < found.length; i++) {
            if (--session.left < 0) session.exhausted();
            frame[value] = found[i];
            if (next(frame)) return true;
          }
          return false;
        };
      }
      case 'relation': {
        const from = this.op(step.from);
        const { value } = step;
        return (frame) => {
          const answers = from(frame);
          const { session } = world(frame);
          return iterateUntil(answers, (_, answer) => {
            if (--session.left < 0) session.exhausted();
            frame[value] = answer;
            return next(frame);
          });
        };
      }
      case 'choice': {
        const branches = step.branches.map((branch) => this.steps(branch, 0, next));
        return (frame) => branches.some((branch) => branch(frame));
      }
      default:
        throw new Error(`unexpected step ${step.step}`);
    }
  }

  private op(op: Op): Read {
    const { engine } = this;
    switch (op.op) {
      case 'const':
      case 'local':
        return this.atom(op);
      case 'input': {
        const slot = this.base + op.world;
        return (frame) => (frame[slot] as World).input;
      }
      case 'base': {
        const slot = this.base + op.world;
        const { path } = op;
        return (frame) => engine.base(frame[slot] as World, path);
      }
      case 'rule': {
        const slot = this.base + op.world;
        const { set } = op;
        return (frame) => engine.rule(frame[slot] as World, set);
      }
      case 'extent': {
        const slot = this.base + op.world;
        const { extent } = op;
        return (frame) => engine.extent(frame[slot] as World, extent);
      }
      case 'lookup': {
        const slot = this.base + op.world;
        const keys = this.list(op.keys);
        return (frame) => engine.lookup(frame[slot] as World, op.lookup, keys(frame));
      }
      case 'get':
        return this.get(op);
      case 'builtin': {
        const slot = this.base + op.world;
        const args = this.list(op.args);
        return (frame) => engine.builtin(frame[slot] as World, op.builtin, args(frame), op.at);
      }
      case 'call': {
        const slot = this.base + op.world;
        const args = this.list(op.args);
        return (frame) => engine.call(frame[slot] as World, op.set, args(frame), op.at);
      }
      case 'compare':
        return this.compare(op);
      case 'member': {
        const [value, of] = [this.atom(op.value), this.atom(op.of)];
        if (op.key === undefined) return (frame) => isMember(value(frame) as Value, of(frame) as Value);
        const key = this.atom(op.key);
        return (frame) => isMemberAt(key(frame) as Value, value(frame) as Value, of(frame) as Value);
      }
      case 'array':
        return this.list(op.items);
      case 'set': {
        const items = op.items.map((item) => this.atom(item));
        return (frame) => {
          const builder = new SetBuilder();
          for (const item of items) builder.add(item(frame) as Value);
          return builder.build();
        };
      }
      case 'object': {
        const entries = op.entries.map(([key, value]) => [this.atom(key), this.atom(value)] as const);
        return (frame) => {
          const builder = new ObjectBuilder();
          for (const [key, value] of entries) builder.set(key(frame) as Value, value(frame) as Value);
          return builder.build();
        };
      }
      case 'comprehension':
        return this.comprehension(op);
      case 'grouped':
        return this.grouped(op);
      case 'object-comprehension':
        return this.objectComprehension(op);
    }
  }

  private compare(op: Op & { op: 'compare' }): Read {
    const slot = this.base + op.world;
    const [left, right] = [this.atom(op.left), this.atom(op.right)];
    const { engine } = this;
    return (frame) => {
      const world = frame[slot] as World;
      const [a, b] = [left(frame) as Value, right(frame) as Value];
      return world.mocks === undefined ? compareBy(op.by, a, b) : engine.compare(world, op.by, a, b, op.at);
    };
  }

  private list(atoms: readonly Atom[]): (frame: Frame) => Value[] {
    const reads = atoms.map((atom) => this.atom(atom));
    const [first, second] = reads;
    if (first !== undefined && reads.length === 1) return (frame) => [first(frame) as Value];
    if (first !== undefined && second !== undefined && reads.length === 2) {
      return (frame) => [first(frame) as Value, second(frame) as Value];
    }
    return (frame) => {
      const result: Value[] = [];
      for (const read of reads) result.push(read(frame) as Value);
      return result;
    };
  }

  private get(op: Op & { op: 'get' }): Read {
    const names: string[] = [];
    let root: Op = op;
    while (root.op === 'get' && root.key.op === 'const' && typeof root.key.value === 'string') {
      names.unshift(root.key.value);
      root = root.from;
    }
    if (names.length > 0) return this.path(root, names);
    const from = this.op(op.from);
    const key = this.atom(op.key);
    return (frame) => {
      const value = from(frame);
      return value === undefined ? undefined : element(value, key(frame) as Value);
    };
  }

  /** Fields of fields in one closure: calls between closures cost more than the reads. */
  private path(root: Op, names: readonly string[]): Read {
    const from = this.op(root);
    const [first = '', second = ''] = names;
    // A name that begins as a number does may be an index into an array or a text.
    if (names.some((name) => CLASS_MEMBER_NAMES.has(name) || /^\d/.test(name))) {
      return (frame) => {
        let value = from(frame);
        for (let i = 0; i < names.length && value !== undefined; i++) value = element(value, names[i] as string);
        return value;
      };
    }
    if (names.length === 1 && root.op === 'local') {
      const { slot } = root;
      return (frame) => field(frame[slot] as Value, first);
    }
    if (names.length === 1) return (frame) => field(from(frame), first);
    if (names.length === 2) return (frame) => field(field(from(frame), first), second);
    return (frame) => {
      let value = from(frame);
      for (let i = 0; i < names.length && value !== undefined; i++) value = field(value, names[i] as string);
      return value;
    };
  }

  private comprehension(op: Op & { op: 'comprehension' }): Read {
    const item = this.atom(op.item);
    const world = this.world(0);
    // Comprehensions do not nest in themselves, so their collector can live in the closure's frame.
    const collectors: (Value[] | SetBuilder)[] = [];
    if (op.of === 'array') {
      const run = this.steps(op.steps, 0, (frame) => {
        world(frame).session.grow();
        (collectors.at(-1) as Value[]).push(item(frame) as Value);
        return false;
      });
      return (frame) => {
        const result: Value[] = [];
        return collect(collectors, result, () => run(frame), result);
      };
    }
    const run = this.steps(op.steps, 0, (frame) => {
      if ((collectors.at(-1) as SetBuilder).add(item(frame) as Value)) world(frame).session.grow();
      return false;
    });
    return (frame) => {
      const builder = new SetBuilder();
      collect(collectors, builder, () => run(frame), undefined);
      return builder.build();
    };
  }

  private grouped(op: Op & { op: 'grouped' }): Read {
    const asked = op.asked.map((part) => this.op(part));
    const keys = op.keys.map((atom) => this.atom(atom));
    const world = this.world(op.world);
    const alone = this.op(op.plain);
    const keep = this.keeping(op.plain);
    const empty = emptyOf(op.plain);
    const keyFrom = (reads: readonly Read[], frame: Frame): Key | undefined => {
      const values: Value[] = [];
      for (const read of reads) {
        const value = read(frame);
        if (value === undefined) return undefined;
        values.push(value);
      }
      return keyOf(values.length === 1 ? (values[0] as Value) : values);
    };
    const run = this.steps(op.steps, 0, (frame) =>
      keep(world(frame).group(op.index), keyFrom(keys, frame) as Key, frame),
    );
    return (frame) => {
      const key = keyFrom(asked, frame);
      const group = world(frame).group(op.index);
      let way = group.next(key);
      if (way === FOR_ALL) {
        group.open(key as Key);
        run(frame);
        way = group.close();
      }
      return way === ALONE ? alone(frame) : (group.find(key) ?? empty);
    };
  }

  /** Keeps what the comprehension collects at the end of its steps. */
  private keeping(op: Comprehension): (group: Groups, key: Key, frame: Frame) => boolean {
    if (op.op === 'comprehension') {
      const item = this.atom(op.item);
      if (op.of === 'set') return (group, key, frame) => group.add(key, item(frame) as Value);
      return (group, key, frame) => group.push(key, item(frame) as Value);
    }
    const [name, value] = [this.atom(op.key), this.atom(op.value)];
    return (group, key, frame) => group.put(key, name(frame) as Value, value(frame) as Value, op.at);
  }

  private objectComprehension(op: Op & { op: 'object-comprehension' }): Read {
    const [key, value] = [this.atom(op.key), this.atom(op.value)];
    const world = this.world(0);
    const builders: ObjectBuilder[] = [];
    const run = this.steps(op.steps, 0, (frame) => {
      world(frame).session.grow();
      putUnique(builders.at(-1) as ObjectBuilder, key(frame) as Value, value(frame) as Value, op.at);
      return false;
    });
    return (frame) => {
      const builder = new ObjectBuilder();
      collect(builders, builder, () => run(frame), undefined);
      return builder.build();
    };
  }
}

function emptyOf(op: Comprehension): Value {
  if (op.op === 'object-comprehension') return EMPTY_OBJECT;
  return op.of === 'set' ? EMPTY_SET : EMPTY_ARRAY;
}

function collect<T, R>(stack: T[], collector: T, run: () => void, result: R): R {
  stack.push(collector);
  try {
    run();
  } finally {
    stack.pop();
  }
  return result;
}

function sequence(simple: readonly Simple[], next: Run): Run {
  const [a, b, c] = simple;
  if (a === undefined) return next;
  if (b === undefined) return (frame) => a(frame) && next(frame);
  if (c === undefined) return (frame) => a(frame) && b(frame) && next(frame);
  if (simple.length === 3) return (frame) => a(frame) && b(frame) && c(frame) && next(frame);
  return (frame) => {
    for (let i = 0; i < simple.length; i++) if (!(simple[i] as Simple)(frame)) return false;
    return next(frame);
  };
}

/** A clause ready to run: finds its value given arguments and the value found before it. */
type ClauseRunner = (world: World, args: readonly Value[], previous: Value | undefined) => Value | undefined;

export function newFrame(clause: { slots: number; worlds: number }, world: World, args: readonly Value[]): Frame {
  const frame: Frame = new Array(clause.slots + clause.worlds + 1);
  for (let i = 0; i < args.length; i++) frame[i] = args[i];
  frame[clause.slots] = world;
  return frame;
}

function clauseRunner(engine: Engine, set: RuleSet, clause: Clause): ClauseRunner {
  const compiler = new ClosureCompiler(engine, set.name);
  const result = clause.slots + clause.worlds;
  const value = compiler.atom(clause.value);
  const isFunction = set.kind === 'function';
  if (set.isUniform && clause.value.op === 'const') {
    const constant = clause.value.value;
    const holds = compiler.body(clause.steps, clause.slots, () => true);
    return (world, args) => (holds(newFrame(clause, world, args)) ? constant : undefined);
  }
  const stopsEarly = clause.value.op === 'const';
  const run = compiler.body(clause.steps, clause.slots, (frame) => {
    const found = value(frame) as Value;
    const before = frame[result] as { value: Value | undefined; found: boolean };
    if (before.value !== undefined && !equal(before.value, found))
      throw conflict(set.name, isFunction, clause.location);
    before.value = found;
    before.found = true;
    return stopsEarly;
  });
  return (world, args, previous) => {
    const frame = newFrame(clause, world, args);
    const outcome: { value: Value | undefined; found: boolean } = { value: previous, found: false };
    frame[result] = outcome;
    run(frame);
    return outcome.found ? outcome.value : undefined;
  };
}

function orderedRunner(engine: Engine, set: RuleSet, clause: Clause): ClauseRunner {
  const runners = [clause, ...clause.otherwise].map((branch) => clauseRunner(engine, set, branch));
  const [only] = runners;
  if (only !== undefined && runners.length === 1) return only;
  return (world, args, previous) => {
    for (const runner of runners) {
      const value = runner(world, args, previous);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

function completeSet(engine: Engine, set: RuleSet): CompiledSet {
  const runners = set.clauses.map((clause) => orderedRunner(engine, set, clause));
  const fallback = set.fallback === undefined ? undefined : clauseRunner(engine, set, set.fallback);
  const index = indexClauses(set.clauses, set.arity);
  const all = runners.map((_, each) => each);
  const call = (world: World, args: readonly Value[]): Value | undefined => {
    let found: Value | undefined;
    for (const each of index === undefined ? all : candidates(index, world, args)) {
      const value = (runners[each] as ClauseRunner)(world, args, found);
      if (value === undefined) continue;
      found = value;
      if (set.isUniform) break;
    }
    return found === undefined && fallback !== undefined ? fallback(world, args, undefined) : found;
  };
  return { call, value: (world) => (set.kind === 'function' ? undefined : call(world, [])) };
}

type Collector = (world: World, keys: readonly Value[], into: SetBuilder | PartialObject) => void;

function partialRunner(engine: Engine, set: RuleSet, clause: Clause): Collector {
  const compiler = new ClosureCompiler(engine, set.name);
  const result = clause.slots + clause.worlds;
  const value = compiler.atom(clause.value);
  const keys = clause.keys.map((key) => compiler.atom(key));
  const worldSlot = clause.slots;
  const done: Run =
    set.kind === 'set'
      ? (frame) => {
          if ((frame[result] as SetBuilder).add(value(frame) as Value)) (frame[worldSlot] as World).session.grow();
          return false;
        }
      : (frame) => {
          (frame[worldSlot] as World).session.grow();
          const path = keys.map((key) => key(frame) as Value);
          const into = frame[result] as PartialObject;
          if (clause.leafIsSet) into.add(path, value(frame) as Value, clause.location);
          else into.put(path, value(frame) as Value, clause.location);
          return false;
        };
  const run = compiler.body(clause.steps, clause.slots, done);
  return (world, args, into) => {
    const frame = newFrame(clause, world, args);
    frame[result] = into;
    run(frame);
  };
}

function partialSet(engine: Engine, set: RuleSet): CompiledSet {
  const runners = set.clauses.map((clause) => partialRunner(engine, set, clause));
  const index = indexClauses(set.clauses, 0);
  const all = runners.map((_, each) => each);
  return {
    value: (world) => {
      const into = set.kind === 'set' ? new SetBuilder() : new PartialObject();
      for (const each of index === undefined ? all : candidates(index, world, []))
        (runners[each] as Collector)(world, [], into);
      return into.build();
    },
    call: () => undefined,
  };
}

function existsRunner(engine: Engine, clause: Clause): (world: World, keys: readonly Value[]) => boolean {
  const run = new ClosureCompiler(engine).body(clause.steps, clause.slots, () => true);
  return (world, keys) => run(newFrame(clause, world, keys));
}

function compiledLookup(engine: Engine, lookup: Lookup): CompiledLookup {
  const set = engine.plan.sets[lookup.set] as RuleSet;
  if (set.kind === 'set') {
    const runners = lookup.clauses.map((clause) => existsRunner(engine, clause));
    return {
      find: (world, keys) => (runners.some((runner) => runner(world, keys)) ? keys[0] : undefined),
    };
  }
  const runners = lookup.clauses.map((clause) => partialRunner(engine, set, clause));
  return {
    find: (world, keys) => {
      const into = new PartialObject();
      for (const runner of runners) runner(world, keys, into);
      let value: Value | undefined = into.build();
      for (const key of keys) value = value === undefined ? undefined : get(value, key);
      return value;
    },
  };
}

/** Fills the engine with closures for the definitions. */
export function compileWithClosures(engine: Engine, { sets, lookups }: Definitions): void {
  for (const set of sets) {
    const isPartial = set.kind === 'set' || set.kind === 'object';
    engine.sets[set.index] = isPartial ? partialSet(engine, set) : completeSet(engine, set);
    engine.remembersCalls[set.index] = set.kind === 'function' && set.arity > 0 && isWorthRemembering(set);
  }
  for (const lookup of lookups) engine.lookups[lookup.index] = compiledLookup(engine, lookup);
}
