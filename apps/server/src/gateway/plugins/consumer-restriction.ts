/** `consumer-restriction`: which consumers, groups, services or routes may pass, and with which methods. */
import { type Static, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed, httpMethods, oneOf } from '../resource-schemas.js';

const names = Type.Optional(Type.Array(Type.String(), { minItems: 1 }));

const schema = Type.Object(
  {
    type: oneOf(['consumer_name', 'service_id', 'route_id', 'consumer_group_id'], { default: 'consumer_name' }),
    whitelist: names,
    blacklist: names,
    allowed_by_methods: Type.Optional(
      Type.Array(
        Type.Object({ user: Type.String(), methods: Type.Array(oneOf(httpMethods), { minItems: 1 }) }, closed),
      ),
    ),
    rejected_code: Type.Integer({ minimum: 200, maximum: 599, default: 403 }),
    rejected_msg: Type.Optional(Type.String()),
  },
  {
    ...closed,
    anyOf: [{ required: ['blacklist'] }, { required: ['whitelist'] }, { required: ['allowed_by_methods'] }],
  },
);

type Configuration = Static<typeof schema>;

const subjects: Readonly<Record<Configuration['type'], (exchange: Exchange) => string | undefined>> = {
  consumer_name: (exchange) => exchange.consumer?.username,
  consumer_group_id: (exchange) => exchange.consumer?.groupId,
  service_id: (exchange) => exchange.route?.serviceId || undefined,
  route_id: (exchange) => exchange.route?.id,
};

export const consumerRestriction: Plugin<Configuration> = {
  name: 'consumer-restriction',
  priority: 2400,
  schema,
  compile: (configuration) => {
    const { type, rejected_code: status, rejected_msg: message } = configuration;
    const subject = subjects[type] as (exchange: Exchange) => string | undefined;
    const refusal = { status, body: { message: message ?? `The ${type} is forbidden.` } };
    const unknown = {
      status: 401,
      body: { message: `The request is rejected, please check the ${type} for this request` },
    };
    const unwanted = new Set(configuration.blacklist);
    const welcome = configuration.whitelist && new Set(configuration.whitelist);
    const methods =
      configuration.allowed_by_methods &&
      new Map(configuration.allowed_by_methods.map((one) => [one.user, new Set<string>(one.methods)]));
    return {
      access: (exchange) => {
        const name = subject(exchange);
        if (name === undefined) return unknown;
        if (unwanted.has(name)) return refusal;
        if (welcome?.has(name)) return undefined;
        if (!methods) return welcome ? refusal : undefined;
        // Whom the methods do not name is refused only where there is a list of the welcome.
        const own = methods.get(name);
        return own ? (own.has(exchange.method) ? undefined : refusal) : welcome ? refusal : undefined;
      },
    };
  },
};
