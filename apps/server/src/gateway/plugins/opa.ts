/** `opa`: asks the policy, in process. Denied is 403, or what failed closed is 503; reasons of `deny` reach the caller. */
import { BailiwickError } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';

/** Stands for the engine in this process; no request is ever sent there. */
export const ownEngine = 'http://decide.bailiwick.internal';

const schema = Type.Object(
  {
    host: Type.Literal(ownEngine),
    policy: Type.Literal('bailiwick/authz'),
    with_route: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

export const opa: Plugin<Static<typeof schema>> = {
  name: 'opa',
  priority: 2001,
  schema,
  compile: (_configuration, { services: { decisions } }) => ({
    access: (exchange) => {
      const decision = decisions.decide({
        caller: exchange.caller ?? { actor: 'anonymous', claims: {} },
        method: exchange.method,
        path: exchange.path,
        headers: flatHeaders(exchange),
        query: queryObject(exchange.query),
        project: projectOf(exchange),
        requestId: exchange.requestId,
      });
      exchange.decisionId = decision.id;
      if (decision.allowed) return undefined;
      const extra = { decision_id: decision.id, ...(decision.reasons.length > 0 ? { reasons: decision.reasons } : {}) };
      if (decision.decidedBy === 'error') {
        return {
          status: 503,
          headers: { 'retry-after': '1' },
          body: new BailiwickError('unavailable', {
            reason: 'decision.failed',
            message: 'The policy could not be asked, so the request is refused.',
            extra,
            retryAfterSeconds: 1,
          }),
        };
      }
      return {
        status: 403,
        body: new BailiwickError('forbidden', {
          reason: 'decision.denied',
          message: 'The policy does not allow this request.',
          extra,
        }),
      };
    },
  }),
};

/** The route's label, else its path parameter, else the token's claim. */
export function projectOf(exchange: Exchange): string | undefined {
  const named = exchange.route?.labels['project'] ?? exchange.parameters['project'];
  if (named !== undefined) return named;
  const claimed = exchange.caller?.claims['project'];
  return typeof claimed === 'string' ? claimed : undefined;
}

function flatHeaders(exchange: Exchange): Record<string, string> {
  const flat: Record<string, string> = {};
  const { headers } = exchange.request;
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return flat;
}

/** A parameter that comes twice is a list. */
function queryObject(query: string): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {};
  if (query === '') return result;
  for (const [name, value] of new URLSearchParams(query)) {
    const known = Object.hasOwn(result, name) ? result[name] : undefined;
    const next = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
    Object.defineProperty(result, name, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return result;
}
