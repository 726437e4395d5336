import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRegoErrors, type RegoError } from '../errors.js';
import { parseModuleSource } from './parser.js';
import { formatModule, printModule } from './printer.js';

function errorsOf(text: string, version: 'v0' | 'v1' = 'v1'): readonly RegoError[] {
  try {
    parseModuleSource('m.rego', text, { version });
  } catch (error) {
    if (isRegoErrors(error)) return error.errors;
    throw error;
  }
  return [];
}

/** The tree without positions and with wildcards alike. */
function shape(text: string): unknown {
  const ignored = ['location', 'pathLocation', 'source', 'comments', 'raw', 'text', 'keywords'];
  const json = JSON.stringify(parseModuleSource('m', text), (key, value: unknown) => {
    if (ignored.includes(key)) return undefined;
    return key === 'name' && typeof value === 'string' && value.startsWith('$') ? '$' : value;
  });
  return JSON.parse(json);
}

describe('parsing', () => {
  it.each([
    ['package a\np { true }', 2, '`if` keyword is required before rule body'],
    ['package a\np[x] := 1 if { x := ', 2, 'unexpected eof token'],
    ['package a\nq contains 1 if { ! }', 2, 'illegal ! character'],
    ['package a\nimport foo', 2, 'unexpected import path'],
    ['package a\np := "x', 2, 'non-terminated string'],
    ['p := 1', 1, 'package expected'],
    ['', 0, 'empty module'],
  ])('reports %j in line %i', (text, row, message) => {
    const [error] = errorsOf(text);
    expect(error?.code).toBe('rego_parse_error');
    expect(error?.location.row).toBe(row);
    expect(error?.message).toContain(message);
  });

  it('refuses nesting that would overflow the stack', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{', '}'],
      ['(', ')'],
      ['f(', ')'],
    ]) {
      const text = `package a\np := ${open?.repeat(50_000)}1${close?.repeat(50_000)}`;
      expect(errorsOf(text)[0]?.message).toContain('max parsing recursion depth exceeded');
    }
    expect(errorsOf(`package a\np := ${'1 + '.repeat(50_000)}1`)[0]?.message).toContain('depth exceeded');
  });

  it('reads 600 KB in well under a second', () => {
    const rule = (i: number): string =>
      `allow_${i} if {\n\tinput.user.name == "user${i}"\n\tsome x in input.items\n\tx.price > ${i}\n}\n`;
    const text = `package a\n${Array.from({ length: 7000 }, (_, i) => rule(i)).join('')}`;
    const start = performance.now();
    expect(parseModuleSource('m', text).rules).toHaveLength(7000);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

const name = fc.constantFrom('a', 'b', 'foo', 'x');
const scalar = fc.oneof(
  fc.integer({ min: -50, max: 50 }).map(String),
  fc.constantFrom('true', 'null', '"s"', '1.50', '`raw`'),
);
const { term } = fc.letrec<{ term: string }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4 },
    scalar,
    name,
    fc.tuple(name, tie('term')).map(([n, t]) => `input.${n}[${t}]`),
    fc.array(tie('term'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc.array(tie('term'), { minLength: 1, maxLength: 3 }).map((items) => `{${items.map((t) => `(${t})`).join(', ')}}`),
    fc.tuple(tie('term'), tie('term')).map(([k, v]) => `{(${k}): (${v})}`),
    fc
      .tuple(tie('term'), fc.constantFrom('+', '-', '*', '/', '%', '&', '|', '==', '!=', '<', 'in'), tie('term'))
      .map(([a, o, b]) => `(${a} ${o} ${b})`),
    fc.tuple(name, tie('term')).map(([n, t]) => `[${n} | ${n} := ${t}]`),
    fc.tuple(name, tie('term')).map(([n, t]) => `${n}(${t})`),
    fc.tuple(name, tie('term')).map(([n, t]) => `$"pre {${n}} \\{x ${t.length}"`),
  ),
}));

describe('printing', () => {
  it('gives back the same tree for any expression', () => {
    fc.assert(
      fc.property(term, term, fc.constantFrom('', 'not '), (left, right, not) => {
        const text = `package p\n\nq := [${left}] if {\n\t${not}${right}\n\tx := ${left}\n}\n`;
        const printed = printModule(parseModuleSource('m', text));
        expect(shape(printed)).toEqual(shape(text));
        expect(formatModule(printed)).toBe(printed);
      }),
      { numRuns: 400 },
    );
  });

  it('keeps comments where they were', () => {
    const text =
      '# head\npackage a\n\n# about p\np if {\n\t# first\n\tinput.x # why\n\n\t# second\n\tinput.y\n}\n# end\n';
    const printed = formatModule(text);
    for (const comment of ['# head', '# about p', '# first', 'input.x # why', '# second', '# end'])
      expect(printed).toContain(comment);
    expect(formatModule(printed)).toBe(printed);
  });
});
