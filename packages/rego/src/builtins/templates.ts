/** strings.render_template: Go's text/template over an object. */
import { entriesOf, toJsonValue } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { fail } from './errors.js';
import { objectOperand, stringOperand } from './operands.js';
import { executeTemplate } from './template/execute.js';
import { parseTemplate } from './template/parse.js';
import { TemplateError } from './template/syntax.js';
import { any, object, string } from './type-decl.js';

export const templateBuiltins: readonly Builtin[] = family('strings', {
  'strings.render_template': {
    about: 'A template in Go’s syntax filled in from an object; missing keys show as `<undefined>`.',
    args: { value: string, vars: object(string, any) },
    result: { result: string },
    evaluate(args, context) {
      const source = stringOperand(args, 1);
      const variables = objectOperand(args, 2);
      for (const [key] of entriesOf(variables))
        if (typeof key !== 'string') fail('the names of variables must be strings');
      const data = toJsonValue(variables);
      try {
        const text = executeTemplate(parseTemplate(source), data, (steps) => context.charge(steps));
        return text.replaceAll('<no value>', '<undefined>');
      } catch (error) {
        if (error instanceof TemplateError) return fail(error.message);
        throw error;
      }
    },
  },
});
