/** YAML in and out. */
import { toJsonValue, type Value } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { BuiltinFailure, fail } from './errors.js';
import { operand, stringOperand } from './operands.js';
import { any, boolean, string } from './type-decl.js';
import { YamlError } from './yaml/nodes.js';
import { readYaml } from './yaml/reader.js';
import { writeYaml } from './yaml/writer.js';

function unmarshal(text: string): Value {
  try {
    return readYaml(text);
  } catch (error) {
    if (error instanceof YamlError) return fail(error.message);
    throw error;
  }
}

function isValid(text: Value | undefined): boolean {
  if (typeof text !== 'string') return false;
  try {
    readYaml(text);
    return true;
  } catch (error) {
    if (error instanceof YamlError || error instanceof BuiltinFailure) return false;
    throw error;
  }
}

export const yamlBuiltins: readonly Builtin[] = family('encoding', {
  'yaml.marshal': {
    about: 'YAML text of a value.',
    args: { x: any },
    result: { y: string },
    evaluate: (args) => writeYaml(toJsonValue(operand(args, 1))),
  },
  'yaml.unmarshal': {
    about: 'The value YAML text stands for; of several documents the first.',
    args: { x: string },
    result: { y: any },
    evaluate(args, context) {
      const text = stringOperand(args, 1);
      context.charge(text.length >> 4);
      return unmarshal(text);
    },
  },
  'yaml.is_valid': {
    about: 'Whether a string is YAML that JSON can say.',
    args: { x: string },
    result: { result: boolean },
    evaluate([text], context) {
      if (typeof text === 'string') context.charge(text.length >> 4);
      return isValid(text);
    },
  },
});
