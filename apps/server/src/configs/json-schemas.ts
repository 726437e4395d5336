/**
 * JSON Schema (draft 2020-12) for configuration values. Schemas come from users: references outside of themselves are refused, patterns
 * run on an engine whose time is linear in the text, and compiled schemas are kept.
 */

import type { JsonValue } from '@bailiwick/evaluation';
import { compileRegex } from '@bailiwick/rego';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { configInvalid, type ValueFault } from './config-errors.js';

const maxSchemaChars = 64 * 1024;
const maxKept = 1_000;
const kept = new Map<string, ValidateFunction>();

const linearRegExp = Object.assign((pattern: string) => compileRegex(pattern), {
  // Only used when Ajv writes standalone code, which it does not here.
  code: 'new RegExp',
});

function compile(text: string): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: false,
    allowUnionTypes: true,
    validateFormats: false,
    code: { regExp: linearRegExp as never },
  });
  return ajv.compile(JSON.parse(text) as object | boolean);
}

function validatorOf(schema: JsonValue): ValidateFunction {
  const text = JSON.stringify(schema);
  let validate = kept.get(text);
  if (validate === undefined) {
    if (text.length > maxSchemaChars)
      throw configInvalid('bad_schema', `The schema is longer than ${maxSchemaChars} characters. Make it smaller.`);
    try {
      validate = compile(text);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw configInvalid('bad_schema', `The schema cannot be used: ${why}.`, [{ path: '/schema', message: why }]);
    }
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value as string);
    kept.set(text, validate);
  }
  return validate;
}

/** Errors: `config.bad_schema`. */
export function assertSchema(schema: JsonValue): void {
  validatorOf(schema);
}

/** What is wrong with the value: paths and rules, without the value itself when it is a secret. */
export function schemaFaults(schema: JsonValue, value: JsonValue, isSecret: boolean): readonly ValueFault[] {
  const validate = validatorOf(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).slice(0, 20).map(({ instancePath, message, params, keyword }) => {
    const found = isSecret ? undefined : at(value, instancePath);
    const shown = found === undefined ? '' : ` (it is ${shorten(JSON.stringify(found))})`;
    const allowed =
      keyword === 'enum' ? `: ${JSON.stringify((params as { allowedValues?: unknown }).allowedValues)}` : '';
    return { path: `/value${instancePath}`, message: `${message ?? 'does not fit'}${allowed}${shown}` };
  });
}

function at(value: JsonValue, pointer: string): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const part of pointer.split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined;
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    found = (found as Readonly<Record<string, JsonValue>>)[name];
  }
  return found;
}

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}…` : text);
