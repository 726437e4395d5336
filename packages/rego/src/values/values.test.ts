import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as values from './index.js';
import { type BigNumber, compare, equal, keyOf, makeObject, makeSet, parseNumber, type Value } from './index.js';

const numbers = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => values.fromDouble(n)),
  fc.tuple(fc.bigInt(), fc.integer({ min: -40, max: 40 })).map(([m, e]) => values.fromDecimal(m, e)),
);

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    numbers,
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(tie('value'), { maxLength: 3 }).map(makeSet),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map(makeObject),
    fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

describe('the order of values', () => {
  it('is antisymmetric and agrees with equality and keys', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const order = Math.sign(compare(a, b));
        expect(Math.sign(compare(b, a)) + order).toBe(0);
        expect(equal(a, b)).toBe(order === 0);
        expect(keyOf(a) === keyOf(b)).toBe(order === 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  it('sorts strings by code point', () => {
    expect(compare('\u{1f600}', '\uffee')).toBeGreaterThan(0);
    expect(values.sortedKeys({ '\u{1f600}': 1, '\uffee': 2 })).toEqual(['\uffee', '\u{1f600}']);
  });
});

describe('numbers', () => {
  it('have one form for one value', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.integer({ min: -30, max: 30 }), (mantissa, exponent) => {
        const number = values.fromDecimal(mantissa, exponent);
        for (const text of [`${mantissa}e${exponent}`, values.numberText(number)]) {
          const again = parseNumber(text) as Value;
          expect(typeof again).toBe(typeof number);
          expect(equal(again, number)).toBe(true);
        }
      }),
    );
  });

  it.each([
    ['1e3', 1000],
    ['1.50', 1.5],
    ['-0', 0],
    ['-0.0', 0],
    ['9007199254740991', 9007199254740991],
    ['0.1', 0.1],
    ['1e-7', 1e-7],
    ['123456789.12345678', 123456789.12345678],
  ])('%s is a double', (text, expected) => {
    expect(parseNumber(text)).toBe(expected);
  });

  it.each(['9007199254740993', '1e21', '0.33333333333333333334', '1e400', '3.3000000000000000002', '1e-400'])(
    '%s is a big number',
    (text) => {
      expect(parseNumber(text)).toBeInstanceOf(values.BigNumber);
    },
  );

  it('refuses exponents beyond OPA’s', () => {
    expect(parseNumber('1e40000')).toBeUndefined();
    expect(parseNumber('1e-40000')).toBeUndefined();
    expect(parseNumber('0e40000')).toBe(0);
  });

  it('tells apart what one double would not', () => {
    expect(equal(parseNumber('3.3000000000000000002') as BigNumber, 3.3)).toBe(false);
    expect(equal(parseNumber('9007199254740993') as BigNumber, 9007199254740992)).toBe(false);
  });
});

const n = (text: string): number | BigNumber => parseNumber(text) as number | BigNumber;

const { add, subtract, multiply, divide, remainder, round, floor, ceil, abs } = values;
const operations = { add, subtract, multiply, divide, remainder, round, floor, ceil, abs } as const;

describe('arithmetic', () => {
  // The answers are those of `opa eval` 1.22.
  it.each([
    ['add', '0.1', '0.2', '0.3'],
    ['add', '1.1', '2.2', '3.3000000000000000002'],
    ['add', '9007199254740993', '1', '9007199254740994'],
    ['add', '9007199254740993', '0.5', '9007199254740993.5'],
    ['add', '0.5', '0.25', '0.75'],
    ['subtract', '0.3', '0.1', '0.20000000000000000002'],
    ['multiply', '12345678901234567890123456789', '2.5', '30864197253086419727000000000'],
    ['multiply', '0.1', '3', '0.3'],
    ['multiply', '100', '1.1', '110'],
    ['multiply', '0', '-1.5', '0'],
    ['divide', '1', '3', '0.33333333333333333334'],
    ['divide', '2', '7', '0.28571428571428571428'],
    ['divide', '10', '4', '2.5'],
    ['divide', '0', '-5', '0'],
    ['remainder', '-5', '3', '-2'],
    ['remainder', '5', '-3', '2'],
    ['remainder', '10', '18446744073709551616', '10'],
  ] as const)('%s(%s, %s) is %s', (operation, a, b, expected) => {
    expect(values.numberText(operations[operation](n(a), n(b)))).toBe(expected);
  });

  it.each([
    ['round', '2.5', '3'],
    ['round', '-2.5', '-3'],
    ['round', '-0.4', '0'],
    ['floor', '-2.5', '-3'],
    ['floor', '-0.5', '0'],
    ['ceil', '-0.5', '1'],
    ['ceil', '2.1', '3'],
    ['abs', '-3.7', '3.7'],
    ['abs', '-99999999999999999999999', '100000000000000000000000'],
    ['floor', '99999999999999999999999', '100000000000000000000000'],
  ] as const)('%s(%s) is %s', (operation, a, expected) => {
    expect(values.numberText(operations[operation](n(a)))).toBe(expected);
  });

  it('agrees with exact integers where both operands are whole', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
        const [x, y] = [values.fromBigInt(a), values.fromBigInt(b)];
        expect(values.toBigInt(values.add(x, y))).toBe(a + b);
        expect(values.toBigInt(values.subtract(x, y))).toBe(a - b);
        expect(values.toBigInt(values.multiply(x, y))).toBe(a * b);
      }),
    );
  });
});

