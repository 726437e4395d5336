/**
 * Filters as MongoDB queries. A question about a field is one about the elements in MongoDB where the field is a list: so fields must
 * hold what their types say.
 */
import { type FieldTypes, inferFieldTypes, isList, scalarOf } from './field-types.js';
import type { ComparisonOperator, FieldPath, Filter, TextOperator } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';
import { type Field, type Question, reduceFilter, rendering } from './typed-filter.js';

export interface MongoQuery {
  readonly [key: string]: unknown;
}

export interface MongoOptions {
  /** The fields' types; without them, those that the filter's own values give. */
  readonly fields?: FieldTypes;
}

const MONGO: Readonly<Record<ComparisonOperator, string>> = {
  ...{ eq: '$eq', ne: '$ne', lt: '$lt' },
  ...{ lte: '$lte', gt: '$gt', gte: '$gte' },
};

const OPPOSITE: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  ...{ eq: 'ne', ne: 'eq', lt: 'gte' },
  ...{ lte: 'gt', gt: 'lte', gte: 'lt' },
};

const NOTHING: MongoQuery = { $nor: [{}] };

type Atom = Extract<Question, { readonly kind: 'compare' | 'oneOf' | 'affix' }>;

/** `\z`, not `$`, which would also match before a line feed at the end. */
function pattern(by: TextOperator, value: string): string {
  const text = value.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  if (by === 'startsWith') return `^${text}`;
  return by === 'endsWith' ? `${text}\\z` : text;
}

function nameOf(path: FieldPath): string {
  for (const part of path) {
    if (part === '' || part.startsWith('$') || part.includes('.') || /^\d+$/.test(part))
      throw new PartialEvaluationError(`a field with the name ${JSON.stringify(part)} cannot be asked for in MongoDB`);
  }
  return path.join('.');
}

/** The operators that a value must satisfy. */
function operatorsOf(atom: Atom): MongoQuery {
  switch (atom.kind) {
    case 'compare':
      return { [MONGO[atom.by]]: atom.value };
    case 'oneOf':
      return { $in: atom.values };
    case 'affix':
      return { $regex: pattern(atom.by, atom.value) };
  }
}

function compared(field: Field, atom: Atom): MongoQuery {
  // A missing field and null differ from everything in MongoDB, unlike here.
  if (atom.kind === 'compare' && atom.by === 'ne') return { [nameOf(field.path)]: { $nin: [atom.value, null] } };
  return { [nameOf(field.path)]: operatorsOf(atom) };
}

function comparedFields({ left, right, by }: Extract<Question, { readonly kind: 'fields' }>): MongoQuery {
  const there = [left, right].map(({ path }): MongoQuery => ({ [nameOf(path)]: { $ne: null } }));
  return { $and: [...there, { $expr: { [MONGO[by]]: [`$${nameOf(left.path)}`, `$${nameOf(right.path)}`] } }] };
}

/** Both on one value. Errors: `PartialEvaluationError` where one operator would be needed twice. */
function merged(one: MongoQuery, other: MongoQuery): MongoQuery {
  if (Object.keys(one).some((key) => key in other))
    throw new PartialEvaluationError('these conditions on one element cannot be asked of MongoDB together');
  return { ...one, ...other };
}

/** A condition on a plain element as alternatives, each a set of operators: `$elemMatch` knows no `$or` and no `$and` there. */
function alternatives(question: Question, isNegated: boolean): readonly MongoQuery[] {
  switch (question.kind) {
    case 'constant':
      return question.value === isNegated ? [] : [{}];
    case 'not':
      return alternatives(question.question, !isNegated);
    case 'all':
    case 'some': {
      const parts = question.questions.map((each) => alternatives(each, isNegated));
      if ((question.kind === 'some') !== isNegated) return parts.flat();
      return parts.reduce((left, right) => left.flatMap((one) => right.map((other) => merged(one, other))));
    }
    case 'compare':
      return [operatorsOf(isNegated ? { ...question, by: OPPOSITE[question.by] } : question)];
    case 'oneOf':
      return [isNegated ? { $nin: question.values } : operatorsOf(question)];
    case 'affix': {
      // `$in`, for there are reimplementations of MongoDB that pass over what stands beside `$regex`.
      const { $regex } = operatorsOf(question) as { readonly $regex: string };
      return [isNegated ? { $not: { $regex } } : { $in: [new RegExp($regex)] }];
    }
    default:
      throw new PartialEvaluationError('this condition on an element cannot be asked of MongoDB');
  }
}

function element({ list, question }: Extract<Question, { readonly kind: 'element' }>): MongoQuery {
  const name = nameOf(list.path);
  if (isList(list.type) && scalarOf(list.type[0]) === undefined) return { [name]: { $elemMatch: write(question) } };
  const each = alternatives(question, false).map((wanted): MongoQuery => {
    // An empty condition: any element at all.
    return { [name]: { $elemMatch: Object.keys(wanted).length === 0 ? { $exists: true } : wanted } };
  });
  const [only] = each;
  if (only === undefined) return NOTHING;
  return each.length === 1 ? only : { $or: each };
}

function write(question: Question): MongoQuery {
  return rendering(question, () => writeHere(question));
}

function writeHere(question: Question): MongoQuery {
  switch (question.kind) {
    case 'constant':
      return question.value ? {} : NOTHING;
    case 'all':
      return { $and: question.questions.map(write) };
    case 'some':
      return { $or: question.questions.map(write) };
    case 'not':
      return { $nor: [write(question.question)] };
    case 'present':
      return { [nameOf(question.field.path)]: { $ne: null } };
    case 'null':
      return { [nameOf(question.field.path)]: { $type: 'null' } };
    case 'fields':
      return comparedFields(question);
    case 'element':
      return element(question);
    default:
      return compared(question.field, question);
  }
}

/** Errors: `PartialEvaluationError` for what MongoDB cannot say. */
export function toMongo(filter: Filter, options: MongoOptions = {}): MongoQuery {
  return write(reduceFilter(filter, options.fields ?? inferFieldTypes(filter)));
}
