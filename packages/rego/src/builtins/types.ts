/** Type tests and casts. */
import { isArray, isSet, makeSet, parseNumber, type TypeName, typeOf, type Value } from '../values/index.js';
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import { fail } from './errors.js';
import { listOperand, operand, typeError } from './operands.js';
import { any, anyOf, array, boolean, nothing, number, object, set, string, type TypeDecl } from './type-decl.js';

function test(type: TypeName): BuiltinEntry {
  return {
    about: `Whether the value is of type ${type}.`,
    args: { x: any },
    result: { result: boolean },
    evaluate: (args) => typeOf(operand(args, 1)) === type,
  };
}

function cast(type: TypeName, result: TypeDecl): BuiltinEntry {
  return {
    about: `The value itself if it is of type ${type}, an error otherwise.`,
    deprecated: true,
    args: { x: any },
    result: { output: result },
    evaluate([value]) {
      if (typeOf(value as Value) !== type) throw typeError(1, value as Value, type);
      return value;
    },
  };
}

const NUMBER = /^[-+]?(\d+(_?\d)*\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const HEX = /^[-+]?0x/i;
const NOT_FINITE = /^[-+]*(inf|infinity|nan)$/i;

function toNumber(value: Value): Value {
  if (value === null || value === false) return 0;
  if (value === true) return 1;
  if (typeOf(value) === 'number') return value;
  if (typeof value !== 'string') throw typeError(1, value, 'null', 'boolean', 'number', 'string');
  if (NOT_FINITE.test(value)) throw typeError(1, value, 'valid number string');
  if (!NUMBER.test(value) || HEX.test(value) || value.includes('_')) {
    return fail(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  if (!Number.isFinite(Number(value))) {
    return fail(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: value out of range`);
  }
  return parseNumber(value) ?? fail('invalid number: number too big');
}

export const typeBuiltins: readonly Builtin[] = [
  ...family('types', {
    is_array: test('array'),
    is_boolean: test('boolean'),
    is_null: test('null'),
    is_number: test('number'),
    is_object: test('object'),
    is_set: test('set'),
    is_string: test('string'),
    type_name: {
      about: 'The name of the value’s type.',
      args: { x: any },
      result: { type: string },
      evaluate: (args) => typeOf(operand(args, 1)),
    },
  }),
  ...family('conversions', {
    to_number: {
      about: 'A number from null, a boolean, a number or a string.',
      args: { value: anyOf(nothing, boolean, number, string) },
      result: { num: number },
      evaluate: (args) => toNumber(operand(args, 1)),
    },
    cast_array: {
      ...cast('array', array()),
      about: 'An array of the elements of an array or a set.',
      evaluate: (args) => listOperand(args, 1, ['array', 'set']),
    },
    cast_set: {
      ...cast('set', set()),
      about: 'The set of the elements of an array or a set.',
      evaluate([value]) {
        if (isArray(value)) return makeSet(value);
        if (!isSet(value)) throw typeError(1, value as Value, 'array', 'set');
        return value;
      },
    },
    cast_boolean: cast('boolean', boolean),
    cast_null: cast('null', nothing),
    cast_object: cast('object', object()),
    cast_string: cast('string', string),
  }),
];
