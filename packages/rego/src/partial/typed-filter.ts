/**
 * Filters reduced to questions that any store can be asked. After the reduction text is compared with text only, numbers with
 * numbers; a comparison across types is decided by the types; every question is true or false of a document, never unknown: of a
 * field that is missing each one but `not` is false. So no store's own order of types, NULL or undefined can answer.
 */
import type { ErrorLocation } from '../errors.js';
import type { Value } from '../values/index.js';
import { type FieldType, type FieldTypes, isList, isNullable, scalarOf, typeAt } from './field-types.js';
import {
  type ComparisonOperator,
  type FieldPath,
  type Filter,
  holds,
  mirrored,
  placeOf,
  type TextOperator,
} from './filter.js';
import { locating, PartialEvaluationError } from './partial-errors.js';

/** A field, from the document's root, or within `element` from the element: there `[]` is the element itself. */
export interface Field {
  readonly path: FieldPath;
  readonly type: FieldType;
}

export type Scalar = boolean | number | string;

export type Question =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'all' | 'some'; readonly questions: readonly Question[] }
  | { readonly kind: 'not'; readonly question: Question }
  /** The field is there, with a value of its type other than null. */
  | { readonly kind: 'present'; readonly field: Field }
  | { readonly kind: 'null'; readonly field: Field }
  /** Booleans by `eq` only. */
  | { readonly kind: 'compare'; readonly field: Field; readonly by: ComparisonOperator; readonly value: Scalar }
  | { readonly kind: 'oneOf'; readonly field: Field; readonly values: readonly Scalar[] }
  | { readonly kind: 'affix'; readonly field: Field; readonly by: TextOperator; readonly value: string }
  /** Two fields of one type. */
  | { readonly kind: 'fields'; readonly left: Field; readonly right: Field; readonly by: ComparisonOperator }
  | { readonly kind: 'element'; readonly list: Field; readonly question: Question };

const always: Question = { kind: 'constant', value: true };
const never: Question = { kind: 'constant', value: false };

const ranks = { boolean: 1, number: 2, string: 3, list: 4, object: 5 } as const;

function refuse(what: string): never {
  throw new PartialEvaluationError(`${what} cannot be asked of a store`);
}

const nameOf = (path: FieldPath): string => (path.length === 0 ? 'an element' : path.join('.'));

function combine(kind: 'all' | 'some', questions: readonly Question[]): Question {
  const absorbing = kind === 'some';
  const kept: Question[] = [];
  for (const question of questions) {
    if (question.kind !== 'constant') kept.push(question);
    else if (question.value === absorbing) return question;
  }
  const [only] = kept;
  if (only === undefined) return { kind: 'constant', value: !absorbing };
  return kept.length === 1 ? only : { kind, questions: kept };
}

const when = (isSo: boolean, question: Question): Question => (isSo ? question : never);

function rankOf(value: Value): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return ranks.boolean;
  if (typeof value === 'number' || (typeof value === 'object' && 'mantissa' in value)) return ranks.number;
  if (typeof value === 'string') return ranks.string;
  return refuse('a comparison with a whole list or object');
}

/** No U+0000 and no half of a surrogate pair: not every store holds them. */
function storable(text: string): string {
  return text.includes('\u0000') || /\p{Surrogate}/u.test(text) ? refuse('text with U+0000 or half a character') : text;
}

function rankOfType(type: FieldType): number {
  const scalar = scalarOf(type);
  if (scalar !== undefined) return ranks[scalar];
  return isList(type) ? ranks.list : ranks.object;
}

function compareScalar(field: Field, by: ComparisonOperator, value: Value): Question {
  if (typeof value === 'boolean') {
    const matching = [false, true].filter((one) => holds(Number(one) - Number(value), by));
    const each = matching.map((one): Question => ({ kind: 'compare', field, by: 'eq', value: one }));
    return each.length === 2 ? { kind: 'present', field } : combine('some', each);
  }
  if (typeof value === 'number') return { kind: 'compare', field, by, value };
  if (typeof value === 'string') return { kind: 'compare', field, by, value: storable(value) };
  return refuse('a number beyond double precision');
}

const places = new WeakMap<Question, ErrorLocation>();

/** What `render` makes of the question; its errors say where the policy asks it. */
export function rendering<T>(question: Question, render: () => T): T {
  return locating(places.get(question), render);
}

class Reducer {
  private readonly root: FieldType;
  private readonly isWhole: boolean;

  /** `isWhole`: of the document, not of an element. */
  constructor(root: FieldType, isWhole: boolean) {
    this.root = root;
    this.isWhole = isWhole;
  }

  private at(path: FieldPath): Field | undefined {
    if (path.length === 0 && this.isWhole) refuse('the unknown document itself (its name can be given in `names`)');
    const type = typeAt(this.root, path);
    return type === undefined ? undefined : { path, type };
  }

