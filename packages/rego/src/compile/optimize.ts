/**
 * Rewrites a plan into one that does less, with the same answers:
 * - a loop over a partial set runs the set's bodies in place instead of building the set first;
 * - asking whether a partial set has a member runs its bodies with the member known;
 * - a loop over base data followed by comparisons of fields becomes a probe of a hash index; so does
 *   a loop over what stays the same inside of another loop (OPA's comprehension index, and more).
 * Only what cannot fail is moved, since OPA would have met the failure; a set some `with` replaces
 * is left alone, as are array comprehensions, which count what they loop over.
 */
import { type Grouping, groupComprehension } from './group-comprehensions.js';
import type { Atom, Clause, Op, RuleSet, Step } from './plan.js';
import type { PlanBuilder } from './plan-builder.js';
import { opSlots, type Renaming, renameAtom, renameSteps, slotsRead } from './rewrite-steps.js';

interface Numbers {
  slots: number;
  worlds: number;
}

/** Bodies longer than this are not copied. */
const MAX_INLINED_STEPS = 24;
const MAX_INLINE_DEPTH = 6;

/** Makes one definition after the other, each from the others as they were lowered. */
export class Optimizer {
  private readonly plan: PlanBuilder;
  private readonly replaced: ReadonlySet<number>;
  private readonly infallible = new Map<number, boolean>();
  /** What is being rewritten runs for every round of some loop. */
  private isRepeated = false;

  /** `replaced`: the rule sets that some `with` replaces. */
  constructor(plan: PlanBuilder, replaced: ReadonlySet<number>) {
    this.plan = plan;
    this.replaced = replaced;
  }

  /** The clause, doing less. */
  rewrite(clause: Clause): Clause {
    const extra: number[] = [];
    // Slots for probe keys come after all others; their number is settled at the end.
    let next = 1_000_000;
    this.nextSlot = () => {
      extra.push(next);
      next += 1;
      return next - 1;
    };
    return settle(this.clause(clause), extra);
  }

  private clause(clause: Clause): Clause {
    const numbers = { slots: clause.slots, worlds: clause.worlds };
    const used = new Set([clause.value, ...clause.keys].flatMap((atom) => (atom.op === 'local' ? [atom.slot] : [])));
    const steps = this.steps(clause.steps, numbers, used, 0);
    return { ...clause, ...numbers, steps, otherwise: clause.otherwise.map((branch) => this.clause(branch)) };
  }

  private steps(steps: readonly Step[], numbers: Numbers, used: ReadonlySet<number>, depth: number): readonly Step[] {
    const inlined = this.inlineLoops(steps, numbers, depth);
    const members = this.memberships(inlined, numbers, used);
    return this.inside(this.probes(this.searches(members, used)), numbers);
  }

  private inside(steps: readonly Step[], numbers: Numbers): readonly Step[] {
    const before = this.isRepeated;
    const result = steps.map((step) => {
      const made = this.nested(step, numbers);
      this.isRepeated ||= isLoop(step);
      return made;
    });
    this.isRepeated = before;
    return result;
  }

  private repeated<T>(action: () => T): T {
    const before = this.isRepeated;
    this.isRepeated = true;
    const result = action();
    this.isRepeated = before;
    return result;
  }

  private nested(step: Step, numbers: Numbers): Step {
    const none = new Set<number>();
    switch (step.step) {
      case 'not':
        return { ...step, steps: this.steps(step.steps, numbers, none, 1) };
      case 'every':
        return { ...step, steps: this.repeated(() => this.steps(step.steps, numbers, none, 1)) };
      case 'some':
        return { ...step, branches: step.branches.map((branch) => this.steps(branch, numbers, none, 1)) };
      case 'let':
      case 'test':
        return { ...step, value: this.closure(step.value, numbers) };
      case 'equal':
        return { ...step, left: this.closure(step.left, numbers), right: this.closure(step.right, numbers) };
      default:
        return step;
    }
  }

  private readonly grouping: Grouping = {
    index: () => this.plan.newGroup(),
    slot: () => this.nextSlot(),
    isLoop,
    isSafeStep: (step) => this.isSafeStep(step),
    isSafeOp: (op) => this.isSafeOp(op),
  };

  /** The body of a comprehension: nothing that would change how often it gets to its end. */
  private closure(op: Op, numbers: Numbers): Op {
    if (op.op !== 'comprehension' && op.op !== 'object-comprehension') return op;
    return groupComprehension({ ...op, steps: this.inside(this.probes(op.steps), numbers) }, this.grouping);
  }

