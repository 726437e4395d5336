/**
 * Filters for vector stores in the form most of them share: lists of conditions that must, should or must not hold. A condition on a
 * list holds when one of its elements satisfies it. What they cannot say (order of text, comparing fields, suffixes) is an error.
 */
import { type FieldTypes, inferFieldTypes } from './field-types.js';
import type { FieldPath, Filter } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';
import { type Question, reduceFilter, rendering, type Scalar } from './typed-filter.js';

export interface VectorOptions {
  /** The fields' types; without them, those that the filter's own values give. */
  readonly fields?: FieldTypes;
}

export interface VectorFilter {
  readonly must?: readonly VectorCondition[];
  readonly should?: readonly VectorCondition[];
  readonly mustNot?: readonly VectorCondition[];
}
export type VectorCondition =
  | VectorFilter
  | {
      readonly key: string;
      readonly match: { readonly value: Scalar } | { readonly any: readonly Scalar[] } | { readonly prefix: string };
    }
  | { readonly key: string; readonly range: Readonly<Partial<Record<'lt' | 'lte' | 'gt' | 'gte', number>>> }
  | { readonly key: string; readonly exists: true };

function refuse(what: string): never {
  throw new PartialEvaluationError(`${what} cannot be asked for in a vector store's filter`);
}

function keyOf(path: FieldPath): string {
  for (const part of path)
    if (part === '' || /[.[\]"\\]/.test(part)) refuse(`a field with the name ${JSON.stringify(part)}`);
  return path.join('.');
}

function compared(key: string, question: Extract<Question, { readonly kind: 'compare' }>): VectorCondition {
  const { by, value } = question;
  if (by === 'eq') return { key, match: { value } };
  if (by === 'ne') return { must: [{ key, exists: true }], mustNot: [{ key, match: { value } }] };
  return typeof value === 'number' ? { key, range: { [by]: value } } : refuse('the order of text');
}

/** Of a list: equality with one of some values only. */
function element(key: string, question: Question): VectorCondition {
  if (question.kind === 'some') return { should: question.questions.map((each) => element(key, each)) };
  if (question.kind === 'compare' && question.by === 'eq' && question.field.path.length === 0)
    return { key, match: { value: question.value } };
  if (question.kind === 'oneOf' && question.field.path.length === 0) return { key, match: { any: question.values } };
  return refuse(`a condition on elements of ${key} that is not equality`);
}

function condition(question: Question): VectorCondition {
  return rendering(question, () => conditionHere(question));
}

function conditionHere(question: Question): VectorCondition {
  switch (question.kind) {
    case 'compare':
      return compared(keyOf(question.field.path), question);
    case 'oneOf':
      return { key: keyOf(question.field.path), match: { any: question.values } };
    case 'affix':
      if (question.by !== 'startsWith') return refuse(`\`${question.by}\``);
      return { key: keyOf(question.field.path), match: { prefix: question.value } };
    case 'present':
      return Array.isArray(question.field.type)
        ? refuse('whether a list is there')
        : { key: keyOf(question.field.path), exists: true };
    case 'null':
      return refuse('null');
    case 'fields':
      return refuse('a comparison of two fields');
    case 'element':
      return element(keyOf(question.list.path), question.question);
    default:
      return write(question);
  }
}

function write(question: Question): VectorFilter {
  switch (question.kind) {
    case 'constant':
      return question.value ? {} : { mustNot: [{}] };
    case 'all':
      return { must: question.questions.map(condition) };
    case 'some':
      return { should: question.questions.map(condition) };
    case 'not':
      return { mustNot: [condition(question.question)] };
    default:
      return { must: [condition(question)] };
  }
}

/** Errors: `PartialEvaluationError` for what such stores cannot say. */
export function toVector(filter: Filter, options: VectorOptions = {}): VectorFilter {
  return write(reduceFilter(filter, options.fields ?? inferFieldTypes(filter)));
}
