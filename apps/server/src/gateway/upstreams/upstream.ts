/**
 * An upstream: its nodes with their priorities, how one is chosen, what is known of their health, and their kept-alive connections; or a
 * service of this very process.
 */
import type { ConnectionOptions } from 'node:tls';
import type { Exchange, UpstreamTarget } from '../exchange.js';
import type { UpstreamDefinition } from '../resource-schemas.js';
import { readerOf, templateOf } from '../variables.js';
import { type Balancer, balancers } from './balancers.js';
import { ConnectionPool } from './connection-pool.js';
import { type HealthChecker, startHealthChecks } from './health-checks.js';
import {
  type LocalService,
  type LocalServices,
  type NodeDefinition,
  type Timeouts,
  UpstreamNode,
} from './upstream-node.js';

export interface UpstreamDefaults {
  readonly timeoutMs: number;
  readonly localServices: LocalServices;
  /** Certificate and key for `client_cert_id`. */
  readonly clientCertificate: (id: string) => { readonly cert: string; readonly key: string } | undefined;
  /** Told when a node becomes healthy or unhealthy. */
  readonly onHealth: (upstream: string, node: string, isHealthy: boolean) => void;
}

export type RouteTimeout = UpstreamDefinition['timeout'];

export class Upstream implements UpstreamTarget {
  readonly id: string;
  readonly passHost: 'pass' | 'node' | 'rewrite';
  readonly rewrittenHost: string | undefined;
  readonly isHttps: boolean;
  readonly nodes: readonly UpstreamNode[];
  readonly timeouts: Timeouts;
  /** Attempts after the first. */
  readonly retries: number;
  /** Milliseconds after which no further attempt is begun; 0: no bound. */
  readonly retryTimeoutMs: number;
  /** Set when the only node is a service of this process. */
  readonly local: LocalService | undefined;
  readonly #tiers: readonly (readonly [readonly UpstreamNode[], Balancer])[];
  readonly #hashKey: ((exchange: Exchange) => string) | undefined;
  readonly #checker: HealthChecker<UpstreamNode> | undefined;

  constructor(id: string, definition: UpstreamDefinition, defaults: UpstreamDefaults) {
    this.id = id;
    this.passHost = definition.pass_host;
    this.rewrittenHost = definition.upstream_host;
    this.isHttps = definition.scheme === 'https';
    this.timeouts = timeoutsOf(definition.timeout, defaults.timeoutMs);
    const tls = this.isHttps ? tlsOptions(definition, defaults) : undefined;
    const definitions = nodesOf(definition);
    this.local = definitions.length === 1 ? defaults.localServices.get(definitions[0]?.host ?? '') : undefined;
    this.nodes = definitions.filter((one) => one.weight > 0).map((one) => this.#node(one, definition, tls));
    this.retries = definition.retries ?? Math.max(0, this.nodes.length - 1);
    this.retryTimeoutMs = (definition.retry_timeout ?? 0) * 1000;
    const priorities = [...new Set(this.nodes.map((node) => node.priority))].sort((a, b) => b - a);
    this.#tiers = priorities.map((priority) => {
      const nodes = this.nodes.filter((node) => node.priority === priority);
      return [nodes, balancers[definition.type](nodes)] as const;
    });
    this.#hashKey = definition.type === 'chash' ? hashKeyOf(definition) : undefined;
    this.#checker = definition.checks
      ? startHealthChecks(this, definition.checks, (node, isHealthy) => defaults.onHealth(id, node.address, isHealthy))
      : undefined;
  }

  #node(one: NodeDefinition, definition: UpstreamDefinition, tls: ConnectionOptions | undefined): UpstreamNode {
    const pool = new ConnectionPool({
      host: one.host.replace(/^\[|\]$/g, ''),
      port: one.port,
      connectTimeoutMs: this.timeouts.connectMs,
      size: definition.keepalive_pool?.size ?? 320,
      idleTimeoutMs: (definition.keepalive_pool?.idle_timeout ?? 60) * 1000,
      requests: definition.keepalive_pool?.requests ?? 1000,
      tls,
    });
    return new UpstreamNode(one, this.isHttps, pool);
  }

  /** A node that was not tried yet; a healthy one as long as there is one, of the highest priority that has any. */
  pick(exchange: Exchange, tried: ReadonlySet<UpstreamNode> | undefined): UpstreamNode | undefined {
    const key = this.#hashKey?.(exchange) ?? '';
    for (const [, balancer] of this.#tiers) {
      const node = balancer.pick((one) => !one.isHealthy || tried?.has(one) === true, key);
      if (node) return node;
    }
    // All are said to be ill: better to ask one that may have recovered than to refuse for certain.
    for (const [nodes, balancer] of this.#tiers) {
      if (nodes.some((one) => one.isHealthy)) continue;
      const node = balancer.pick((one) => tried?.has(one) === true, key);
      if (node) return node;
    }
    return undefined;
  }

  /** What an attempt came to, for passive checks: a status, or why there was none. */
  observed(node: UpstreamNode, outcome: number | 'timeout' | 'connection'): void {
    this.#checker?.observed(node, outcome);
  }

  /** Lets requests on their way finish. */
  close(): void {
    this.#checker?.stop();
    for (const node of this.nodes) node.pool.close();
  }

  /** Cuts them. */
  destroy(): void {
    this.#checker?.stop();
    for (const node of this.nodes) node.pool.destroy();
  }
}

