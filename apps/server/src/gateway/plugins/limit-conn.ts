/** `limit-conn`: so many requests at the same time; those of the burst wait, those beyond are refused. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Static, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import { counterName, limitKey, numberOf } from '../limits/limit-key.js';
import { missingRedisField, redisFields, storeOf } from '../limits/redis-fields.js';
import type { Outcome, Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const conn = Type.Unsafe<number | string>({ anyOf: [{ type: 'integer', exclusiveMinimum: 0 }, { type: 'string' }] });
const burst = Type.Unsafe<number | string>({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] });

const schema = Type.Object(
  {
    conn: Type.Optional(conn),
    burst: Type.Optional(burst),
    key: Type.Optional(Type.String()),
    rules: Type.Optional(Type.Array(Type.Object({ conn, burst, key: Type.String() }, closed))),
    /** Seconds. */
    default_conn_delay: Type.Number({ exclusiveMinimum: 0 }),
    only_use_default_delay: Type.Boolean({ default: false }),
    key_type: oneOf(['var', 'var_combination'], { default: 'var' }),
    rejected_code: Type.Integer({ minimum: 200, maximum: 599, default: 503 }),
    rejected_msg: Type.Optional(Type.String({ minLength: 1 })),
    allow_degradation: Type.Boolean({ default: false }),
    key_ttl: Type.Integer({ minimum: 1, default: 3600 }),
    ...redisFields,
  },
  {
    ...closed,
    required: ['default_conn_delay'],
    oneOf: [
      { required: ['conn', 'burst', 'default_conn_delay', 'key'] },
      { required: ['default_conn_delay', 'rules'] },
    ],
  },
);

type Configuration = Static<typeof schema>;

interface Rule {
  readonly counter: string;
  readonly keyOf: (exchange: Exchange) => string;
  readonly connOf: (exchange: Exchange) => number;
  readonly burstOf: (exchange: Exchange) => number;
}

export const limitConn: Plugin<Configuration> = {
  name: 'limit-conn',
  priority: 1003,
  schema,
  check: missingRedisField,
  compile: (configuration, scope) => {
    const store = storeOf('limit-conn', configuration, scope);
    const rules = rulesOf(configuration, counterName('limit-conn', configuration, scope.owner));
    const { rejected_code: status, rejected_msg: message, key_ttl: ttl } = configuration;
    const refusal = message === undefined ? { status } : { status, body: { error_msg: message } };
    const held = {};
    // What a request takes, learnt from those that ended, as lua-resty-limit-traffic does.
    let delayMs = configuration.default_conn_delay * 1000;
    const enter = async (exchange: Exchange, rule: Rule): Promise<Outcome> => {
      const [most, beyond] = [rule.connOf(exchange), rule.burstOf(exchange)];
      const name = `${rule.counter}/${rule.keyOf(exchange)}`;
      const now = await store.enter(name, most + beyond, ttl * 1000);
      if (now > most + beyond) return refusal;
      const names = exchange.stateOf<string[]>(held);
      if (names) names.push(name);
      else exchange.keepState(held, [name]);
      if (now > most) await wait(Math.floor((now - 1) / most) * delayMs);
      return undefined;
    };
    return {
      access: async (exchange) => {
        for (const rule of rules) {
          try {
            const outcome = await enter(exchange, rule);
            if (outcome) return outcome;
          } catch {
            if (!configuration.allow_degradation) return { status: 500, body: { error_msg: 'failed to limit conn' } };
          }
        }
        return undefined;
      },
      log: (exchange) => {
        const names = exchange.stateOf<readonly string[]>(held);
        if (!names) return;
        if (!configuration.only_use_default_delay && exchange.upstreamMs >= 0)
          delayMs = (delayMs + exchange.upstreamMs) / 2;
        // A count that could not be taken back is forgotten after `key_ttl`.
        for (const name of names) void Promise.resolve(store.leave(name)).catch(() => undefined);
      },
    };
  },
};

function rulesOf(configuration: Configuration, counter: string): readonly Rule[] {
  const rules = configuration.rules?.map((rule) => ({ ...rule, type: 'var_combination' as const })) ?? [
    {
      conn: configuration.conn ?? 1,
      burst: configuration.burst ?? 0,
      key: configuration.key ?? 'remote_addr',
      type: configuration.key_type,
    },
  ];
  return rules.map((rule, index) => ({
    counter: `${counter}/${index}`,
    keyOf: limitKey(rule.key, rule.type),
    connOf: numberOf(rule.conn),
    burstOf: numberOf(rule.burst),
  }));
}