  /** Whether evaluating the set can neither conflict nor call anything that fails. */
  private isInfallible(index: number): boolean {
    const known = this.infallible.get(index);
    if (known !== undefined) return known;
    this.infallible.set(index, false);
    const set = this.plan.lowered(index);
    const clauses = [
      ...set.clauses.flatMap((clause) => [clause, ...clause.otherwise]),
      ...(set.fallback ? [set.fallback] : []),
    ];
    let result = clauses.every((clause) => clause.steps.every((step) => this.isSafeStep(step)));
    if (set.kind === 'complete') {
      const single = set.clauses.length === 1 && set.clauses.every((clause) => !clause.steps.some(isLoop));
      result &&= set.isUniform || single;
    } else result &&= set.kind === 'set';
    this.infallible.set(index, result);
    return result;
  }

  private isSafeOp(op: Op): boolean {
    switch (op.op) {
      case 'const':
      case 'local':
      case 'input':
      case 'base':
      case 'member':
      case 'array':
      case 'set':
      case 'object':
      case 'compare':
        return true;
      case 'get':
        return this.isSafeOp(op.from);
      case 'rule':
        return !this.replaced.has(op.set) && this.isInfallible(op.set);
      case 'comprehension':
        return op.steps.every((step) => this.isSafeStep(step));
      case 'grouped':
        return this.isSafeOp(op.plain);
      default:
        return false;
    }
  }

  private isSafeStep(step: Step): boolean {
    switch (step.step) {
      case 'let':
      case 'test':
      case 'array-shape':
      case 'object-shape':
      case 'not-key':
        return this.isSafeOp(step.value);
      case 'equal':
        return this.isSafeOp(step.left) && this.isSafeOp(step.right);
      case 'iterate':
        return this.isSafeOp(step.from);
      case 'some':
        return step.branches.every((branch) => branch.every((inner) => this.isSafeStep(inner)));
      case 'not':
        return step.steps.every((inner) => this.isSafeStep(inner));
      case 'fail':
        return true;
      default:
        return false;
    }
  }

  private inlinable(op: Op): RuleSet | undefined {
    if (op.op !== 'rule' || this.replaced.has(op.set)) return undefined;
    const set = this.plan.lowered(op.set);
    if (set.kind !== 'set' || set.clauses.length > 4 || !this.isInfallible(op.set)) return undefined;
    return set.clauses.every((clause) => clause.steps.length <= MAX_INLINED_STEPS) ? set : undefined;
  }

  /** A clause's steps with numbers of their own in the caller, given what its first slots are. */
  private transplant(
    clause: Clause,
    world: number,
    given: readonly Atom[],
    numbers: Numbers,
  ): { steps: readonly Step[]; value: Atom } {
    const [slotBase, worldBase] = [numbers.slots, numbers.worlds];
    numbers.slots += clause.slots;
    numbers.worlds += clause.worlds;
    const renaming: Renaming = {
      slot: (slot) => given[slot] ?? { op: 'local', slot: slotBase + slot },
      world: (inner) => (inner === 0 ? world : worldBase + inner),
    };
    return { steps: renameSteps(clause.steps, renaming), value: renameAtom(clause.value, renaming) };
  }

  private inlineLoops(steps: readonly Step[], numbers: Numbers, depth: number): readonly Step[] {
    const first = steps.findIndex(isLoop);
    const loop = steps[first];
    if (loop?.step !== 'iterate' || depth >= MAX_INLINE_DEPTH) return steps;
    const set = this.inlinable(loop.from);
    if (set === undefined || loop.from.op !== 'rule') return steps;
    const { world } = loop.from;
    const branches = set.clauses.map((clause) => {
      const { steps: body, value } = this.transplant(clause, world, [], numbers);
      const bind: Step[] = [{ step: 'let', slot: loop.value, value }];
      if (loop.key >= 0) bind.push({ step: 'let', slot: loop.key, value });
      return [...this.inlineLoops(body, numbers, depth + 1), ...bind];
    });
    const before = steps.slice(0, first);
    const after = steps.slice(first + 1);
    const [only] = branches;
    if (only !== undefined && branches.length === 1) return [...before, ...only, ...after];
    return [...before, { step: 'choice', branches }, ...after];
  }

