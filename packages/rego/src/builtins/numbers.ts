/** Ranges of numbers, and random numbers that stay the same within a query. */
import { fromBigInt, holdList, type NumberValue, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { fail } from './errors.js';
import { bigIntOperand, integerOperand, stringOperand } from './operands.js';
import { array, number, string } from './type-decl.js';

const CHARGE_EVERY = 1024;

function range(args: readonly Value[], step: bigint, context: BuiltinContext): readonly NumberValue[] {
  const from = bigIntOperand(args, 1);
  const to = bigIntOperand(args, 2);
  const by = from <= to ? step : -step;
  const count = (to - from) / by + 1n;
  const out: NumberValue[] = [];
  for (let i = 0n; i < count; i++) {
    if (out.length % CHARGE_EVERY === 0) {
      const left = count - i;
      const next = left < BigInt(CHARGE_EVERY) ? Number(left) : CHARGE_EVERY;
      context.charge(next);
      holdList(next);
    }
    out.push(fromBigInt(from + i * by));
  }
  return out;
}

function smallRange(from: number, to: number, context: BuiltinContext): readonly number[] {
  const length = Math.abs(to - from) + 1;
  context.charge(length);
  holdList(length);
  const by = from <= to ? 1 : -1;
  const out: number[] = [];
  for (let i = 0; i < length; i++) out.push(from + i * by);
  return out;
}

const SMALL = 1 << 20;
const isSmall = (value: Value | undefined): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value < SMALL && value > -SMALL;

function randomInteger(args: readonly Value[], context: BuiltinContext): number {
  const seed = stringOperand(args, 1);
  const limit = Math.abs(integerOperand(args, 2));
  if (limit === 0) return 0;
  const key = `rand.intn/${seed}/${limit}`;
  const known = context.cache.get(key) as number | undefined;
  if (known !== undefined) return known;
  const value = Math.floor(context.random(key).next() * limit);
  context.cache.set(key, value);
  return value;
}

export const numberBuiltins: readonly Builtin[] = family('numbers', {
  'numbers.range': {
    about: 'The whole numbers from one to another, both included, up or down.',
    args: { a: number, b: number },
    result: { range: array(number) },
    evaluate(args, context) {
      const [from, to] = args;
      return isSmall(from) && isSmall(to) ? smallRange(from, to, context) : range(args, 1n, context);
    },
  },
  'numbers.range_step': {
    about: 'The numbers from one towards another in steps.',
    args: { a: number, b: number, step: number },
    result: { range: array(number) },
    evaluate(args, context) {
      bigIntOperand(args, 1);
      bigIntOperand(args, 2);
      const step = bigIntOperand(args, 3);
      if (step <= 0n) fail('numbers.range_step: step must be a positive integer');
      return range(args, step, context);
    },
  },
  'rand.intn': {
    about: 'A random number from 0 up to, not including, n; the same for the same seed within a query.',
    nondeterministic: true,
    capability: 'random',
    args: { str: string, n: number },
    result: { y: number },
    evaluate: randomInteger,
  },
});
