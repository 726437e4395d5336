import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compile,
  type Filter,
  fromJson,
  isPartialEvaluationError,
  matchesFilter,
  parseJson,
  partialFilter,
  toCosmos,
  toMongo,
  toSql,
  toVector,
  type Value,
  type VectorCondition,
  type VectorFilter,
} from '../index.js';
import { inferFieldTypes } from './field-types.js';
import { documentTypes, typedDocument, typedFilter } from './random-filters.contract.js';
import { type Question, reduceFilter } from './typed-filter.js';

type Plain = Readonly<Record<string, unknown>>;

/** What a store with no rules of its own answers: it meets values of the declared type only. */
function answers(question: Question, document: unknown): boolean {
  const at = (path: readonly string[]): unknown =>
    path.reduce<unknown>((value, part) => (value as Plain)[part], document);
  const ordered = <T>(by: string, a: T, b: T): boolean =>
    ({ eq: a === b, ne: a !== b, lt: a < b, lte: a <= b, gt: a > b, gte: a >= b })[by] as boolean;
  switch (question.kind) {
    case 'constant':
      return question.value;
    case 'all':
      return question.questions.every((each) => answers(each, document));
    case 'some':
      return question.questions.some((each) => answers(each, document));
    case 'not':
      return !answers(question.question, document);
    case 'present':
      return (at(question.field.path) ?? undefined) !== undefined;
    case 'null':
      return at(question.field.path) === null;
    case 'element':
      return ((at(question.list.path) ?? []) as unknown[]).some((each) => answers(question.question, each));
    case 'fields': {
      const [left, right] = [at(question.left.path) ?? undefined, at(question.right.path) ?? undefined];
      if (left === undefined || right === undefined) return false;
      expect(typeof left).toBe(typeof right);
      return ordered(question.by, left, right);
    }
    default: {
      const value = at(question.field.path) ?? undefined;
      if (value === undefined) return false;
      if (question.kind === 'oneOf') return (question.values as unknown[]).includes(value);
      expect(typeof value).toBe(typeof question.value);
      if (question.kind === 'affix') return (value as string)[question.by](question.value);
      return ordered(question.by, value as string, question.value as string);
    }
  }
}

/** The semantics that vector stores document: a condition on a list holds when one element satisfies it. */
function vectorAnswers(condition: VectorCondition, document: Plain): boolean {
  if (!('key' in condition)) {
    const { must = [], should = [], mustNot = [] } = condition as VectorFilter;
    const holds = (each: VectorCondition): boolean => vectorAnswers(each, document);
    return must.every(holds) && (should.length === 0 || should.some(holds)) && !mustNot.some(holds);
  }
  const values = [document[condition.key] ?? []].flat();
  if ('exists' in condition) return values.length > 0;
  return values.some((value) => {
    if ('range' in condition) {
      const [[by, bound] = ['', 0]] = Object.entries(condition.range);
      if (typeof value !== 'number') return false;
      return { lt: value < bound, lte: value <= bound, gt: value > bound, gte: value >= bound }[by] as boolean;
    }
    const { match } = condition;
    if ('prefix' in match) return typeof value === 'string' && value.startsWith(match.prefix);
    return 'any' in match ? (match.any as unknown[]).includes(value) : value === match.value;
  });
}

function unlessRefused<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!isPartialEvaluationError(error)) throw error;
    return undefined;
  }
}

