/** An upstream: its nodes, taken in turn by weight, each with a pool of kept-alive connections; or a service of this very process. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Pool } from 'undici';
import type { UpstreamDefinition } from './apisix-file.js';

export interface UpstreamNode {
  readonly pool: Pool;
  /** For `pass_host: node`. */
  readonly authority: string;
}

export interface UpstreamTimeouts {
  readonly connectMs: number;
  readonly readMs: number;
}

/** A service of this process: its request listener, by the host name that stands for it. */
export type LocalServices = ReadonlyMap<string, (request: IncomingMessage, response: ServerResponse) => void>;

export class Upstream {
  readonly passesHost: boolean;
  /** Set when the only node is a service of this process. */
  readonly local: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  readonly #turns: readonly UpstreamNode[];
  readonly #pools: readonly Pool[];
  #next = 0;

  constructor(definition: UpstreamDefinition, timeouts: UpstreamTimeouts, localServices: LocalServices) {
    this.passesHost = definition.pass_host !== 'node';
    const scheme = definition.scheme ?? 'http';
    const definitions = nodesOf(definition);
    this.local =
      definitions.length === 1 ? localServices.get(definitions[0]?.authority.replace(/:\d+$/, '') ?? '') : undefined;
    const nodes = definitions.map(({ authority, weight }) => ({
      weight,
      node: {
        authority,
        pool: new Pool(`${scheme}://${authority}`, {
          connections: 256,
          pipelining: 1,
          connect: { timeout: timeouts.connectMs },
          headersTimeout: timeouts.readMs,
          bodyTimeout: timeouts.readMs,
          keepAliveTimeout: 4_000,
        }),
      },
    }));
    this.#pools = nodes.map(({ node }) => node.pool);
    this.#turns = nodes.flatMap(({ node, weight }) => Array.from({ length: Math.min(weight, 100) }, () => node));
  }

  /** Undefined when every node has weight 0. */
  pick(): UpstreamNode | undefined {
    if (this.#turns.length === 0) return undefined;
    this.#next = (this.#next + 1) % this.#turns.length;
    return this.#turns[this.#next];
  }

  /** Lets requests on their way finish. */
  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }
}

function nodesOf(definition: UpstreamDefinition): readonly { authority: string; weight: number }[] {
  const { nodes } = definition;
  if (Array.isArray(nodes))
    return nodes.map(({ host, port, weight }) => ({
      authority: `${host.includes(':') ? `[${host}]` : host}:${port}`,
      weight,
    }));
  return Object.entries(nodes as Record<string, number>).map(([authority, weight]) => ({
    authority: /:\d+$/.test(authority) ? authority : `${authority}:80`,
    weight,
  }));
}