  reduce(filter: Filter): Question {
    const at = placeOf(filter);
    const question = locating(at, () => this.reduceHere(filter));
    if (at !== undefined && question.kind !== 'constant' && !places.has(question)) places.set(question, at);
    return question;
  }

  private reduceHere(filter: Filter): Question {
    switch (filter.op) {
      case 'true':
        return always;
      case 'false':
        return never;
      case 'and':
      case 'or':
        return combine(
          filter.op === 'and' ? 'all' : 'some',
          filter.filters.map((each) => this.reduce(each)),
        );
      case 'not': {
        const question = this.reduce(filter.filter);
        if (question.kind === 'constant') return { kind: 'constant', value: !question.value };
        return question.kind === 'not' ? question.question : { kind: 'not', question };
      }
      case 'exists':
        return this.exists(filter.field);
      case 'in':
        return this.oneOf(filter.field, filter.values);
      case 'contains': {
        const { value } = filter;
        return this.element(filter.field, { op: 'eq', field: [], value });
      }
      case 'any':
        return this.element(filter.field, filter.filter);
      case 'startsWith':
      case 'endsWith':
      case 'includes':
        return this.affix(filter.field, filter.op, filter.value);
      case 'fields':
        return this.fields(filter);
      default:
        return this.compare(filter.field, filter.op, filter.value);
    }
  }

  private exists(path: FieldPath): Question {
    if (path.length === 0) return always;
    const field = this.at(path);
    if (field === undefined) return never;
    const present: Question = { kind: 'present', field };
    return combine('some', isNullable(field.type) ? [present, { kind: 'null', field }] : [present]);
  }

  private compare(path: FieldPath, by: ComparisonOperator, value: Value): Question {
    const rank = rankOf(value);
    const field = this.at(path);
    if (field === undefined) return never;
    const own = rankOfType(field.type);
    const within = own === rank ? compareScalar(field, by, value) : never;
    const across = when(own !== rank && holds(own - rank, by), this.present(field));
    const ofNull = when(isNullable(field.type) && holds(0 - rank, by), { kind: 'null', field });
    return combine('some', [within, across, ofNull]);
  }

  /** The element that a list is looked through for is there. */
  private present(field: Field): Question {
    return field.path.length === 0 ? always : { kind: 'present', field };
  }

  private oneOf(path: FieldPath, values: readonly Value[]): Question {
    const field = this.at(path);
    const scalar = field && scalarOf(field.type);
    if (field === undefined) return never;
    const ours = values.filter((value): value is Scalar => scalar !== 'boolean' && typeof value === scalar);
    const others = values.filter((value) => !(ours as readonly Value[]).includes(value));
    for (const value of ours) if (typeof value === 'string') storable(value);
    return combine('some', [
      when(ours.length > 0, { kind: 'oneOf', field, values: ours }),
      ...others.map((value) => this.compare(path, 'eq', value)),
    ]);
  }

  private affix(path: FieldPath, by: TextOperator, value: string): Question {
    const field = this.at(path);
    if (field === undefined || scalarOf(field.type) !== 'string') return never;
    return storable(value) === '' ? this.present(field) : { kind: 'affix', field, by, value };
  }

  private element(path: FieldPath, filter: Filter): Question {
    const list = this.at(path);
    if (list === undefined || typeof list.type === 'string') return never;
    if (!isList(list.type)) return refuse(`a condition on the fields of ${nameOf(path)}, whatever their names,`);
    const question = new Reducer(list.type[0], false).reduce(filter);
    return question.kind === 'constant' && !question.value ? never : { kind: 'element', list, question };
  }

  private fields({ left, right, by }: Extract<Filter, { readonly op: 'fields' }>): Question {
    const [one, other] = [this.at(left), this.at(right)];
    if (one === undefined || other === undefined) return never;
    const [first, second] = [rankOfType(one.type), rankOfType(other.type)];
    if (Math.max(first, second) > ranks.string) return refuse('a comparison of whole lists or objects');
    const both: Question = { kind: 'all', questions: [this.present(one), this.present(other)] };
    const across = (field: Field, against: Field, sign: ComparisonOperator): Question =>
      // Null on the left, a value on the right.
      when(isNullable(field.type) && holds(-1, sign), {
        kind: 'all',
        questions: [{ kind: 'null', field }, this.present(against)],
      });
    const nulls: Question = {
      kind: 'all',
      questions: [
        { kind: 'null', field: one },
        { kind: 'null', field: other },
      ],
    };
    return combine('some', [
      first === second ? { kind: 'fields', left: one, right: other, by } : when(holds(first - second, by), both),
      across(one, other, by),
      across(other, one, mirrored(by)),
      when(isNullable(one.type) && isNullable(other.type) && holds(0, by), nulls),
    ]);
  }
}

/** Errors: `PartialEvaluationError` for what no store could be asked, and for fields without a type. */
export function reduceFilter(filter: Filter, types: FieldTypes): Question {
  return new Reducer(types, true).reduce(filter);
}
