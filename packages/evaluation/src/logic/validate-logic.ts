/** Finds every fault of a targeting rule, each with its pointer. Stricter than compiling: what flagd would quietly turn into null is refused here. */
import type { Fault } from '../fault.js';
import { MAX_TOTAL_WEIGHT } from '../hashing/buckets.js';
import { isObject, pointer } from '../json.js';
import { OPERATORS, VERSION_SIGNS } from './operators.js';

export interface LogicSurroundings {
  /** Names of evaluators that `$ref` may name. */
  readonly evaluators: ReadonlySet<string>;
  /** The flag's variants, where the rule gives one; undefined within an evaluator, which many flags share. */
  readonly variants: ReadonlySet<string> | undefined;
}

interface LogicWalk extends LogicSurroundings {
  readonly isResult?: boolean;
  readonly depth?: number;
}

const MAX_DEPTH = 200;

/** Faults of one node. `isResult`: its value is the name of a variant. */
export function validateLogic(node: unknown, path: string, walk: LogicWalk): Fault[] {
  const { isResult = false, depth = 0 } = walk;
  const inner: LogicWalk = { ...walk, isResult: false, depth: depth + 1 };
  if (depth > MAX_DEPTH)
    return [{ path, code: 'logic.too_deep', message: `a rule is nested at most ${MAX_DEPTH} deep` }];
  if (Array.isArray(node)) return node.flatMap((item, index) => validateLogic(item, pointer(path, index), inner));
  if (!isObject(node)) return isResult ? variantFaults(node, path, walk) : [];
  const [name, ...rest] = Object.keys(node);
  if (name === undefined)
    return isResult && depth > 0 ? [fault(path, 'logic.empty', 'an empty object is no rule')] : [];
  if (rest.length > 0)
    return [fault(path, 'logic.operators', `a rule has one operator, this one has '${name}' and '${rest[0]}'`)];
  return operatorFaults({ name, operand: node[name] }, path, { ...inner, isResult });
}

const fault = (path: string, code: string, message: string): Fault => ({ path, code, message });

function variantFaults(value: unknown, path: string, { variants }: LogicSurroundings): Fault[] {
  if (value === null || variants === undefined || variants.has(String(value))) return [];
  const known = [...variants].join(', ');
  return [fault(path, 'flag.unknown_variant', `'${String(value)}' is no variant; the flag has ${known}`)];
}

interface OperatorNode {
  readonly name: string;
  readonly operand: unknown;
}

/** `walk` is that of the operands, but for `isResult`, which is the node's own. */
function operatorFaults({ name, operand }: OperatorNode, path: string, walk: LogicWalk): Fault[] {
  const here = pointer(path, name);
  if (name === '$ref') {
    if (typeof operand === 'string' && walk.evaluators.has(operand)) return [];
    return [
      fault(here, 'logic.unknown_ref', `there is no evaluator ${JSON.stringify(operand)}; define it under $evaluators`),
    ];
  }
  const arity = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (arity === undefined)
    return [
      fault(here, 'logic.unknown_operator', `'${name}' is no operator; known are ${Object.keys(OPERATORS).join(' ')}`),
    ];
  if (name === 'fractional') return fractionalFaults(operand, here, walk);
  const operands: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  const isComputed = !Array.isArray(operand) && isObject(operand);
  if (!isComputed && (operands.length < arity.min || operands.length > arity.max)) {
    const wanted =
      arity.max === arity.min ? arity.min : `${arity.min} to ${arity.max === Infinity ? 'any number' : arity.max}`;
    return [fault(here, 'logic.operands', `'${name}' takes ${wanted} operands, not ${operands.length}`)];
  }
  const isBranch = walk.isResult === true && (name === 'if' || name === '?:');
  return [
    ...operatorRules(name, operand, operands, here),
    ...operands.flatMap((item, index) => {
      const at = Array.isArray(operand) ? pointer(here, index) : here;
      const gives = isBranch && (index % 2 === 1 || index === operands.length - 1);
      return validateLogic(item, at, { ...walk, isResult: gives });
    }),
  ];
}

/** What single operators want of constants. */
function operatorRules(name: string, operand: unknown, operands: readonly unknown[], path: string): Fault[] {
  const mustBeList = name === 'if' || name === 'and' || name === 'or' || name === '?:';
  if (mustBeList && !Array.isArray(operand)) return [fault(path, 'logic.operands', `'${name}' takes a list`)];
  if (name === 'sem_ver' && typeof operands[1] === 'string' && !VERSION_SIGNS.some((sign) => sign === operands[1]))
    return [
      fault(
        pointer(path, 1),
        'logic.version_sign',
        `'${operands[1]}' compares no versions; use one of ${VERSION_SIGNS.join(' ')}`,
      ),
    ];
  if (name === 'var' && typeof operands[0] === 'string' && operands[0].startsWith('../'))
    return [
      fault(
        path,
        'logic.parent',
        "'../' is not JsonLogic and other flagds read it otherwise; use reduce, or another rule",
      ),
    ];
  if (
    (name === 'starts_with' || name === 'ends_with') &&
    operands.some((one) => typeof one === 'number' || typeof one === 'boolean')
  )
    return [fault(path, 'logic.text', `'${name}' compares texts`)];
  return [];
}

function fractionalFaults(operand: unknown, path: string, walk: LogicWalk): Fault[] {
  const inner: LogicWalk = { ...walk, isResult: false };
  if (!Array.isArray(operand) || operand.length === 0)
    return [fault(path, 'fractional.shares', 'fractional takes [variant, weight] pairs, after an optional bucket key')];
  const hasKey = !Array.isArray(operand[0]);
  const pairs = hasKey ? operand.slice(1) : operand;
  const faults = hasKey ? validateLogic(operand[0], pointer(path, 0), inner) : [];
  if (pairs.length === 0) faults.push(fault(path, 'fractional.shares', 'give at least one [variant, weight] pair'));
  let total = 0;
  let areConstant = true;
  for (const [index, pair] of pairs.entries()) {
    const at = pointer(path, index + (hasKey ? 1 : 0));
    if (!Array.isArray(pair) || pair.length === 0 || pair.length > 2) {
      faults.push(fault(at, 'fractional.shares', 'a share is [variant] or [variant, weight]'));
      continue;
    }
    const [variant, weight = 1] = pair as readonly unknown[];
    faults.push(...validateLogic(variant, pointer(at, 0), walk));
    if (isObject(weight)) {
      areConstant = false;
      faults.push(...validateLogic(weight, pointer(at, 1), inner));
    } else if (typeof weight !== 'number' || !Number.isInteger(weight) || weight < 0)
      faults.push(fault(pointer(at, 1), 'fractional.weight', 'a weight is an integer of 0 or more'));
    else total += weight;
  }
  if (total > MAX_TOTAL_WEIGHT)
    faults.push(fault(path, 'fractional.weight', `the weights sum to more than ${MAX_TOTAL_WEIGHT}`));
  if (areConstant && total === 0 && faults.length === 0)
    faults.push(fault(path, 'fractional.weight', 'all weights are 0: nobody would get a variant'));
  return faults;
}
