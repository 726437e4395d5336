/** `checks.active` of `ai-proxy-multi`'s instances: each is asked at intervals by the upstreams' own prober, and one that is ill is asked last. */

import type { ActiveCheck } from '../resource-schemas.js';
import { startHealthChecks } from '../upstreams/health-checks.js';
import { guardedLookup } from './endpoint-guard.js';
import type { Instance } from './instance.js';

export interface CheckedInstance {
  readonly instance: Instance;
  readonly checks: { readonly active: ActiveCheck } | undefined;
}

export interface InstanceHealth {
  isHealthy(name: string): boolean;
  stop(): void;
}

/** `onChange` hears of every instance that changes sides. */
export function watchInstances(
  all: readonly CheckedInstance[],
  onChange: (name: string, isHealthy: boolean) => void,
): InstanceHealth {
  const nodes = new Map<string, { readonly isHealthy: boolean }>();
  const stops: (() => void)[] = [];
  for (const { instance, checks } of all) {
    if (!checks) continue;
    const { url, name } = instance;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    const node = { host, port, authority: url.host, isHealthy: true };
    const lookup = guardedLookup(url.hostname);
    const upstream = { nodes: [node], rewrittenHost: undefined, ...(lookup ? { lookup } : {}) };
    const checker = startHealthChecks(upstream, checks, (_node, isHealthy) => onChange(name, isHealthy));
    nodes.set(name, node);
    stops.push(() => checker.stop());
  }
  return {
    isHealthy: (name) => nodes.get(name)?.isHealthy !== false,
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}
