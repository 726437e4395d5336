/**
 * References against the types of what they go into: a step that nothing can take is an error, a
 * variable as a step gets the type of the keys. Follows OPA's `refChecker` step by step, because
 * which variables it types, and when, decides what later expressions may say.
 */
import type { Term } from '../syntax/ast.js';
import { keyOf, type Value } from '../values/index.js';
import { writtenName } from './model.js';
import { formatRef } from './rule-tree.js';
import { documentRoot, extentOf, selectConstant, type TypeEnvironment, type TypeNode } from './type-environment.js';
import { invalidStep, type TypeProblem, unsupportedStep } from './type-messages.js';
import { unifies, unifyTerm } from './type-unify.js';
import { ANY, keysOf, type MaybeType, STRING, type Type, valuesOf } from './types.js';

type Terms = readonly Term[];

function isEmptyCollection(type: MaybeType): boolean {
  if (type?.kind === 'object') return type.static.length === 0 && type.dynamic === undefined;
  if (type?.kind === 'array') return type.static.length === 0 && type.dynamic === undefined;
  return type?.kind === 'set' && type.of === undefined;
}

function functionAsReference(terms: Terms, at: number, have: MaybeType): TypeProblem {
  const last = terms.at(-1) as Term;
  const isTemporary = last.kind === 'var' && writtenName(last.name) === '';
  const name = formatRef(isTemporary ? terms.slice(0, -1) : terms);
  return unsupportedStep(terms, at, have, `function ${name} used as reference, not called`);
}

/** The keys a type is known to have. */
function knownKeys(type: MaybeType): readonly Value[] {
  if (type?.kind === 'object') return type.static.map(({ key }) => key);
  if (type?.kind !== 'any') return [];
  const keys = new Map(type.of.flatMap(knownKeys).map((key) => [keyOf(key), key]));
  return [...keys.values()];
}

const childrenOf = (node: TypeNode): readonly Value[] => [...node.children.values()].map(({ key }) => key);

export class ReferenceChecker {
  readonly environment: TypeEnvironment;

  constructor(environment: TypeEnvironment) {
    this.environment = environment;
  }

  check(terms: Terms): TypeProblem | undefined {
    const head = terms[0] as Term;
    if (head.kind !== 'var') return undefined;
    const whole = this.environment.ofReference(terms);
    if (whole?.kind === 'function') return functionAsReference(terms, terms.length - 1, whole);
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
        if (!isName) return this.notAName(terms, 1, []);
        if (step.kind === 'var') this.typeStep(terms, 1, { name: step.name, keys: keysOf(ANY_FIELDS), oneOf: [] });
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

  private notAName(terms: Terms, at: number, oneOf: readonly Value[]): TypeProblem {
    return invalidStep(terms, { at, have: this.environment.of(terms[at] as Term), want: STRING, oneOf });
  }

  private typeStep(
    terms: Terms,
    at: number,
    step: { readonly name: string; readonly keys: MaybeType; readonly oneOf: readonly Value[] },
  ): TypeProblem | undefined {
    const { name, keys, oneOf } = step;
    const known = this.environment.variable(name);
    if (known === undefined) this.environment.set(name, keys);
    else if (!unifies(keys, known)) return invalidStep(terms, { at, have: known, want: keys, oneOf });
    return undefined;
  }

  private descend(root: TypeNode, terms: Terms): TypeProblem | undefined | 'elsewhere' {
    let node = root;
    for (let index = 1; index < terms.length; index++) {
      const step = terms[index] as Term;
      if (index <= 2 && step.kind !== 'var' && !(step.kind === 'scalar' && typeof step.value === 'string')) {
        return this.notAName(terms, index, childrenOf(node));
      }
      if (step.kind === 'var') {
        const known = { name: step.name, keys: keysOf(extentOf(node)), oneOf: childrenOf(node) };
        const error = this.typeStep(terms, index, known);
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
      if (isEmptyCollection(current)) return invalidStep(terms, { at: index });
      const keys = keysOf(current);
      if (keys === undefined) {
        if (current?.kind === 'function') return functionAsReference(terms, index - 1, current);
        return unsupportedStep(terms, index - 1, current, `undefined ref: ${formatRef(terms)}`);
      }
      const fault = { at: index, want: keys, oneOf: knownKeys(current) };
      if (step.kind === 'scalar') {
        const child = selectConstant(current, step);
        if (child === undefined) return invalidStep(terms, fault);
        current = child;
        continue;
      }
      if (!this.step(step, keys)) {
        const isCollection = step.kind !== 'var' && step.kind !== 'ref';
        const oneOf = isCollection ? [] : fault.oneOf;
        return invalidStep(terms, { ...fault, oneOf, have: this.environment.of(step) });
      }
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
