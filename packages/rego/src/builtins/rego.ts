/** Functions about Rego itself and the running engine; most are answered by the compiler. */
import { EMPTY_ARRAY, EMPTY_OBJECT } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { fail } from './errors.js';
import { stringOperand } from './operands.js';
import { any, array, object, string } from './type-decl.js';

export const regoBuiltins: readonly Builtin[] = [
  ...family('rego', {
    'rego.metadata.chain': {
      about: 'The annotations of the enclosing rule and what contains it; the compiler replaces the call.',
      args: {},
      result: { chain: array() },
      evaluate: () => EMPTY_ARRAY,
    },
    'rego.metadata.rule': {
      about: 'The annotations of the enclosing rule; the compiler replaces the call.',
      args: {},
      result: { output: any },
      evaluate: () => EMPTY_OBJECT,
    },
    'rego.parse_module': {
      about: 'The syntax tree of a module as an object.',
      args: { filename: string, rego: string },
      result: { output: object(string, any) },
      evaluate(args, context) {
        const [filename, text] = [stringOperand(args, 1), stringOperand(args, 2)];
        if (context.parseModule === undefined) return fail('the engine was built without a parser for modules');
        return context.parseModule(filename, text);
      },
    },
  }),
  ...family('opa', {
    'opa.runtime': {
      about: 'What the engine was told of its surroundings: configuration and environment variables.',
      nondeterministic: true,
      capability: 'runtime',
      args: {},
      result: { output: object(string, any) },
      evaluate: (_args, context) => {
        if (context.runtime !== undefined) return context.runtime;
        return Object.keys(context.env).length === 0 ? EMPTY_OBJECT : { env: context.env };
      },
    },
  }),
];
