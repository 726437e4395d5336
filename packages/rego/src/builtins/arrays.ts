/** Arrays. */
import { holdList, isArray, type Value, work } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { arrayOperand, integerOperand } from './operands.js';
import { array, number } from './type-decl.js';

export const arrayBuiltins: readonly Builtin[] = family('array', {
  'array.concat': {
    about: 'Joins two arrays.',
    args: { x: array(), y: array() },
    result: { z: array() },
    evaluate(args, context) {
      const [x, y] = [arrayOperand(args, 1), arrayOperand(args, 2)];
      context.charge(x.length + y.length);
      holdList(x.length + y.length);
      return x.length === 0 ? y : y.length === 0 ? x : [...x, ...y];
    },
  },
  'array.flatten': {
    about: 'Replaces each element that is an array by its elements, one level deep.',
    args: { arr: array() },
    result: { flattened: array() },
    evaluate(args) {
      const items = arrayOperand(args, 1);
      let length = items.length;
      for (const item of items) if (isArray(item)) length += item.length;
      work(length >> 3);
      holdList(length);
      return items.some(isArray) ? (items as Value[][]).flat() : items;
    },
  },
  'array.reverse': {
    about: 'The array in reverse order.',
    args: { arr: array() },
    result: { rev: array() },
    evaluate(args) {
      const items = arrayOperand(args, 1);
      work(items.length >> 3);
      holdList(items.length);
      return items.toReversed();
    },
  },
  'array.slice': {
    about: 'The elements from one index up to, not including, another; indices are clamped.',
    args: { arr: array(), start: number, stop: number },
    result: { slice: array() },
    evaluate(args) {
      const items = arrayOperand(args, 1);
      const start = integerOperand(args, 2);
      const stop = Math.min(Math.max(integerOperand(args, 3), 0), items.length);
      const from = Math.min(Math.max(start, 0), stop);
      work((stop - from) >> 6);
      holdList((stop - from) >> 3);
      return items.slice(from, stop);
    },
  },
});