describe('filters of typed fields', () => {
  it('are reduced to questions within one type that say the same', () => {
    let reduced = 0;
    fc.assert(
      fc.property(typedFilter(3), fc.array(typedDocument, { minLength: 4, maxLength: 8 }), (filter, documents) => {
        const question = unlessRefused(() => reduceFilter(filter, documentTypes));
        if (question === undefined) return;
        reduced += 1;
        for (const document of documents)
          expect(answers(question, document)).toBe(matchesFilter(filter, fromJson(document)));
      }),
      { numRuns: 3000 },
    );
    expect(reduced).toBeGreaterThan(2900);
  });

  it('say the same to a vector store, or are refused', () => {
    let answered = 0;
    fc.assert(
      fc.property(typedFilter(2), fc.array(typedDocument, { minLength: 4, maxLength: 8 }), (filter, documents) => {
        const rendered = unlessRefused(() => toVector(filter, { fields: documentTypes }));
        if (rendered === undefined) return;
        answered += 1;
        for (const document of documents)
          expect(vectorAnswers(rendered, document)).toBe(matchesFilter(filter, fromJson(document)));
      }),
      { numRuns: 3000 },
    );
    expect(answered).toBeGreaterThan(1000);
  });

  it.each<[string, Filter]>([
    ['a whole list', { op: 'eq', field: ['tags'], value: ['a'] as unknown as Value }],
    ['a field that is not declared', { op: 'eq', field: ['nobody'], value: 1 }],
    ['text with U+0000', { op: 'startsWith', field: ['owner'], value: 'a\u0000' }],
    ['half a character', { op: 'lt', field: ['owner'], value: '\ud800' }],
    ['a number beyond double precision', { op: 'eq', field: ['level'], value: parseJson('12345678901234567890') }],
  ])('refuse %s', (_, filter) => {
    expect(() => reduceFilter(filter, documentTypes)).toThrow(
      /whole list|not declared|U\+0000|beyond double precision/,
    );
  });
});

describe('the types of a filter’s fields', () => {
  it('are those of what they are compared with', () => {
    const filter: Filter = {
      op: 'and',
      filters: [
        { op: 'eq', field: ['a', 'b'], value: 1 },
        { op: 'in', field: ['c'], values: [null, 'x'] },
        { op: 'contains', field: ['d'], value: true },
        { op: 'any', field: ['e'], filter: { op: 'not', filter: { op: 'startsWith', field: ['f'], value: 'x' } } },
        { op: 'fields', by: 'eq', left: ['g'], right: ['h'] },
        { op: 'fields', by: 'lt', left: ['h'], right: ['c'] },
        { op: 'exists', field: ['i'] },
      ],
    };
    expect(inferFieldTypes(filter)).toEqual({
      a: { b: 'number' },
      c: 'string|null',
      d: ['boolean'],
      e: [{ f: 'string' }],
      g: 'string',
      h: 'string',
      i: 'string',
    });
  });

  it('must be declared where they are none, or several', () => {
    const several: Filter = { op: 'or', filters: [1, 'a'].map((value) => ({ op: 'eq', field: ['x'], value })) };
    expect(() => toSql(several)).toThrow('the type of x would be number and string: declare it in `fields`');
    expect(toSql(several, { fields: { x: 'string' } }).sql).toBe('"x" = ? COLLATE BINARY');
    const unknown: Filter = { op: 'fields', by: 'eq', left: ['a'], right: ['b'] };
    expect(() => toMongo(unknown)).toThrow('the type of two fields that are compared cannot be told');
  });
});

