/**
 * The intermediate form both back ends run. A body is a list of steps; each either fails, or binds
 * locals and goes on to the next, some once, some for every element of a collection. Which variable
 * is bound where is settled here, so a back end never unifies: it only assigns and compares.
 *
 * `world` numbers stand for the documents in force: 0 is the caller's, a `with` step makes others.
 */
import type { Builtin } from '../builtins/builtin.js';
import type { Location } from '../syntax/ast.js';
import type { Value } from '../values/index.js';

export interface ConstOp {
  readonly op: 'const';
  readonly value: Value;
}
export interface LocalOp {
  readonly op: 'local';
  readonly slot: number;
}
/** What needs no evaluation and is never undefined. */
export type Atom = ConstOp | LocalOp;

export type Comparison = 'equal' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';

export type Comprehension = Op & { readonly op: 'comprehension' | 'object-comprehension' };

export type Op =
  | Atom
  | { readonly op: 'input'; readonly world: number }
  /** The base document at `Plan.basePaths[path]`. */
  | { readonly op: 'base'; readonly world: number; readonly path: number }
  /** The whole value of a rule set. */
  | { readonly op: 'rule'; readonly world: number; readonly set: number }
  /** A partial rule set asked at its first keys: `Plan.lookups[lookup]`. */
  | { readonly op: 'lookup'; readonly world: number; readonly lookup: number; readonly keys: readonly Atom[] }
  /** Base and virtual documents under `Plan.extents[extent]`, merged. */
  | { readonly op: 'extent'; readonly world: number; readonly extent: number }
  | { readonly op: 'get'; readonly from: Op; readonly key: Atom }
  | {
      readonly op: 'builtin';
      readonly world: number;
      readonly builtin: Builtin;
      readonly args: readonly Atom[];
      readonly at: Location;
    }
  | {
      readonly op: 'call';
      readonly world: number;
      readonly set: number;
      readonly args: readonly Atom[];
      readonly at: Location;
    }
  | {
      readonly op: 'compare';
      readonly world: number;
      readonly by: Comparison;
      readonly left: Atom;
      readonly right: Atom;
      readonly at: Location;
    }
  /** `x in xs`, `k, v in xs`: a boolean. */
  | { readonly op: 'member'; readonly key: Atom | undefined; readonly value: Atom; readonly of: Atom }
  | { readonly op: 'array'; readonly items: readonly Atom[] }
  | { readonly op: 'set'; readonly items: readonly Atom[] }
  | { readonly op: 'object'; readonly entries: readonly (readonly [Atom, Atom])[]; readonly at: Location }
  | { readonly op: 'comprehension'; readonly of: 'array' | 'set'; readonly steps: readonly Step[]; readonly item: Atom }
  /** A comprehension whose items are kept by what they are asked by, once it is asked again. */
  | {
      readonly op: 'grouped';
      readonly index: number;
      readonly world: number;
      /** The question; where a part of it is undefined, there are no items. */
      readonly asked: readonly Op[];
      /** For all questions: what an item is asked by, one for each part of the question. */
      readonly keys: readonly Atom[];
      readonly steps: readonly Step[];
      /** For one question; what it collects is collected for all. */
      readonly plain: Comprehension;
    }
  | {
      readonly op: 'object-comprehension';
      readonly steps: readonly Step[];
      readonly key: Atom;
      readonly value: Atom;
      /** Of the key. */
      readonly at: Location;
    };

export interface Replacement {
  readonly kind: 'function' | 'builtin' | 'rule' | 'value';
  /** A rule set, a built-in, or what is returned whatever the arguments. */
  readonly set?: number;
  readonly builtin?: Builtin;
  readonly value?: Atom;
}

export interface WithModifiers {
  readonly input: readonly { readonly path: readonly Atom[]; readonly value: Atom }[];
  /** A function in the place of a document leaves none: no value. */
  readonly data: readonly { readonly path: readonly Value[]; readonly value: Atom | undefined }[];
  /** By rule set index or built-in name. */
  readonly functions: readonly { readonly target: number | string; readonly by: Replacement }[];
  /** Rule sets and extents the data targets hide. */
  readonly hiddenSets: readonly number[];
  readonly hiddenExtents: readonly number[];
}

