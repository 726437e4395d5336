/** `limit-count`: so many requests in a window, by a key; counted here, or exactly across processes in Redis. */
import { type Static, Type } from '@sinclair/typebox';
import type { Count, RateLimitStore } from '../../ports/rate-limit-store.port.js';
import type { Exchange } from '../exchange.js';
import { counterName, limitKey, numberOf } from '../limits/limit-key.js';
import {
  missingRedisField,
  type RedisConfiguration,
  redisFieldsWithSentinel,
  storeOf,
} from '../limits/redis-fields.js';
import type { Outcome, Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const positive = Type.Unsafe<number | string>({
  anyOf: [{ type: 'integer', exclusiveMinimum: 0 }, { type: 'string' }],
});

const schema = Type.Object(
  {
    count: Type.Optional(positive),
    time_window: Type.Optional(positive),
    rules: Type.Optional(
      Type.Array(
        Type.Object(
          { count: positive, time_window: positive, key: Type.String(), header_prefix: Type.Optional(Type.String()) },
          closed,
        ),
      ),
    ),
    group: Type.Optional(Type.String()),
    key: Type.String({ default: 'remote_addr' }),
    key_type: oneOf(['var', 'var_combination', 'constant'], { default: 'var' }),
    rejected_code: Type.Integer({ minimum: 200, maximum: 599, default: 503 }),
    rejected_msg: Type.Optional(Type.String({ minLength: 1 })),
    allow_degradation: Type.Boolean({ default: false }),
    /** Counters are exact: anything but -1 would let several gateways count apart for so long. */
    sync_interval: Type.Literal(-1, { default: -1 }),
    show_limit_quota_header: Type.Boolean({ default: true }),
    window_type: oneOf(['fixed', 'sliding'], { default: 'fixed' }),
    ...redisFieldsWithSentinel,
  },
  { ...closed, oneOf: [{ required: ['count', 'time_window'] }, { required: ['rules'] }] },
);

const metadataSchema = Type.Object(
  {
    limit_header: Type.String({ default: 'X-RateLimit-Limit' }),
    remaining_header: Type.String({ default: 'X-RateLimit-Remaining' }),
    reset_header: Type.String({ default: 'X-RateLimit-Reset' }),
  },
  closed,
);

type Configuration = Static<typeof schema>;

interface Rule {
  readonly counter: string;
  readonly keyOf: (exchange: Exchange) => string;
  readonly limitOf: (exchange: Exchange) => number;
  /** Seconds. */
  readonly windowOf: (exchange: Exchange) => number;
  readonly headers: readonly [limit: string, remaining: string, reset: string];
}

interface Shown {
  readonly rule: Rule;
  readonly limit: number;
  readonly count: Count;
}

export const limitCount: Plugin<Configuration> = {
  name: 'limit-count',
  priority: 1002,
  schema,
  metadataSchema,
  check: (configuration) => missingRedisField(configuration as RedisConfiguration),
  compile: (configuration, scope) => {
    const store = storeOf('limit-count', configuration as RedisConfiguration, scope);
    const fallback = configuration.allow_degradation ? storeOf('limit-count', { policy: 'local' }, scope) : undefined;
    const owner = configuration.group === undefined ? scope.owner : { kind: 'group' as never, id: configuration.group };
    const rules = rulesOf(configuration, counterName('limit-count', configuration, owner), headerNames(scope.metadata));
    const key = {};
    const isSliding = configuration.window_type === 'sliding';
    const count = (from: RateLimitStore, exchange: Exchange, rule: Rule, limit: number): Count | Promise<Count> => {
      const windowMs = rule.windowOf(exchange) * 1000;
      const name = `${rule.counter}/${rule.keyOf(exchange)}`;
      return isSliding ? from.countSliding(name, limit, windowMs) : from.countFixed(name, limit, windowMs);
    };
    const judge = (exchange: Exchange, shown: Shown): Outcome => {
      if (configuration.show_limit_quota_header) {
        const before = exchange.stateOf<Shown[]>(key);
        if (before) before.push(shown);
        else exchange.keepState(key, [shown]);
      }
      return shown.count.remaining >= 0 ? undefined : refusalOf(configuration);
    };
    const apply = (exchange: Exchange, rule: Rule): Outcome | Promise<Outcome> => {
      const limit = rule.limitOf(exchange);
      const counted = count(store, exchange, rule, limit);
      if (!(counted instanceof Promise)) return judge(exchange, { rule, limit, count: counted });
      return counted
        .catch((error: unknown) => {
          if (!fallback) throw error;
          return count(fallback, exchange, rule, limit);
        })
        .then((settled) => judge(exchange, { rule, limit, count: settled }));
    };
    const failed = { status: 500, body: { error_msg: 'failed to limit count' } };
    const guarded = (exchange: Exchange, rule: Rule): Outcome | Promise<Outcome> => {
      try {
        const outcome = apply(exchange, rule);
        return outcome instanceof Promise ? outcome.catch(() => failed) : outcome;
      } catch {
        return configuration.allow_degradation ? undefined : failed;
      }
    };
    const [only] = rules;
    return {
      access:
        rules.length === 1 && only
          ? (exchange) => guarded(exchange, only)
          : (exchange) => inTurn(rules, exchange, guarded),
      ...(configuration.show_limit_quota_header
        ? {
            headerFilter: (exchange, head) => {
              for (const { rule, limit, count: found } of exchange.stateOf<readonly Shown[]>(key) ?? []) {
                head.set(rule.headers[0], String(limit));
                head.set(rule.headers[1], String(Math.max(0, found.remaining)));
                head.set(rule.headers[2], (found.resetMs / 1000).toFixed(2));
              }
            },
          }
        : {}),
    };
  },
};

async function inTurn(
  rules: readonly Rule[],
  exchange: Exchange,
  apply: (exchange: Exchange, rule: Rule) => Outcome | Promise<Outcome>,
): Promise<Outcome> {
  for (const rule of rules) {
    const outcome = await apply(exchange, rule);
    if (outcome) return outcome;
  }
  return undefined;
}

const refusalOf = ({ rejected_code: status, rejected_msg: message }: Configuration): Outcome =>
  message === undefined ? { status } : { status, body: { error_msg: message } };

const headerNames = (metadata: Readonly<Record<string, unknown>>): Rule['headers'] => [
  String(metadata['limit_header'] ?? 'X-RateLimit-Limit'),
  String(metadata['remaining_header'] ?? 'X-RateLimit-Remaining'),
  String(metadata['reset_header'] ?? 'X-RateLimit-Reset'),
];

function rulesOf(configuration: Configuration, counter: string, headers: Rule['headers']): readonly Rule[] {
  const { rules, count, time_window: window } = configuration;
  if (!rules) {
    return [
      {
        counter,
        keyOf: limitKey(configuration.key, configuration.key_type),
        limitOf: numberOf(count ?? 0),
        windowOf: numberOf(window ?? 0),
        headers,
      },
    ];
  }
  return rules.map((rule, index) => {
    const prefix = `X-${rule.header_prefix ?? index + 1}-RateLimit`;
    return {
      counter: `${counter}/${index}`,
      keyOf: limitKey(rule.key, 'var_combination'),
      limitOf: numberOf(rule.count),
      windowOf: numberOf(rule.time_window),
      headers: [`${prefix}-Limit`, `${prefix}-Remaining`, `${prefix}-Reset`],
    };
  });
}
