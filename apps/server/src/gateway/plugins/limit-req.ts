/** `limit-req`: a leaky bucket; what exceeds the rate waits (unless `nodelay`), what exceeds the burst too is refused. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Static, Type } from '@sinclair/typebox';
import type { Leak } from '../../ports/rate-limit-store.port.js';
import { counterName, limitKey } from '../limits/limit-key.js';
import { missingRedisField, redisFields, storeOf } from '../limits/redis-fields.js';
import type { Outcome, Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const schema = Type.Object(
  {
    rate: Type.Number({ exclusiveMinimum: 0 }),
    burst: Type.Number({ minimum: 0 }),
    key: Type.String(),
    key_type: oneOf(['var', 'var_combination'], { default: 'var' }),
    rejected_code: Type.Integer({ minimum: 200, maximum: 599, default: 503 }),
    rejected_msg: Type.Optional(Type.String({ minLength: 1 })),
    nodelay: Type.Boolean({ default: false }),
    allow_degradation: Type.Boolean({ default: false }),
    ...redisFields,
  },
  closed,
);

export const limitReq: Plugin<Static<typeof schema>> = {
  name: 'limit-req',
  priority: 1001,
  schema,
  check: missingRedisField,
  compile: (configuration, scope) => {
    const { rate, burst, nodelay, rejected_code: status, rejected_msg: message } = configuration;
    const store = storeOf('limit-req', configuration, scope);
    const counter = counterName('limit-req', configuration, scope.owner);
    const keyOf = limitKey(configuration.key, configuration.key_type);
    const refusal = message === undefined ? { status } : { status, body: { error_msg: message } };
    const judge = ({ isAdmitted, delayMs }: Leak): Outcome | Promise<Outcome> => {
      if (!isAdmitted) return refusal;
      return nodelay || delayMs < 1 ? undefined : wait(delayMs).then(() => undefined);
    };
    return {
      access: (exchange) => {
        const leak = store.leak(`${counter}/${keyOf(exchange)}`, rate, burst);
        if (!(leak instanceof Promise)) return judge(leak);
        return leak.then(judge, () =>
          configuration.allow_degradation ? undefined : { status: 500, body: { error_msg: 'failed to limit req' } },
        );
      },
    };
  },
};
