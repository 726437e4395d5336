/**
 * Runs a plan with parts of the documents unknown. Every way through a body collects the conditions
 * it needs; a rule is the disjunction of its ways. Known parts are evaluated as usual, so only what
 * touches the unknown grows the result, and equal or weaker ways are merged as they are found.
 *
 * Over 500 lines: one interpreter, a case for each kind of step and operation.
 */

import type { Atom, Clause, Comparison, Op, Plan, RuleSet, Step } from '../compile/plan.js';
import { compareBy, isMember, isMemberAt, runBuiltin } from '../evaluate/operations.js';
import type { Session } from '../evaluate/world.js';
import type { Location } from '../syntax/ast.js';
import {
  equal,
  get,
  isArray,
  isObject,
  isSet,
  iterate,
  makeObject,
  makeSet,
  size,
  type Value,
} from '../values/index.js';
import {
  ALWAYS,
  and,
  type ComparisonOperator,
  type Filter,
  mirrored,
  NEVER,
  not,
  or,
  place,
  type TextOperator,
} from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';
import {
  type Condition,
  type Field,
  type Known,
  known,
  type Mixed,
  ROOT_ELEMENT,
  type Symbolic,
  stepMixed,
} from './symbols.js';

type Frame = (Symbolic | undefined)[];

/** A way through: the filter it needs, and the conditions on elements of unknown collections. */
interface Way {
  readonly frame: Frame;
  readonly filter: Filter;
  readonly elements: readonly { readonly id: number; readonly of: Field; readonly filter: Filter }[];
}
interface Outcome {
  readonly filter: Filter;
  readonly value: Symbolic;
  readonly keys: readonly Symbolic[];
}

const OPERATORS: Readonly<Record<Comparison, ComparisonOperator>> = {
  equal: 'eq',
  neq: 'ne',
  lt: 'lt',
  lte: 'lte',
  gt: 'gt',
  gte: 'gte',
};
const TEXT_BUILTINS: Readonly<Record<string, TextOperator>> = {
  startswith: 'startsWith',
  endswith: 'endsWith',
  contains: 'includes',
};

export interface UnknownDocuments {
  readonly input: Mixed;
  readonly data: Mixed;
  readonly maxWays: number;
}

export class PartialEvaluator {
  private readonly plan: Plan;
  private readonly unknown: UnknownDocuments;
  private readonly session: Session;
  private readonly outcomes = new Map<string, readonly Outcome[]>();
  private elements = ROOT_ELEMENT;
  private ways = 0;
  private place: Location | undefined;

  constructor(plan: Plan, unknown: UnknownDocuments, session: Session) {
    this.plan = plan;
    this.unknown = unknown;
    this.session = session;
  }

  private refuse(reason: string, at: Location | undefined = this.place): never {
    throw new PartialEvaluationError(reason, at);
  }

  /** When the rule set's value is neither undefined nor false. */
  truth(set: RuleSet): Filter {
    return or(this.ruleOutcomes(set).map(({ filter, value }) => and([filter, this.truthOf(value)])));
  }

  /** When a complete rule's value is exactly true; where rules contradict each other it has none. */
  isTrue(set: RuleSet): Filter {
    const outcomes = this.ruleOutcomes(set).map(({ filter, value }) => {
      const when = this.exactlyTrue(value);
      // Without the fields it is made of, a value is undefined and contradicts nothing.
      return { yes: and([filter, when]), no: and([filter, ...existing(when), not(when)]) };
    });
    return and([or(outcomes.map(({ yes }) => yes)), not(or(outcomes.map(({ no }) => no)))]);
  }

  /** When a rule set has a value that is not false and not an empty collection; what is not clear counts as such a value. */
  holds(set: RuleSet): Filter {
    return or(
      this.ruleOutcomes(set).map(({ filter, value }) =>
        and([filter, set.kind === 'complete' ? this.nonEmpty(value) : ALWAYS]),
      ),
    );
  }

  private exactlyTrue(value: Symbolic): Filter {
    switch (value.kind) {
      case 'known':
        return value.value === true ? ALWAYS : NEVER;
      case 'condition':
        return value.filter;
      case 'field':
        return { op: 'eq', field: value.path, value: true };
      case 'mixed':
      case 'members':
        return NEVER;
    }
  }

