/** Arithmetic on numbers, and set difference, which shares the minus sign. */
import {
  abs,
  add,
  ceil,
  divide,
  floor,
  isNumber,
  isSet,
  multiply,
  type NumberValue,
  type RegoSet,
  remainder,
  round,
  subtract,
  type Value,
} from '../values/index.js';
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import { numberOperand, operand, typeError } from './operands.js';
import { difference } from './set-operations.js';
import { anyOf, number, set } from './type-decl.js';

function unary(about: string, apply: (x: NumberValue) => NumberValue): BuiltinEntry {
  return {
    about,
    args: { x: number },
    result: { y: number },
    evaluate: (args) => apply(numberOperand(args, 1)),
  };
}

function binary(infix: string, about: string, apply: (x: NumberValue, y: NumberValue) => NumberValue): BuiltinEntry {
  return {
    about,
    infix,
    args: { x: number, y: number },
    result: { z: number },
    evaluate: (args) => apply(numberOperand(args, 1), numberOperand(args, 2)),
  };
}

function minus(x: Value, y: Value): NumberValue | RegoSet {
  if (isNumber(x) && isNumber(y)) return subtract(x, y);
  if (isSet(x) && isSet(y)) return difference(x, y);
  if (!isNumber(x) && !isSet(x)) throw typeError(1, x, 'number', 'set');
  throw typeError(2, y, isNumber(y) ? 'set' : 'number');
}

export const arithmeticBuiltins: readonly Builtin[] = family('numbers', {
  plus: binary('+', 'The sum of two numbers.', add),
  minus: {
    about: 'The difference of two numbers, or of two sets.',
    infix: '-',
    args: { x: anyOf(number, set()), y: anyOf(number, set()) },
    result: { z: anyOf(number, set()) },
    evaluate: (args) => minus(operand(args, 1), operand(args, 2)),
  },
  mul: binary('*', 'The product of two numbers.', multiply),
  div: binary('/', 'The quotient of two numbers.', divide),
  rem: binary('%', 'The remainder of a division of whole numbers.', remainder),
  abs: unary('The number without its sign.', abs),
  round: unary('The nearest whole number, halves away from zero.', round),
  ceil: unary('The number rounded up to a whole one.', ceil),
  floor: unary('The number rounded down to a whole one.', floor),
});
