/** `ai-prompt-template`: the client names a template and gives its values; `{{name}}` in the template's texts is replaced by them. */
import { type Static, Type } from '@sinclair/typebox';
import { parseBody } from '../ai/read-call.js';
import type { Outcome, Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const template = Type.Object(
  {
    model: Type.Optional(Type.String({ minLength: 1 })),
    messages: Type.Optional(
      Type.Array(
        Type.Object({ role: oneOf(['system', 'user', 'assistant']), content: Type.String({ minLength: 1 }) }, closed),
        { minItems: 1 },
      ),
    ),
  },
  { additionalProperties: true },
);

const schema = Type.Object(
  {
    templates: Type.Array(Type.Object({ name: Type.String({ minLength: 1 }), template }, closed), { minItems: 1 }),
    max_req_body_size: Type.Integer({ minimum: 1, default: 67_108_864 }),
  },
  closed,
);

const refuse = (message: string): Outcome => ({ status: 400, body: { message } });

export const aiPromptTemplate: Plugin<Static<typeof schema>> = {
  name: 'ai-prompt-template',
  priority: 1071,
  schema,
  compile: ({ templates, max_req_body_size: maxBytes }) => {
    const byName = new Map(templates.map((one) => [one.name, one.template]));
    return {
      rewrite: async (exchange) => {
        const values = parseBody(await exchange.readBody(maxBytes));
        const name = values['template_name'];
        if (typeof name !== 'string' || name === '') return refuse('template name is missing in request.');
        const found = byName.get(name);
        if (!found) return refuse(`template: ${name} not configured.`);
        exchange.replaceBody(Buffer.from(JSON.stringify(filled(found, values))));
        return undefined;
      },
    };
  },
};

/** Values are put into texts that are already apart, so that no value can add a message or a field. */
function filled(value: unknown, values: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === 'string')
    return value.replace(/\{\{\s*(\w+)\s*\}\}/g, (_whole, name: string) => {
      const one = Object.hasOwn(values, name) ? values[name] : undefined;
      return one === undefined || one === null ? '' : typeof one === 'string' ? one : JSON.stringify(one);
    });
  if (Array.isArray(value)) return value.map((one) => filled(one, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, filled(own, values)]));
}