  private nonEmpty(value: Symbolic): Filter {
    if (value.kind === 'members') return or(value.members.map(({ filter }) => filter));
    if (value.kind !== 'known') return this.truthOf(value);
    const plain = value.value;
    const isEmpty = (isArray(plain) || isSet(plain) || isObject(plain)) && size(plain) === 0;
    return plain === false || isEmpty ? NEVER : ALWAYS;
  }

  private start(clause: Clause, args: readonly Symbolic[]): Way {
    const frame: Frame = new Array<Symbolic | undefined>(clause.slots);
    for (const [index, arg] of args.entries()) frame[index] = arg;
    return { frame, filter: ALWAYS, elements: [] };
  }

  private clauseOutcomes(clause: Clause, args: readonly Symbolic[]): Outcome[] {
    const found: Outcome[] = [];
    this.run(clause.steps, 0, this.start(clause, args), (way) => {
      const value = this.atom(clause.value, way);
      if (value.kind === 'condition') place(value.filter, this.place);
      const keys = clause.keys.map((key) => this.atom(key, way));
      found.push({ filter: this.close(way), value, keys });
    });
    return mergeOutcomes(found);
  }

  /** All outcomes of a rule set or function: branches of `else` exclude those before them. */
  private definition(set: RuleSet, args: readonly Symbolic[]): Outcome[] {
    const found: Outcome[] = [];
    for (const clause of set.clauses) {
      let before: Filter = NEVER;
      for (const branch of [clause, ...clause.otherwise]) {
        const outcomes = this.clauseOutcomes(branch, args);
        for (const outcome of outcomes) found.push({ ...outcome, filter: and([not(before), outcome.filter]) });
        before = or([before, ...outcomes.map(({ filter }) => filter)]);
      }
    }
    if (set.fallback !== undefined) {
      const none = not(or(found.map(({ filter }) => filter)));
      for (const outcome of this.clauseOutcomes(set.fallback, args))
        found.push({ ...outcome, filter: and([none, outcome.filter]) });
    }
    return mergeOutcomes(found.filter(({ filter }) => filter.op !== 'false'));
  }

  private ruleOutcomes(set: RuleSet): readonly Outcome[] {
    const id = `r${set.index}`;
    let found = this.outcomes.get(id);
    if (found === undefined) {
      found = this.definition(set, []);
      this.outcomes.set(id, found);
    }
    return found;
  }

  /** A way's filter, with conditions on elements folded into `any`. */
  private close(way: Way): Filter {
    const filters: Filter[] = [way.filter];
    for (const { of, filter } of way.elements) {
      if (of.element !== ROOT_ELEMENT) this.refuse('elements of elements of an unknown collection');
      const only = filter.op === 'eq' && filter.field.length === 0 ? filter.value : undefined;
      filters.push(
        only === undefined ? { op: 'any', field: of.path, filter } : { op: 'contains', field: of.path, value: only },
      );
    }
    return and(filters);
  }

  private require(
    way: Way,
    condition: { readonly filter: Filter; readonly element: number },
    at: Location | undefined = this.place,
  ): Way | undefined {
    place(condition.filter, at);
    if (condition.filter.op === 'false') return undefined;
    if (condition.element === ROOT_ELEMENT) {
      const filter = and([way.filter, condition.filter]);
      return filter.op === 'false' ? undefined : { ...way, filter };
    }
    const elements = way.elements.map((entry) =>
      entry.id === condition.element ? { ...entry, filter: and([entry.filter, condition.filter]) } : entry,
    );
    return { ...way, elements };
  }

  private exists(steps: readonly Step[], way: Way): Filter {
    const inner: Way = { frame: [...way.frame], filter: ALWAYS, elements: [] };
    const filters: Filter[] = [];
    this.run(steps, 0, inner, (end) => filters.push(this.close(end)));
    return or(filters);
  }

