/**
 * Filters as a SQL condition with parameters, for PostgreSQL and SQLite. A field is a column; NULL is a missing field, or null where
 * its type says so. A list is an array in PostgreSQL and a JSON array in SQLite.
 */
import { type FieldTypes, inferFieldTypes, scalarOf } from './field-types.js';
import type { ComparisonOperator, FieldPath, Filter, TextOperator } from './filter.js';
import { PartialEvaluationError } from './partial-errors.js';
import { type Field, type Question, reduceFilter, rendering, type Scalar } from './typed-filter.js';

export interface SqlOptions {
  /** The fields' types; without them, those that the filter's own values give. */
  readonly fields?: FieldTypes;
  /** Default `sqlite`. Parameters are `?` in SQLite, `$1`, `$2` … in PostgreSQL. */
  readonly dialect?: 'sqlite' | 'postgres';
  /** The column (or expression) of a field; default its steps joined by `.`, each quoted. */
  readonly column?: (field: FieldPath) => string;
}

export interface SqlFilter {
  readonly sql: string;
  readonly parameters: readonly (number | string)[];
}

const SIGNS: Readonly<Record<ComparisonOperator, string>> = {
  ...{ eq: '=', ne: '<>', lt: '<' },
  ...{ lte: '<=', gt: '>', gte: '>=' },
};

/** SQLite reads a list of a thousand as an expression a thousand deep, and refuses it: so in halves. */
const LONGEST = 64;

function quoted(field: FieldPath): string {
  return field.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
}

function joined(parts: readonly string[], operator: 'AND' | 'OR'): string {
  if (parts.length <= LONGEST) return `(${parts.join(` ${operator} `)})`;
  const middle = Math.ceil(parts.length / 2);
  return `(${joined(parts.slice(0, middle), operator)} ${operator} ${joined(parts.slice(middle), operator)})`;
}

/** Around the text, its own pattern characters escaped. */
function surrounded(by: TextOperator, text: string, any: '%' | '*'): string {
  return (by === 'startsWith' ? '' : any) + text + (by === 'endsWith' ? '' : any);
}

class SqlWriter {
  readonly parameters: (number | string)[] = [];
  private readonly column: (field: FieldPath) => string;
  private readonly isPostgres: boolean;
  private elements = 0;

  constructor({ column = quoted, dialect = 'sqlite' }: SqlOptions) {
    this.column = column;
    this.isPostgres = dialect === 'postgres';
  }

  /** `element`: the expression of the element that is asked about. */
  write(question: Question, element?: string): string {
    return rendering(question, () => this.writeHere(question, element));
  }

  private writeHere(question: Question, element: string | undefined): string {
    switch (question.kind) {
      case 'constant':
        return question.value ? '1 = 1' : '1 = 0';
      case 'all':
      case 'some': {
        const parts = question.questions.map((each) => this.write(each, element));
        return joined(parts, question.kind === 'all' ? 'AND' : 'OR');
      }
      case 'not':
        // Not `NOT`, which leaves the NULL of a missing field as it is.
        return `(${this.write(question.question, element)}) IS NOT TRUE`;
      case 'present':
        return `${this.place(question.field, element)} IS NOT NULL`;
      case 'null':
        return `${this.place(question.field, element)} IS NULL`;
      case 'compare':
        return this.compared(question, element);
      case 'oneOf': {
        const values = question.values.map((value) => this.parameter(value)).join(', ');
        const collation = typeof question.values[0] === 'string' ? this.collation('eq') : '';
        return `${this.place(question.field, element)}${collation} IN (${values})`;
      }
      case 'affix':
        return this.affixed(this.place(question.field, element), question.by, question.value);
      case 'fields': {
        const { left, right, by } = question;
        const sides = [this.place(left, element), this.place(right, element)] as const;
        return `${sides[0]} ${SIGNS[by]} ${sides[1]}${scalarOf(left.type) === 'string' ? this.collation(by) : ''}`;
      }
      case 'element': {
        this.elements += 1;
        const name = `e${this.elements}`;
        const list = this.place(question.list, element);
        const rows = this.isPostgres ? `unnest(${list}) AS ${name} (value)` : `json_each(${list}) AS ${name}`;
        return `EXISTS (SELECT 1 FROM ${rows} WHERE ${this.write(question.question, `${name}.value`)})`;
      }
    }
  }

  private compared(question: Extract<Question, { readonly kind: 'compare' }>, element: string | undefined): string {
    const { field, by, value } = question;
    const place = this.place(field, element);
    if (typeof value === 'boolean') return `${place} = ${this.isPostgres ? String(value) : Number(value)}`;
    const collation = typeof value === 'string' ? this.collation(by) : '';
    return `${place} ${SIGNS[by]} ${this.parameter(value)}${collation}`;
  }

  /** Text by code points, whatever the column's collation. In PostgreSQL equality is the same in all but nondeterministic ones. */
  private collation(by: ComparisonOperator): string {
    if (!this.isPostgres) return ' COLLATE BINARY';
    return by === 'eq' || by === 'ne' ? '' : ' COLLATE "C"';
  }

  private affixed(place: string, by: TextOperator, value: string): string {
    // SQLite's LIKE does not tell `a` from `A`; its GLOB does.
    if (!this.isPostgres)
      return `${place} GLOB ${this.parameter(surrounded(by, value.replace(/[*?[]/g, '[$&]'), '*'))}`;
    const pattern = surrounded(by, value.replace(/[\\%_]/g, '\\$&'), '%');
    return `${place} LIKE ${this.parameter(pattern)} ESCAPE '\\'`;
  }

  private parameter(value: Scalar): string {
    if (typeof value === 'boolean') throw new PartialEvaluationError('a list of booleans cannot be asked for in SQL');
    this.parameters.push(value);
    if (!this.isPostgres) return '?';
    const name = `$${this.parameters.length}`;
    if (typeof value === 'string') return name;
    // Without a type a parameter beside an integer column is one too, and 2.5 an error.
    return `${name}::${Number.isSafeInteger(value) ? 'bigint' : 'numeric'}`;
  }

  private place({ path, type }: Field, element: string | undefined): string {
    if (scalarOf(type) === undefined && !Array.isArray(type))
      throw new PartialEvaluationError(`the object ${path.join('.')} as a whole cannot be asked for in SQL`);
    if (element === undefined) return this.column(path);
    if (path.length === 0) return element;
    throw new PartialEvaluationError(`the field ${path.join('.')} of an element cannot be asked for in SQL`);
  }
}

/** Errors: `PartialEvaluationError` for what SQL cannot say. */
export function toSql(filter: Filter, options: SqlOptions = {}): SqlFilter {
  const writer = new SqlWriter(options);
  const sql = writer.write(reduceFilter(filter, options.fields ?? inferFieldTypes(filter)));
  return { sql, parameters: writer.parameters };
}
