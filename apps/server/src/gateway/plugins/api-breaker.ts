/**
 * `api-breaker`: after so many failures of an upstream it is left alone for 2, 4, 8 … seconds, up to `max_breaker_sec`; so many successes
 * forget it all. One breaker a host and path.
 */
import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed } from '../resource-schemas.js';
import { templateOf } from '../variables.js';

const schema = Type.Object(
  {
    break_response_code: Type.Integer({ minimum: 200, maximum: 599 }),
    break_response_body: Type.Optional(Type.String()),
    break_response_headers: Type.Optional(
      Type.Array(Type.Object({ key: Type.String({ minLength: 1 }), value: Type.String({ minLength: 1 }) }, closed)),
    ),
    max_breaker_sec: Type.Integer({ minimum: 3, default: 300 }),
    unhealthy: Type.Object(
      {
        http_statuses: Type.Array(Type.Integer({ minimum: 500, maximum: 599 }), {
          minItems: 1,
          uniqueItems: true,
          default: [500],
        }),
        failures: Type.Integer({ minimum: 1, default: 3 }),
      },
      { ...closed, default: {} },
    ),
    healthy: Type.Object(
      {
        http_statuses: Type.Array(Type.Integer({ minimum: 200, maximum: 499 }), {
          minItems: 1,
          uniqueItems: true,
          default: [200],
        }),
        successes: Type.Integer({ minimum: 1, default: 3 }),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
);

interface Breaker {
  failures: number;
  successes: number;
  /** Epoch milliseconds of the last time it opened; 0: never. */
  openedMs: number;
}

/** Addresses can be made up without end: beyond this many the oldest breaker goes. */
const maxBreakers = 10_000;

export const apiBreaker: Plugin<Static<typeof schema>> = {
  name: 'api-breaker',
  priority: 1005,
  schema,
  compile: (configuration, scope) => {
    const { unhealthy, healthy, max_breaker_sec: maxSeconds } = configuration;
    const digest = createHash('sha256').update(JSON.stringify(configuration)).digest('hex').slice(0, 12);
    const breakers = scope.kept.keep(
      `api-breaker/${scope.owner.kind}/${scope.owner.id}/${digest}`,
      () => new Map<string, Breaker>(),
    );
    const keyOf = (exchange: Exchange): string => `${exchange.host}${exchange.path}`;
    const headers = (configuration.break_response_headers ?? []).map(
      ({ key, value }) => [key, templateOf(value)] as const,
    );
    return {
      access: (exchange) => {
        const breaker = breakers.get(keyOf(exchange));
        if (!breaker || breaker.openedMs === 0) return undefined;
        const times = Math.max(1, Math.ceil(breaker.failures / unhealthy.failures));
        const openMs = Math.min(2 ** times, maxSeconds) * 1000;
        if (Date.now() > breaker.openedMs + openMs) return undefined;
        const { break_response_code: status, break_response_body: body } = configuration;
        if (body === undefined) return { status };
        return { status, body, headers: Object.fromEntries(headers.map(([key, value]) => [key, value(exchange)])) };
      },
      log: (exchange) => {
        if (exchange.upstreamStatus === 0) return;
        const key = keyOf(exchange);
        const breaker = breakers.get(key);
        if (unhealthy.http_statuses.includes(exchange.upstreamStatus)) {
          const known = breaker ?? { failures: 0, successes: 0, openedMs: 0 };
          known.failures += 1;
          known.successes = 0;
          if (known.failures % unhealthy.failures === 0) known.openedMs = Date.now();
          if (!breaker && breakers.size >= maxBreakers) breakers.delete(breakers.keys().next().value ?? '');
          breakers.set(key, known);
        } else if (breaker && healthy.http_statuses.includes(exchange.upstreamStatus)) {
          breaker.successes += 1;
          if (breaker.successes >= healthy.successes) breakers.delete(key);
        }
      },
    };
  },
};
