/** `proxy-rewrite`: changes the path that the upstream sees. `uri` beats `regex_uri`; the query goes along. */
import { type Static, Type } from '@sinclair/typebox';
import type { Plugin } from '../plugin.js';

const schema = Type.Object(
  {
    uri: Type.Optional(Type.String({ pattern: '^/', minLength: 1, maxLength: 4096 })),
    regex_uri: Type.Optional(Type.Array(Type.String(), { minItems: 2, maxItems: 2 })),
  },
  { additionalProperties: false, minProperties: 1 },
);

export const proxyRewrite: Plugin<Static<typeof schema>> = {
  name: 'proxy-rewrite',
  priority: 1008,
  schema,
  compile: ({ uri, regex_uri: regexUri }) => {
    const pattern = regexUri?.[0] === undefined ? undefined : new RegExp(regexUri[0]);
    const replacement = regexUri?.[1] ?? '';
    return {
      rewrite: (exchange) => {
        if (uri !== undefined) exchange.upstreamPath = uri;
        else if (pattern) exchange.upstreamPath = exchange.upstreamPath.replace(pattern, replacement) || '/';
        return undefined;
      },
    };
  },
};
