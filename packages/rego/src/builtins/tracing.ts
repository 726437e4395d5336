/** Output for people: print, trace, and interpolated strings, which share how they show values. */
import { formatTerm, holdText, isSet, type Value } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { HaltError } from './errors.js';
import { arrayOperand, stringOperand } from './operands.js';
import { any, array, boolean, set, string } from './type-decl.js';

const show = (value: Value): string => (typeof value === 'string' ? value : formatTerm(value));

/** What each argument may be: the compiler wraps arguments in sets, which are empty when undefined. */
function choices(argument: Value): readonly string[] {
  if (!isSet(argument)) return [show(argument)];
  return argument.size === 0 ? ['<undefined>'] : argument.sorted().map(show);
}

function combinations(args: readonly Value[], context: BuiltinContext): readonly (readonly string[])[] {
  let rows: readonly (readonly string[])[] = [[]];
  for (const argument of args) {
    const next = choices(argument);
    context.charge(rows.length * next.length);
    rows = rows.flatMap((row) => next.map((text) => [...row, text]));
  }
  return rows;
}

function templateString(args: readonly Value[], context: BuiltinContext): string {
  const rows = combinations(args, context);
  if (rows.length > 1) {
    throw new HaltError('eval_conflict_error', 'template-strings must not produce multiple outputs');
  }
  const parts = rows[0] ?? [];
  let length = 0;
  for (const part of parts) length += part.length;
  holdText(length);
  return parts.join('');
}

export const tracingBuiltins: readonly Builtin[] = [
  ...family('tracing', {
    trace: {
      about: 'Notes a message in the trace of the evaluation.',
      args: { note: string },
      result: { result: boolean },
      evaluate(args, context) {
        context.trace?.(stringOperand(args, 1));
        return true;
      },
    },
  }),
  ...family('internal', {
    print: {
      about: 'Prints values; undefined ones print as `<undefined>`.',
      args: {},
      variadic: any,
      evaluate(args, context) {
        context.print?.(args.map(show).join(' '));
        return true;
      },
    },
    'internal.print': {
      about: 'What the compiler makes of print.',
      args: { args: array(set()) },
      evaluate(args, context) {
        if (context.print === undefined) return true;
        for (const row of combinations(arrayOperand(args, 1), context)) context.print(row.join(' '));
        return true;
      },
    },
    'internal.template_string': {
      about: 'What the compiler makes of an interpolated string.',
      args: { parts: array() },
      result: { output: string },
      evaluate: (args, context) => templateString(arrayOperand(args, 1), context),
    },
    'internal.test_case': {
      about: 'What the compiler makes of a named test case.',
      args: { args: array() },
      evaluate: () => true,
    },
  }),
];
