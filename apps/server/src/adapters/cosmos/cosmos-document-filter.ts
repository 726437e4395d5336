/** A reduced filter as a condition of Cosmos DB's SQL over the items that `cosmos-items.ts` makes. */
import type { SqlParameter } from '@azure/cosmos';
import { type ComparisonOperator, PartialEvaluationError } from '@bailiwick/rego';
import type { DocumentTest, ListSubject, MetadataType, Subject, TextField } from '../document-filter.js';

const signs: Readonly<Record<ComparisonOperator, string>> = {
  ...{ eq: '=', ne: '!=', lt: '<' },
  ...{ lte: '<=', gt: '>', gte: '>=' },
};

const typeTests: Readonly<Record<MetadataType, string>> = {
  boolean: 'IS_BOOL',
  number: 'IS_NUMBER',
  text: 'IS_STRING',
  list: 'IS_ARRAY',
};

const affixes = { startsWith: 'STARTSWITH', endsWith: 'ENDSWITH', includes: 'CONTAINS' } as const;

const isOrder = (by: ComparisonOperator): boolean => by !== 'eq' && by !== 'ne';
const isTime = (field: TextField): boolean => field === 'created_at' || field === 'updated_at';

/** The service does not say in which order it has characters beyond U+D7FF: code points or UTF-16 units. */
function assertOrdered(by: ComparisonOperator, value: string): void {
  if (isOrder(by) && /[\ud800-\uffff]/.test(value))
    throw new PartialEvaluationError('the order of characters beyond U+D7FF cannot be asked of Cosmos DB');
}

/** Alternatives, each a list of conditions that must all hold: what is left needs no parentheses. */
type Alternatives = readonly (readonly string[])[];

/** Beyond so many the parts stay in parentheses. */
const maxAlternatives = 64;

const opposite: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  ...{ eq: 'ne', ne: 'eq', lt: 'gte' },
  ...{ lte: 'gt', gt: 'lte', gte: 'lt' },
};

const print = (alternatives: Alternatives): string =>
  alternatives.length === 0
    ? 'false'
    : alternatives.map((all) => (all.length === 0 ? 'true' : all.join(' AND '))).join(' OR ');

function both(parts: readonly Alternatives[]): Alternatives {
  const size = parts.reduce((product, part) => product * part.length, 1);
  if (size > maxAlternatives) return [parts.map((part) => `(${print(part)})`)];
  return parts.reduce<Alternatives>(
    (left, right) => left.flatMap((one) => right.map((other) => [...one, ...other])),
    [[]],
  );
}

/**
 * Writes flat alternatives instead of nested parentheses: readers of Cosmos DB's SQL there are whose time doubles with each level.
 * What is compared with another type is undefined in Cosmos DB: a comparison of metadata stands behind its type's test, its negation
 * beside the negated test, so that the whole is true or false.
 */
class Writer {
  readonly parameters: SqlParameter[] = [];
  #elements = 0;

  write(test: DocumentTest, element?: string): string {
    return print(this.#alternatives(test, false, element));
  }

  #alternatives(test: DocumentTest, isNot: boolean, element: string | undefined): Alternatives {
    switch (test.kind) {
      case 'constant':
        return test.value === isNot ? [] : [[]];
      case 'all':
      case 'some': {
        const parts = test.tests.map((each) => this.#alternatives(each, isNot, element));
        return (test.kind === 'all') === isNot ? parts.flat() : both(parts);
      }
      case 'not':
        return this.#alternatives(test.test, !isNot, element);
      case 'text':
        return this.#typed(test.subject, 'text', this.#comparedText(test, isNot, element), isNot);
      case 'oneOf': {
        const isIn = `ARRAY_CONTAINS(${this.#parameter(test.values)}, ${this.#column(test.subject, element)})`;
        return this.#typed(test.subject, 'text', negated(isIn, isNot), isNot);
      }
      case 'affix': {
        const call = `${affixes[test.by]}(${this.#column(test.subject, element)}, ${this.#parameter(test.value)})`;
        return this.#typed(test.subject, 'text', negated(call, isNot), isNot);
      }
      case 'number': {
        const sign = signs[isNot ? opposite[test.by] : test.by];
        const compared = `${this.#column(test.subject, element)} ${sign} ${this.#parameter(test.value)}`;
        return this.#typed(test.subject, 'number', compared, isNot);
      }
      case 'boolean': {
        const subject = { kind: 'metadata', key: test.key } as const;
        return this.#typed(subject, 'boolean', `${metadata(test.key)} ${isNot ? '!=' : '='} ${test.value}`, isNot);
      }
      case 'type': {
        const each = test.types.map((type) => negated(`${typeTests[type]}(${metadata(test.key)})`, isNot));
        return isNot ? [each] : each.map((one) => [one]);
      }
      case 'element':
        return this.#element(test.list, test.test, isNot);
    }
  }

  #comparedText(
    test: Extract<DocumentTest, { readonly kind: 'text' }>,
    isNot: boolean,
    element: string | undefined,
  ): string {
    const { subject, by, value } = test;
    const sign = signs[isNot ? opposite[by] : by];
    if (typeof value === 'string') {
      assertOrdered(by, value);
      return `${this.#column(subject, element)} ${sign} ${this.#parameter(value)}`;
    }
    if (isOrder(by) && !(subject.kind === 'field' && isTime(subject.name) && isTime(value.field)))
      throw new PartialEvaluationError('the order of two fields that are no times cannot be asked of Cosmos DB');
    return `${this.#column(subject, element)} ${sign} ${field(value.field)}`;
  }

