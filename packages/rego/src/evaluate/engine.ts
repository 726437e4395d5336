/**
 * Runs a plan: evaluates rule sets, lookups, functions and extents with their memory, and makes the
 * worlds of `with`. A back end supplies the code of clauses; what is common to both is here.
 */
import type { Builtin } from '../builtins/builtin.js';
import type { Plan, WithModifiers } from '../compile/plan.js';
import type { Location } from '../syntax/ast.js';
import { get, keyOf, ObjectBuilder, type Value } from '../values/index.js';
import type { StepObserver } from './closures.js';
import { compareBy, mergeDocuments, runBuiltin } from './operations.js';
import { type Mock, removeAt, replaceAt, Snapshot, type World } from './world.js';

/** The code of one rule set, as a back end made it. */
export interface CompiledSet {
  /** The whole value (not for functions). */
  value(world: World): Value | undefined;
  /** The answer of a function. */
  call(world: World, args: readonly Value[]): Value | undefined;
}
export interface CompiledLookup {
  find(world: World, keys: readonly Value[]): Value | undefined;
}

export class Engine {
  readonly plan: Plan;
  readonly sets: CompiledSet[] = [];
  readonly lookups: CompiledLookup[] = [];
  /** Functions whose answers are worth remembering. */
  readonly remembersCalls: boolean[] = [];
  readonly names: ReadonlyMap<string, Builtin>;
  /** Set before compiling: told of every step (closures only). */
  observer: StepObserver | undefined;

  constructor(plan: Plan, builtins: ReadonlyMap<string, Builtin>) {
    this.plan = plan;
    this.names = builtins;
  }

  base(world: World, path: number): Value | undefined {
    return world.snapshot.base(path, this.plan.basePaths);
  }

  rule(world: World, index: number): Value | undefined {
    if (world.stamps[index] === world.generation) return world.memo[index];
    const { session } = world;
    session.enter();
    const value = this.isHidden(world, index)
      ? this.base(world, (this.plan.sets[index] as { basePath: number }).basePath)
      : (this.sets[index] as CompiledSet).value(world);
    session.depth -= 1;
    world.memo[index] = value;
    world.stamps[index] = world.generation;
    return value;
  }

  private isHidden(world: World, index: number): boolean {
    return world.hidden?.has(index) === true;
  }

  lookup(world: World, index: number, keys: readonly Value[]): Value | undefined {
    const plan = this.plan.lookups[index] as { set: number };
    if (world.stamps[plan.set] === world.generation || this.isHidden(world, plan.set)) {
      return drill(this.rule(world, plan.set), keys);
    }
    const memo = world.lookupMemo(index);
    const id = keys.length === 1 ? keyOf(keys[0] as Value) : keyOf(keys);
    const known = memo.get(id);
    if (known !== undefined || memo.has(id)) return known;
    const { session } = world;
    session.enter();
    const value = (this.lookups[index] as CompiledLookup).find(world, keys);
    session.depth -= 1;
    memo.set(id, value);
    return value;
  }

  call(world: World, index: number, args: readonly Value[], at: Location): Value | undefined {
    const mock = world.mocks?.get(index);
    if (mock !== undefined) return this.callMock(world, mock, args, at);
    if (this.isHidden(world, index)) return undefined;
    const { session } = world;
    session.charge(1);
    if (this.remembersCalls[index] !== true) return this.callPlain(world, index, args);
    let memo = world.callMemo(index);
    const last = args.length - 1;
    for (let i = 0; i < last; i++) {
      let next = memo.get(args[i]) as Map<unknown, unknown> | undefined;
      if (next === undefined) {
        next = new Map();
        memo.set(args[i], next);
      }
      memo = next;
    }
    const key = args[last];
    const known = memo.get(key);
    if (known !== undefined || memo.has(key)) return known as Value | undefined;
    const value = this.callPlain(world, index, args);
    memo.set(key, value);
    return value;
  }

