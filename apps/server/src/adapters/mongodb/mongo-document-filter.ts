/** A reduced filter as a MongoDB query over the documents that `mongo-document-rows.ts` writes. */
import { type ComparisonOperator, PartialEvaluationError } from '@bailiwick/rego';
import { BSONRegExp, type Document } from 'mongodb';
import type { DocumentTest, MetadataType, Subject, TextField } from '../document-filter.js';

const operators: Readonly<Record<ComparisonOperator, string>> = {
  ...{ eq: '$eq', ne: '$ne', lt: '$lt' },
  ...{ lte: '$lte', gt: '$gt', gte: '$gte' },
};

const opposite: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  ...{ eq: 'ne', ne: 'eq', lt: 'gte' },
  ...{ lte: 'gt', gt: 'lte', gte: 'lt' },
};

/** The letters of the types in `facts`. */
export const factTypes: Readonly<Record<MetadataType, string>> = { boolean: 'b', number: 'n', text: 's', list: 'l' };

const isOrder = (by: ComparisonOperator): boolean => by !== 'eq' && by !== 'ne';

/**
 * MongoDB sorts text by code point; its reimplementations by UTF-16 units. The two agree unless both sides have a character from
 * U+D800 up: so none is asked for.
 */
function ordered(by: ComparisonOperator, value: string): string {
  if (isOrder(by) && /[\ud800-\uffff]/.test(value))
    throw new PartialEvaluationError('the order of characters beyond U+D7FF cannot be asked of MongoDB');
  return value;
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** `\z`, not `$`, which would also match before a line feed at the end. */
function pattern(by: 'startsWith' | 'endsWith' | 'includes', value: string): string {
  if (by === 'startsWith') return `^${escaped(value)}`;
  return by === 'endsWith' ? `${escaped(value)}\\z` : escaped(value);
}

type Scalar = Extract<DocumentTest, { readonly kind: 'text' | 'oneOf' | 'affix' | 'number' }>;

/** The operators that a value must satisfy. */
function operatorsOf(test: Scalar): Document {
  switch (test.kind) {
    case 'oneOf':
      return { $in: test.values };
    case 'affix':
      return { $regex: pattern(test.by, test.value) };
    case 'number':
      return { [operators[test.by]]: test.value };
    case 'text':
      return { [operators[test.by]]: ordered(test.by, test.value as string) };
  }
}

function comparedFields(test: Extract<DocumentTest, { readonly kind: 'text' }>, field: TextField): Document {
  const isTime = (name: string): boolean => name === 'created_at' || name === 'updated_at';
  const { subject, by } = test;
  if (subject.kind !== 'field')
    throw new PartialEvaluationError('metadata compared with another field cannot be asked of MongoDB');
  if (isOrder(by) && !(isTime(subject.name) && isTime(field)))
    throw new PartialEvaluationError('the order of two fields that are no times cannot be asked of MongoDB');
  return { $expr: { [operators[by]]: [`$${subject.name}`, `$${field}`] } };
}

const fact = (key: string, type: MetadataType, value: Document): Document => ({
  facts: { $elemMatch: { k: key, t: factTypes[type], v: value } },
});

function scalar(subject: Subject, type: MetadataType, test: Scalar): Document {
  const wanted = operatorsOf(test);
  if (subject.kind === 'metadata') return fact(subject.key, type, wanted);
  return { [subject.kind === 'field' ? subject.name : 'size']: wanted };
}

/**
 * A condition on an element as alternatives, each a set of operators: `$elemMatch` on plain values knows no `$or` and no `$and`.
 * Errors: PartialEvaluationError where one operator would be needed twice.
 */
function alternatives(test: DocumentTest, isNegated: boolean): readonly Document[] {
  switch (test.kind) {
    case 'constant':
      return test.value === isNegated ? [] : [{}];
    case 'not':
      return alternatives(test.test, !isNegated);
    case 'all':
    case 'some': {
      const parts = test.tests.map((each) => alternatives(each, isNegated));
      if ((test.kind === 'some') !== isNegated) return parts.flat();
      return parts.reduce((left, right) => left.flatMap((one) => right.map((other) => merged(one, other))));
    }
    case 'text':
      return [isNegated ? operatorsOf({ ...test, by: opposite[test.by] }) : operatorsOf(test)];
    case 'oneOf':
      return [isNegated ? { $nin: test.values } : operatorsOf(test)];
    case 'affix':
      // `$in`, for MongoDB's reimplementations pass over what stands beside `$regex`.
      return [isNegated ? { $not: operatorsOf(test) } : { $in: [new BSONRegExp(pattern(test.by, test.value))] }];
    default:
      throw new PartialEvaluationError('this condition on an element cannot be asked of MongoDB');
  }
}

function merged(one: Document, other: Document): Document {
  if (Object.keys(one).some((key) => key in other))
    throw new PartialEvaluationError('these conditions on one element cannot be asked of MongoDB together');
  return { ...one, ...other };
}

function element(test: Extract<DocumentTest, { readonly kind: 'element' }>): Document {
  const { list } = test;
  const each = alternatives(test.test, false).map((wanted) => {
    // An empty condition: any element at all. All elements are text.
    const value = { $elemMatch: Object.keys(wanted).length === 0 ? { $gte: '' } : wanted };
    return list.kind === 'list' ? { [list.name]: value } : fact(list.key, 'list', value);
  });
  return each.length === 0 ? nothing : { $or: each };
}

const nothing: Document = { _id: { $in: [] } };

/** Errors: `PartialEvaluationError` for what MongoDB cannot say. */
export function toQuery(test: DocumentTest): Document {
  switch (test.kind) {
    case 'constant':
      return test.value ? {} : nothing;
    case 'all':
      return { $and: test.tests.map(toQuery) };
    case 'some':
      return { $or: test.tests.map(toQuery) };
    case 'not':
      return { $nor: [toQuery(test.test)] };
    case 'text':
      return typeof test.value === 'string'
        ? scalar(test.subject, 'text', test)
        : comparedFields(test, test.value.field);
    case 'oneOf':
    case 'affix':
      return scalar(test.subject, 'text', test);
    case 'number':
      return scalar(test.subject, 'number', test);
    case 'boolean':
      return fact(test.key, 'boolean', { $eq: test.value });
    case 'type':
      return { facts: { $elemMatch: { k: test.key, t: { $in: test.types.map((type) => factTypes[type]) } } } };
    case 'element':
      return element(test);
  }
}
