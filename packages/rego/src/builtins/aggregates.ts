/** Functions over whole collections. */
import {
  add,
  compare,
  isArray,
  isInteger,
  isNumber,
  isObject,
  isSet,
  multiply,
  type NumberValue,
  productOfFractions,
  size,
  sortValues,
  sumOfFractions,
  type Value,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, type BuiltinEntry, family } from './builtin.js';
import { elementError, listOperand, operand, typeError } from './operands.js';
import { any, anyOf, array, boolean, number, object, set, string, type TypeDecl } from './type-decl.js';

const list = (of: TypeDecl = any): TypeDecl => anyOf(array(of), set(of));

/** The number of code points of a string. */
export function countCodePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

function count(value: Value): number {
  if (typeof value === 'string') return countCodePoints(value);
  if (isArray(value) || isObject(value) || isSet(value)) return size(value) as number;
  throw typeError(1, value, 'array', 'object', 'set', 'string');
}

function numbersOf(args: readonly Value[], context: BuiltinContext): readonly NumberValue[] {
  const items = listOperand(args, 1);
  context.charge(items.length);
  for (const item of items) if (!isNumber(item)) throw elementError(1, operand(args, 1), item, 'number');
  return items as readonly NumberValue[];
}

function sum(numbers: readonly NumberValue[]): NumberValue {
  if (!numbers.every(isInteger)) return sumOfFractions(numbers);
  let total: NumberValue = 0;
  for (const value of numbers) total = add(total, value);
  return total;
}

function product(numbers: readonly NumberValue[]): NumberValue {
  if (!numbers.every(isInteger)) return productOfFractions(numbers);
  let total: NumberValue = 1;
  for (const value of numbers) total = multiply(total, value);
  return total;
}

function extreme(about: string, isBetter: (order: number) => boolean): BuiltinEntry {
  return {
    about,
    args: { collection: list() },
    result: { y: any },
    evaluate(args, context) {
      const items = listOperand(args, 1);
      context.charge(items.length);
      let best = items[0];
      for (const item of items) if (best !== undefined && isBetter(compare(item, best))) best = item;
      return best;
    },
  };
}

export const aggregateBuiltins: readonly Builtin[] = family('aggregates', {
  count: {
    about: 'The number of elements of a collection, or of characters of a string.',
    args: { collection: anyOf(string, array(), object(), set()) },
    result: { n: number },
    evaluate: (args) => count(operand(args, 1)),
  },
  sum: {
    about: 'The sum of numbers.',
    args: { collection: list(number) },
    result: { n: number },
    evaluate: (args, context) => sum(numbersOf(args, context)),
  },
  product: {
    about: 'The product of numbers.',
    args: { collection: list(number) },
    result: { n: number },
    evaluate: (args, context) => product(numbersOf(args, context)),
  },
  max: extreme('The element that sorts last; undefined for an empty collection.', (order) => order >= 0),
  min: extreme('The element that sorts first; undefined for an empty collection.', (order) => order <= 0),
  sort: {
    about: 'The elements in order.',
    args: { collection: list() },
    result: { sorted: array() },
    evaluate(args, context) {
      const items = listOperand(args, 1);
      context.charge(items.length);
      return isArray(args[0]) ? sortValues([...items]) : items;
    },
  },
  all: {
    about: 'Whether every element is true.',
    deprecated: true,
    args: { collection: list() },
    result: { result: boolean },
    evaluate: (args) => listOperand(args, 1, ['array', 'set']).every((item) => item === true),
  },
  any: {
    about: 'Whether some element is true.',
    deprecated: true,
    args: { collection: list() },
    result: { result: boolean },
    evaluate: (args) => listOperand(args, 1, ['array', 'set']).includes(true),
  },
});
