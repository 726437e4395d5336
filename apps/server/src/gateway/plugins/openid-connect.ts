/**
 * `openid-connect`, bearer only: verifies the JWT against the accepted issuers' keys, in process. Identity headers of the client are
 * cleared first, so that nobody can pretend to have been verified; then `X-Userinfo` is set (Base64 JSON), as APISIX does.
 */
import { isBailiwickError } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { Plugin } from '../plugin.js';

/** Stands for the issuers that this installation accepts (its settings); no request is ever sent there. */
export const ownDiscovery = 'http://issuer.bailiwick.internal/.well-known/openid-configuration';

const schema = Type.Object(
  {
    client_id: Type.String(),
    client_secret: Type.String(),
    discovery: Type.Literal(ownDiscovery),
    bearer_only: Type.Literal(true),
    use_jwks: Type.Optional(Type.Boolean()),
    realm: Type.Optional(Type.String({ default: 'apisix' })),
    set_userinfo_header: Type.Optional(Type.Boolean({ default: true })),
  },
  { additionalProperties: false },
);

const clearedHeaders = ['x-access-token', 'x-userinfo', 'x-id-token', 'x-refresh-token', 'x-raw-id-token'];

export const openidConnect: Plugin<Static<typeof schema>> = {
  name: 'openid-connect',
  priority: 2599,
  schema,
  compile: ({ realm = 'apisix', set_userinfo_header: setsUserinfo = true }, { services: { authenticator } }) => ({
    rewrite: async (exchange) => {
      for (const name of clearedHeaders) exchange.upstreamHeaders.set(name, undefined);
      try {
        const caller = await authenticator.authenticate(exchange.request.headers);
        exchange.caller = caller;
        if (setsUserinfo)
          exchange.upstreamHeaders.set('x-userinfo', Buffer.from(JSON.stringify(caller.claims)).toString('base64'));
      } catch (error) {
        if (!isBailiwickError(error)) throw error;
        if (error.kind !== 'unauthenticated') return { status: 503, headers: { 'retry-after': '5' }, body: error };
        return { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` }, body: error };
      }
      return undefined;
    },
  }),
};
