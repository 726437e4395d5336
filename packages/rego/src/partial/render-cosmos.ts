/**
 * Filters as conditions of Cosmos DB's SQL. What is compared with a missing field or another type is undefined there, and its negation
 * too: so `not` is carried down to the single comparisons, each of which stands beside the negated test of its type.
 */
import { type FieldTypes, inferFieldTypes, scalarOf } from './field-types.js';
import type { ComparisonOperator, Filter } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';
import { type Field, type Question, reduceFilter, rendering, type Scalar } from './typed-filter.js';

export interface CosmosOptions {
  /** The fields' types; without them, those that the filter's own values give. */
  readonly fields?: FieldTypes;
  /** Of the items; default `c`. */
  readonly alias?: string;
}

export interface CosmosFilter {
  /** The condition, to stand after WHERE. */
  readonly sql: string;
  readonly parameters: readonly { readonly name: string; readonly value: Scalar | readonly Scalar[] }[];
}

const COSMOS: Readonly<Record<ComparisonOperator, string>> = {
  ...{ eq: '=', ne: '!=', lt: '<' },
  ...{ lte: '<=', gt: '>', gte: '>=' },
};

const OPPOSITE: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  ...{ eq: 'ne', ne: 'eq', lt: 'gte' },
  ...{ lte: 'gt', gt: 'lte', gte: 'lt' },
};

const FUNCTIONS = { startsWith: 'STARTSWITH', endsWith: 'ENDSWITH', includes: 'CONTAINS' } as const;
const TYPE_TESTS = { boolean: 'IS_BOOL', number: 'IS_NUMBER', string: 'IS_STRING' } as const;

type Comparison = Extract<Question, { readonly kind: 'compare' | 'oneOf' | 'affix' | 'fields' }>;

function isOrder(by: ComparisonOperator): boolean {
  return by !== 'eq' && by !== 'ne';
}

/** The service does not say in which order it has characters beyond U+D7FF: code points or UTF-16 units. */
function assertOrdered(by: ComparisonOperator, value: Scalar): void {
  if (isOrder(by) && typeof value === 'string' && /[\ud800-\uffff]/.test(value))
    throw new PartialEvaluationError('the order of characters beyond U+D7FF cannot be asked of Cosmos DB');
}

/** Of a call only: NOT binds tighter than comparisons. */
function negated(call: string, isNot: boolean): string {
  return isNot ? `NOT ${call}` : call;
}

class CosmosWriter {
  readonly parameters: { name: string; value: Scalar | readonly Scalar[] }[] = [];
  private elements = 0;

  /** `alias`: the item, or the element that is asked about. `isWithinAll`: alternatives need parentheses. */
  write(question: Question, alias: string, isNot = false, isWithinAll = false): string {
    return rendering(question, () => this.writeHere(question, alias, isNot, isWithinAll));
  }

  private writeHere(question: Question, alias: string, isNot: boolean, isWithinAll: boolean): string {
    switch (question.kind) {
      case 'constant':
        return String(question.value !== isNot);
      case 'not':
        return this.write(question.question, alias, !isNot, isWithinAll);
      case 'all':
      case 'some': {
        const isAll = (question.kind === 'all') !== isNot;
        const parts = question.questions.map((each) => this.write(each, alias, isNot, isAll));
        return isAll ? parts.join(' AND ') : this.alternatives(parts, isWithinAll);
      }
      case 'present':
        return this.typed(question.field, alias, isNot);
      case 'null':
        return negated(`IS_NULL(${this.column(question.field, alias)})`, isNot);
      case 'element':
        return this.element(question, alias, isNot, isWithinAll);
      default: {
        const compared = this.compared(question, alias, isNot);
        if (!isNot) return compared;
        const fields = question.kind === 'fields' ? [question.left, question.right] : [question.field];
        const missing = fields.map((field) => this.typed(field, alias, true));
        return this.alternatives([...missing, compared], isWithinAll);
      }
    }
  }

  private alternatives(parts: readonly string[], isWithinAll: boolean): string {
    return isWithinAll ? `(${parts.join(' OR ')})` : parts.join(' OR ');
  }

  private compared(question: Comparison, alias: string, isNot: boolean): string {
    if (question.kind === 'fields') {
      const { left, right, by } = question;
      if (isOrder(by) && scalarOf(left.type) !== 'number')
        throw new PartialEvaluationError('the order of two fields that are no numbers cannot be asked of Cosmos DB');
      return `${this.column(left, alias)} ${COSMOS[isNot ? OPPOSITE[by] : by]} ${this.column(right, alias)}`;
    }
    const column = this.column(question.field, alias);
    switch (question.kind) {
      case 'compare': {
        const { by, value } = question;
        assertOrdered(by, value);
        return `${column} ${COSMOS[isNot ? OPPOSITE[by] : by]} ${this.parameter(value)}`;
      }
      case 'oneOf':
        return negated(`ARRAY_CONTAINS(${this.parameter(question.values)}, ${column})`, isNot);
      case 'affix':
        return negated(`${FUNCTIONS[question.by]}(${column}, ${this.parameter(question.value)})`, isNot);
    }
  }

  private element(
    { list, question }: Extract<Question, { readonly kind: 'element' }>,
    alias: string,
    isNot: boolean,
    isWithinAll: boolean,
  ): string {
    const column = this.column(list, alias);
    let found: string;
    if (question.kind === 'compare' && question.by === 'eq' && question.field.path.length === 0)
      found = `ARRAY_CONTAINS(${column}, ${this.parameter(question.value)})`;
    else {
      this.elements += 1;
      const name = `e${this.elements}`;
      found = `EXISTS(SELECT VALUE 1 FROM ${name} IN ${column} WHERE ${this.write(question, name)})`;
    }
    if (!isNot) return `IS_ARRAY(${column}) AND ${found}`;
    return this.alternatives([`NOT IS_ARRAY(${column})`, `NOT ${found}`], isWithinAll);
  }

  private typed(field: Field, alias: string, isNot: boolean): string {
    const scalar = scalarOf(field.type);
    const test = scalar ? TYPE_TESTS[scalar] : Array.isArray(field.type) ? 'IS_ARRAY' : 'IS_OBJECT';
    return negated(`${test}(${this.column(field, alias)})`, isNot);
  }

  private parameter(value: Scalar | readonly Scalar[]): string {
    const name = `@p${this.parameters.length}`;
    this.parameters.push({ name, value });
    return name;
  }

  private column({ path }: Field, alias: string): string {
    for (const part of path) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: names that would need escapes in SQL are not asked for.
      if (/["'\\\u0000-\u001f]/.test(part))
        throw new PartialEvaluationError(
          `a field with the name ${JSON.stringify(part)} cannot be asked for in Cosmos DB`,
        );
    }
    return alias + path.map((part) => `["${part}"]`).join('');
  }
}

/** A condition over the alias, its parameters named `@p0`, `@p1` …. Errors: `PartialEvaluationError` for what Cosmos DB cannot say. */
export function toCosmos(filter: Filter, options: CosmosOptions = {}): CosmosFilter {
  const writer = new CosmosWriter();
  const sql = writer.write(reduceFilter(filter, options.fields ?? inferFieldTypes(filter)), options.alias ?? 'c');
  return { sql, parameters: writer.parameters };
}
