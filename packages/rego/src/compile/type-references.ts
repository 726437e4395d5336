/**
 * References against the types of what they go into: a step that nothing can take is an error, a
 * variable as a step gets the type of the keys. Follows OPA's `refChecker` step by step, because
 * which variables it types, and when, decides what later expressions may say.
 */
import type { Location, Term } from '../syntax/ast.js';
import { writtenName } from './model.js';
import { formatRef } from './rule-tree.js';
import { documentRoot, extentOf, selectConstant, type TypeEnvironment, type TypeNode } from './type-environment.js';
import { unifies, unifyTerm } from './type-unify.js';
import { ANY, keysOf, type MaybeType, type Type, valuesOf } from './types.js';

export interface TypeProblem {
  readonly location: Location;
  readonly message: string;
  /** It may be no more than a consequence of another error. */
  readonly isFromNil: boolean;
}

type Terms = readonly Term[];

function isEmptyCollection(type: MaybeType): boolean {
  if (type?.kind === 'object') return type.static.length === 0 && type.dynamic === undefined;
  if (type?.kind === 'array') return type.static.length === 0 && type.dynamic === undefined;
  return type?.kind === 'set' && type.of === undefined;
}

function undefinedReference(terms: Terms): TypeProblem {
  const head = terms[0] as Term;
  return { location: head.location, message: `undefined ref: ${formatRef(terms)}`, isFromNil: false };
}

function functionAsReference(terms: Terms): TypeProblem {
  const last = terms.at(-1) as Term;
  const isTemporary = last.kind === 'var' && writtenName(last.name) === '';
  const name = formatRef(isTemporary ? terms.slice(0, -1) : terms);
  const head = terms[0] as Term;
  return { location: head.location, message: `function ${name} used as reference, not called`, isFromNil: false };
}

export class ReferenceChecker {
  readonly environment: TypeEnvironment;

  constructor(environment: TypeEnvironment) {
    this.environment = environment;
  }

  check(terms: Terms): TypeProblem | undefined {
    const head = terms[0] as Term;
    if (head.kind !== 'var') return undefined;
    if (this.environment.ofReference(terms)?.kind === 'function') return functionAsReference(terms);
    return this.search(this.environment, terms);
  }

  /** From the innermost environment outwards: the first that knows the path decides. */
  private search(from: TypeEnvironment, terms: Terms): TypeProblem | undefined {
    const head = terms[0] as Term;
    if (head.kind !== 'var') return undefined;
    const root = documentRoot(head);
    for (let at: TypeEnvironment | undefined = from; at !== undefined; at = at.next) {
      if (at.variables.has(head.name)) {
        const type = at.variables.get(head.name);
        if (type !== undefined) return this.leaf(type, terms, 1);
        const [, step] = terms;
        if (step === undefined) return undefined;
        const isName = step.kind === 'var' || (step.kind === 'scalar' && typeof step.value === 'string');
        if (!isName) return undefinedReference(terms);
        if (step.kind === 'var') this.typeStep(step.name, keysOf(ANY_FIELDS), terms);
        continue;
      }
      const node = root === undefined ? undefined : at.root(root);
      if (node === undefined) continue;
      if (node.type !== undefined) return this.leaf(node.type, terms, 1);
      const found = this.descend(node, terms);
      if (found !== 'elsewhere') return found;
    }
    if (root !== undefined) return this.leaf(ANY, terms, 1);
    return this.leaf(ANY, terms, 0);
  }

  private typeStep(name: string, type: MaybeType, terms: Terms): TypeProblem | undefined {
    const known = this.environment.variable(name);
    if (known === undefined) this.environment.set(name, type);
    else if (!unifies(type, known)) return undefinedReference(terms);
    return undefined;
  }

  private descend(root: TypeNode, terms: Terms): TypeProblem | undefined | 'elsewhere' {
    let node = root;
    for (let index = 1; index < terms.length; index++) {
      const step = terms[index] as Term;
      if (index <= 2 && step.kind !== 'var' && !(step.kind === 'scalar' && typeof step.value === 'string')) {
        return undefinedReference(terms);
      }
      if (step.kind === 'var') {
        const error = this.typeStep(step.name, keysOf(extentOf(node)), terms);
        if (error !== undefined) return error;
      }
      const child = node.child(step);
      if (child === undefined) return 'elsewhere';
      if (child.type !== undefined) return this.leaf(child.type, terms, index + 1);
      node = child;
    }
    return undefined;
  }

  private leaf(type: Type, terms: Terms, start: number): TypeProblem | undefined {
    let current: MaybeType = type;
    for (let index = start; index < terms.length; index++) {
      const step = terms[index] as Term;
      if (isEmptyCollection(current)) return undefinedReference(terms);
      const keys = keysOf(current);
      if (keys === undefined) {
        return current?.kind === 'function' ? functionAsReference(terms) : undefinedReference(terms);
      }
      if (step.kind === 'scalar') {
        const child = selectConstant(current, step);
        if (child === undefined) return undefinedReference(terms);
        current = child;
        continue;
      }
      if (!this.step(step, keys)) return undefinedReference(terms);
      current = valuesOf(current);
    }
    return undefined;
  }

  private step(step: Term, keys: Type): boolean {
    if (step.kind === 'var') {
      const known = this.environment.variable(step.name);
      if (known !== undefined) return unifies(known, keys);
      this.environment.set(step.name, keys);
      return true;
    }
    if (step.kind === 'ref') {
      const known = this.environment.ofReference(step.terms);
      return known === undefined || unifies(known, keys);
    }
    return unifyTerm(this.environment, step, keys, false);
  }
}

const ANY_FIELDS: Type = { kind: 'object', static: [], dynamic: { key: { kind: 'string' }, value: ANY } };
