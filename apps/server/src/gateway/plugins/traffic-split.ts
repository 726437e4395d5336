/** `traffic-split`: sends shares of the traffic to other upstreams, by weight and by condition. The first rule that fits decides. */
import { type Static, Type } from '@sinclair/typebox';
import type { Exchange, UpstreamTarget } from '../exchange.js';
import { type Condition, checkExpression, compileExpression } from '../expression.js';
import type { Plugin, PluginScope } from '../plugin.js';
import { closed, id, Upstream } from '../resource-schemas.js';

const schema = Type.Object(
  {
    rules: Type.Optional(
      Type.Array(
        Type.Object(
          {
            match: Type.Optional(Type.Array(Type.Object({ vars: Type.Optional(Type.Array(Type.Unknown())) }, closed))),
            weighted_upstreams: Type.Array(
              Type.Object(
                {
                  upstream_id: Type.Optional(id),
                  upstream: Type.Optional(Upstream),
                  weight: Type.Integer({ minimum: 0, default: 1 }),
                },
                closed,
              ),
              { minItems: 1, maxItems: 20, default: [{ weight: 1 }] },
            ),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);

type Configuration = Static<typeof schema>;
type RuleDefinition = NonNullable<Configuration['rules']>[number];

interface Share {
  /** Undefined: the route's own. */
  readonly upstream: UpstreamTarget | undefined;
  readonly weight: number;
  credit: number;
}

export const trafficSplit: Plugin<Configuration> = {
  name: 'traffic-split',
  priority: 966,
  schema,
  check: ({ rules = [] }) => {
    for (const { vars = [] } of rules.flatMap((rule) => rule.match ?? [])) {
      const wrong = checkExpression(vars);
      if (wrong !== undefined) return `match: ${wrong}`;
    }
    return rules.some((rule) => rule.weighted_upstreams.every(({ weight }) => weight === 0))
      ? 'a rule needs a weight above 0'
      : undefined;
  },
  compile: ({ rules = [] }, scope) => {
    const compiled = rules.map((rule) => ({ fits: conditionOf(rule), shares: sharesOf(rule, scope) }));
    return {
      access: (exchange) => {
        for (const { fits, shares } of compiled) {
          if (!fits(exchange)) continue;
          exchange.upstream = next(shares).upstream;
          return undefined;
        }
        return undefined;
      },
    };
  },
};

function conditionOf({ match = [] }: RuleDefinition): Condition {
  if (match.length === 0) return () => true;
  const any = match.map(({ vars = [] }) => compileExpression(vars));
  return (exchange: Exchange) => any.some((condition) => condition(exchange));
}

function sharesOf(rule: RuleDefinition, scope: PluginScope): readonly Share[] {
  return rule.weighted_upstreams
    .filter(({ weight }) => weight > 0)
    .map(({ upstream, upstream_id: reference, weight }) => ({
      upstream: upstream
        ? scope.upstream({ definition: upstream })
        : reference === undefined
          ? undefined
          : scope.upstream({ id: String(reference) }),
      weight,
      credit: 0,
    }));
}

/** Smooth turns by weight. */
function next(shares: readonly Share[]): Share {
  let best = shares[0] as Share;
  let total = 0;
  for (const share of shares) {
    total += share.weight;
    share.credit += share.weight;
    if (share.credit > best.credit) best = share;
  }
  best.credit -= total;
  return best;
}
