/** `key-auth`: a consumer's key in a header, else in the query. */
import { BailiwickError } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import { attachConsumer, withoutArgument } from '../consumer-headers.js';
import type { Exchange } from '../exchange.js';
import type { Outcome, Plugin, PluginScope } from '../plugin.js';
import { closed } from '../resource-schemas.js';
import { argument } from '../variables.js';

const schema = Type.Object(
  {
    header: Type.String({ default: 'apikey' }),
    query: Type.String({ default: 'apikey' }),
    hide_credentials: Type.Boolean({ default: false }),
    realm: Type.String({ minLength: 1, maxLength: 128, pattern: '^[ -!#-[\\]-~]+$', default: 'key' }),
    anonymous_consumer: Type.Optional(Type.String({ minLength: 1 })),
  },
  closed,
);

const consumerSchema = Type.Object({ key: Type.String() }, closed);

const name = 'key-auth';

export const keyAuth: Plugin<Static<typeof schema>> = {
  name,
  priority: 2500,
  type: 'auth',
  schema,
  consumerSchema,
  compile: (configuration, { consumers }) => {
    const header = configuration.header.toLowerCase();
    const { query, hide_credentials: isHidden, anonymous_consumer: anonymous } = configuration;
    const refuse = (message: string): Outcome => ({
      status: 401,
      headers: { 'WWW-Authenticate': `apikey realm="${configuration.realm}"` },
      body: { message },
    });
    const otherwise = (exchange: Exchange, message: string): Outcome =>
      anonymous === undefined ? refuse(message) : asAnonymous(exchange, anonymous, consumers, refuse);
    return {
      rewrite: (exchange) => {
        const inHeader = exchange.header(header);
        const key = inHeader ?? argument(exchange.query, query);
        if (key === undefined || key === '') return otherwise(exchange, 'Missing API key in request');
        const found = consumers.find(name, key);
        if (!found) {
          assertComplete(consumers, name);
          return otherwise(exchange, 'Invalid API key in request');
        }
        if (isHidden && inHeader !== undefined) exchange.upstreamHeaders.set(header, undefined);
        else if (isHidden) exchange.upstreamQuery = withoutArgument(exchange.upstreamQuery, query);
        attachConsumer(exchange, found.consumer);
        return undefined;
      },
    };
  },
};

/** For all authentication plugins: who shows nothing good passes as this consumer. */
export function asAnonymous(
  exchange: Exchange,
  anonymous: string,
  consumers: PluginScope['consumers'],
  refuse: (message: string) => Outcome,
): Outcome {
  const consumer = consumers.byName(anonymous);
  if (!consumer) return refuse('Invalid user authorization');
  attachConsumer(exchange, consumer);
  return undefined;
}

/** Throws 503 when a key may be that of a consumer whose secret cannot be had now: not to know is not to refuse for good. */
export function assertComplete(consumers: PluginScope['consumers'], plugin: string): void {
  if (!consumers.isIncomplete(plugin)) return;
  throw new BailiwickError('unavailable', {
    reason: 'gateway.secret_unresolved',
    message: 'A secret that this route needs cannot be had now. Try again shortly.',
    retryAfterSeconds: 5,
  });
}
