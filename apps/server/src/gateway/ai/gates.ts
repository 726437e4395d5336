/** What plugins have to say about asking an instance: limits that are an instance's own, the policy about another one than it has allowed. */
import type { Exchange } from '../exchange.js';
import type { Handler, Outcome } from '../plugin.js';

const key = {};

/** Asked before every attempt, when `exchange.llm` says whom it would reach; an answer refuses it. */
export function addGate(exchange: Exchange, gate: Handler): void {
  const known = exchange.stateOf<Handler[]>(key);
  if (known) known.push(gate);
  else exchange.keepState(key, [gate]);
}

/** The first refusal; undefined when all of them agree. */
export async function askGates(exchange: Exchange): Promise<Outcome> {
  for (const gate of exchange.stateOf<readonly Handler[]>(key) ?? []) {
    const outcome = await gate(exchange);
    if (outcome) return outcome;
  }
  return undefined;
}
