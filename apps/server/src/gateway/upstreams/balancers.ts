/**
 * How an upstream chooses among its nodes: by turns with weights, by a hash that stays (ketama's ring), by the fewest requests on their
 * way, or by the shortest recent answers (EWMA). A balancer is asked for one node and a set of those that are out.
 */
import { createHash } from 'node:crypto';
import type { UpstreamNode } from './upstream-node.js';

export interface Balancer {
  /** `key` matters to a hash only. Undefined when every node is out. */
  pick(isOut: (node: UpstreamNode) => boolean, key: string): UpstreamNode | undefined;
}

export type BalancerKind = 'roundrobin' | 'chash' | 'least_conn' | 'ewma';

export const balancers: Readonly<Record<BalancerKind, (nodes: readonly UpstreamNode[]) => Balancer>> = {
  roundrobin: (nodes) => roundRobin(nodes),
  chash: (nodes) => consistentHash(nodes),
  least_conn: (nodes) => lowest(nodes, (node) => (node.active + 1) / node.weight),
  ewma: (nodes) => lowest(nodes, (node) => node.averageMs(performance.now())),
};

/** Smooth weighted turns, as nginx: nodes interleave by weight instead of coming in runs. */
function roundRobin(nodes: readonly UpstreamNode[]): Balancer {
  const credits = nodes.map(() => 0);
  const single = nodes.length === 1 ? nodes[0] : undefined;
  return {
    pick: (isOut) => {
      if (single) return isOut(single) ? undefined : single;
      let best = -1;
      let total = 0;
      for (let index = 0; index < nodes.length; index += 1) {
        const node = nodes[index] as UpstreamNode;
        if (isOut(node)) continue;
        total += node.weight;
        credits[index] = (credits[index] ?? 0) + node.weight;
        if (best < 0 || (credits[index] ?? 0) > (credits[best] ?? 0)) best = index;
      }
      if (best < 0) return undefined;
      credits[best] = (credits[best] ?? 0) - total;
      return nodes[best];
    },
  };
}

const pointsPerWeight = 160;

/** A ring of points; a node that is out hands its keys to the next one and moves no others. */
function consistentHash(nodes: readonly UpstreamNode[]): Balancer {
  const points: { readonly at: number; readonly node: UpstreamNode }[] = [];
  const unit = nodes.reduce((least, node) => Math.min(least, node.weight), Number.POSITIVE_INFINITY);
  for (const node of nodes) {
    const count = Math.round((node.weight / unit) * pointsPerWeight);
    for (let index = 0; index < count; index += 4) {
      const digest = createHash('md5')
        .update(`${node.address}-${index / 4}`)
        .digest();
      for (let part = 0; part < 4; part += 1) points.push({ at: digest.readUInt32LE(part * 4), node });
    }
  }
  points.sort((a, b) => a.at - b.at || (a.node.address < b.node.address ? -1 : 1));
  return {
    pick: (isOut, key) => {
      if (points.length === 0) return undefined;
      const start = firstAtOrAfter(points, createHash('md5').update(key).digest().readUInt32LE(0));
      for (let step = 0; step < points.length; step += 1) {
        const node = points[(start + step) % points.length]?.node;
        if (node && !isOut(node)) return node;
      }
      return undefined;
    },
  };
}

function firstAtOrAfter(points: readonly { readonly at: number }[], wanted: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((points[middle]?.at ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low % points.length;
}

/** Ties go round, so that equal nodes share. */
function lowest(nodes: readonly UpstreamNode[], score: (node: UpstreamNode) => number): Balancer {
  let turn = 0;
  return {
    pick: (isOut) => {
      turn = (turn + 1) % Math.max(1, nodes.length);
      let best: UpstreamNode | undefined;
      let bestScore = Number.POSITIVE_INFINITY;
      for (let step = 0; step < nodes.length; step += 1) {
        const node = nodes[(turn + step) % nodes.length] as UpstreamNode;
        if (isOut(node)) continue;
        const own = score(node);
        if (own < bestScore) {
          best = node;
          bestScore = own;
        }
      }
      return best;
    },
  };
}