  private run(steps: readonly Step[], index: number, way: Way, done: (way: Way) => void): void {
    const step = steps[index];
    if (step === undefined) {
      this.ways += 1;
      if (this.ways > this.unknown.maxWays) this.refuse('the condition has too many cases');
      done(way);
      return;
    }
    this.session.charge(1);
    if (step.at !== undefined) this.place = step.at;
    const next = (after: Way | undefined): void => {
      if (after !== undefined) this.run(steps, index + 1, after, done);
    };
    switch (step.step) {
      case 'let':
        this.op(step.value, way, (value, after) => next(bind(after, step.slot, value)));
        return;
      case 'test':
        this.op(step.value, way, (value, after) => next(this.require(after, this.condition(value), step.at)));
        return;
      case 'equal':
        this.op(step.left, way, (left, afterLeft) =>
          this.op(step.right, afterLeft, (right, after) =>
            next(this.require(after, this.compared('equal', left, right), step.at)),
          ),
        );
        return;
      case 'iterate':
        this.op(step.from, way, (from, after) => this.loop(from, after, step.key, step.value, next));
        return;
      case 'relation':
        this.op(step.from, way, (from, after) => this.loop(from, after, -1, step.value, next));
        return;
      case 'array-shape':
      case 'object-shape':
        this.op(step.value, way, (value, after) => {
          const plain = this.plain(value, 'the shape of an unknown value');
          const fits = step.step === 'array-shape' ? isArray(plain) : isObject(plain);
          if (fits && (step.size < 0 || size(plain) === step.size)) next(after);
        });
        return;
      case 'not-key':
        this.op(step.value, way, (value, after) => {
          const plain = this.plain(value, 'an unknown key');
          if (!step.keys.some((key) => equal(key, plain))) next(after);
        });
        return;
      case 'choice':
        for (const branch of step.branches) this.run(branch, 0, { ...way, frame: [...way.frame] }, next);
        return;
      case 'some':
        next(
          this.require(way, {
            filter: or(step.branches.map((branch) => this.exists(branch, way))),
            element: ROOT_ELEMENT,
          }),
        );
        return;
      case 'not':
        next(this.require(way, { filter: not(this.exists(step.steps, way)), element: ROOT_ELEMENT }));
        return;
      case 'every':
        this.op(step.from, way, (from, after) => next(this.every(step, from, after)));
        return;
      case 'fail':
        return;
      default:
        this.refuse(`\`${step.step}\` in a partially evaluated rule`);
    }
  }

  private every(step: Step & { step: 'every' }, from: Symbolic, way: Way): Way | undefined {
    const domain = this.plain(from, '`every` over an unknown collection');
    if (!isArray(domain) && !isSet(domain) && !isObject(domain)) return undefined;
    const filters: Filter[] = [];
    for (const [key, value] of iterate(domain)) {
      let inner = bind(way, step.value, known(value));
      if (step.key >= 0) inner = bind(inner, step.key, known(key));
      filters.push(this.exists(step.steps, inner));
    }
    return this.require(way, { filter: and(filters), element: ROOT_ELEMENT });
  }

  private loop(from: Symbolic, way: Way, key: number, value: number, next: (way: Way) => void): void {
    if (from.kind === 'field') {
      if (key >= 0) this.refuse('keys of an unknown collection');
      this.elements += 1;
      const id = this.elements;
      const elements = [...way.elements, { id, of: from, filter: ALWAYS }];
      next(bind({ ...way, elements }, value, { kind: 'field', element: id, path: [] }));
      return;
    }
    if (from.kind === 'members') {
      for (const { filter, value: member } of from.members) {
        const after = this.require(way, { filter, element: ROOT_ELEMENT });
        if (after === undefined) continue;
        const bound = bind(after, value, member);
        next(key >= 0 ? bind(bound, key, member) : bound);
      }
      return;
    }
    for (const [k, v] of iterate(this.plain(from, 'a loop over a partly unknown document'))) {
      const after = bind(way, value, known(v));
      next(key >= 0 ? bind(after, key, known(k)) : after);
    }
  }

  private atom(atom: Atom, way: Way): Symbolic {
    return atom.op === 'const' ? known(atom.value) : (way.frame[atom.slot] as Symbolic);
  }

  private plain(value: Symbolic, what: string, at?: Location): Value {
    if (value.kind === 'known') return value.value;
    return this.refuse(`${what} cannot be translated`, at);
  }

  private truthOf(value: Symbolic): Filter {
    return this.condition(value).filter;
  }

  private condition(value: Symbolic): { filter: Filter; element: number } {
    switch (value.kind) {
      case 'known':
        return { filter: value.value === false ? NEVER : ALWAYS, element: ROOT_ELEMENT };
      case 'condition':
        return value;
      case 'field': {
        const { path: field, element } = value;
        const isFalse: Filter = { op: 'eq', field, value: false };
        return { filter: and([{ op: 'exists', field }, not(isFalse)]), element };
      }
      case 'mixed':
      case 'members':
        return { filter: ALWAYS, element: ROOT_ELEMENT };
    }
  }

