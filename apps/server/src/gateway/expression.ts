/**
 * Conditions as APISIX writes them (lua-resty-expr): `[["arg_name", "==", "jack"], ["http_x", "!", "in", ["a"]]]`, joined by AND; a list that
 * begins with `AND`, `OR`, `!AND` or `!OR` joins what follows. Compiled once to a function of the exchange.
 */
import { addressList } from './addresses.js';
import type { Exchange } from './exchange.js';
import { readerOf, type VariableValue } from './variables.js';

export type Condition = (exchange: Exchange) => boolean;
type Test = (value: VariableValue) => boolean;

const joins = new Set(['AND', 'OR', '!AND', '!OR']);
const text = (value: VariableValue): string => (value === undefined ? '' : String(value));

const compare =
  (fits: (a: number, b: number) => boolean) =>
  (operand: unknown): Test => {
    const wanted = Number(operand);
    if (!Number.isFinite(wanted)) throw new RangeError(`'${String(operand)}' is not a number to compare with`);
    return (value) => value !== undefined && value !== '' && fits(Number(value), wanted);
  };

const listOf = (operand: unknown, operator: string): readonly unknown[] => {
  if (!Array.isArray(operand)) throw new RangeError(`the operator '${operator}' needs a list`);
  return operand;
};

const pattern =
  (flags: string) =>
  (operand: unknown): Test => {
    const expression = new RegExp(String(operand), flags);
    return (value) => value !== undefined && expression.test(text(value));
  };

const operators: Readonly<Record<string, (operand: unknown) => Test>> = {
  '==': (operand) =>
    operand === null
      ? (value) => value === undefined
      : (value) => value !== undefined && text(value) === String(operand),
  '~=': (operand) => (operand === null ? (value) => value !== undefined : (value) => text(value) !== String(operand)),
  '>': compare((a, b) => a > b),
  '>=': compare((a, b) => a >= b),
  '<': compare((a, b) => a < b),
  '<=': compare((a, b) => a <= b),
  '~~': pattern(''),
  '~*': pattern('i'),
  in: (operand) => {
    const wanted = new Set(listOf(operand, 'in').map(String));
    return (value) => value !== undefined && wanted.has(text(value));
  },
  has: (operand) => {
    const wanted = String(operand);
    // A variable is a text here; a comma-separated one holds its parts.
    return (value) =>
      value !== undefined &&
      text(value)
        .split(',')
        .some((part) => part.trim() === wanted);
  },
  ipmatch: (operand) => {
    const isListed = addressList(listOf(operand, 'ipmatch').map(String));
    return (value) => value !== undefined && isListed(text(value));
  },
};

/** Throws a RangeError that says what is wrong. */
export function compileExpression(expression: readonly unknown[]): Condition {
  if (expression.length === 0) return () => true;
  const [head, ...rest] = expression;
  if (typeof head === 'string' && joins.has(head)) return join(head, rest.map(compilePart));
  if (typeof head === 'string') return compileTriple(expression);
  return join('AND', expression.map(compilePart));
}

function compilePart(part: unknown): Condition {
  if (!Array.isArray(part)) throw new RangeError(`'${JSON.stringify(part)}' is not a condition`);
  return compileExpression(part);
}

function join(how: string, parts: readonly Condition[]): Condition {
  switch (how) {
    case 'AND':
      return parts.length === 1 && parts[0] ? parts[0] : (exchange) => parts.every((part) => part(exchange));
    case 'OR':
      return (exchange) => parts.some((part) => part(exchange));
    case '!AND':
      return (exchange) => !parts.every((part) => part(exchange));
    default:
      return (exchange) => !parts.some((part) => part(exchange));
  }
}

function compileTriple(triple: readonly unknown[]): Condition {
  const [name, second, third, fourth] = triple;
  if (typeof name !== 'string' || typeof second !== 'string' || triple.length < 3 || triple.length > 4)
    throw new RangeError(`'${JSON.stringify(triple)}' must be [variable, operator, value]`);
  const isNegated = second === '!';
  if (isNegated !== (triple.length === 4))
    throw new RangeError(`'${JSON.stringify(triple)}' has one part too many or too few`);
  const operator = isNegated ? String(third) : second;
  const make = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
  if (!make) throw new RangeError(`'${operator}' is not an operator; these are ${Object.keys(operators).join(' ')}`);
  if (/^(post_arg|graphql)_/.test(name)) throw new RangeError(`the variable '${name}' is not supported here`);
  const test = make(isNegated ? fourth : third);
  const read = readerOf(name);
  return isNegated ? (exchange) => !test(read(exchange)) : (exchange) => test(read(exchange));
}

/** What is wrong with an expression; undefined when nothing is. */
export function checkExpression(expression: readonly unknown[]): string | undefined {
  try {
    compileExpression(expression);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
