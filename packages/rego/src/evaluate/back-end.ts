/** What a back end is: code for the rule sets of an engine, and code for queries against it. */
import type { Definitions, Op, QueryPlan, Step } from '../compile/plan.js';
import { get, type Value } from '../values/index.js';
import { ClosureCompiler, compileWithClosures, type Frame } from './closures.js';
import type { Engine } from './engine.js';
import type { World } from './world.js';

/** A compiled query. */
export interface QueryCode {
  /** The first binding of the first answer. */
  first(world: World): Value | undefined;
  /** Every answer: the values of the bindings in order. */
  each(world: World, visit: (values: readonly Value[]) => void): void;
}

export interface BackEnd {
  readonly name: 'generated' | 'closures';
  /** Compiles what the steps reach and nothing before them has reached. */
  compile(steps: readonly Step[]): void;
  /** Compiles the query and what it reaches. */
  query(plan: QueryPlan): QueryCode;
}

export function closureBackEnd(engine: Engine): BackEnd {
  const compile = (steps: readonly Step[]): void =>
    compileDemanded(engine, steps, (definitions) => compileWithClosures(engine, definitions));
  return {
    name: 'closures',
    compile,
    query: (plan) => {
      compile(plan.steps);
      return closureQuery(engine, plan);
    },
  };
}

/** Compiles what the steps are the first to reach. What cannot be compiled is not there: whatever reaches it next tries again. */
export function compileDemanded(
  engine: Engine,
  steps: readonly Step[],
  compile: (definitions: Definitions) => void,
): void {
  const definitions = engine.plan.demand(steps);
  try {
    compile(definitions);
  } catch (error) {
    engine.plan.forget();
    throw error;
  }
}

/** One document asked for directly needs no frame. */
export function directQuery(engine: Engine, plan: QueryPlan): QueryCode | undefined {
  const [only] = plan.steps;
  if (plan.steps.length !== 1 || only?.step !== 'let') return undefined;
  const first = directRead(engine, only.value);
  return (
    first && {
      first,
      each: (world, visit) => {
        const found = first(world);
        if (found !== undefined) visit([found]);
      },
    }
  );
}

function directRead(engine: Engine, value: Op): ((world: World) => Value | undefined) | undefined {
  if (value.op === 'rule') return (world) => engine.rule(world, value.set);
  if (value.op === 'extent') return (world) => engine.extent(world, value.extent);
  if (value.op === 'base') return (world) => engine.base(world, value.path);
  if (value.op !== 'get' || value.key.op !== 'const') return undefined;
  const key = value.key.value;
  const from = directRead(engine, value.from);
  return (
    from &&
    ((world) => {
      const document = from(world);
      return document === undefined ? undefined : get(document, key);
    })
  );
}

function closureQuery(engine: Engine, plan: QueryPlan): QueryCode {
  const direct = directQuery(engine, plan);
  if (direct !== undefined && plan.bindings.length === 1) return direct;
  const compiler = new ClosureCompiler(engine);
  const result = plan.slots + plan.worlds;
  const reads = plan.bindings.map((binding) => compiler.atom(binding.value));
  const run = compiler.body(plan.steps, plan.slots, (frame) => {
    const visit = frame[result] as (values: readonly Value[]) => boolean;
    return visit(reads.map((read) => read(frame) as Value));
  });
  const start = (world: World, visit: (values: readonly Value[]) => boolean): void => {
    const frame: Frame = new Array(plan.slots + plan.worlds + 1);
    frame[plan.slots] = world;
    frame[result] = visit;
    run(frame);
  };
  return {
    first: (world) => {
      let found: Value | undefined;
      start(world, (values) => {
        found = values[0];
        return true;
      });
      return found;
    },
    each: (world, visit) =>
      start(world, (values) => {
        visit(values);
        return false;
      }),
  };
}
