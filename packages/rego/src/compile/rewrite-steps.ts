/** Renaming and inspecting steps: what the optimiser needs to move bodies into one another. */
import type { Atom, Comprehension, Op, Step, WithModifiers } from './plan.js';

/** New numbers for slots and worlds; a constant may stand in for a slot. */
export interface Renaming {
  readonly slot: (slot: number) => Atom;
  readonly world: (world: number) => number;
  /** Told of each operation. */
  readonly visit?: (op: Op) => void;
}

function target(renaming: Renaming, slot: number): number {
  if (slot < 0) return slot;
  const atom = renaming.slot(slot);
  if (atom.op !== 'local') throw new Error('a slot that is assigned cannot become a constant');
  return atom.slot;
}

export function renameAtom(atom: Atom, renaming: Renaming): Atom {
  return atom.op === 'local' ? renaming.slot(atom.slot) : atom;
}

export function renameOp(op: Op, renaming: Renaming): Op {
  const atom = (inner: Atom): Atom => renameAtom(inner, renaming);
  renaming.visit?.(op);
  switch (op.op) {
    case 'const':
    case 'local':
      return atom(op);
    case 'input':
    case 'base':
    case 'rule':
    case 'extent':
      return { ...op, world: renaming.world(op.world) };
    case 'lookup':
      return { ...op, world: renaming.world(op.world), keys: op.keys.map(atom) };
    case 'get':
      return { ...op, from: renameOp(op.from, renaming), key: atom(op.key) };
    case 'builtin':
    case 'call':
      return { ...op, world: renaming.world(op.world), args: op.args.map(atom) };
    case 'compare':
      return { ...op, world: renaming.world(op.world), left: atom(op.left), right: atom(op.right) };
    case 'member':
      return { ...op, key: op.key && atom(op.key), value: atom(op.value), of: atom(op.of) };
    case 'array':
    case 'set':
      return { ...op, items: op.items.map(atom) };
    case 'object':
      return { ...op, entries: op.entries.map(([key, value]) => [atom(key), atom(value)] as const) };
    case 'comprehension':
      return { ...op, steps: renameSteps(op.steps, renaming), item: atom(op.item) };
    case 'grouped':
      return {
        ...op,
        world: renaming.world(op.world),
        asked: op.asked.map((asked) => renameOp(asked, renaming)),
        keys: op.keys.map(atom),
        steps: renameSteps(op.steps, renaming),
        plain: renameOp(op.plain, renaming) as Comprehension,
      };
    case 'object-comprehension':
      return { ...op, steps: renameSteps(op.steps, renaming), key: atom(op.key), value: atom(op.value) };
  }
}

function renameModifiers(modifiers: WithModifiers, renaming: Renaming): WithModifiers {
  const atom = (inner: Atom): Atom => renameAtom(inner, renaming);
  return {
    ...modifiers,
    input: modifiers.input.map(({ path, value }) => ({ path: path.map(atom), value: atom(value) })),
    data: modifiers.data.map(({ path, value }) => ({ path, value: value && atom(value) })),
    functions: modifiers.functions.map(({ target: of, by }) => ({
      target: of,
      by: by.value === undefined ? by : { ...by, value: atom(by.value) },
    })),
  };
}

export function renameSteps(steps: readonly Step[], renaming: Renaming): readonly Step[] {
  return steps.map((step) => renameStep(step, renaming));
}

function renameStep(step: Step, renaming: Renaming): Step {
  const op = (inner: Op): Op => renameOp(inner, renaming);
  switch (step.step) {
    case 'let':
      return { ...step, slot: target(renaming, step.slot), value: op(step.value) };
    case 'test':
    case 'array-shape':
    case 'object-shape':
    case 'not-key':
      return { ...step, value: op(step.value) };
    case 'equal':
      return { ...step, left: op(step.left), right: op(step.right) };
    case 'iterate':
      return { ...step, from: op(step.from), key: target(renaming, step.key), value: target(renaming, step.value) };
    case 'probe':
      return {
        ...step,
        from: op(step.from),
        key: target(renaming, step.key),
        value: target(renaming, step.value),
        keys: step.keys.map((key) => renameAtom(key, renaming)),
      };
    case 'has':
      return { ...step, from: op(step.from), value: renameAtom(step.value, renaming) };
    case 'relation':
      return { ...step, from: op(step.from), value: target(renaming, step.value) };
    case 'choice':
    case 'some':
      return { ...step, branches: step.branches.map((branch) => renameSteps(branch, renaming)) };
    case 'not':
      return { ...step, steps: renameSteps(step.steps, renaming) };
    case 'every':
      return {
        ...step,
        from: op(step.from),
        key: target(renaming, step.key),
        value: target(renaming, step.value),
        steps: renameSteps(step.steps, renaming),
      };
    case 'with':
      return {
        ...step,
        world: renaming.world(step.world),
        outer: renaming.world(step.outer),
        modifiers: renameModifiers(step.modifiers, renaming),
      };
    case 'fail':
      return step;
  }
}

/** The slots steps read. */
export function slotsRead(steps: readonly Step[]): Set<number> {
  const read = new Set<number>();
  // Renaming visits every slot; those that are assigned are among them, which is harmless here:
  // callers ask about slots assigned elsewhere.
  const renaming: Renaming = {
    slot: (slot) => {
      read.add(slot);
      return { op: 'local', slot };
    },
    world: (world) => world,
  };
  renameSteps(steps, renaming);
  return read;
}

export function opSlots(op: Op): Set<number> {
  const read = new Set<number>();
  renameOp(op, {
    slot: (slot) => {
      read.add(slot);
      return { op: 'local', slot };
    },
    world: (world) => world,
  });
  return read;
}
