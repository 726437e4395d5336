/** Filters as a SQL condition with parameters. Missing fields are NULL; `not` accounts for that. */
import type { Value } from '../values/index.js';
import type { ComparisonOperator, FieldPath, Filter } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';

export interface SqlOptions {
  /** The column (or expression) of a field; default its steps joined by `.`, each quoted. */
  readonly column?: (field: FieldPath) => string;
  /** `?` (default), or `$1`, `$2`, …. */
  readonly placeholder?: 'question' | 'dollar';
}

export interface SqlFilter {
  readonly sql: string;
  readonly parameters: readonly Value[];
}

const SIGNS: Readonly<Record<ComparisonOperator, string>> = {
  eq: '=',
  ne: '<>',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
};

function quoted(field: FieldPath): string {
  return field.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}

class SqlWriter {
  readonly parameters: Value[] = [];
  private readonly column: (field: FieldPath) => string;
  private readonly dollar: boolean;

  constructor(options: SqlOptions) {
    this.column = options.column ?? quoted;
    this.dollar = options.placeholder === 'dollar';
  }

  private parameter(value: Value): string {
    if (typeof value === 'object' && value !== null && !('mantissa' in value)) {
      throw new PartialEvaluationError('a collection cannot be a SQL parameter');
    }
    this.parameters.push(value);
    return this.dollar ? `$${this.parameters.length}` : '?';
  }

  write(filter: Filter): string {
    switch (filter.op) {
      case 'true':
        return '1 = 1';
      case 'false':
        return '1 = 0';
      case 'and':
      case 'or':
        return `(${filter.filters.map((each) => this.write(each)).join(filter.op === 'and' ? ' AND ' : ' OR ')})`;
      case 'not':
        return this.negated(filter.filter);
      case 'exists':
        return `${this.column(filter.field)} IS NOT NULL`;
      case 'in': {
        const column = this.column(filter.field);
        const values = filter.values.filter((value) => value !== null);
        const list = `${column} IN (${values.map((value) => this.parameter(value)).join(', ')})`;
        if (values.length === filter.values.length) return list;
        return values.length === 0 ? `${column} IS NULL` : `(${list} OR ${column} IS NULL)`;
      }
      case 'fields':
        return `${this.column(filter.left)} ${SIGNS[filter.by]} ${this.column(filter.right)}`;
      case 'startsWith':
        return `${this.column(filter.field)} LIKE ${this.parameter(`${escapeLike(filter.value)}%`)} ESCAPE '\\'`;
      case 'endsWith':
        return `${this.column(filter.field)} LIKE ${this.parameter(`%${escapeLike(filter.value)}`)} ESCAPE '\\'`;
      case 'includes':
        return `${this.column(filter.field)} LIKE ${this.parameter(`%${escapeLike(filter.value)}%`)} ESCAPE '\\'`;
      case 'contains':
      case 'any':
        throw new PartialEvaluationError(`elements of ${filter.field.join('.')} cannot be asked for in SQL`);
      default: {
        const column = this.column(filter.field);
        if (filter.value === null && filter.op === 'eq') return `${column} IS NULL`;
        if (filter.value === null && filter.op === 'ne') return `${column} IS NOT NULL`;
        return `${column} ${SIGNS[filter.op]} ${this.parameter(filter.value)}`;
      }
    }
  }

  /** SQL's NOT leaves NULL as it is; a missing field must make the negation true. */
  private negated(filter: Filter): string {
    if (filter.op === 'exists') return `${this.column(filter.field)} IS NULL`;
    return `(CASE WHEN ${this.write(filter)} THEN 1 ELSE 0 END) = 0`;
  }
}

/** Errors: `PartialEvaluationError` for what SQL cannot say. */
export function toSql(filter: Filter, options: SqlOptions = {}): SqlFilter {
  const writer = new SqlWriter(options);
  const sql = writer.write(filter);
  return { sql, parameters: writer.parameters };
}