  /** `x in partial_set`, when the set is not otherwise needed: does any body yield x? */
  private memberships(steps: readonly Step[], numbers: Numbers, used: ReadonlySet<number>): readonly Step[] {
    const mentions = new LastMentions(steps);
    const result: Step[] = [];
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] as Step;
      const next = steps[i + 1];
      const isRead = (slot: number): boolean => used.has(slot) || mentions.isAfter(slot, i + 1);
      const made = next === undefined ? undefined : this.membership(step, next, isRead, numbers);
      if (made === undefined) result.push(step);
      else {
        result.push(made);
        i += 1;
      }
    }
    return result;
  }

  private membership(step: Step, next: Step, isRead: (slot: number) => boolean, numbers: Numbers): Step | undefined {
    if (step.step !== 'let' || next.step !== 'test' || next.value.op !== 'member' || next.value.key !== undefined)
      return undefined;
    const { of, value } = next.value;
    if (of.op !== 'local' || of.slot !== step.slot) return undefined;
    const set = this.inlinable(step.value);
    if (set === undefined || step.value.op !== 'rule' || isRead(step.slot)) return undefined;
    const { world } = step.value;
    const clauses = this.plan.lookupClauses(set.index);
    const branches = clauses.map((clause) =>
      this.steps(this.transplant(clause, world, [value], numbers).steps, numbers, new Set(), 1),
    );
    return next.at === undefined ? { step: 'some', branches } : { step: 'some', branches, at: next.at };
  }

  /** A loop that only looks for one element is a membership test. */
  private searches(steps: readonly Step[], used: ReadonlySet<number>): readonly Step[] {
    const mentions = new LastMentions(steps);
    const result: Step[] = [];
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] as Step;
      const next = steps[i + 1];
      const wanted = step.step === 'iterate' && next?.step === 'equal' ? otherSide(next, step.value) : undefined;
      // The loop's own key is known only inside of it.
      const isOwn = step.step === 'iterate' && wanted?.op === 'local' && wanted.slot === step.key;
      const isFree = step.step === 'iterate' && !used.has(step.value) && !used.has(step.key) && !isOwn;
      if (step.step === 'iterate' && wanted !== undefined && isFree) {
        const from = step.from;
        if (!mentions.isAfter(step.value, i + 1) && !(step.key >= 0 && mentions.isAfter(step.key, i + 1))) {
          result.push({ step: 'has', from, value: wanted, ...(step.at === undefined ? {} : { at: step.at }) });
          i += 1;
          continue;
        }
      }
      result.push(step);
    }
    return result;
  }

  /** Turns loops over base data with field comparisons into probes. */
  private probes(steps: readonly Step[]): readonly Step[] {
    if (!steps.some((step) => step.step === 'iterate')) return steps;
    const sources = new Map<number, Op>();
    const lets = new Map<number, Op>();
    const result: Step[] = [];
    let rest = steps;
    let { isRepeated } = this;
    for (let index = 0; index < rest.length; index++) {
      const step = rest[index] as Step;
      const isBase = step.step === 'iterate' && comesFromBase(step.from, sources);
      const isCandidate = isBase || (isRepeated && step.step === 'iterate' && staysTheSame(step.from, lets));
      const probe =
        step.step === 'iterate' && isCandidate ? this.probe(step, isBase, rest.slice(index + 1)) : undefined;
      isRepeated ||= isLoop(step);
      const made = probe === undefined ? [step] : [...probe.before, probe.step];
      for (const each of made) {
        result.push(each);
        if (each.step === 'let' && !lets.has(each.slot)) lets.set(each.slot, each.value);
        if (each.step === 'let' && !sources.has(each.slot)) sources.set(each.slot, each.value);
        const isLoopStep = each.step === 'iterate' || each.step === 'probe';
        if (isLoopStep && !sources.has(each.value)) sources.set(each.value, each.from);
      }
      if (probe === undefined) continue;
      rest = probe.rest;
      index = -1;
    }
    return result;
  }

  /** The loop and the comparisons after it as one probe, if there are any. */
  private probe(
    loop: Step & { step: 'iterate' },
    lasts: boolean,
    after: readonly Step[],
  ): { before: readonly Step[]; step: Step; rest: readonly Step[] } | undefined {
    const before: Step[] = [];
    const fields: (readonly string[])[] = [];
    const keys: Atom[] = [];
    const known = new Map<number, readonly string[]>([[loop.value, []]]);
    const kept: Step[] = [];
    // Equalities with something else to say may stand between those that select.
    let i = 0;
    for (; i < after.length; i++) {
      const step = after[i] as Step;
      const field = step.step === 'let' ? fieldOf(step.value, known) : undefined;
      if (step.step === 'let' && field !== undefined) {
        known.set(step.slot, field);
        kept.push(step);
        continue;
      }
      const inside = new Set(loop.key >= 0 ? [...known.keys(), loop.key] : known.keys());
      if (step.step === 'let' && !intersects(opSlots(step.value), inside) && this.isSafeOp(step.value)) {
        before.push(step);
        continue;
      }
      if (step.step !== 'equal') break;
      const [left, right] = [fieldOf(step.left, known), fieldOf(step.right, known)];
      const other = left === undefined ? step.left : step.right;
      const asked = left ?? right;
      if (asked === undefined || asked.length === 0 || intersects(opSlots(other), inside) || !this.isSafeOp(other))
        break;
      fields.push(asked);
      if (other.op === 'const' || other.op === 'local') keys.push(other);
      else {
        const slot = this.nextSlot();
        before.push({ step: 'let', slot, value: other });
        keys.push({ op: 'local', slot });
      }
    }
    if (fields.length === 0) return undefined;
    const { from, key, value } = loop;
    const at = loop.at === undefined ? {} : { at: loop.at };
    return {
      before,
      step: { step: 'probe', from, lasts, key, value, fields, keys, ...at },
      rest: [...kept, ...after.slice(i)],
    };
  }

  /** Set while a clause is being rewritten. */
  private nextSlot: () => number = () => 0;
}

