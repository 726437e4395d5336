/** What plugins have to say about asking an instance: limits that are an instance's own, the policy about another one than it has allowed. */
import type { Exchange } from '../exchange.js';
import type { Handler } from '../plugin.js';

const key = {};

/** Asked before every attempt, when `exchange.llm` says whom it would reach; an answer refuses it. */
export function addGate(exchange: Exchange, gate: Handler): void {
  const known = exchange.stateOf<Handler[]>(key);
  if (known) known.push(gate);
  else exchange.keepState(key, [gate]);
}

export const gatesOf = (exchange: Exchange): readonly Handler[] => exchange.stateOf<readonly Handler[]>(key) ?? [];
