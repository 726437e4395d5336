/** One node of an upstream: where it is, its connections, and what is known of it: health, requests on their way, how fast it answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ConnectionPool } from './connection-pool.js';

/** A service of this process: its request listener, by the host name that stands for it. */
export type LocalService = (request: IncomingMessage, response: ServerResponse) => void;
export type LocalServices = ReadonlyMap<string, LocalService>;

export interface Timeouts {
  readonly connectMs: number;
  readonly sendMs: number;
  readonly readMs: number;
}

/** Halves the weight of what was measured this long ago, in milliseconds. */
const decayMs = 10_000;

export class UpstreamNode {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  readonly priority: number;
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** For `pass_host: node`: the port only when it is not the scheme's own. */
  readonly authority: string;
  readonly pool: ConnectionPool;
  /** Requests on their way. */
  active = 0;
  isHealthy = true;
  #average = 0;
  #measuredMs = 0;

  constructor(definition: NodeDefinition, isHttps: boolean, pool: ConnectionPool) {
    this.host = definition.host;
    this.port = definition.port;
    this.weight = definition.weight;
    this.priority = definition.priority;
    const host = definition.host.includes(':') ? `[${definition.host}]` : definition.host;
    this.address = `${host}:${definition.port}`;
    this.authority = definition.port === (isHttps ? 443 : 80) ? host : this.address;
    this.pool = pool;
  }

  measured(ms: number, nowMs: number): void {
    const age = this.#measuredMs === 0 ? Number.POSITIVE_INFINITY : nowMs - this.#measuredMs;
    const kept = Math.exp(-age / decayMs);
    this.#average = this.#average * kept + ms * (1 - kept);
    this.#measuredMs = nowMs;
  }

  /** What an answer took lately, in milliseconds; forgets with time, so that a node gets another chance. */
  averageMs(nowMs: number): number {
    return this.#measuredMs === 0
      ? 0
      : this.#average * Math.exp(-(nowMs - this.#measuredMs) / decayMs) * (this.active + 1);
  }
}

export interface NodeDefinition {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  readonly priority: number;
}