  private compared(by: Comparison, left: Symbolic, right: Symbolic, at?: Location): Condition {
    const make = (filter: Filter, element: number): Condition => ({ kind: 'condition', filter, element });
    if (left.kind === 'known' && right.kind === 'known') {
      return make(compareBy(by, left.value, right.value) ? ALWAYS : NEVER, ROOT_ELEMENT);
    }
    const operator = OPERATORS[by];
    if (left.kind === 'field' && right.kind === 'known')
      return make(this.fieldFilter(operator, left, right.value, at), left.element);
    if (left.kind === 'known' && right.kind === 'field') {
      return make(this.fieldFilter(mirrored(operator), right, left.value, at), right.element);
    }
    if (left.kind === 'field' && right.kind === 'field') {
      if (left.element !== right.element) this.refuse('a comparison between an element and another field', at);
      return make({ op: 'fields', by: operator, left: left.path, right: right.path }, left.element);
    }
    if (left.kind === 'condition' && right.kind === 'known') return this.comparedCondition(by, left, right.value, at);
    if (left.kind === 'known' && right.kind === 'condition') return this.comparedCondition(by, right, left.value, at);
    return this.refuse('a comparison of partly unknown documents cannot be translated', at);
  }

  private comparedCondition(by: Comparison, condition: Condition, value: Value, at?: Location): Condition {
    if (typeof value !== 'boolean' || (by !== 'equal' && by !== 'neq'))
      return this.refuse('a comparison with a condition', at);
    return { ...condition, filter: (value === true) === (by === 'equal') ? condition.filter : not(condition.filter) };
  }

  private fieldFilter(op: ComparisonOperator, field: Field, value: Value, at?: Location): Filter {
    if (typeof value === 'object' && value !== null && !('mantissa' in value)) {
      this.refuse('a comparison of an unknown field with a collection cannot be translated', at);
    }
    return { op, field: field.path, value };
  }

  /** Calls `then` for every value the operation can have. */
  private op(op: Op, way: Way, then: (value: Symbolic, way: Way) => void): void {
    const args = (atoms: readonly Atom[]): Symbolic[] => atoms.map((atom) => this.atom(atom, way));
    switch (op.op) {
      case 'const':
      case 'local':
        then(this.atom(op, way), way);
        return;
      case 'input':
        then(documentOf(this.unknown.input), way);
        return;
      case 'base': {
        let value: Symbolic | undefined = documentOf(this.unknown.data);
        for (const key of this.plan.basePaths[op.path] ?? []) value = value && this.step(value, known(key));
        if (value !== undefined) then(value, way);
        return;
      }
      case 'rule': {
        const set = this.plan.sets[op.set] as RuleSet;
        if (set.kind === 'complete') this.alternatives(this.ruleOutcomes(set), way, then);
        else this.collected(set, way, then);
        return;
      }
      case 'lookup': {
        const lookup = this.plan.lookups[op.lookup] as Plan['lookups'][number];
        const keys = args(op.keys);
        const set = this.plan.sets[lookup.set] as RuleSet;
        const outcomes = lookup.clauses.flatMap((clause) => this.clauseOutcomes(clause, keys));
        if (set.kind === 'set') {
          const filter = or(outcomes.map((outcome) => outcome.filter));
          const after = this.require(way, { filter, element: ROOT_ELEMENT });
          if (after !== undefined) then(keys[0] as Symbolic, after);
        } else if (outcomes.every((outcome) => outcome.keys.length === keys.length))
          this.alternatives(outcomes, way, then);
        else this.refuse('a partly asked object rule');
        return;
      }
      case 'call': {
        const set = this.plan.sets[op.set] as RuleSet;
        this.alternatives(this.definition(set, args(op.args)), way, then);
        return;
      }
      case 'get':
        this.op(op.from, way, (from, after) => this.get(from, this.atom(op.key, after), after, then));
        return;
      case 'compare':
        then(this.simplified(this.compared(op.by, this.atom(op.left, way), this.atom(op.right, way), op.at)), way);
        return;
      case 'member':
        then(this.member(op, way), way);
        return;
      case 'builtin':
        this.builtin(op, args(op.args), way, then);
        return;
      case 'array':
        then(known(args(op.items).map((item) => this.plain(item, 'a collection of unknown values'))), way);
        return;
      case 'set':
        then(known(makeSet(args(op.items).map((item) => this.plain(item, 'a collection of unknown values')))), way);
        return;
      case 'object': {
        const entries = op.entries.map(([key, value]) => {
          const plain = (atom: Atom): Value => this.plain(this.atom(atom, way), 'an object of unknown values', op.at);
          return [plain(key), plain(value)] as const;
        });
        then(known(makeObject(entries)), way);
        return;
      }
      case 'comprehension':
        then(known(this.comprehension(op, way)), way);
        return;
      default:
        this.refuse(`\`${op.op}\` cannot be translated`);
    }
  }