function isLoop(step: Step): boolean {
  return step.step === 'iterate' || step.step === 'relation' || step.step === 'choice' || step.step === 'probe';
}

function intersects(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  for (const item of a) if (b.has(item)) return true;
  return false;
}

function otherSide(step: Step & { step: 'equal' }, slot: number): Atom | undefined {
  const isElement = (op: Op): boolean => op.op === 'local' && op.slot === slot;
  const other = isElement(step.left) ? step.right : isElement(step.right) ? step.left : undefined;
  if (other === undefined || (other.op !== 'const' && other.op !== 'local') || isElement(other)) return undefined;
  return other;
}

/** The path of fields from an element of a loop to a term, through the slots that hold parts of it. */
function fieldOf(op: Op, known: ReadonlyMap<number, readonly string[]>): readonly string[] | undefined {
  if (op.op === 'local') return known.get(op.slot);
  if (op.op !== 'get' || op.key.op !== 'const' || typeof op.key.value !== 'string') return undefined;
  const from = fieldOf(op.from, known);
  return from && [...from, op.key.value];
}

/** Base documents keep their identity between evaluations, so an index over one is worth building. */
function comesFromBase(op: Op, sources: ReadonlyMap<number, Op>): boolean {
  let current: Op | undefined = op;
  for (let steps = 0; current !== undefined && steps < 1000; steps++) {
    if (current.op === 'base') return true;
    if (current.op === 'get') current = current.from;
    else if (current.op === 'local') current = sources.get(current.slot);
    else return false;
  }
  return false;
}

/** The same collection in every round of a loop: an index pays from the second question on. */
function staysTheSame(op: Op, lets: ReadonlyMap<number, Op>): boolean {
  if (op.op === 'input' || op.op === 'rule') return true;
  if (op.op === 'get') return op.key.op === 'const' && staysTheSame(op.from, lets);
  const source = op.op === 'local' ? lets.get(op.slot) : undefined;
  return source !== undefined && source.op !== 'local' && staysTheSame(source, lets);
}

/** Where slots are last mentioned; worked out when first asked, in one pass. */
class LastMentions {
  private readonly steps: readonly Step[];
  private last: Map<number, number> | undefined;

  constructor(steps: readonly Step[]) {
    this.steps = steps;
  }

  isAfter(slot: number, index: number): boolean {
    if (this.last === undefined) {
      this.last = new Map();
      for (const [at, step] of this.steps.entries()) for (const each of slotsRead([step])) this.last.set(each, at);
    }
    return (this.last.get(slot) ?? -1) > index;
  }
}

function settle(clause: Clause, extra: readonly number[]): Clause {
  if (extra.length === 0) return clause;
  const places = new Map(extra.map((slot, index) => [slot, clause.slots + index]));
  const renaming: Renaming = {
    slot: (slot) => ({ op: 'local', slot: places.get(slot) ?? slot }),
    world: (world) => world,
  };
  return { ...clause, slots: clause.slots + extra.length, steps: renameSteps(clause.steps, renaming) };
}
