import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Exchange } from '../exchange.js';
import { type UpstreamDefinition, Upstream as UpstreamSchema } from '../resource-schemas.js';
import { fitsSchema } from '../resource-validation.js';
import { Upstream } from './upstream.js';

const opened: Upstream[] = [];
const servers: Server[] = [];
afterEach(async () => {
  for (const upstream of opened.splice(0)) upstream.destroy();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

function open(definition: object, changes: [string, boolean][] = []): Upstream {
  expect(fitsSchema(UpstreamSchema, definition, [], (_at, message) => expect.fail(message))).toBe(true);
  const upstream = new Upstream('u', definition as UpstreamDefinition, {
    timeoutMs: 1_000,
    localServices: new Map(),
    clientCertificate: () => undefined,
    onHealth: (_upstream, node, isHealthy) => changes.push([node, isHealthy]),
  });
  opened.push(upstream);
  return upstream;
}

const from = (key = ''): Exchange => ({ remoteAddress: '127.0.0.1', header: () => key }) as unknown as Exchange;
const hosts = (upstream: Upstream, count: number, key?: (index: number) => string): string[] =>
  Array.from({ length: count }, (_, index) => upstream.pick(from(key?.(index)), undefined)?.host ?? 'none');
function counts(list: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const one of list) found[one] = (found[one] ?? 0) + 1;
  return found;
}

describe('an upstream', () => {
  it('takes turns by weight, interleaved', () => {
    expect(hosts(open({ nodes: { a: 2, b: 1 } }), 6)).toEqual(['a', 'b', 'a', 'a', 'b', 'a']);
    expect(hosts(open({ nodes: { a: 1, b: 0 } }), 3)).toEqual(['a', 'a', 'a']);
    expect(hosts(open({ nodes: { a: 0 } }), 1)).toEqual(['none']);
  });

  it('keeps a key on its node by hash, and moves only those of a node that goes', () => {
    const definition = (nodes: Record<string, number>) => ({ type: 'chash', hash_on: 'header', key: 'x-user', nodes });
    const key = (index: number): string => `user-${index}`;
    const three = hosts(open(definition({ a: 1, b: 1, c: 1 })), 600, key);
    expect(hosts(open(definition({ a: 1, b: 1, c: 1 })), 600, key)).toEqual(three);
    for (const share of Object.values(counts(three))) expect(share).toBeGreaterThan(120);
    const two = hosts(open(definition({ a: 1, b: 1 })), 600, key);
    expect(three.filter((host, index) => host !== 'c' && host !== two[index])).toEqual([]);
  });

  it('prefers the node with the fewest requests, or the quickest answers', () => {
    const least = open({ type: 'least_conn', nodes: { a: 1, b: 1 } });
    const busy = least.nodes.find(({ host }) => host === 'a');
    if (busy) busy.active = 5;
    expect(hosts(least, 3)).toEqual(['b', 'b', 'b']);
    const quickest = open({ type: 'ewma', nodes: { a: 1, b: 1 } });
    for (const node of quickest.nodes) node.measured(node.host === 'a' ? 5 : 500, performance.now());
    expect(hosts(quickest, 3)).toEqual(['a', 'a', 'a']);
  });

  it('uses the highest priority that has a healthy node, and asks ill ones rather than nobody', () => {
    const upstream = open({
      nodes: [
        { host: 'first', port: 1, weight: 1, priority: 1 },
        { host: 'spare', port: 1, weight: 1, priority: 0 },
      ],
    });
    expect(hosts(upstream, 2)).toEqual(['first', 'first']);
    for (const node of upstream.nodes) if (node.host === 'first') node.isHealthy = false;
    expect(hosts(upstream, 2)).toEqual(['spare', 'spare']);
    for (const node of upstream.nodes) node.isHealthy = false;
    expect(hosts(upstream, 1)).toEqual(['first']);
  });
});

describe('health checks', () => {
  const checks = {
    active: {
      http_path: '/health',
      timeout: 1,
      healthy: { interval: 1, successes: 1 },
      unhealthy: { interval: 1, http_failures: 1, tcp_failures: 1 },
    },
    passive: { unhealthy: { http_failures: 2, http_statuses: [500] } },
  };

  it('take a node out after its failures and back after its successes', async () => {
    let status = 200;
    const server = createServer((_request, response) => response.writeHead(status).end());
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const changes: [string, boolean][] = [];
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const upstream = open({ nodes: { [address]: 1 }, checks }, changes);
    const [node] = upstream.nodes;
    if (!node) throw new Error('no node');
    upstream.observed(node, 500);
    upstream.observed(node, 200);
    upstream.observed(node, 500);
    expect(node.isHealthy).toBe(true);
    upstream.observed(node, 500);
    expect(node.isHealthy).toBe(false);
    await vi.waitFor(() => expect(node.isHealthy).toBe(true), 5_000);
    status = 503;
    await vi.waitFor(() => expect(node.isHealthy).toBe(false), 5_000);
    expect(changes).toEqual([
      [address, false],
      [address, true],
      [address, false],
    ]);
  });
});
