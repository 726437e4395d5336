/** What an authentication plugin does once it has found the consumer: the exchange knows him, the upstream is told, nobody can pretend. */
import type { Consumer, Exchange } from './exchange.js';

export function attachConsumer(exchange: Exchange, consumer: Consumer): void {
  exchange.consumer = consumer;
  exchange.upstreamHeaders.set('x-consumer-username', consumer.username);
  exchange.upstreamHeaders.set('x-consumer-custom-id', consumer.labels['custom_id']);
  exchange.upstreamHeaders.set('x-credential-identifier', undefined);
}

/** The query without one parameter, the others as they came. */
export function withoutArgument(query: string, name: string): string {
  return query
    .split('&')
    .filter((part) => part.split('=', 1)[0] !== name)
    .join('&');
}

/** A `Cookie` header without one of its cookies; undefined when none is left. */
export function withoutCookie(header: string | undefined, name: string): string | undefined {
  const left = (header ?? '').split(';').filter((part) => part.split('=', 1)[0]?.trim() !== name);
  const text = left.join(';').trim();
  return text === '' ? undefined : text;
}
