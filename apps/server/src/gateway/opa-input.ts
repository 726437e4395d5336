/** The input document that APISIX's `opa` plugin sends: `type`, `request`, `var`, and the route, service and consumer when asked for. */

import type { Exchange } from './exchange.js';
import { decodeQuery } from './variables.js';

export interface OpaInputOptions {
  readonly withRoute: boolean;
  readonly withService: boolean;
  readonly withConsumer: boolean;
}

export function opaInput(exchange: Exchange, options: OpaInputOptions): Readonly<Record<string, unknown>> {
  const { socket } = exchange.request;
  return {
    type: 'http',
    request: {
      scheme: exchange.isTls ? 'https' : 'http',
      method: exchange.method,
      host: exchange.host,
      port: socket.localPort,
      path: exchange.path,
      headers: exchange.request.headers,
      query: queryObject(exchange.query),
    },
    var: {
      server_addr: socket.localAddress,
      server_port: String(socket.localPort ?? ''),
      remote_addr: exchange.remoteAddress,
      remote_port: String(socket.remotePort ?? ''),
      timestamp: Math.floor(exchange.startedAtMs / 1000),
    },
    // Beside APISIX's own members, and only where an `ai-*` plugin has read the call.
    ...(exchange.llm ? { llm: exchange.llm.facts() } : {}),
    ...(options.withRoute ? { route: withoutUpstream(exchange.route?.route) } : {}),
    ...(options.withService && exchange.route?.service ? { service: withoutUpstream(exchange.route.service) } : {}),
    ...(options.withConsumer && exchange.consumer ? { consumer: consumerFacts(exchange.consumer) } : {}),
  };
}

/** Where a route leads is not the policy's business, and its plugins may hold secrets. */
function withoutUpstream(resource: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> {
  const { upstream: _upstream, plugins, ...rest } = resource ?? {};
  return plugins === undefined
    ? rest
    : { ...rest, plugins: Object.fromEntries(Object.keys(plugins as object).map((name) => [name, {}])) };
}

const consumerFacts = (consumer: NonNullable<Exchange['consumer']>): Readonly<Record<string, unknown>> => ({
  username: consumer.username,
  consumer_name: consumer.username,
  ...(consumer.groupId === undefined ? {} : { group_id: consumer.groupId }),
  labels: consumer.labels,
});

/** A parameter that comes twice is a list. */
export function queryObject(query: string): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {};
  if (query === '') return result;
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decodeQuery(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? '' : decodeQuery(part.slice(equals + 1));
    const known = Object.hasOwn(result, name) ? result[name] : undefined;
    const next = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
    Object.defineProperty(result, name, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return result;
}
