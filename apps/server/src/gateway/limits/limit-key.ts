/** What a limit counts by, and numbers that may come from a variable. */
import { createHash } from 'node:crypto';
import type { Exchange } from '../exchange.js';
import type { PluginScope } from '../plugin.js';
import { readerOf, templateOf } from '../variables.js';

type KeyType = 'var' | 'var_combination' | 'constant';

/** An empty value falls back to the client's address, as in APISIX. */
export function limitKey(key: string, type: KeyType): (exchange: Exchange) => string {
  if (type === 'constant') return () => key;
  const read: (exchange: Exchange) => unknown = type === 'var' ? readerOf(key) : templateOf(key);
  return (exchange) => {
    const value = read(exchange);
    return value === undefined || value === '' ? exchange.remoteAddress : String(value);
  };
}

/** Counters of one configuration: a changed one begins anew. */
export function counterName(plugin: string, configuration: unknown, owner: PluginScope['owner']): string {
  const digest = createHash('sha256').update(JSON.stringify(configuration)).digest('hex').slice(0, 12);
  return `${plugin}/${owner.kind}/${owner.id}/${digest}`;
}

/** A number, or a text that becomes one. Throws a RangeError when it does not. */
export function numberOf(value: number | string): (exchange: Exchange) => number {
  if (typeof value === 'number') return () => value;
  const text = templateOf(value);
  return (exchange) => {
    const number = Number(text(exchange));
    if (!Number.isInteger(number) || number < 0)
      throw new RangeError(`'${value}' is not a whole number for this request`);
    return number;
  };
}
