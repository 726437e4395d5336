/**
 * Which nodes of an upstream are healthy: active checks ask them at intervals, passive ones count what requests come to. A status or a
 * failure that goes on for as long as its threshold says moves a node; one of the other kind begins the count anew.
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect, type LookupFunction } from 'node:net';
import type { ActiveCheck, PassiveCheck } from '../resource-schemas.js';

/** What of a node its checks need. */
export interface CheckedNode {
  readonly host: string;
  readonly port: number;
  /** The `Host` that it is asked with. */
  readonly authority: string;
  isHealthy: boolean;
}

interface Upstream<N> {
  readonly nodes: readonly N[];
  readonly rewrittenHost: string | undefined;
  readonly lookup?: LookupFunction;
}

export interface HealthChecker<N> {
  observed(node: N, outcome: number | 'timeout' | 'connection'): void;
  stop(): void;
}

type Outcome = number | 'timeout' | 'connection';
type Kind = 'success' | 'http' | 'tcp' | 'timeout';

interface Thresholds {
  readonly healthyStatuses: ReadonlySet<number>;
  readonly unhealthyStatuses: ReadonlySet<number>;
  /** 0 means: this kind never moves a node. */
  readonly limits: Readonly<Record<Kind, number>>;
}

class Counter<N extends CheckedNode> {
  readonly #thresholds: Thresholds;
  readonly #counts = new WeakMap<N, Record<Kind, number>>();
  readonly #move: (node: N, isHealthy: boolean) => void;

  constructor(thresholds: Thresholds, move: (node: N, isHealthy: boolean) => void) {
    this.#thresholds = thresholds;
    this.#move = move;
  }

  observe(node: N, outcome: Outcome): void {
    const kind = this.#kindOf(outcome);
    if (!kind) return;
    const counts = this.#counts.get(node) ?? { success: 0, http: 0, tcp: 0, timeout: 0 };
    this.#counts.set(node, counts);
    if (kind === 'success') Object.assign(counts, { http: 0, tcp: 0, timeout: 0 });
    else counts.success = 0;
    counts[kind] += 1;
    const limit = this.#thresholds.limits[kind];
    if (limit > 0 && counts[kind] >= limit) this.#move(node, kind === 'success');
  }

  #kindOf(outcome: Outcome): Kind | undefined {
    if (outcome === 'timeout') return 'timeout';
    if (outcome === 'connection') return 'tcp';
    if (this.#thresholds.healthyStatuses.has(outcome)) return 'success';
    return this.#thresholds.unhealthyStatuses.has(outcome) ? 'http' : undefined;
  }
}

function thresholdsOf(check: ActiveCheck | PassiveCheck): Thresholds {
  return {
    healthyStatuses: new Set(check.healthy.http_statuses),
    unhealthyStatuses: new Set(check.unhealthy.http_statuses),
    limits: {
      success: check.healthy.successes,
      http: check.unhealthy.http_failures,
      tcp: check.unhealthy.tcp_failures,
      timeout: check.unhealthy.timeouts,
    },
  };
}

/** `onChange` hears of every node that changes sides. */
export function startHealthChecks<N extends CheckedNode>(
  upstream: Upstream<N>,
  checks: { readonly active: ActiveCheck; readonly passive?: PassiveCheck },
  onChange: (node: N, isHealthy: boolean) => void,
): HealthChecker<N> {
  const move = (node: N, isHealthy: boolean): void => {
    if (node.isHealthy === isHealthy) return;
    node.isHealthy = isHealthy;
    onChange(node, isHealthy);
  };
  const active = new Counter(thresholdsOf(checks.active), move);
  const passive = checks.passive ? new Counter(thresholdsOf(checks.passive), move) : undefined;
  const timers = new Set<NodeJS.Timeout>();
  let isStopped = false;
  const waiting: (() => void)[] = [];
  let running = 0;
  /** At most `concurrency` nodes of an upstream are asked at once. */
  const inTurn = async (node: N): Promise<Outcome> => {
    if (running >= checks.active.concurrency) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await probe(upstream, node, checks.active);
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
  const schedule = (node: N): void => {
    const { healthy, unhealthy } = checks.active;
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        void inTurn(node).then((outcome) => {
          if (isStopped) return;
          active.observe(node, outcome);
          schedule(node);
        });
      },
      (node.isHealthy ? healthy.interval : unhealthy.interval) * 1000,
    );
    timer.unref();
    timers.add(timer);
  };
  for (const node of upstream.nodes) schedule(node);
  return {
    observed: (node, outcome) => passive?.observe(node, outcome),
    stop: () => {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}

/** Never rejects. A TCP check that connects counts as the first healthy status. */
function probe(upstream: Upstream<CheckedNode>, node: CheckedNode, check: ActiveCheck): Promise<Outcome> {
  const at = {
    host: node.host,
    port: check.port ?? node.port,
    ...(upstream.lookup ? { lookup: upstream.lookup } : {}),
  };
  return check.type === 'tcp' ? probeTcp(at, check) : probeHttp(upstream, node, at, check);
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly lookup?: LookupFunction;
}

function probeTcp(at: Place, check: ActiveCheck): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ ...at });
    const settle = (outcome: Outcome): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(check.timeout * 1000, () => settle('timeout'));
    socket.once('connect', () => settle(check.healthy.http_statuses[0] ?? 200));
    socket.once('error', () => settle('connection'));
  });
}

function probeHttp(
  upstream: Upstream<CheckedNode>,
  node: CheckedNode,
  at: Place,
  check: ActiveCheck,
): Promise<Outcome> {
  const headers: Record<string, string> = { host: check.host ?? upstream.rewrittenHost ?? node.authority };
  for (const line of check.req_headers ?? []) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return new Promise((resolve) => {
    const options = {
      ...at,
      method: check.http_method,
      path: check.http_path,
      headers,
      agent: false as const,
    };
    const client =
      check.type === 'https'
        ? requestHttps({ ...options, rejectUnauthorized: check.https_verify_certificate })
        : requestHttp(options);
    const timer = setTimeout(() => {
      resolve('timeout');
      client.destroy();
    }, check.timeout * 1000);
    client.once('response', (response) => {
      clearTimeout(timer);
      resolve(response.statusCode ?? 0);
      client.destroy();
    });
    client.once('error', () => {
      clearTimeout(timer);
      resolve('connection');
    });
    client.end(check.http_req_body === '' ? undefined : check.http_req_body);
  });
}