describe('rendered for stores', () => {
  const policy = compile({
    modules: [
      {
        name: 's',
        text: `package s
p if { input.d.a == 1; input.d.b in {"x", "y"} }
p if startswith(input.d.c, "50%")
p if { some t in input.d.tags; t == input.tag; not input.d.hidden }`,
      },
    ],
  });
  const filter = partialFilter(policy, 's/p', { unknowns: ['input.d'], input: { tag: 'q' } });
  const fields = { a: 'number', b: 'string', c: 'string', tags: ['string'], hidden: 'boolean' } as const;

  it('reads as one would write it in SQL', () => {
    expect(toSql(filter, { fields, dialect: 'postgres' })).toEqual({
      sql: `(("a" = $1::bigint AND "b" IN ($2, $3)) OR "c" LIKE $4 ESCAPE '\\' OR (("hidden" = false OR ("hidden" IS NOT NULL) IS NOT TRUE) AND EXISTS (SELECT 1 FROM unnest("tags") AS e1 (value) WHERE e1.value = $5)))`,
      parameters: [1, 'x', 'y', '50\\%%', 'q'],
    });
    expect(toSql(filter, { fields, column: ([name]) => `t.${name}` }).sql).toContain('t.c GLOB ?');
  });

  it('refuses what a store cannot say, and names the field', () => {
    const object: Filter = { op: 'exists', field: ['meta'] };
    expect(() => toSql(object, { fields: { meta: { team: 'string' } } })).toThrow('the object meta as a whole');
    const dollar: Filter = { op: 'eq', field: ['$where'], value: 'x' };
    expect(() => toMongo(dollar)).toThrow('a field with the name "$where" cannot be asked for in MongoDB');
    const quote: Filter = { op: 'eq', field: ['a"] OR 1=1'], value: 'x' };
    expect(() => toCosmos(quote)).toThrow('cannot be asked for in Cosmos DB');
    expect(toSql(quote).sql).toBe('"a""] OR 1=1" = ? COLLATE BINARY');
    const dotted: Filter = { op: 'eq', field: ['a.b'], value: 'x' };
    expect(() => toVector(dotted)).toThrow('a field with the name "a.b"');
  });

  it('says where the policy asks what cannot be said', () => {
    const module = `package w
allow if input.d.a == 1
allow if {
	input.d.b == "x"
	helper
}
helper if {
	some m in input.d.members
	endswith(m.name, "z")
}
same := input.d.left == input.d.right`;
    const where = compile({ modules: [{ name: 'w.rego', text: module }] });
    const of = (path: string): Filter => partialFilter(where, path, { unknowns: ['input.d'] });
    expect(() => toVector(of('w/allow'))).toThrow('w.rego:9:2: a condition on elements of members');
    expect(() => toSql(of('w/allow'))).toThrow('w.rego:9:2: the field name of an element');
    expect(() => toMongo(of('w/allow'), { fields: { a: 'number' } })).toThrow('w.rego:4:2: the type of the field b');
    const fields = { left: 'string', right: 'string' } as const;
    expect(() => toVector(of('w/same'), { fields })).toThrow('w.rego:11:9: a comparison of two fields');
  });

  it('refuses an unknown without a name that is a value itself, and several without names', () => {
    const text = 'package n\nallow if input.project == "p"\nallow if not input.owner.id == "ann"';
    const both = compile({ modules: [{ name: 'n.rego', text }] });
    const one = partialFilter(both, 'n/allow', { unknowns: ['input.project'], input: { owner: { id: 'ann' } } });
    for (const render of [toSql, toMongo, toCosmos, toVector]) {
      expect(() => render(one)).toThrow('n.rego:2:10: the unknown document itself');
    }
    const unknowns = ['input.project', 'input.owner'];
    expect(() => partialFilter(both, 'n/allow', { unknowns })).toThrow('several unknown documents need a name each');
    const names = { 'input.project': 'project', 'input.owner': 'owner' };
    expect(toSql(partialFilter(both, 'n/allow', { unknowns, names })).sql).toBe(
      '("project" = ? COLLATE BINARY OR ("owner"."id" = ? COLLATE BINARY) IS NOT TRUE)',
    );
  });

  it('asks objects in a list by their fields', () => {
    const inside: Filter[] = [
      { op: 'eq', field: ['role'], value: 'owner' },
      { op: 'not', filter: { op: 'eq', field: ['left'], value: true } },
    ];
    const members: Filter = { op: 'any', field: ['members'], filter: { op: 'and', filters: inside } };
    expect(toMongo(members)).toEqual({
      members: { $elemMatch: { $and: [{ role: { $eq: 'owner' } }, { $nor: [{ left: { $eq: true } }] }] } },
    });
    expect(toCosmos(members).sql).toBe(
      'IS_ARRAY(c["members"]) AND EXISTS(SELECT VALUE 1 FROM e1 IN c["members"] WHERE e1["role"] = @p0 AND (NOT IS_BOOL(e1["left"]) OR e1["left"] != @p1))',
    );
    expect(() => toSql(members)).toThrow('the field role of an element cannot be asked for in SQL');
  });
});