export function timeoutsOf(timeout: RouteTimeout, otherwiseMs: number): Timeouts {
  return timeout
    ? { connectMs: timeout.connect * 1000, sendMs: timeout.send * 1000, readMs: timeout.read * 1000 }
    : { connectMs: Math.min(otherwiseMs, 5_000), sendMs: otherwiseMs, readMs: otherwiseMs };
}

function tlsOptions(definition: UpstreamDefinition, defaults: UpstreamDefaults): ConnectionOptions {
  const { tls } = definition;
  const certificate =
    tls?.client_cert_id === undefined
      ? tls?.client_cert !== undefined && tls.client_key !== undefined
        ? { cert: tls.client_cert, key: tls.client_key }
        : {}
      : (defaults.clientCertificate(String(tls.client_cert_id)) ?? {});
  return { rejectUnauthorized: tls?.verify === true, ...certificate };
}

function hashKeyOf(definition: UpstreamDefinition): (exchange: Exchange) => string {
  const key = definition.key ?? '';
  // A key without a value must not put every such request on one node.
  const orAddress =
    (read: (exchange: Exchange) => unknown) =>
    (exchange: Exchange): string => {
      const value = read(exchange);
      return value === undefined || value === '' ? exchange.remoteAddress : String(value);
    };
  switch (definition.hash_on) {
    case 'consumer':
      return orAddress((exchange) => exchange.consumer?.username);
    case 'header':
      return orAddress(
        readerOf(
          `http_${key
            .toLowerCase()
            .replaceAll('-', '_')
            .replace(/^http_/, '')}`,
        ),
      );
    case 'cookie':
      return orAddress(readerOf(`cookie_${key.replace(/^cookie_/, '')}`));
    case 'vars_combinations':
      return orAddress(templateOf(key));
    default:
      return orAddress(readerOf(key));
  }
}

function nodesOf(definition: UpstreamDefinition): readonly NodeDefinition[] {
  const defaultPort = definition.scheme === 'https' ? 443 : 80;
  const { nodes } = definition;
  if (Array.isArray(nodes))
    return nodes.map(({ host, port = defaultPort, weight, priority = 0 }) => ({ host, port, weight, priority }));
  return Object.entries(nodes as Record<string, number>).map(([authority, weight]) => {
    const [, host = authority, port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
    return { host, port: port === undefined ? defaultPort : Number(port), weight, priority: 0 };
  });
}
