/**
 * Validates documents against compiled schemas, with gojsonschema's errors. Where several
 * schemas are tried and none fits, the errors of the closest one are reported; closeness is a
 * score of what was met and what was not.
 */

import { toDecimal } from '../../values/big-number.js';
import {
  compareNumbers,
  get,
  hasKey,
  holdList,
  isArray,
  isInteger,
  isNumber,
  isObject,
  type NumberValue,
  type ObjectValue,
  sortedKeys,
  stringifyJson,
  toDouble,
  typeOf,
  type Value,
  work,
} from '../../values/index.js';
import { countCodePoints } from '../aggregates.js';
import { formatFloat } from '../go-float.js';
import { hasFormat } from './formats.js';
import type { Subschema } from './subschema.js';

/** What is wrong with a document, and where. */
export interface Violation {
  readonly type: string;
  readonly field: string;
  readonly description: string;
}

const ROOT = '(Root)';
const MAX_DEPTH = 1000;

function showNumber(value: NumberValue): string {
  const double = toDouble(value);
  return `${double < 0 ? '-' : ''}${formatFloat(Math.abs(double), { verb: 'g', precision: -1 })}`;
}

function isMultiple(value: NumberValue, of: NumberValue): boolean {
  const [a, b] = [toDecimal(value), toDecimal(of)];
  const exponent = Math.min(a.exponent, b.exponent);
  const scale = (part: { mantissa: bigint; exponent: number }): bigint =>
    part.mantissa * 10n ** BigInt(part.exponent - exponent);
  return scale(a) % scale(b) === 0n;
}

class Result {
  readonly violations: Violation[] = [];
  score = 0;

  get isValid(): boolean {
    return this.violations.length === 0;
  }

  add(type: string, path: readonly string[], description: string): void {
    const field = path.length === 0 ? ROOT : path.join('.');
    this.violations.push({ type, field, description });
    this.score -= 2;
  }

  merge(other: Result): void {
    work(other.violations.length);
    holdList(other.violations.length);
    for (const violation of other.violations) this.violations.push(violation);
    this.score += other.score;
  }
}

/** One schema applied to one value. */
interface Check {
  readonly schema: Subschema;
  readonly value: Value;
  readonly path: readonly string[];
  readonly result: Result;
}

class Validator {
  private depth = 0;

  run(check: Check): void {
    const { schema, value, path, result } = check;
    if (schema.pass !== undefined) {
      if (!schema.pass) result.add('false', path, 'False always fails validation');
      return;
    }
    work(2);
    this.depth++;
    if (this.depth > MAX_DEPTH) throw new RangeError('the document or its schema is nested too deeply');
    if (schema.reference !== undefined) this.run({ ...check, schema: schema.reference });
    else if (this.hasType(check)) {
      this.checkCombinations(check);
      if (isNumber(value)) this.checkNumber(check, value);
      if (isArray(value)) this.checkArray(check, value);
      if (isObject(value)) this.checkObject(check, value);
      this.checkCommon(check);
      if (typeof value === 'string') this.checkString(check, value);
      if (isObject(value)) this.checkProperties(check, value);
      result.score++;
    }
    this.depth--;
  }

  private try(schema: Subschema, value: Value, path: readonly string[]): Result {
    const result = new Result();
    this.run({ schema, value, path, result });
    return result;
  }

  private hasType({ schema, value, path, result }: Check): boolean {
    const { types } = schema;
    const isWhole = isNumber(value) && isInteger(value);
    const type = typeOf(value);
    if (types.length === 0 || types.includes(type) || (isWhole && types.includes('integer'))) return true;
    const expected = types.length > 1 ? `[${types.join(',')}]` : types[0];
    result.add('invalid_type', path, `Invalid type. Expected: ${expected}, given: ${isWhole ? 'integer' : type}`);
    return false;
  }

  private checkCombinations(check: Check): void {
    this.checkAnyOf(check);
    this.checkOneOf(check);
    this.checkAllOf(check);
    const { schema, value, path, result } = check;
    if (schema.not !== undefined && this.try(schema.not, value, path).isValid) {
      result.add('number_not', path, 'Must not validate the schema (not)');
    }
    this.checkDependencies(check);
    this.checkCondition(check);
    result.score++;
  }

  private checkAnyOf({ schema, value, path, result }: Check): void {
    if (schema.anyOf.length === 0) return;
    let best: Result | undefined;
    for (const option of schema.anyOf) {
      const attempt = this.try(option, value, path);
      if (attempt.isValid) return;
      if (best === undefined || attempt.score > best.score) best = attempt;
    }
    result.add('number_any_of', path, 'Must validate at least one schema (anyOf)');
    if (best !== undefined) result.merge(best);
  }