  /** A condition that is decided is a plain boolean again. */
  private simplified(condition: Condition): Symbolic {
    if (condition.filter.op === 'true') return known(true);
    return condition.filter.op === 'false' ? known(false) : condition;
  }

  private alternatives(outcomes: readonly Outcome[], way: Way, then: (value: Symbolic, way: Way) => void): void {
    for (const outcome of outcomes) {
      const after = this.require(way, { filter: outcome.filter, element: ROOT_ELEMENT });
      if (after !== undefined) then(outcome.value, after);
    }
  }

  /** The whole of a partial rule: only where nothing in it depends on the unknown. */
  private collected(set: RuleSet, way: Way, then: (value: Symbolic, way: Way) => void): void {
    const outcomes = set.clauses.flatMap((clause) => this.clauseOutcomes(clause, []));
    const conditional = outcomes.some(({ filter, value }) => filter.op !== 'true' || value.kind !== 'known');
    if (!conditional && set.kind === 'set') {
      then(known(makeSet(outcomes.map(({ value }) => this.plain(value, 'an element')))), way);
      return;
    }
    if (!conditional && outcomes.every(({ keys }) => keys.length === 1)) {
      const entries = outcomes.map(
        ({ keys, value }) => [this.plain(keys[0] as Symbolic, 'a key'), this.plain(value, 'a value')] as const,
      );
      then(known(makeObject(entries)), way);
      return;
    }
    if (set.kind === 'set') {
      const members = outcomes.map(({ filter, value }) => {
        const isPlain = value.kind === 'known' || (value.kind === 'field' && value.element === ROOT_ELEMENT);
        if (!isPlain) return this.refuse(`members of ${set.name} that are elements of an unknown collection`);
        return { filter, value: value as Known | Field };
      });
      then({ kind: 'members', members }, way);
      return;
    }
    this.refuse(`rule ${set.name} depends on the unknown and is used as a whole, which cannot be translated`);
  }

  private step(from: Symbolic, key: Symbolic): Symbolic | undefined {
    if (key.kind !== 'known') return undefined;
    if (from.kind === 'mixed') return typeof key.value === 'string' ? stepMixed(from, key.value) : undefined;
    if (from.kind === 'field') {
      if (typeof key.value !== 'string') return this.refuse('an index into an unknown collection cannot be translated');
      return { ...from, path: [...from.path, key.value] };
    }
    if (from.kind !== 'known') return undefined;
    const value = get(from.value, key.value);
    return value === undefined ? undefined : known(value);
  }

  private get(from: Symbolic, key: Symbolic, way: Way, then: (value: Symbolic, way: Way) => void): void {
    if (key.kind === 'known') {
      const value = this.step(from, key);
      if (value !== undefined) then(value, way);
      return;
    }
    if (from.kind !== 'known' || key.kind !== 'field')
      this.refuse('an unknown key of an unknown document cannot be translated');
    // A known table asked with an unknown key: one case for each of its keys.
    for (const [name, value] of iterate((from as { value: Value }).value)) {
      const after = this.require(way, { filter: { op: 'eq', field: key.path, value: name }, element: key.element });
      if (after !== undefined) then(known(value), after);
    }
  }

  private member(op: Op & { op: 'member' }, way: Way): Symbolic {
    const value = this.atom(op.value, way);
    const of = this.atom(op.of, way);
    if (op.key !== undefined) {
      const plain = (symbol: Symbolic): Value => this.plain(symbol, 'membership with a key');
      return known(isMemberAt(plain(this.atom(op.key, way)), plain(value), plain(of)));
    }
    if (value.kind === 'known' && of.kind === 'known') return known(isMember(value.value, of.value));
    if (value.kind === 'field' && of.kind === 'known') {
      const values = [...iterate(of.value)].map(([, element]) => element);
      const filter: Filter = values.length === 0 ? NEVER : { op: 'in', field: value.path, values };
      return this.simplified({ kind: 'condition', element: value.element, filter });
    }
    if (value.kind === 'known' && of.kind === 'field') {
      return { kind: 'condition', element: of.element, filter: { op: 'contains', field: of.path, value: value.value } };
    }
    if (of.kind === 'members') {
      const filters = of.members.map((member) =>
        and([member.filter, this.compared('equal', member.value, value).filter]),
      );
      const element = value.kind === 'field' ? value.element : ROOT_ELEMENT;
      return this.simplified({ kind: 'condition', element, filter: or(filters) });
    }
    return this.refuse('membership between unknown values cannot be translated');
  }

