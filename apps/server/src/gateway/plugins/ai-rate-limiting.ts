/**
 * `ai-rate-limiting`: so many tokens in a window, and so much money in a day or a month. What a call may use is set aside before it is made
 * and corrected by the provider's usage after, so that concurrent calls cannot overshoot together.
 */
import { BailiwickError } from '@bailiwick/contract';
import { type Static, Type } from '@sinclair/typebox';
import { compileCostExpression } from '../ai/cost-expression.js';
import { addGate } from '../ai/gates.js';
import type { LlmCall, TokenUsage } from '../ai/llm-call.js';
import {
  calendarWindow,
  expressionWish,
  type Limit,
  moneyUsed,
  moneyWish,
  type Refused,
  reservationsOf,
  tokenWish,
  usageFields,
} from '../ai/reservations.js';
import type { Exchange } from '../exchange.js';
import { counterName, limitKey, numberOf } from '../limits/limit-key.js';
import {
  missingRedisField,
  type RedisConfiguration,
  redisFieldsWithSentinel,
  storeOf,
} from '../limits/redis-fields.js';
import type { Outcome, Plugin, PluginHooks, PluginScope } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const positive = Type.Unsafe<number | string>({
  anyOf: [{ type: 'integer', exclusiveMinimum: 0 }, { type: 'string' }],
});

const schema = Type.Object(
  {
    limit: Type.Optional(positive),
    /** Seconds. */
    time_window: Type.Optional(positive),
    limit_strategy: oneOf(['total_tokens', 'prompt_tokens', 'completion_tokens', 'expression'], {
      default: 'total_tokens',
    }),
    /** Lua's arithmetic over the provider's usage fields, for `limit_strategy: expression`. */
    cost_expr: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
    instances: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), limit: positive, time_window: positive }, closed), { minItems: 1 }),
    ),
    rules: Type.Optional(
      Type.Array(
        Type.Object(
          { count: positive, time_window: positive, key: Type.String(), header_prefix: Type.Optional(Type.String()) },
          closed,
        ),
      ),
    ),
    rejected_code: Type.Integer({ minimum: 200, maximum: 599, default: 503 }),
    rejected_msg: Type.Optional(Type.String({ minLength: 1 })),
    allow_degradation: Type.Boolean({ default: false }),
    show_limit_quota_header: Type.Boolean({ default: true }),
    ...redisFieldsWithSentinel,
  },
  {
    ...closed,
    oneOf: [{ anyOf: [{ required: ['limit', 'time_window'] }, { required: ['instances'] }] }, { required: ['rules'] }],
  },
);

