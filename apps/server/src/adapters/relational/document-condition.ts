/** A reduced filter as a condition on the table `documents`, for SQLite and for PostgreSQL. Each part is true or false, never NULL. */
import { type ComparisonOperator, PartialEvaluationError } from '@bailiwick/rego';
import { type RawBuilder, sql } from 'kysely';
import type { DocumentTest, ListSubject, MetadataType, Subject } from '../document-filter.js';
import type { SqlDialect } from './document-tables.js';

type Condition = RawBuilder<boolean>;
type Expression = RawBuilder<unknown>;

/** In halves: SQLite reads a list of a thousand as an expression a thousand deep, and refuses it. */
function joined(parts: readonly Condition[], separator: Expression): Condition {
  if (parts.length <= 16) return sql`(${sql.join(parts, separator)})`;
  const middle = Math.ceil(parts.length / 2);
  return sql`(${joined(parts.slice(0, middle), separator)}${separator}${joined(parts.slice(middle), separator)})`;
}

const signs: Readonly<Record<ComparisonOperator, string>> = {
  ...{ eq: '=', ne: '<>', lt: '<' },
  ...{ lte: '<=', gt: '>', gte: '>=' },
};

/** What differs between the two. A subject's value is only looked at where its type is right. */
interface Renderer {
  typeIs(key: string, types: readonly MetadataType[]): Condition;
  text(subject: Subject): Expression;
  number(subject: Subject): Expression;
  literal(value: number): Expression;
  boolean(key: string, value: boolean): Condition;
  oneOf(text: Expression, values: readonly string[]): Condition;
  affix(text: Expression, by: 'startsWith' | 'endsWith' | 'includes', value: string): Condition;
  /** An indexed question, where there is one. */
  indexed(test: DocumentTest): Condition | undefined;
  element(list: ListSubject, test: Condition): Condition;
}

const sqliteTypes: Readonly<Record<MetadataType, readonly string[]>> = {
  boolean: ['true', 'false'],
  number: ['integer', 'real'],
  text: ['text'],
  list: ['array'],
};

