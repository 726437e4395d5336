/**
 * OPA's comprehension index. A comprehension in which variables of the rule outside are only compared with something the comprehension
 * finds (`[y | some y in ys; lower(y.name) == x]`) is run once for all their values: its items are kept by what they were compared
 * with, and each question is a lookup. Comparisons of fields with what is known are probes already (`optimize.ts`).
 *
 * Only where the answers, and what may fail, stay the same: comparisons stand after the last loop, so that running for all values takes
 * no more rounds than running for one, and what comes after the first of them cannot fail. Two values for one key of an object
 * comprehension are an error only for those who ask for that object (`groups.ts`). OPA's own index takes the later value there, which
 * its evaluation without the index does not.
 */
import type { Comprehension, Op, Step } from './plan.js';
import { opSlots, renameOp, slotsRead } from './rewrite-steps.js';

export interface Grouping {
  /** A number for the groups, not given before. */
  readonly index: () => number;
  readonly slot: () => number;
  readonly isLoop: (step: Step) => boolean;
  readonly isSafeStep: (step: Step) => boolean;
  readonly isSafeOp: (op: Op) => boolean;
}

/** A comparison of something outside with something the comprehension finds. */
interface Comparison {
  readonly asked: Op;
  readonly found: Op;
}

function assignedIn(steps: readonly Step[], into: Set<number> = new Set()): Set<number> {
  const inOp = (op: Op): void => {
    if (op.op === 'comprehension' || op.op === 'object-comprehension') assignedIn(op.steps, into);
  };
  for (const step of steps) {
    if (step.step === 'let') into.add(step.slot);
    if (step.step === 'iterate' || step.step === 'probe' || step.step === 'every') into.add(step.key).add(step.value);
    if (step.step === 'relation') into.add(step.value);
    if ('value' in step && typeof step.value === 'object') inOp(step.value);
    if (step.step === 'equal') for (const side of [step.left, step.right]) inOp(side);
    if (step.step === 'choice' || step.step === 'some') for (const branch of step.branches) assignedIn(branch, into);
    if (step.step === 'not' || step.step === 'every') assignedIn(step.steps, into);
  }
  return into;
}

/** The worlds read and made, and whether a comprehension inside is kept in groups already. */
function surroundings(op: Comprehension): { readonly worlds: ReadonlySet<number>; readonly hasGroups: boolean } {
  const worlds = new Set<number>();
  let hasGroups = false;
  renameOp(op, {
    slot: (slot) => ({ op: 'local', slot }),
    world: (world) => {
      worlds.add(world);
      return world;
    },
    visit: (inner) => {
      hasGroups ||= inner.op === 'grouped';
    },
  });
  return { worlds, hasGroups };
}

/** What stands outside: variables of the rule, and fields of them that steps of the comprehension read. */
class Outside {
  readonly slots: Set<number>;
  private readonly fields = new Map<number, Op>();

  constructor(op: Comprehension) {
    const inside = assignedIn(op.steps);
    this.slots = new Set([...slotsRead(op.steps)].filter((slot) => !inside.has(slot)));
    for (const step of op.steps) {
      if (step.step !== 'let' || step.value.op === 'local') continue;
      const field = this.resolve(step.value);
      if (field === undefined) continue;
      this.fields.set(step.slot, field);
      this.slots.add(step.slot);
    }
  }

  /** The operation in terms of the rule's own variables; undefined when it is anything but a variable or a field of one. */
  resolve(op: Op): Op | undefined {
    if (op.op === 'local') return this.slots.has(op.slot) ? (this.fields.get(op.slot) ?? op) : undefined;
    if (op.op !== 'get' || op.key.op !== 'const') return undefined;
    const from = this.resolve(op.from);
    return from && { ...op, from };
  }

  isRead(op: Op): boolean {
    return [...opSlots(op)].some((slot) => this.slots.has(slot));
  }

  /** Whether the step only reads a field of something outside. */
  isField(step: Step): boolean {
    return step.step === 'let' && this.fields.has(step.slot);
  }
}

function comparisonOf(step: Step, outside: Outside): Comparison | undefined {
  if (step.step !== 'equal') return undefined;
  const sides: readonly (readonly [Op, Op])[] = [
    [step.left, step.right],
    [step.right, step.left],
  ];
  for (const [one, found] of sides) {
    const asked = outside.resolve(one);
    if (asked !== undefined && !outside.isRead(found)) return { asked, found };
  }
  return undefined;
}

/** The comprehension with its items kept by what they are asked by, where that may be done. */
export function groupComprehension(op: Comprehension, grouping: Grouping): Op {
  const outside = new Outside(op);
  if (outside.slots.size === 0 || op.steps.some((step) => step.step === 'choice')) return op;
  const steps = op.steps.filter((step) => !outside.isField(step));
  const lastLoop = steps.findLastIndex(grouping.isLoop);
  const comparisons = steps.map((step, index) => (index > lastLoop ? comparisonOf(step, outside) : undefined));
  const first = comparisons.findIndex((comparison) => comparison !== undefined);
  if (lastLoop < 0 || first < 0) return op;
  const isMovable = steps.every((step, index) => {
    if (index <= first) return true;
    const found = comparisons[index]?.found;
    return found === undefined ? grouping.isSafeStep(step) : grouping.isSafeOp(found);
  });
  const rest = steps.filter((_step, index) => comparisons[index] === undefined);
  const collected = op.op === 'comprehension' ? [op.item] : [op.key, op.value];
  const read = new Set([...slotsRead(rest), ...collected.flatMap((atom) => [...opSlots(atom)])]);
  const { worlds, hasGroups } = surroundings(op);
  if (!isMovable || hasGroups || worlds.size > 1 || [...outside.slots].some((slot) => read.has(slot))) return op;
  const slots = comparisons.map((comparison) => (comparison === undefined ? -1 : grouping.slot()));
  return {
    op: 'grouped',
    index: grouping.index(),
    world: [...worlds][0] ?? 0,
    asked: comparisons.flatMap((comparison) => (comparison === undefined ? [] : [comparison.asked])),
    keys: slots.flatMap((slot) => (slot < 0 ? [] : [{ op: 'local', slot } as const])),
    steps: steps.map((step, index): Step => {
      const comparison = comparisons[index];
      return comparison === undefined ? step : { step: 'let', slot: slots[index] as number, value: comparison.found };
    }),
    plain: op,
  };
}
