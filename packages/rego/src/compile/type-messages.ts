/** What type errors say, in OPA's words: their lines, and the same as a document. */
import type { Builtin } from '../builtins/builtin.js';
import type { ErrorDetails } from '../errors.js';
import type { Location, Term } from '../syntax/ast.js';
import { compare, formatTerm, toJson, type Value } from '../values/index.js';
import { writtenName } from './model.js';
import { formatRef } from './rule-tree.js';
import { isNil, type MaybeType, showType } from './types.js';

export interface TypeProblem {
  readonly location: Location;
  readonly message: string;
  /** It may be no more than a consequence of another error. */
  readonly isFromNil: boolean;
  readonly details?: ErrorDetails;
}

/** A type as OPA writes it as JSON. */
export function typeDocument(type: MaybeType): ErrorDetails {
  if (type === undefined) return null;
  switch (type.kind) {
    case 'array':
      return {
        dynamic: type.dynamic && typeDocument(type.dynamic),
        static: type.static.length === 0 ? undefined : type.static.map(typeDocument),
        type: 'array',
      };
    case 'object':
      return {
        dynamic: type.dynamic && { key: typeDocument(type.dynamic.key), value: typeDocument(type.dynamic.value) },
        static:
          type.static.length === 0
            ? undefined
            : type.static.map(({ key, value }) => ({ key: toJson(key) as ErrorDetails, value: typeDocument(value) })),
        type: 'object',
      };
    case 'set':
      return { of: type.of && typeDocument(type.of), type: 'set' };
    case 'any':
      return { of: type.of.length === 0 ? undefined : type.of.map(typeDocument), type: 'any' };
    case 'function':
      return {
        args: type.args.length === 0 ? undefined : type.args.map(typeDocument),
        result: type.result && typeDocument(type.result),
        type: 'function',
        variadic: type.variadic && typeDocument(type.variadic),
      };
    default:
      return { type: type.kind };
  }
}

function stepDocument(term: Term, index: number): ErrorDetails {
  if (term.kind === 'var') return { type: 'var', value: writtenName(term.name) || `$${index}` };
  if (term.kind === 'scalar') {
    const type = term.value === null ? 'null' : typeof term.value;
    return { type: type === 'object' ? 'number' : type, value: toJson(term.value) as ErrorDetails };
  }
  return { type: term.kind };
}

function refDocument(terms: readonly Term[]): ErrorDetails {
  let wildcards = 0;
  return terms.map((term) => {
    const isWildcard = term.kind === 'var' && writtenName(term.name) === '';
    const document = stepDocument(term, wildcards);
    if (isWildcard) wildcards += 1;
    return document;
  });
}

/** What a reference into a type came upon. */
export interface ReferenceFault {
  /** The step in question. */
  readonly at: number;
  /** The type of the step, where it is no constant. */
  readonly have?: MaybeType;
  /** What it could be. */
  readonly want?: MaybeType;
  readonly oneOf?: readonly Value[];
}

const stepText = (term: Term | undefined): string => {
  if (term?.kind === 'scalar') return formatTerm(term.value);
  return term?.kind === 'var' ? writtenName(term.name) || '_' : '_';
};

/** A step that nothing there can take. */
export function invalidStep(terms: readonly Term[], fault: ReferenceFault): TypeProblem {
  const head = terms[0] as Term;
  const { at, have, want } = fault;
  const oneOf = [...(fault.oneOf ?? [])].sort(compare);
  const pad = ' '.repeat(formatRef(terms.slice(0, at)).length + 1);
  const had = have === undefined ? `have: ${stepText(terms[at])}` : `have (type): ${showType(have)}`;
  const type = want === undefined ? 'want (one of): []' : `want (type): ${showType(want)}`;
  const wanted = oneOf.length > 0 ? `want (one of): [${oneOf.map(formatTerm).join(' ')}]` : type;
  const lines = [formatRef(terms), `${pad}^`, pad + had, pad + wanted];
  return {
    location: head.location,
    message: [`undefined ref: ${formatRef(terms)}`, ...lines].join('\n\t'),
    isFromNil: false,
    details: {
      ref: refDocument(terms),
      pos: at,
      have: have && typeDocument(have),
      want: typeDocument(want),
      oneOf: oneOf.length === 0 ? null : oneOf.map((value) => toJson(value) as ErrorDetails),
    },
  };
}

/** A step into what has no parts. */
export function unsupportedStep(terms: readonly Term[], at: number, have: MaybeType, message: string): TypeProblem {
  const head = terms[0] as Term;
  const lines = [formatRef(terms), '^'.repeat(formatRef(terms.slice(0, at + 1)).length), `have: ${showType(have)}`];
  return {
    location: head.location,
    message: [message, ...lines].join('\n\t'),
    isFromNil: false,
    details: { ref: refDocument(terms), pos: at, have: typeDocument(have) },
  };
}

export interface ArgumentProblem {
  /** As written. */
  readonly operator: string;
  readonly problem: string;
  readonly have: readonly MaybeType[];
  /** The arguments, and the result where a call may have one more argument for it. */
  readonly want: readonly MaybeType[];
  /** Of a built-in: the names of its arguments are shown, too. */
  readonly builtin: Builtin | undefined;
}

/** OPA's older built-ins have no names to show. */
const isNamed = ({ name, deprecated }: Builtin): boolean =>
  deprecated !== true && !/^(internal\.|eq$|assign$)/.test(name);

/** `left = right` of types that have nothing in common. */
export function mismatch(location: Location, left: MaybeType, right: MaybeType): TypeProblem {
  const lines = ['match error', `left  : ${showType(left)}`, `right : ${showType(right)}`];
  return {
    location,
    message: lines.join('\n\t'),
    isFromNil: isNil(left) || isNil(right),
    details: { a: typeDocument(left), b: typeDocument(right) },
  };
}

export function argumentMessage({ operator, problem, have, want, builtin }: ArgumentProblem): string {
  const docs = builtin !== undefined && isNamed(builtin) ? builtin.docs : undefined;
  const wanted = want.map((type, index) => {
    const documented = docs?.args[index] ?? docs?.result;
    return documented === undefined ? showType(type) : `${documented.name}: ${showType(type)}`;
  });
  return `${operator}: ${problem}\n\thave: (${have.map(showType).join(', ')})\n\twant: (${wanted.join(', ')})`;
}