  #element(list: ListSubject, test: DocumentTest, isNot: boolean): Alternatives {
    if (list.kind === 'metadata' && test.kind === 'oneOf' && test.values.length <= maxAlternatives) {
      const each = test.values.map((value): DocumentTest => ({ kind: 'text', subject: test.subject, by: 'eq', value }));
      const parts = each.map((one) => this.#element(list, one, isNot));
      return isNot ? both(parts) : parts.flat();
    }
    const column = list.kind === 'list' ? `c["${list.name}"]` : metadata(list.key);
    let some: string;
    if (test.kind === 'text' && test.by === 'eq' && typeof test.value === 'string')
      some = `ARRAY_CONTAINS(${column}, ${this.#parameter(test.value)})`;
    else if (list.kind === 'metadata')
      // A loop over what may be no list at all is not the same everywhere.
      throw new PartialEvaluationError('elements of metadata can be asked of Cosmos DB one by one only');
    else {
      this.#elements += 1;
      const name = `e${this.#elements}`;
      some = `EXISTS(SELECT VALUE 1 FROM ${name} IN ${column} WHERE ${this.write(test, name)})`;
    }
    const found = negated(some, isNot);
    return list.kind === 'list' ? [[found]] : this.#typed(list, 'list', found, isNot);
  }

  /** `test`, negated already where `isNot`, of a subject that may have another type. */
  #typed(subject: Subject, type: MetadataType, test: string, isNot: boolean): Alternatives {
    if (subject.kind !== 'metadata') return [[test]];
    const isType = negated(`${typeTests[type]}(${metadata(subject.key)})`, isNot);
    return isNot ? [[isType], [test]] : [[isType, test]];
  }

  #column(subject: Subject, element: string | undefined): string {
    switch (subject.kind) {
      case 'field':
        return field(subject.name);
      case 'size':
        return 'c["size"]';
      case 'metadata':
        return metadata(subject.key);
      case 'element':
        return element ?? 'undefined';
    }
  }

  #parameter(value: unknown): string {
    const name = `@f${this.parameters.length}`;
    this.parameters.push({ name, value: value as SqlParameter['value'] });
    return name;
  }
}

/** Of a function's call only: NOT binds tighter than comparisons. */
const negated = (call: string, isNot: boolean): string => (isNot ? `NOT ${call}` : call);

const field = (name: TextField): string => `c["${name === 'id' ? 'documentId' : name}"]`;

function metadata(key: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names that would need escapes in SQL are not asked for.
  if (/["'\\\u0000-\u001f]/.test(key))
    throw new PartialEvaluationError(`metadata with the name ${JSON.stringify(key)} cannot be asked for in Cosmos DB`);
  return `c["metadata"]["${key}"]`;
}

/** A condition over the alias `c`, its parameters named `@f0`, `@f1` … Errors: `PartialEvaluationError`. */
export function toCosmosCondition(test: DocumentTest): { readonly sql: string; readonly parameters: SqlParameter[] } {
  const writer = new Writer();
  return { sql: `(${writer.write(test)})`, parameters: writer.parameters };
}
