/**
 * Indexes over the definitions of a rule: where many of them begin by comparing the same part of the
 * input (or the same argument) with a constant, one look at it finds the few that can apply.
 */
import type { Clause, Op, Step } from '../compile/plan.js';
import { isArray, isPlainObject, RegoSet, type Value } from '../values/index.js';
import { element } from './containers.js';
import type { World } from './world.js';

/** Fewer definitions than this are run one after the other. */
export const MIN_INDEXED_CLAUSES = 8;

/** What is looked at: fields of the input, or of an argument. */
export interface IndexSubject {
  readonly argument: number | undefined;
  readonly path: readonly string[];
}

export interface RuleIndex {
  readonly subject: IndexSubject;
  /** By value: the clauses to run, in order. */
  readonly table: ReadonlyMap<Value, readonly number[]>;
  /** The clauses to run for any other value. */
  readonly rest: readonly number[];
}

interface Requirement {
  readonly subject: IndexSubject;
  readonly values: readonly Value[];
}

function isPrimitive(value: Value): boolean {
  return typeof value !== 'object' || value === null;
}

function subjectOf(op: Op, known: ReadonlyMap<number, Op>, args: number): IndexSubject | undefined {
  if (op.op === 'input') return op.world === 0 ? { argument: undefined, path: [] } : undefined;
  if (op.op === 'local') {
    if (op.slot < args) return { argument: op.slot, path: [] };
    const source = known.get(op.slot);
    return source && subjectOf(source, known, args);
  }
  if (op.op !== 'get' || op.key.op !== 'const' || typeof op.key.value !== 'string') return undefined;
  const from = subjectOf(op.from, known, args);
  return from && { ...from, path: [...from.path, op.key.value] };
}

function membersOf(value: Value): readonly Value[] | undefined {
  if (isArray(value)) return value;
  if (value instanceof RegoSet) return value.sorted();
  return isPlainObject(value) ? Object.values(value) : undefined;
}

/** What a clause requires of the input before anything that loops, fails or is replaced. */
function requirements(steps: readonly Step[], args: number): readonly Requirement[] {
  const known = new Map<number, Op>();
  const found: Requirement[] = [];
  for (const step of steps) {
    if (step.step === 'let') known.set(step.slot, step.value);
    else if (step.step === 'equal') {
      for (const [a, b] of [
        [step.left, step.right],
        [step.right, step.left],
      ] as const) {
        const subject = b.op === 'const' && isPrimitive(b.value) ? subjectOf(a, known, args) : undefined;
        if (subject !== undefined && b.op === 'const') found.push({ subject, values: [b.value] });
      }
    } else if (
      step.step === 'test' &&
      step.value.op === 'member' &&
      step.value.key === undefined &&
      step.value.of.op === 'const'
    ) {
      const members = membersOf(step.value.of.value);
      const subject = members?.every(isPrimitive) ? subjectOf(step.value.value, known, args) : undefined;
      if (members !== undefined && subject !== undefined) found.push({ subject, values: members });
    } else if (step.step !== 'test') break;
    // A call before the comparison could fail with an error that must not be skipped.
    const value = step.step === 'let' || step.step === 'test' ? step.value : undefined;
    if (value !== undefined && !['const', 'local', 'input', 'base', 'get', 'compare', 'member'].includes(value.op))
      break;
  }
  return found;
}

function idOf(subject: IndexSubject): string {
  return JSON.stringify([subject.argument ?? -1, ...subject.path]);
}

/** An index over the clauses, when enough of them require something of the same subject. */
export function indexClauses(clauses: readonly Clause[], args: number): RuleIndex | undefined {
  if (clauses.length < MIN_INDEXED_CLAUSES) return undefined;
  // An `else` branch may apply where its first does not: such clauses are never skipped.
  const required = clauses.map((clause) => (clause.otherwise.length > 0 ? [] : requirements(clause.steps, args)));
  const counts = new Map<string, number>();
  for (const list of required)
    for (const id of new Set(list.map(({ subject }) => idOf(subject)))) counts.set(id, (counts.get(id) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  if (best === undefined || best[1] < MIN_INDEXED_CLAUSES) return undefined;
  let subject: IndexSubject | undefined;
  const own = required.map((list) => {
    const requirement = list.find((each) => idOf(each.subject) === best[0]);
    subject ??= requirement?.subject;
    return requirement?.values;
  });
  if (subject === undefined) return undefined;
  const table = new Map<Value, number[]>();
  for (const values of own) for (const value of values ?? []) table.set(value, []);
  const rest: number[] = [];
  for (const [index, values] of own.entries()) {
    if (values === undefined) {
      rest.push(index);
      for (const list of table.values()) list.push(index);
    } else for (const value of new Set(values)) table.get(value)?.push(index);
  }
  return { subject, table, rest };
}

/** The clauses worth running. */
export function candidates(index: RuleIndex, world: World, args: readonly Value[]): readonly number[] {
  const { argument, path } = index.subject;
  let value: Value | undefined = argument === undefined ? world.input : args[argument];
  for (let i = 0; i < path.length && value !== undefined; i++) value = element(value, path[i] as string);
  return (value === undefined ? undefined : index.table.get(value)) ?? index.rest;
}