  private checkOneOf({ schema, value, path, result }: Check): void {
    if (schema.oneOf.length === 0) return;
    let valid = 0;
    let best: Result | undefined;
    for (const option of schema.oneOf) {
      const attempt = this.try(option, value, path);
      if (attempt.isValid) valid++;
      else if (valid === 0 && (best === undefined || attempt.score > best.score)) best = attempt;
    }
    if (valid === 1) return;
    result.add('number_one_of', path, 'Must validate one and only one schema (oneOf)');
    if (valid === 0 && best !== undefined) result.merge(best);
  }

  private checkAllOf({ schema, value, path, result }: Check): void {
    let valid = 0;
    for (const part of schema.allOf) {
      const attempt = this.try(part, value, path);
      if (attempt.isValid) valid++;
      result.merge(attempt);
    }
    if (valid !== schema.allOf.length) result.add('number_all_of', path, 'Must validate all the schemas (allOf)');
  }

  private checkDependencies({ schema, value, path, result }: Check): void {
    if (schema.dependencies.size === 0 || !isObject(value)) return;
    for (const key of sortedKeys(value) as readonly string[]) {
      const dependency = schema.dependencies.get(key);
      if (dependency === undefined) continue;
      if (!isArray(dependency as Value)) this.run({ schema: dependency as Subschema, value, path, result });
      else {
        for (const wanted of dependency as readonly string[]) {
          if (!hasKey(value, wanted)) result.add('missing_dependency', path, `Has a dependency on ${wanted}`);
        }
      }
    }
  }

  private checkCondition({ schema, value, path, result }: Check): void {
    if (schema.condition === undefined) return;
    const holds = this.try(schema.condition, value, path).isValid;
    const branch = holds ? schema.consequence : schema.alternative;
    if (branch === undefined) return;
    const attempt = this.try(branch, value, path);
    if (attempt.isValid) return;
    if (holds) result.add('condition_then', path, 'Must validate "then" as "if" was valid');
    else result.add('condition_else', path, 'Must validate "else" as "if" was not valid');
    result.merge(attempt);
  }

  private checkCommon({ schema, value, path, result }: Check): void {
    const field = path.length === 0 ? ROOT : path.join('.');
    if (schema.constant !== undefined && stringifyJson(value) !== schema.constant) {
      result.add('const', path, `${field} does not match: ${schema.constant}`);
    }
    if (schema.enumeration !== undefined && !schema.enumeration.includes(stringifyJson(value))) {
      result.add('enum', path, `${field} must be one of the following: ${schema.enumeration.join(', ')}`);
    }
    if (schema.format !== undefined && typeof value === 'string' && !hasFormat(value, schema.format)) {
      result.add('format', path, `Does not match format '${schema.format}'`);
    }
    result.score++;
  }

  private checkArray(check: Check, items: readonly Value[]): void {
    const { schema, path, result } = check;
    const at = (i: number): readonly string[] => [...path, String(i)];
    for (const [i, item] of items.entries()) {
      const own = schema.hasSingleItems ? schema.items[0] : schema.items[i];
      const isRest = !schema.hasSingleItems && schema.items.length > 0 && i >= schema.items.length;
      const applied = isRest ? schema.additionalItems : own;
      if (typeof applied === 'object') result.merge(this.try(applied, item, at(i)));
    }
    const hasRest = !schema.hasSingleItems && schema.items.length > 0 && items.length > schema.items.length;
    if (hasRest && schema.additionalItems === false) {
      result.add('array_no_additional_items', path, 'No additional items allowed on array');
    }
    this.checkSize(check, items.length);
    if (schema.uniqueItems) this.checkUnique(check, items);
    if (schema.contains !== undefined) this.checkContains(check, items);
    result.score++;
  }

  private checkSize({ schema, path, result }: Check, size: number): void {
    if (schema.minItems !== undefined && size < schema.minItems) {
      result.add('array_min_items', path, `Array must have at least ${schema.minItems} items`);
    }
    if (schema.maxItems !== undefined && size > schema.maxItems) {
      result.add('array_max_items', path, `Array must have at most ${schema.maxItems} items`);
    }
  }

  private checkUnique({ path, result }: Check, items: readonly Value[]): void {
    const seen = new Map<string, number>();
    for (const [j, item] of items.entries()) {
      const text = stringifyJson(item);
      const i = seen.get(text);
      if (i !== undefined) result.add('unique', path, `array items[${i},${j}] must be unique`);
      seen.set(text, j);
    }
  }

