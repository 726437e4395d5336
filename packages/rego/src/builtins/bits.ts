/** Operations on the bits of whole numbers of any size. */
import { fromBigInt, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, type BuiltinEntry, family } from './builtin.js';
import { fail } from './errors.js';
import { bigIntOperand, operandError } from './operands.js';
import { number } from './type-decl.js';

/** Shifts further than this would only serve to exhaust memory. */
const MAX_SHIFT = 1_000_000n;

function binary(
  about: string,
  apply: (x: bigint, y: bigint, context: BuiltinContext) => bigint,
  second = 'y',
): BuiltinEntry {
  return {
    about,
    args: { x: number, [second]: number },
    result: { z: number },
    evaluate: (args, context) => fromBigInt(apply(bigIntOperand(args, 1), bigIntOperand(args, 2), context)),
  };
}

function checkShift(by: bigint): void {
  if (by < 0n) throw operandError(2, 'must be an unsigned integer number but got a negative integer');
}

function shiftLeft(x: bigint, by: bigint, context: BuiltinContext): bigint {
  checkShift(by);
  if (by > MAX_SHIFT) return x === 0n ? 0n : fail('shift count is too large');
  context.charge(Number(by >> 6n));
  return x << by;
}

function shiftRight(x: bigint, by: bigint): bigint {
  checkShift(by);
  return x >> (by > MAX_SHIFT ? MAX_SHIFT : by);
}

export const bitBuiltins: readonly Builtin[] = family('bits', {
  'bits.and': binary('The bits set in both numbers.', (x, y) => x & y),
  'bits.or': binary('The bits set in either number.', (x, y) => x | y),
  'bits.xor': binary('The bits set in exactly one of the numbers.', (x, y) => x ^ y),
  'bits.lsh': binary('The number shifted left by a count of bits.', shiftLeft, 's'),
  'bits.rsh': binary('The number shifted right by a count of bits.', shiftRight, 's'),
  'bits.negate': {
    about: 'The number with every bit inverted.',
    args: { x: number },
    result: { z: number },
    evaluate: (args: readonly Value[]) => fromBigInt(~bigIntOperand(args, 1)),
  },
});