function sqlitePath(key: string): RawBuilder<string> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them, SQLite's paths do not.
  if (/["\\\u0000-\u001f]/.test(key))
    throw new PartialEvaluationError(`metadata with the name ${JSON.stringify(key)} cannot be asked for in SQLite`);
  return sql`${`$.metadata."${key}"`}`;
}

const sqlite: Renderer = {
  typeIs(key, types) {
    const names = types.flatMap((type) => sqliteTypes[type]).map((name) => sql.lit(name));
    return sql`COALESCE(json_type(attributes, ${sqlitePath(key)}) IN (${sql.join(names)}), FALSE)`;
  },
  text(subject) {
    if (subject.kind === 'field') return sql.ref(subject.name);
    return subject.kind === 'metadata'
      ? sql`json_extract(attributes, ${sqlitePath(subject.key)})`
      : sql.raw('element.value');
  },
  number(subject) {
    return subject.kind === 'metadata' ? sql`json_extract(attributes, ${sqlitePath(subject.key)})` : sql.ref('size');
  },
  literal: (value) => sql`${value}`,
  boolean: (key, value) => sql`json_type(attributes, ${sqlitePath(key)}) IS ${sql.lit(value ? 'true' : 'false')}`,
  oneOf: (text, values) => sql`${text} IN (SELECT value FROM json_each(${JSON.stringify(values)}))`,
  affix(text, by, value) {
    if (by === 'includes') return sql`instr(${text}, ${value}) > 0`;
    if (by === 'startsWith') return sql`substr(${text}, 1, length(${value})) = ${value}`;
    return sql`substr(${text}, -length(${value})) = ${value}`;
  },
  indexed: () => undefined,
  element(list, test) {
    const path = list.kind === 'list' ? sql.lit(`$.${list.name}`) : sqlitePath(list.key);
    return sql`EXISTS (SELECT 1 FROM json_each(attributes, ${path}) AS element WHERE ${test})`;
  },
};

const postgresTypes: Readonly<Record<MetadataType, string>> = {
  boolean: 'boolean',
  number: 'number',
  text: 'string',
  list: 'array',
};

const metadataOf = (key: string): Expression => sql`(attributes -> 'metadata' -> ${key}::text)`;

const containing = (value: unknown): Condition => sql`attributes @> ${JSON.stringify(value)}::jsonb`;

const postgres: Renderer = {
  typeIs(key, types) {
    const names = types.map((type) => sql.lit(postgresTypes[type]));
    return sql`COALESCE(jsonb_typeof(${metadataOf(key)}) IN (${sql.join(names)}), FALSE)`;
  },
  text(subject) {
    if (subject.kind === 'field') return sql.ref(subject.name);
    return subject.kind === 'metadata'
      ? sql`((attributes -> 'metadata' ->> ${subject.key}::text) COLLATE "C")`
      : sql.raw('(element.value COLLATE "C")');
  },
  number(subject) {
    if (subject.kind !== 'metadata') return sql.ref('size');
    // A cast must not meet text: PostgreSQL may evaluate both sides of an AND.
    const value = metadataOf(subject.key);
    return sql`(CASE WHEN jsonb_typeof(${value}) = 'number' THEN (${value} #>> '{}')::numeric END)`;
  },
  literal: (value) => sql`${String(value)}::numeric`,
  boolean: (key, value) => containing({ metadata: { [key]: value } }),
  oneOf: (text, values) => sql`${text} = ANY(${values}::text[])`,
  affix(text, by, value) {
    if (by === 'includes') return sql`strpos(${text}, ${value}::text) > 0`;
    if (by === 'startsWith') return sql`starts_with(${text}, ${value}::text)`;
    return sql`right(${text}, length(${value}::text)) = ${value}::text`;
  },
  indexed(test) {
    if (test.kind === 'text' && test.by === 'eq' && typeof test.value === 'string' && test.subject.kind === 'metadata')
      return containing({ metadata: { [test.subject.key]: test.value } });
    if (test.kind !== 'element') return undefined;
    const { list, test: inner } = test;
    const isOurs = inner.kind === 'text' && inner.by === 'eq' && typeof inner.value === 'string';
    const values = isOurs
      ? [inner.value]
      : inner.kind === 'oneOf' && inner.values.length <= 64
        ? inner.values
        : undefined;
    if (values === undefined) return undefined;
    const each = values.map((value) =>
      containing(list.kind === 'list' ? { [list.name]: [value] } : { metadata: { [list.key]: [value] } }),
    );
    return joined(each, sql` OR `);
  },
  element(list, test) {
    const value = list.kind === 'list' ? sql`(attributes -> ${sql.lit(list.name)})` : metadataOf(list.key);
    const elements = sql`CASE WHEN jsonb_typeof(${value}) = 'array' THEN ${value} ELSE '[]'::jsonb END`;
    return sql`EXISTS (SELECT 1 FROM jsonb_array_elements_text(${elements}) AS element (value) WHERE ${test})`;
  },
};

/** `test` where the subject has the type: always so but for metadata. */
function guarded(renderer: Renderer, subject: Subject, type: MetadataType, test: Condition): Condition {
  if (subject.kind !== 'metadata') return test;
  return sql`(${renderer.typeIs(subject.key, [type])} AND COALESCE(${test}, FALSE))`;
}

function render(test: DocumentTest, renderer: Renderer): Condition {
  const indexed = renderer.indexed(test);
  if (indexed) return indexed;
  switch (test.kind) {
    case 'constant':
      return sql.raw(test.value ? '1 = 1' : '1 = 0');
    case 'all':
    case 'some': {
      const parts = test.tests.map((each) => render(each, renderer));
      return joined(parts, test.kind === 'all' ? sql` AND ` : sql` OR `);
    }
    case 'not':
      return sql`NOT (${render(test.test, renderer)})`;
    case 'text': {
      const value = typeof test.value === 'string' ? sql`${test.value}` : sql.ref(test.value.field);
      const compared: Condition = sql`${renderer.text(test.subject)} ${sql.raw(signs[test.by])} ${value}`;
      return guarded(renderer, test.subject, 'text', compared);
    }
    case 'oneOf':
      return guarded(renderer, test.subject, 'text', renderer.oneOf(renderer.text(test.subject), test.values));
    case 'affix':
      return guarded(renderer, test.subject, 'text', renderer.affix(renderer.text(test.subject), test.by, test.value));
    case 'number': {
      const { subject, by, value } = test;
      const compared: Condition = sql`${renderer.number(subject)} ${sql.raw(signs[by])} ${renderer.literal(value)}`;
      return guarded(renderer, subject, 'number', compared);
    }
    case 'boolean':
      return renderer.boolean(test.key, test.value);
    case 'type':
      return renderer.typeIs(test.key, test.types);
    case 'element': {
      const some = renderer.element(test.list, render(test.test, renderer));
      return test.list.kind === 'list' ? some : sql`(${renderer.typeIs(test.list.key, ['list'])} AND ${some})`;
    }
  }
}

/** Errors: `PartialEvaluationError` for a metadata name that SQLite's paths cannot hold. */
export function toCondition(test: DocumentTest, dialect: SqlDialect): Condition {
  return render(test, dialect === 'postgres' ? postgres : sqlite);
}