describe('containers', () => {
  it('keeps awkward keys as own properties', () => {
    const object = makeObject([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
    expect(values.get(object, '__proto__')).toBe(1);
    expect(values.get({}, 'constructor')).toBeUndefined();
    expect(values.stringifyJson(object)).toBe('{"__proto__":1,"constructor":2}');
  });

  it('uses the mixed form only when a key is not a string', () => {
    expect(values.isPlainObject(makeObject([['a', 1]]))).toBe(true);
    const mixed = makeObject([
      ['a', 1],
      [2, 3],
    ]);
    expect(mixed).toBeInstanceOf(values.RegoObject);
    expect(values.get(mixed, 2)).toBe(3);
  });
});

describe('text', () => {
  it('prints terms as OPA does', () => {
    const term = makeObject([
      [makeSet([1, 2]), 1],
      ['x', makeSet([makeSet(['a']), 1, null])],
      ['<\u2028\u0001é', []],
      [1.5, values.EMPTY_SET],
    ]);
    expect(values.formatTerm(term)).toBe('{1.5: set(), "<\\u2028\\x01é": [], "x": {null, 1, {"a"}}, {1, 2}: 1}');
  });

  it('writes JSON as Go does', () => {
    expect(values.stringifyJson({ b: makeSet([2, 1]), a: '<&\u2028\u0001é\t' })).toBe(
      '{"a":"\\u003c\\u0026\\u2028\\u0001é\\t","b":[1,2]}',
    );
  });

  it('reads JSON back to the same value', () => {
    fc.assert(
      fc.property(value, (v) => {
        const plain = values.toJsonValue(v);
        expect(equal(values.parseJson(values.stringifyJson(plain)), plain)).toBe(true);
      }),
    );
  });

  /** All the steps, and how many they were. */
  const inSteps = (text: string, units: number): { readonly document: Value; readonly steps: number } => {
    const reading = values.parseJsonInSteps(text, units);
    for (let steps = 1; ; steps++) {
      const step = reading.next();
      if (step.done === true) return { document: step.value, steps };
    }
  };

  it('reads JSON in steps to the same value', () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 50 }), (v, units) => {
        const text = values.stringifyJson(values.toJsonValue(v));
        expect(equal(inSteps(text, units).document, values.parseJson(text))).toBe(true);
      }),
    );
  });

  it('writes JSON in steps to the same text', () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 50 }), (v, units) => {
        const writing = values.stringifyJsonInSteps(v, units);
        let step = writing.next();
        while (step.done !== true) step = writing.next();
        expect(step.value).toBe(values.stringifyJson(v));
      }),
    );
  });

  it('rests after every step, and says the same of what is no JSON', () => {
    const text = JSON.stringify({ list: Array.from({ length: 1000 }, (_unused, id) => ({ id, name: `item ${id}` })) });
    const { document, steps } = inSteps(text, 1000);
    expect(values.toJson(document)).toEqual(JSON.parse(text));
    expect(steps).toBeGreaterThan(text.length / 1000 / 2);
    expect(steps).toBeLessThan(text.length / 1000 + 3);
    for (const broken of ['', '{', '[1,]', '{"a" 1}', '{"a": [1, {"b": nul}]}', '[1] 2', '[[[[1,]]]]']) {
      const messageOf = (read: () => unknown): string => {
        try {
          read();
          return 'no error';
        } catch (error) {
          return (error as Error).message;
        }
      };
      expect(messageOf(() => inSteps(broken, 1))).toBe(messageOf(() => values.parseJson(broken)));
    }
    expect(() => inSteps('['.repeat(100_000), 1)).toThrow(values.JsonError);
  });

  it.each(['', '{', '[1,]', '01', '1.', '"\\x"', 'nul', '{"a" 1}', '"\n"', '1 2', '1e99999', '[1e99999]'])(
    'refuses %j',
    (text) => {
      expect(() => values.parseJson(text)).toThrow(values.JsonError);
    },
  );

  it('refuses nesting that would overflow the stack', () => {
    expect(() => values.parseJson('['.repeat(100_000))).toThrow(values.JsonError);
    expect(() => values.parseJson('['.repeat(3000) + ']'.repeat(3000))).toThrow(values.JsonError);
  });
});
