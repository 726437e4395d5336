/** `request-id`: keeps the client's `X-Request-Id` when it is well formed, else makes one; echoes it. */
import { randomUUID } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import type { Plugin } from '../plugin.js';

const schema = Type.Object(
  {
    header_name: Type.Optional(Type.String({ minLength: 1, default: 'X-Request-Id' })),
    include_in_response: Type.Optional(Type.Boolean({ default: true })),
    algorithm: Type.Optional(Type.Literal('uuid')),
  },
  { additionalProperties: false },
);

export const requestIdPattern = /^[A-Za-z0-9._~-]{1,128}$/;

export const requestId: Plugin<Static<typeof schema>> = {
  name: 'request-id',
  priority: 12_015,
  schema,
  compile: ({ header_name: headerName = 'X-Request-Id', include_in_response: isEchoed = true }) => {
    const incoming = headerName.toLowerCase();
    return {
      access: (exchange) => {
        const given = exchange.request.headers[incoming];
        exchange.requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
        exchange.upstreamHeaders.set(incoming, exchange.requestId);
        if (isEchoed) exchange.response.setHeader(headerName, exchange.requestId);
        return undefined;
      },
    };
  },
};