export type Step = { readonly at?: Location } & (
  | { readonly step: 'let'; readonly slot: number; readonly value: Op }
  /** Goes on when the value is defined and not false. */
  | { readonly step: 'test'; readonly value: Op }
  | { readonly step: 'equal'; readonly left: Op; readonly right: Op }
  | { readonly step: 'iterate'; readonly from: Op; readonly key: number; readonly value: number }
  /** For every element whose fields equal the keys. */
  | {
      readonly step: 'probe';
      readonly from: Op;
      /** Base data, which is there for the next evaluation, too. */
      readonly lasts: boolean;
      /** -1: not asked for. */
      readonly key: number;
      readonly value: number;
      readonly fields: readonly (readonly string[])[];
      readonly keys: readonly Atom[];
    }
  /** The collection has the value as an element. */
  | { readonly step: 'has'; readonly from: Op; readonly value: Atom }
  /** For every element of a relation built-in's answer. */
  | { readonly step: 'relation'; readonly from: Op; readonly value: number }
  | { readonly step: 'array-shape'; readonly value: Op; readonly size: number }
  /** `size` -1: of any size. */
  | { readonly step: 'object-shape'; readonly value: Op; readonly size: number }
  /** The key is none of these. */
  | { readonly step: 'not-key'; readonly value: Op; readonly keys: readonly Value[] }
  /** Goes on once for every way through every branch. */
  | { readonly step: 'choice'; readonly branches: readonly (readonly Step[])[] }
  /** Goes on once if some branch has a way through. */
  | { readonly step: 'some'; readonly branches: readonly (readonly Step[])[] }
  | { readonly step: 'not'; readonly steps: readonly Step[] }
  | {
      readonly step: 'every';
      readonly from: Op;
      readonly key: number;
      readonly value: number;
      readonly steps: readonly Step[];
    }
  | { readonly step: 'with'; readonly world: number; readonly outer: number; readonly modifiers: WithModifiers }
  | { readonly step: 'fail' }
);

/** One definition. Arguments (or, for lookups, keys) are in the first slots. */
export interface Clause {
  readonly slots: number;
  readonly worlds: number;
  readonly steps: readonly Step[];
  /** The steps at the start that only look at the arguments: used for indexing. */
  readonly value: Atom;
  /** For partial rules: the steps of the reference after the constant prefix. */
  readonly keys: readonly Atom[];
  /** For partial rules: the value is an element of a set. */
  readonly leafIsSet: boolean;
  readonly otherwise: readonly Clause[];
  readonly location: Location;
}

export type RuleSetKind = 'complete' | 'function' | 'set' | 'object';

export interface RuleSet {
  readonly index: number;
  /** From `data`, which is not part of it. */
  readonly path: readonly Value[];
  readonly name: string;
  readonly kind: RuleSetKind;
  readonly arity: number;
  /** Empty until `Plan.demand` meets the set. */
  clauses: readonly Clause[];
  fallback: Clause | undefined;
  /** All values are the same constant: the first answer is the answer. */
  isUniform: boolean;
  /** The base path of the set's own path, for `with` that hides it. */
  readonly basePath: number;
}

/** A partial rule set asked with its first `arity` keys known. */
export interface Lookup {
  readonly index: number;
  readonly set: number;
  readonly arity: number;
  /** Empty until `Plan.demand` meets the lookup. */
  clauses: readonly Clause[];
}

/** A node of the rule tree without rules of its own: what is below it. */
export interface Extent {
  readonly index: number;
  readonly basePath: number;
  readonly children: readonly { readonly key: Value; readonly set: number; readonly extent: number }[];
}

export interface QueryPlan {
  readonly slots: number;
  readonly worlds: number;
  readonly steps: readonly Step[];
  readonly bindings: readonly { readonly name: string; readonly value: Atom }[];
}

/** Rule sets and lookups in no particular order. */
export interface Definitions {
  readonly sets: readonly RuleSet[];
  readonly lookups: readonly Lookup[];
}

export interface Plan {
  readonly sets: RuleSet[];
  readonly lookups: Lookup[];
  readonly extents: Extent[];
  readonly basePaths: (readonly Value[])[];
  /** Lowers all that the steps reach and that no demand before this one has reached: the result. */
  demand(steps: readonly Step[]): Definitions;
  /** Takes the last demand back: it could not be compiled, and will be made again. */
  forget(): void;
}