  private checkContains({ schema, path, result }: Check, items: readonly Value[]): void {
    let best: Result | undefined;
    for (const [i, item] of items.entries()) {
      const attempt = this.try(schema.contains as Subschema, item, [...path, String(i)]);
      if (attempt.isValid) return;
      if (best === undefined || attempt.score > best.score) best = attempt;
    }
    result.add('contains', path, 'At least one of the items must match');
    if (best !== undefined) result.merge(best);
  }

  private checkObject(check: Check, object: ObjectValue): void {
    const { schema, path, result } = check;
    const keys = sortedKeys(object) as readonly string[];
    if (schema.minProperties !== undefined && keys.length < schema.minProperties) {
      result.add('array_min_properties', path, `Must have at least ${schema.minProperties} properties`);
    }
    if (schema.maxProperties !== undefined && keys.length > schema.maxProperties) {
      result.add('array_max_properties', path, `Must have at most ${schema.maxProperties} properties`);
    }
    for (const name of schema.required) {
      if (hasKey(object, name)) result.score++;
      else result.add('required', path, `${name} is required`);
    }
    for (const key of keys) this.checkProperty(check, key, get(object, key) as Value);
    if (schema.propertyNames !== undefined) this.checkNames(check, keys);
    result.score++;
  }

  private checkProperty({ schema, path, result }: Check, key: string, value: Value): void {
    let isMatched = false;
    for (const { pattern, schema: inner } of schema.patternProperties.values()) {
      if (!pattern.test(key)) continue;
      isMatched = true;
      result.merge(this.try(inner, value, [...path, key]));
    }
    if (isMatched) result.score++;
    if (isMatched || schema.properties.has(key)) return;
    const additional = schema.additionalProperties;
    if (additional === false) {
      result.add('additional_property_not_allowed', path, `Additional property ${key} is not allowed`);
    } else if (typeof additional === 'object') result.merge(this.try(additional, value, [...path, key]));
  }

  private checkNames({ schema, path, result }: Check, keys: readonly string[]): void {
    for (const key of keys) {
      const attempt = this.try(schema.propertyNames as Subschema, key, path);
      if (attempt.isValid) continue;
      result.add('invalid_property_name', path, `Property name of "${key}" does not match`);
      result.merge(attempt);
    }
  }

  private checkProperties({ schema, path, result }: Check, object: ObjectValue): void {
    for (const [key, inner] of schema.properties) {
      const value = get(object, key);
      if (value !== undefined) this.run({ schema: inner, value, path: [...path, key], result });
    }
  }

  private checkString({ schema, path, result }: Check, text: string): void {
    const length = countCodePoints(text);
    if (schema.minLength !== undefined && length < schema.minLength) {
      result.add('string_gte', path, `String length must be greater than or equal to ${schema.minLength}`);
    }
    if (schema.maxLength !== undefined && length > schema.maxLength) {
      result.add('string_lte', path, `String length must be less than or equal to ${schema.maxLength}`);
    }
    if (schema.pattern !== undefined && !schema.pattern.regex.test(text)) {
      result.add('pattern', path, `Does not match pattern '${schema.pattern.source}'`);
    }
    result.score++;
  }

  private checkNumber({ schema, path, result }: Check, value: NumberValue): void {
    const { multipleOf, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
      result.add('multiple_of', path, `Must be a multiple of ${showNumber(multipleOf)}`);
    }
    if (maximum !== undefined && compareNumbers(value, maximum) > 0) {
      result.add('number_lte', path, `Must be less than or equal to ${showNumber(maximum)}`);
    }
    if (exclusiveMaximum !== undefined && compareNumbers(value, exclusiveMaximum) >= 0) {
      result.add('number_lt', path, `Must be less than ${showNumber(exclusiveMaximum)}`);
    }
    if (minimum !== undefined && compareNumbers(value, minimum) < 0) {
      result.add('number_gte', path, `Must be greater than or equal to ${showNumber(minimum)}`);
    }
    if (exclusiveMinimum !== undefined && compareNumbers(value, exclusiveMinimum) <= 0) {
      result.add('number_gt', path, `Must be greater than ${showNumber(exclusiveMinimum)}`);
    }
    result.score++;
  }
}

/** Everything that is wrong with a document; empty when it fits. */
export function validateSchema(schema: Subschema, document: Value): readonly Violation[] {
  const result = new Result();
  new Validator().run({ schema, value: document, path: [], result });
  return result.violations;
}