  private builtin(
    op: Op & { op: 'builtin' },
    args: readonly Symbolic[],
    way: Way,
    then: (value: Symbolic, way: Way) => void,
  ): void {
    if (args.every((arg) => arg.kind === 'known')) {
      const value = runBuiltin(
        op.builtin,
        args.map((arg) => this.plain(arg, 'an argument')),
        this.session,
        op.at,
      );
      if (value !== undefined) then(known(value), way);
      return;
    }
    if (op.builtin.name === 'object.get') {
      this.objectGet(args, way, then, op.at);
      return;
    }
    const text = TEXT_BUILTINS[op.builtin.name];
    const [subject, pattern] = args;
    if (
      text !== undefined &&
      subject?.kind === 'field' &&
      pattern?.kind === 'known' &&
      typeof pattern.value === 'string'
    ) {
      then(
        {
          kind: 'condition',
          element: subject.element,
          filter: { op: text, field: subject.path, value: pattern.value },
        },
        way,
      );
      return;
    }
    this.refuse(`${op.builtin.name} of an unknown value cannot be translated`, op.at);
  }

  /** Two cases: the field is there, or it is not and the default stands for it. */
  private objectGet(
    [from, key, otherwise]: readonly Symbolic[],
    way: Way,
    then: (value: Symbolic, way: Way) => void,
    at: Location | undefined,
  ): void {
    const isField = from?.kind === 'field' && key?.kind === 'known' && typeof key.value === 'string';
    if (!isField || otherwise?.kind !== 'known') this.refuse('this `object.get` cannot be translated', at);
    const field: Field = { ...from, path: [...from.path, key.value as string] };
    const isThere: Filter = { op: 'exists', field: field.path };
    const found = this.require(way, { filter: isThere, element: field.element });
    if (found !== undefined) then(field, found);
    const missing = this.require(way, { filter: not(isThere), element: field.element });
    if (missing !== undefined) then(otherwise, missing);
  }

  private comprehension(op: Op & { op: 'comprehension' }, way: Way): Value {
    const items: Value[] = [];
    this.run(op.steps, 0, { frame: [...way.frame], filter: ALWAYS, elements: [] }, (end) => {
      if (this.close(end).op !== 'true') this.refuse('a comprehension over the unknown cannot be translated');
      items.push(this.plain(this.atom(op.item, end), 'a comprehension of unknown values'));
    });
    return op.of === 'array' ? items : makeSet(items);
  }
}

function documentOf(mixed: Mixed): Symbolic {
  const whole = mixed.unknowns.find(({ path }) => path.length === 0);
  if (whole !== undefined) return { kind: 'field', element: ROOT_ELEMENT, path: whole.name };
  return mixed;
}

function existing(filter: Filter): Filter[] {
  if ('filters' in filter) return filter.filters.flatMap(existing);
  if (filter.op === 'not') return existing(filter.filter);
  if (filter.op === 'fields') return [filter.left, filter.right].map((field) => ({ op: 'exists', field }));
  return 'field' in filter ? [{ op: 'exists', field: filter.field }] : [];
}

function bind(way: Way, slot: number, value: Symbolic): Way {
  const frame = [...way.frame];
  frame[slot] = value;
  return { ...way, frame };
}

/** Outcomes with the same value become one with the disjunction of their filters. */
function mergeOutcomes(outcomes: readonly Outcome[]): Outcome[] {
  const merged: Outcome[] = [];
  for (const outcome of outcomes) {
    const index = merged.findIndex(
      ({ value, keys }) =>
        value.kind === 'known' &&
        outcome.value.kind === 'known' &&
        equal(value.value, outcome.value.value) &&
        keys.length === 0,
    );
    if (index < 0) merged.push(outcome);
    else merged[index] = { ...outcome, filter: or([(merged[index] as Outcome).filter, outcome.filter]) };
  }
  return merged;
}
