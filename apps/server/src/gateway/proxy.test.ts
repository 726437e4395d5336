import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Exchange } from './exchange.js';
import { handOver } from './proxy.js';

function exchangeWith(headers: Record<string, string>, requestId: string): Exchange {
  const request = new IncomingMessage(new Socket());
  request.method = 'GET';
  request.url = '/a?b=1';
  request.headers = headers;
  const about = { requestId, host: 'here', isTls: false, maxBodyBytes: 1_000 };
  return new Exchange(request, new ServerResponse(request), { path: '/a', raw: '/a', query: 'b=1' }, about);
}

describe('a service of the gateway’s own process', () => {
  it('gets the id that the gateway’s log line names, and nothing that the client says of those between', () => {
    const said = {
      'x-request-id': 'bad id{}',
      'x-forwarded-for': '10.0.0.1',
      forwarded: 'for=10.0.0.1',
      accept: '*/*',
    };
    const exchange = exchangeWith(said, 'the-id');
    exchange.upstreamHeaders.set('x-added', 'yes').set('accept', undefined);
    let seen: unknown;
    const service = ({ headers, url }: IncomingMessage): void => {
      seen = { headers, url };
    };
    handOver(exchange, service, { traceparent: '00-1' }, () => undefined);
    const headers = { 'x-request-id': 'the-id', 'x-added': 'yes', traceparent: '00-1' };
    expect(seen).toEqual({ headers, url: '/a?b=1' });
  });
});
