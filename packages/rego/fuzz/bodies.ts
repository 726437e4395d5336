/** Random bodies: statements that bind, test, loop, negate and replace, one to a line. */
import {
  COMPARISONS,
  closed,
  extend,
  freshName,
  index,
  KINDS,
  type Kind,
  type Scope,
  term,
  type Variable,
  walkable,
} from './terms.js';

interface Statement {
  readonly text: string;
  readonly binds: readonly Variable[];
}

type Maker = (scope: Scope) => Statement;

const COLLECTIONS: readonly Kind[] = ['array', 'set', 'object'];
const DEPTH = 2;

const plain = (text: string): Statement => ({ text, binds: [] });
const anyKind = (scope: Scope): Kind => scope.random.pick(KINDS);
const collection = (scope: Scope): string => walkable(scope.random.pick(COLLECTIONS), scope, DEPTH - 1);

function assign(scope: Scope): Statement {
  const kind = anyKind(scope);
  const name = scope.random.chance(0.99) ? freshName(scope) : 'x1';
  return { text: `${name} := ${term(kind, scope, DEPTH)}`, binds: [{ name, kind }] };
}

function unify(scope: Scope): Statement {
  const { random } = scope;
  const kind = anyKind(scope);
  const name = freshName(scope);
  const value = term(kind, scope, DEPTH);
  return { text: random.chance(0.5) ? `${name} = ${value}` : `${value} = ${name}`, binds: [{ name, kind }] };
}

function destructure(scope: Scope): Statement {
  const { random } = scope;
  const [a, b] = [freshName(scope), freshName(scope)];
  const binds: Variable[] = [a, b].map((name) => ({ name, kind: 'any' }));
  const operator = random.pick(['=', ':=']);
  return random.weighted([
    [3, () => ({ text: `[${a}, ${b}] ${operator} [${term('any', scope, 1)}, ${term('any', scope, 1)}]`, binds })],
    [2, () => ({ text: `[${a}, ${b}] ${operator} ${term('array', scope, 1)}`, binds })],
    [2, () => ({ text: `{"a": ${a}, "k": ${b}} ${operator} ${term('object', scope, 1)}`, binds })],
    [1, () => ({ text: `[${a}, [${b}]] = [${term('any', scope, 1)}, ${term('array', scope, 1)}]`, binds })],
    [1, () => ({ text: `[${a}, 1] = [${b}, ${term('number', scope, 1)}]; ${b} = ${term('any', scope, 1)}`, binds })],
    [
      1,
      () => ({
        text: `{"a": ${a}, "b": [${b}]} = {"a": ${term('any', scope, 1)}, "b": ${term('array', scope, 1)}}`,
        binds,
      }),
    ],
  ]);
}

function compareTerms(scope: Scope): Statement {
  const kind = anyKind(scope);
  return plain(`${term(kind, scope, DEPTH)} ${scope.random.pick(COMPARISONS)} ${term(kind, scope, DEPTH)}`);
}

function someIn(scope: Scope): Statement {
  const { random } = scope;
  const [a, b] = [freshName(scope), freshName(scope)];
  const of = collection(scope);
  return random.weighted([
    [4, () => ({ text: `some ${a} in ${of}`, binds: [{ name: a, kind: 'any' as const }] })],
    [3, () => ({ text: `some ${a}, ${b} in ${of}`, binds: [a, b].map((name) => ({ name, kind: 'any' as const })) })],
    [1, () => ({ text: `some [${a}, ${b}] in ${of}`, binds: [a, b].map((name) => ({ name, kind: 'any' as const })) })],
    [1, () => ({ text: `some {"a": ${a}} in ${of}`, binds: [{ name: a, kind: 'any' as const }] })],
  ]);
}