const metadataSchema = Type.Object(
  {
    /** Of money; each applies to every value of what it counts by, or to the one that it names. */
    budgets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            by: oneOf(['project', 'consumer', 'model']),
            name: Type.Optional(Type.String({ minLength: 1 })),
            limit: Type.Number({ exclusiveMinimum: 0 }),
            window: oneOf(['day', 'month']),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);

type Configuration = Static<typeof schema>;
type Budget = NonNullable<Static<typeof metadataSchema>['budgets']>[number];
type LimitsOf = (exchange: Exchange, call: LlmCall) => readonly Limit[];

export const aiRateLimiting: Plugin<Configuration> = {
  name: 'ai-rate-limiting',
  priority: 1030,
  schema,
  metadataSchema,
  check: (configuration) => missingRedisField(configuration as RedisConfiguration) ?? expressionFault(configuration),
  compile: (configuration, scope) => {
    const store = storeOf('ai-rate-limiting', configuration as RedisConfiguration, scope);
    const tokenLimits = tokenLimitsOf(configuration, scope);
    const budgets = (scope.metadata['budgets'] ?? []) as readonly Budget[];
    const gate = async (exchange: Exchange): Promise<Outcome> => {
      const { llm: call } = exchange;
      if (!call) return undefined;
      const applicable = budgets.filter((budget) => budgetSubject(budget, exchange, call) !== undefined);
      if (applicable.length > 0 && !call.price) return noPrice(call);
      const limits = [
        ...tokenLimits(exchange, call),
        ...applicable.map((budget) => budgetLimit(budget, budgetSubject(budget, exchange, call) ?? '', call)),
      ];
      try {
        const refused = await reservationsOf(exchange, store).reserve(limits);
        return refused && refusalOf(refused, configuration);
      } catch (error) {
        if (configuration.allow_degradation) return undefined;
        scope.logger.error({ request_id: exchange.requestId, error }, 'tokens cannot be counted: the call is refused');
        return { status: 500, body: { error_msg: 'failed to limit count' } };
      }
    };
    return {
      access: (exchange) => {
        if (exchange.llm) addGate(exchange, gate);
        return undefined;
      },
      ...headers(configuration, store),
      log: (exchange) => {
        const { llm: call } = exchange;
        if (!call) return;
        reservationsOf(exchange, store)
          .settle(call.usage)
          .catch((error: unknown) =>
            scope.logger.error({ request_id: exchange.requestId, error }, 'what a call used could not be counted'),
          );
      },
    };
  },
};

function headers(configuration: Configuration, store: ReturnType<typeof storeOf>): Pick<PluginHooks, 'headerFilter'> {
  if (!configuration.show_limit_quota_header) return {};
  return {
    headerFilter: (exchange, head) => {
      if (!exchange.llm) return;
      for (const { limit, reservation } of reservationsOf(exchange, store).shown) {
        if (!limit.headers) continue;
        head.set(limit.headers[0], String(limit.limit));
        head.set(limit.headers[1], String(reservation.remaining));
        head.set(limit.headers[2], (reservation.resetMs / 1000).toFixed(2));
      }
    },
  };
}

function tokenLimitsOf(configuration: Configuration, scope: PluginScope): LimitsOf {
  const { limit_strategy: strategy, rules, instances = [], limit, time_window: window } = configuration;
  const counter = counterName('ai-rate-limiting', configuration, scope.owner);
  const expression = strategy === 'expression' ? compileCostExpression(configuration.cost_expr ?? '0') : undefined;
  const used = (usage: TokenUsage, call: LlmCall): number => {
    if (expression) return expression(call.rawUsage ?? usageFields(usage.inputTokens, usage.outputTokens));
    const prompt = strategy === 'completion_tokens' ? 0 : usage.inputTokens;
    return prompt + (strategy === 'prompt_tokens' ? 0 : usage.outputTokens);
  };
  const build = (name: string, count: number | string, seconds: number | string, names: Limit['headers']) => {
    const limitOf = numberOf(count);
    const windowOf = numberOf(seconds);
    return (exchange: Exchange, call: LlmCall, suffix = ''): Limit => ({
      counter: `${counter}/${name}${suffix}`,
      limit: limitOf(exchange),
      windowMs: windowOf(exchange) * 1000,
      wish: expression ? expressionWish(call, expression) : tokenWish(call, strategy),
      used: (usage) => used(usage, call),
      headers: names,
      kind: 'tokens',
    });
  };
  if (rules) {
    const compiled = rules.map((rule, index) => ({
      keyOf: limitKey(rule.key, 'var_combination'),
      limitOf: build(
        `rule-${index}`,
        rule.count,
        rule.time_window,
        headerNames(`X-AI-${rule.header_prefix ?? index + 1}-RateLimit`, ''),
      ),
    }));
    return (exchange, call) => compiled.map(({ keyOf, limitOf }) => limitOf(exchange, call, `/${keyOf(exchange)}`));
  }
  const own = new Map(
    instances.map((one) => [
      one.name,
      build(one.name, one.limit, one.time_window, headerNames('X-AI-RateLimit', `-${one.name}`)),
    ]),
  );
  return (exchange, call) => {
    const known = own.get(call.instance);
    if (known) return [known(exchange, call)];
    if (limit === undefined || window === undefined) return [];
    return [build('all', limit, window, headerNames('X-AI-RateLimit', `-${call.instance}`))(exchange, call)];
  };
}

function expressionFault({ limit_strategy: strategy, cost_expr: text }: Configuration): string | undefined {
  if (strategy !== 'expression') return text === undefined ? undefined : 'cost_expr is for limit_strategy expression';
  if (text === undefined) return 'limit_strategy expression needs cost_expr';
  try {
    compileCostExpression(text);
    return undefined;
  } catch (error) {
    return `cost_expr: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const headerNames = (prefix: string, suffix: string): NonNullable<Limit['headers']> => [
  `${prefix}-Limit${suffix}`,
  `${prefix}-Remaining${suffix}`,
  `${prefix}-Reset${suffix}`,
];

/** Whose money it is; undefined: the budget is not about this call. Who is nobody shares with all who are: no call is free for that. */
function budgetSubject(budget: Budget, exchange: Exchange, call: LlmCall): string | undefined {
  const subject = {
    project: call.project ?? '',
    consumer: exchange.consumer?.username ?? exchange.caller?.actor ?? '',
    model: call.model,
  }[budget.by];
  return budget.name === undefined || budget.name === subject ? subject : undefined;
}

function budgetLimit(budget: Budget, subject: string, call: LlmCall): Limit {
  const { name, leftMs } = calendarWindow(budget.window, Date.now());
  return {
    counter: `ai-budget/${budget.by}/${budget.name ?? '*'}/${subject}/${budget.window}/${name}`,
    limit: Math.floor(budget.limit * 1e6),
    windowMs: leftMs,
    wish: moneyWish(call),
    used: (usage) => moneyUsed(call, usage),
    headers: undefined,
    kind: 'budget',
  };
}

function refusalOf({ limit, reservation }: Refused, configuration: Configuration): Outcome {
  const seconds = Math.ceil(reservation.resetMs / 1000);
  if (limit.kind === 'tokens') {
    const { rejected_code: status, rejected_msg: message } = configuration;
    const retry = { 'retry-after': String(seconds) };
    return message === undefined
      ? { status, headers: retry }
      : { status, headers: retry, body: { error_msg: message } };
  }
  return {
    status: 429,
    body: new BailiwickError('rate-limited', {
      reason: 'llm.budget_spent',
      message: 'The budget for language models does not allow this call.',
      retryAfterSeconds: seconds,
      extra: { reset_at: new Date(Date.now() + reservation.resetMs).toISOString() },
    }),
  };
}

const noPrice = (call: LlmCall): Outcome => ({
  status: 403,
  body: new BailiwickError('forbidden', {
    reason: 'llm.no_price',
    message: `The model of instance '${call.instance}' has no price, so that its budget cannot be kept.`,
  }),
});
