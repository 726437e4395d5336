/**
 * The operators of targeting: one entry each, with the number of operands it takes. JsonLogic's own, and flagd's four.
 * What is not here is refused. `evaluate` gets its operands evaluated; operators that decide what to evaluate are in
 * `compile-logic.ts`.
 */
import { compareVersions, parseLenientVersion } from '../versions/semver.js';
import { LogicFault, notANumber } from './logic-fault.js';
import { isTruthy, toNumber } from './values.js';

interface Arity {
  readonly min: number;
  readonly max: number;
}

const exactly = (count: number): Arity => ({ min: count, max: count });
const atLeast = (min: number): Arity => ({ min, max: Number.POSITIVE_INFINITY });

/** Every operator of a targeting rule and how many operands it takes. */
export const OPERATORS: Readonly<Record<string, Arity>> = {
  var: { min: 0, max: 2 },
  missing: atLeast(0),
  missing_some: exactly(2),
  if: atLeast(1),
  '?:': exactly(3),
  '==': atLeast(2),
  '===': atLeast(2),
  '!=': atLeast(2),
  '!==': atLeast(2),
  '<': atLeast(2),
  '<=': atLeast(2),
  '>': atLeast(2),
  '>=': atLeast(2),
  '!': exactly(1),
  '!!': exactly(1),
  and: atLeast(1),
  or: atLeast(1),
  '+': atLeast(1),
  '-': { min: 1, max: 2 },
  '*': atLeast(1),
  '/': { min: 1, max: 2 },
  '%': exactly(2),
  min: atLeast(1),
  max: atLeast(1),
  in: exactly(2),
  cat: atLeast(0),
  substr: { min: 2, max: 3 },
  merge: atLeast(0),
  map: exactly(2),
  filter: exactly(2),
  all: exactly(2),
  none: exactly(2),
  some: exactly(2),
  reduce: { min: 2, max: 3 },
  fractional: atLeast(1),
  sem_ver: exactly(3),
  starts_with: exactly(2),
  ends_with: exactly(2),
};

/** The longest text `cat` makes, in code units. */
const MAX_TEXT = 1_048_576;

function add(operands: readonly unknown[]): number {
  let sum = 0;
  for (const operand of operands) sum += toNumber(operand);
  return checked(sum);
}

function checked(result: number): number {
  if (Number.isNaN(result)) throw notANumber();
  return result;
}

function divide(operands: readonly unknown[]): number {
  const [first, second] = operands.length === 1 ? [1, operands[0]] : operands;
  const divisor = toNumber(second);
  if (divisor === 0) throw new LogicFault('a division by zero');
  return checked(toNumber(first) / divisor);
}

function extreme(operands: readonly unknown[], pick: (...numbers: number[]) => number): number {
  if (!operands.every((operand) => typeof operand === 'number')) throw new LogicFault('min and max take numbers only');
  return pick(...(operands as number[]));
}

function isIn([item, container]: readonly unknown[]): boolean {
  if (typeof container === 'string') return container.includes(String(item));
  if (Array.isArray(container)) return container.includes(item);
  if (isTruthy(container)) throw new LogicFault('in looks into a text or a list only');
  return false;
}

function concatenate(operands: readonly unknown[]): string {
  let text = '';
  // NOTE: a missing operand reads "null", as in flagd-core's compiled rules: a bucket key must be the same there and here.
  for (const operand of operands) text += String(operand);
  if (text.length > MAX_TEXT) throw new LogicFault(`cat makes a text longer than ${MAX_TEXT}`);
  return text;
}

function substring([text, from, length]: readonly unknown[]): string {
  if (typeof text !== 'string') throw new LogicFault('substr takes a text');
  const start = toNumber(from);
  const begin = start < 0 ? Math.max(0, text.length + start) : start;
  if (length === undefined) return text.slice(begin);
  const count = toNumber(length);
  return count < 0 ? text.slice(begin, Math.max(begin, text.length + count)) : text.slice(begin, begin + count);
}

function affix(operands: readonly unknown[], test: (text: string, part: string) => boolean): boolean | null {
  const [text, part] = operands;
  if (operands.length !== 2 || typeof text !== 'string' || typeof part !== 'string') return null;
  return test(text, part);
}

/** The comparison signs of `sem_ver`; `^` same major, `~` same major and minor. */
export const VERSION_SIGNS = ['=', '!=', '<', '<=', '>=', '>', '^', '~'] as const;

function compareVersion(operands: readonly unknown[]): boolean | null {
  if (operands.length !== 3) return null;
  const left = parseLenientVersion(operands[0]);
  const right = parseLenientVersion(operands[2]);
  if (left === undefined || right === undefined) return null;
  const order = compareVersions(left, right);
  switch (operands[1]) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
    case '^':
      return left.major === right.major;
    case '~':
      return left.major === right.major && left.minor === right.minor;
    default:
      return null;
  }
}

/** Operators that are functions of their operands. */
export const EAGER: Readonly<Record<string, (operands: readonly unknown[]) => unknown>> = {
  '+': add,
  '-': (operands) =>
    operands.length === 1
      ? -toNumber(operands[0])
      : checked(operands.slice(1).reduce<number>((rest, next) => rest - toNumber(next), toNumber(operands[0]))),
  '*': (operands) => checked(operands.reduce<number>((product, next) => product * toNumber(next), 1)),
  '/': divide,
  '%': ([left, right]) => checked(toNumber(left) % toNumber(right)),
  min: (operands) => extreme(operands, Math.min),
  max: (operands) => extreme(operands, Math.max),
  in: isIn,
  cat: concatenate,
  substr: substring,
  merge: (operands) => operands.flat(),
  sem_ver: compareVersion,
  starts_with: (operands) => affix(operands, (text, part) => text.startsWith(part)),
  ends_with: (operands) => affix(operands, (text, part) => text.endsWith(part)),
};