function loop(scope: Scope): Statement {
  const { random } = scope;
  const [a, b] = [freshName(scope), freshName(scope)];
  const base = random.pick([
    'input.list',
    'input.obj',
    'data.base.users',
    'data.base.nums',
    'input.deep',
    'data.base.names',
    'data.base.nested',
    random.chance(0.05) ? 'data.test' : 'data.base.users.alice',
  ]);
  const declare = random.chance(0.5) ? `some ${a}, ${b}; ` : '';
  const kind: Kind = 'any';
  return random.weighted([
    [
      3,
      () => ({
        text: `${declare}${b} = ${base}[${a}]`,
        binds: [
          { name: a, kind },
          { name: b, kind },
        ],
      }),
    ],
    [2, () => ({ text: `${base}[${a}] == ${term('any', scope, 1)}`, binds: [{ name: a, kind }] })],
    [2, () => ({ text: `${base}[${a}]`, binds: [{ name: a, kind }] })],
    [
      2,
      () => ({
        text: `${b} := ${base}[${a}]`,
        binds: [
          { name: a, kind },
          { name: b, kind },
        ],
      }),
    ],
    [
      1,
      () => ({
        text: `${b} := ${base}[${a}][${index(scope, 1)}]`,
        binds: [
          { name: a, kind },
          { name: b, kind },
        ],
      }),
    ],
    [
      1,
      () => ({
        text: `walk(${term('any', scope, 1)}, [${a}, ${b}])`,
        binds: [
          { name: a, kind: 'array' as const },
          { name: b, kind },
        ],
      }),
    ],
  ]);
}

const ROWS: readonly string[] = [
  ...['input.list', 'data.base.nums', 'data.base.names', 'data.base.users', 'input.obj', 'data.base.nested'],
  ...[
    'input.deep[0]',
    'input.deep',
    'array.concat(input.list, data.base.nums)',
    'array.concat(input.deep, input.deep)',
  ],
];

/** What a question may be compared with, and values it may have. */
const COMPARED: readonly (readonly [found: string, questions: readonly string[]])[] = [
  ['ROW', ROWS],
  ['KEY', ['[0, 1, 2, 1]', '["a", "n", "alice", "bob"]']],
  ['type_name(ROW)', ['["number", "string", "array", "number"]', '{"object", "null", "array"}']],
  ['lower(ROW)', ['input.list', 'data.base.names']],
  ['(ROW == 1)', ['[true, false, true]']],
  ['ROW.a', ['[1, 2, 1]', 'input.list']],
  ['[ROW]', ['[[1], [2], [1]]', 'input.deep']],
  ['count(ROW)', ['[1, 2, 3]', 'data.base.nums']],
];

