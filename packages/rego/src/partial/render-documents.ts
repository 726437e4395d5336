/** Filters for document stores: MongoDB query objects and Cosmos DB SQL. */
import type { Value } from '../values/index.js';
import type { ComparisonOperator, FieldPath, Filter } from './filter.js';

export interface MongoQuery {
  readonly [key: string]: unknown;
}

const MONGO: Readonly<Record<ComparisonOperator, string>> = {
  eq: '$eq',
  ne: '$ne',
  lt: '$lt',
  lte: '$lte',
  gt: '$gt',
  gte: '$gte',
};

function pattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function mongoField(field: FieldPath): string {
  return field.join('.');
}

/** A MongoDB query. Inside of `$elemMatch` the element itself has no name. */
export function toMongo(filter: Filter): MongoQuery {
  const on = (field: FieldPath, condition: MongoQuery): MongoQuery =>
    field.length === 0 ? condition : { [mongoField(field)]: condition };
  switch (filter.op) {
    case 'true':
      return {};
    case 'false':
      return { $nor: [{}] };
    case 'and':
      return { $and: filter.filters.map(toMongo) };
    case 'or':
      return { $or: filter.filters.map(toMongo) };
    case 'not':
      return { $nor: [toMongo(filter.filter)] };
    case 'exists':
      return on(filter.field, { $exists: true });
    case 'in':
      return on(filter.field, { $exists: true, $in: filter.values });
    case 'contains':
      return on(filter.field, { $elemMatch: { $eq: filter.value } });
    case 'startsWith':
      return on(filter.field, { $regex: `^${pattern(filter.value)}` });
    case 'endsWith':
      return on(filter.field, { $regex: `${pattern(filter.value)}$` });
    case 'includes':
      return on(filter.field, { $regex: pattern(filter.value) });
    case 'any':
      return on(filter.field, { $elemMatch: toMongo(filter.filter) });
    case 'fields': {
      const sides = [`$${mongoField(filter.left)}`, `$${mongoField(filter.right)}`];
      const bothExist = [filter.left, filter.right].map((field) => ({ [mongoField(field)]: { $exists: true } }));
      return { $and: [...bothExist, { $expr: { [MONGO[filter.by]]: sides } }] };
    }
    default:
      // A missing field equals null and differs from everything in MongoDB, unlike here.
      return on(filter.field, { $exists: true, [MONGO[filter.op]]: filter.value });
  }
}

export interface CosmosFilter {
  /** The condition, to stand after WHERE. */
  readonly sql: string;
  readonly parameters: readonly { readonly name: string; readonly value: Value }[];
}

const COSMOS: Readonly<Record<ComparisonOperator, string>> = {
  eq: '=',
  ne: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
};

class CosmosWriter {
  readonly parameters: { name: string; value: Value }[] = [];
  private depth = 0;

  parameter(value: Value): string {
    const name = `@p${this.parameters.length}`;
    this.parameters.push({ name, value });
    return name;
  }

  private column(alias: string, field: FieldPath): string {
    return alias + field.map((part) => `[${JSON.stringify(part)}]`).join('');
  }

  write(filter: Filter, alias: string): string {
    const column = (field: FieldPath): string => this.column(alias, field);
    switch (filter.op) {
      case 'true':
        return 'true';
      case 'false':
        return 'false';
      case 'and':
      case 'or':
        return `(${filter.filters.map((each) => this.write(each, alias)).join(filter.op === 'and' ? ' AND ' : ' OR ')})`;
      case 'not':
        // Comparing with a missing field is undefined, which NOT keeps; the conditional makes it false first.
        return `NOT ((${this.write(filter.filter, alias)}) ?? false)`;
      case 'exists':
        return `IS_DEFINED(${column(filter.field)})`;
      case 'in':
        return `ARRAY_CONTAINS(${this.parameter(filter.values)}, ${column(filter.field)})`;
      case 'contains':
        return `ARRAY_CONTAINS(${column(filter.field)}, ${this.parameter(filter.value)})`;
      case 'startsWith':
        return `STARTSWITH(${column(filter.field)}, ${this.parameter(filter.value)})`;
      case 'endsWith':
        return `ENDSWITH(${column(filter.field)}, ${this.parameter(filter.value)})`;
      case 'includes':
        return `CONTAINS(${column(filter.field)}, ${this.parameter(filter.value)})`;
      case 'any': {
        this.depth += 1;
        const inner = `e${this.depth}`;
        return `EXISTS(SELECT VALUE 1 FROM ${inner} IN ${column(filter.field)} WHERE ${this.write(filter.filter, inner)})`;
      }
      case 'fields':
        return `${column(filter.left)} ${COSMOS[filter.by]} ${column(filter.right)}`;
      default:
        return `${column(filter.field)} ${COSMOS[filter.op]} ${this.parameter(filter.value)}`;
    }
  }
}

/** A Cosmos DB SQL condition over the alias `c`. */
export function toCosmos(filter: Filter, alias = 'c'): CosmosFilter {
  const writer = new CosmosWriter();
  const sql = writer.write(filter, alias);
  return { sql, parameters: writer.parameters };
}
