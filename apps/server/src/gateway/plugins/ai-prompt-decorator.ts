/** `ai-prompt-decorator`: puts messages before and after those of the client. */
import { type Static, Type } from '@sinclair/typebox';
import { badCall, readCall } from '../ai/read-call.js';
import type { Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const messages = Type.Optional(
  Type.Array(
    Type.Object({ role: oneOf(['system', 'user', 'assistant']), content: Type.String({ minLength: 1 }) }, closed),
  ),
);

const schema = Type.Object(
  { prepend: messages, append: messages, max_req_body_size: Type.Integer({ minimum: 1, default: 67_108_864 }) },
  { ...closed, anyOf: [{ required: ['prepend'] }, { required: ['append'] }] },
);

export const aiPromptDecorator: Plugin<Static<typeof schema>> = {
  name: 'ai-prompt-decorator',
  priority: 1070,
  schema,
  compile: ({ prepend = [], append = [], max_req_body_size: maxBytes }) => ({
    rewrite: async (exchange) => {
      const call = await readCall(exchange, maxBytes);
      const { body, kind } = call;
      if (kind === 'openai-chat')
        call.change({ ...body, messages: [...prepend, ...(body['messages'] as unknown[]), ...append] });
      else if (kind === 'anthropic-messages') {
        // Anthropic keeps what the system says beside the messages.
        const system = [...prepend, ...append].filter(({ role }) => role === 'system').map(({ content }) => content);
        const said = (list: typeof prepend) => list.filter(({ role }) => role !== 'system');
        const own = body['system'];
        const blocks = [
          ...system.map((text) => ({ type: 'text', text })),
          ...(typeof own === 'string' ? [{ type: 'text', text: own }] : Array.isArray(own) ? own : []),
        ];
        call.change({
          ...body,
          ...(blocks.length > 0 ? { system: blocks } : {}),
          messages: [...said(prepend), ...(body['messages'] as unknown[]), ...said(append)],
        });
      } else if (kind === 'openai-responses') {
        const { input } = body;
        const own = typeof input === 'string' ? [{ role: 'user', content: input }] : (input as unknown[]);
        call.change({ ...body, input: [...prepend, ...own, ...append] });
      } else throw badCall('format_unsupported', 'Embeddings have no messages to decorate.');
      exchange.replaceBody(Buffer.from(JSON.stringify(call.body)));
      return undefined;
    },
  }),
};
