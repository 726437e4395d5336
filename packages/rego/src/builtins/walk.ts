/** walk: every value inside a value, with its path. */
import { iterate, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { operand } from './operands.js';
import { any, array, tuple } from './type-decl.js';

function collect(value: Value, path: readonly Value[], found: Value[][], context: BuiltinContext): void {
  // A path is as long as its value is deep: what deep documents cost is the square of their depth.
  context.charge(1 + path.length);
  found.push([path, value]);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of iterate(value)) collect(member, [...path, key], found, context);
}

export const walkBuiltins: readonly Builtin[] = family('graph', {
  walk: {
    about: 'The pairs of path and value for a value and everything inside it.',
    relation: true,
    args: { x: any },
    result: { output: tuple(array(), any) },
    evaluate(args, context) {
      const found: Value[][] = [];
      collect(operand(args, 1), [], found, context);
      return found;
    },
  },
});