  private callPlain(world: World, index: number, args: readonly Value[]): Value | undefined {
    const { session } = world;
    session.enter();
    const value = (this.sets[index] as CompiledSet).call(world, args);
    session.depth -= 1;
    return value;
  }

  private callMock(world: World, mock: Mock, args: readonly Value[], at: Location): Value | undefined {
    if (mock.kind === 'value') return mock.value;
    if (mock.kind === 'rule') return this.rule(world, mock.set);
    // Inside of a replacement nothing is replaced: it may call what it replaces.
    const plain = world.derive();
    plain.mocks = undefined;
    if (mock.kind === 'function') return this.call(plain, mock.set, args, at);
    return runBuiltin(mock.builtin as Builtin, args, world.session, at);
  }

  builtin(world: World, builtin: Builtin, args: readonly Value[], at: Location): Value | undefined {
    const { session } = world;
    session.charge(1);
    if (world.mocks !== undefined) {
      const mock = world.mocks.get(builtin.name);
      if (mock !== undefined) return this.callMock(world, mock, args, at);
    }
    return runBuiltin(builtin, args, session, at);
  }

  /** A comparison operator where a `with` may have replaced it. */
  compare(
    world: World,
    by: Parameters<typeof compareBy>[0],
    left: Value,
    right: Value,
    at: Location,
  ): Value | undefined {
    const mock = world.mocks?.get(by);
    if (mock !== undefined) return this.callMock(world, mock, [left, right], at);
    return compareBy(by, left, right);
  }

  extent(world: World, index: number): Value | undefined {
    if (world.extentStamps[index] === world.generation) return world.extents[index];
    const plan = this.plan.extents[index];
    if (plan === undefined) return undefined;
    const base = this.base(world, plan.basePath);
    let value: Value | undefined;
    if (world.hiddenExtents?.has(index) === true) value = base;
    else {
      const builder = new ObjectBuilder();
      for (const child of plan.children) {
        const isFunction = child.set >= 0 && this.plan.sets[child.set]?.kind === 'function';
        if (isFunction) continue;
        const element = child.set >= 0 ? this.rule(world, child.set) : this.virtualExtent(world, child.extent);
        if (element !== undefined) builder.set(child.key, element);
      }
      const virtual = builder.build();
      value = base === undefined ? virtual : mergeDocuments(base, virtual);
    }
    world.extents[index] = value;
    world.extentStamps[index] = world.generation;
    return value;
  }

  private virtualExtent(world: World, index: number): Value | undefined {
    return this.extent(world, index);
  }

  /** The world a `with` makes; `values` gives the modifiers' values in the modifiers' order. */
  modify(
    world: World,
    modifiers: WithModifiers,
    read: (atom: WithModifiers['input'][number]['value']) => Value,
  ): World {
    const derived = world.derive();
    for (const { path, value } of modifiers.input) {
      derived.input = replaceAt(derived.input, path.map(read), read(value));
    }
    if (modifiers.data.length > 0) {
      let { data } = world.snapshot;
      for (const { path, value } of modifiers.data) {
        data = value === undefined ? removeAt(data, path) : replaceAt(data, path, read(value));
      }
      derived.snapshot = new Snapshot(data, this.plan.basePaths);
      derived.hidden = new Set([...(world.hidden ?? []), ...modifiers.hiddenSets]);
      derived.hiddenExtents = new Set([...(world.hiddenExtents ?? []), ...modifiers.hiddenExtents]);
    }
    if (modifiers.functions.length > 0) {
      const mocks = new Map(world.mocks);
      for (const { target, by } of modifiers.functions) {
        mocks.set(target, {
          kind: by.kind,
          set: by.set ?? -1,
          builtin: by.builtin,
          value: by.value === undefined ? undefined : read(by.value),
        });
      }
      derived.mocks = mocks;
    }
    return derived;
  }
}

/** Follows keys into a value. */
export function drill(value: Value | undefined, keys: readonly Value[]): Value | undefined {
  let current = value;
  for (const key of keys) {
    if (current === undefined) return undefined;
    current = get(current, key);
  }
  return current;
}
