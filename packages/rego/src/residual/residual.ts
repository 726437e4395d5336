/** What partial evaluation is given, and what it leaves. */
import type { CompiledModules } from '../compile/stages.js';
import type { Body, Expression, Term } from '../syntax/ast.js';
import type { Value } from '../values/index.js';
import type { ArityOf } from './simplify.js';

/** A rule that partial evaluation made, in the package `path`. */
export interface SupportRule {
  readonly path: readonly string[];
  readonly isDefault: boolean;
  readonly ref: readonly Term[];
  readonly args: readonly Term[] | undefined;
  readonly key: Term | undefined;
  readonly value: Term | undefined;
  readonly body: readonly Expression[];
}

export interface Residual {
  /** One of them must hold; an empty one always does. */
  readonly queries: readonly (readonly Expression[])[];
  readonly support: readonly SupportRule[];
}

export interface ResidualOptions {
  readonly compiled: CompiledModules;
  /** References from `input` or `data`. */
  readonly unknowns: readonly (readonly Term[])[];
  /** Paths that are not written out. */
  readonly kept: readonly (readonly Term[])[];
  /** No rule that depends on unknowns is written out. */
  readonly isShallow: boolean;
  readonly arityOf: ArityOf;
  /** Ways through the rules before giving up. */
  readonly maxWays: number;
  /** All ways to satisfy what is known: the values of the variables; undefined when they are not safe. */
  readonly solve: (body: Body, names: readonly string[]) => readonly ReadonlyMap<string, Value>[] | undefined;
}