/** A comprehension asked for each element of something, which engines collect once for all elements. */
function asked(scope: Scope): Statement {
  const { random } = scope;
  const [place, element, key, row, result] = [0, 1, 2, 3, 4].map(() => freshName(scope)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const [pattern, questions] = random.pick(COMPARED);
  const fill = (text: string): string => text.replaceAll('KEY', key).replaceAll('ROW', row);
  const compared = random.weighted([
    [4, () => `${fill(pattern)} == ${element}`],
    [2, () => `${element} == ${fill(pattern)}`],
    [1, () => `${fill(pattern)} = ${element}`],
    [1, () => `${fill(pattern)} == ${element}; ${key} == ${place}`],
  ]);
  const part = (): string =>
    fill(random.pick(['ROW', 'ROW', 'KEY', 'KEY', 'type_name(ROW)', '"a"', '[KEY, ROW]', 'ROW.a']));
  const before = random.chance(0.15)
    ? fill(random.pick(['to_number(ROW) > 0; ', 'ROW != 3; ', 'count(ROW) > 0; ']))
    : '';
  const after = random.chance(0.3) ? fill(random.pick(['; ROW != 2', '; KEY != 0', '; ROW', '; not ROW == "b"'])) : '';
  const body = `some ${key}, ${row} in ${random.pick(ROWS)}; ${before}${compared}${after}`;
  const kind = random.weighted<Kind>([
    [3, () => 'object'],
    [1, () => 'array'],
    [1, () => 'set'],
  ]);
  const head = kind === 'object' ? `${part()}: ${part()}` : part();
  const [open, close] = kind === 'array' ? ['[', ']'] : ['{', '}'];
  return {
    text: `some ${place}, ${element} in ${random.pick(questions)}; ${result} := ${open}${head} | ${body}${close}`,
    binds: [
      { name: element, kind: 'any' },
      { name: result, kind },
    ],
  };
}

function ruleLoop(scope: Scope): Statement {
  const { random, rules } = scope;
  const partial = rules.filter((rule) => rule.form === 'set' || rule.form === 'object');
  if (partial.length === 0) return loop(scope);
  const rule = random.pick(partial);
  const name = freshName(scope);
  const text = random.weighted([
    [3, () => `${rule.name}[${name}]`],

    [1, () => `${rule.name}[${name}] == ${term(rule.kind, scope, 1)}`],
  ]);
  return { text, binds: [{ name, kind: 'any' }] };
}

function every(scope: Scope): Statement {
  const { random } = scope;
  const [a, b] = [freshName(scope), freshName(scope)];
  const hasKey = random.chance(0.4);
  const inner = extend(scope, { name: b, kind: 'any' }, ...(hasKey ? [{ name: a, kind: 'any' as const }] : []));
  return plain(`every ${hasKey ? `${a}, ` : ''}${b} in ${collection(scope)} { ${body(inner, 1 + random.below(2))} }`);
}

function negated(outer: Scope): Statement {
  const scope = closed(outer);
  const { random } = scope;
  return random.weighted([
    [4, () => plain(`not ${term(random.pick<Kind>(['boolean', 'any', 'boolean']), scope, DEPTH)}`)],
    [3, () => plain(`not ${compareTerms(scope).text}`)],
    [1, () => plain(`not ${random.pick(['input.list', 'data.base.users', 'input.obj'])}[${index(scope, 1)}]`)],
    [0.3, () => plain(`not ${unify(scope).text}`)],
  ]);
}

function modified(scope: Scope): Statement {
  const { random, rules } = scope;
  const statement = random.weighted<Statement>([
    [3, () => plain(term('any', scope, DEPTH))],
    [2, () => assign(scope)],
    [2, () => compareTerms(scope)],
    [1, () => negated(scope)],
    [0.5, () => every(scope)],
  ]);
  if (statement.text.includes(';')) return statement;
  const functions = rules.filter((rule) => rule.form === 'function');
  const plainRules = rules.filter((rule) => rule.form !== 'function');
  const modifier = random.weighted([
    [3, () => `input as ${term('object', scope, 1)}`],
    [3, () => `input.a as ${term('number', scope, 1)}`],
    [1, () => `input.obj.n as ${term('any', scope, 1)}`],
    [2, () => `data.base.nums as ${term('array', scope, 1)}`],
    [1, () => `data.base.users.alice.age as ${term('number', scope, 1)}`],
    [1, () => 'count as 3'],
    [1, () => 'lower as upper'],
    [
      functions.length > 0 ? 2 : 0,
      () =>
        `${random.pick(functions).name} as ${random.chance(0.7) ? term('any', scope, 1) : random.pick(functions).name}`,
    ],
    [plainRules.length > 0 ? 2 : 0, () => `data.test.${random.pick(plainRules).name} as ${term('any', scope, 1)}`],
  ]);
  return { ...statement, text: `${statement.text} with ${modifier}` };
}

const MAKERS: readonly (readonly [number, Maker])[] = [
  [5, assign],
  [2, unify],
  [1.5, destructure],
  [4, compareTerms],
  [3, someIn],
  [3, loop],
  [1.5, asked],
  [2, ruleLoop],
  [1, every],
  [2, negated],
  [1.5, modified],
  [2, (scope) => plain(term(scope.random.pick<Kind>(['boolean', 'any']), scope, DEPTH))],
  [1, (scope) => plain(`${term('any', scope, 1)} in ${collection(scope)}`)],
  [0.4, (scope) => plain(scope.random.pick(['true', 'false', 'input', 'input.flag', 'data.base.flag']))],
];

/** Statements in order, each on a line of its own; what they bind is returned with them. */
export function statements(scope: Scope, size: number): { readonly lines: string[]; readonly scope: Scope } {
  const lines: string[] = [];
  let inner = scope;
  for (let i = 0; i < size; i++) {
    const current = inner;
    const made = scope.random.weighted(MAKERS.map(([weight, make]) => [weight, () => make(current)] as const));
    // OPA takes the second of two equal expressions for the first, and may then call it unsafe.
    if (lines.includes(made.text)) continue;
    lines.push(made.text);
    inner = extend(inner, ...made.binds);
  }
  const isShuffled = scope.random.chance(0.06);
  return { lines: isShuffled ? scope.random.shuffled(lines) : lines, scope: inner };
}

/** A body in one line. */
export function body(scope: Scope, size: number): string {
  return statements(scope, size).lines.join('; ');
}
