/** What the gateway tells others of its requests: log entries by HTTP, and spans by OTLP. The collectors are stand-ins. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Target } from '../../conformance/gateway/runner.js';
import { embeddedGateway } from '../../conformance/gateway/targets.js';

let gateway: Target;
let collector: Server;
let address = '';
let isDown = false;
const received: { readonly path: string; readonly body: string; readonly authorization: string | undefined }[] = [];
let traceparent: string | undefined;

beforeAll(async () => {
  collector = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk.toString('latin1');
    });
    request.on('end', () => {
      if (request.url?.startsWith('/echo')) {
        traceparent = request.headers.traceparent as string | undefined;
        response.end(`you said ${body}`);
        return;
      }
      if (!isDown) received.push({ path: request.url ?? '', body, authorization: request.headers.authorization });
      response.writeHead(isDown ? 500 : 200).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(collector.address() as AddressInfo).port}`;
  gateway = await embeddedGateway();
});
afterAll(async () => {
  await gateway.stop();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

const withPlugin = async (plugins: object, metadata: readonly object[] = []): Promise<void> => {
  received.length = 0;
  const file = {
    plugin_metadata: metadata,
    routes: [{ id: 'a', uri: '/echo*', plugins, upstream: { type: 'roundrobin', nodes: { [address]: 1 } } }],
  };
  await gateway.apply(`${JSON.stringify(file)}\n#END\n`);
};
const logger = (more: object = {}): object => ({
  'http-logger': { uri: `http://${address}/logs`, batch_max_size: 1, ...more },
});
const entries = async (): Promise<Record<string, never>[]> => {
  await vi.waitFor(() => expect(received.length).toBeGreaterThan(0), 5_000);
  return received.map(({ body }) => JSON.parse(body));
};

describe('http-logger', () => {
  it('sends what APISIX sends, without the caller’s credentials', async () => {
    await withPlugin(logger({ auth_header: 'Basic abc' }));
    await fetch(`${gateway.url}/echo?a=1`, {
      headers: { authorization: 'Bearer very-secret', cookie: 'sid=very-secret' },
    });
    const [entry] = await entries();
    expect(entry).toMatchObject({
      request: { method: 'GET', uri: '/echo?a=1', querystring: { a: '1' }, headers: { authorization: '[redacted]' } },
      response: { status: 200 },
      route_id: 'a',
      client_ip: '127.0.0.1',
      upstream: address,
    });
    expect(received[0]?.authorization).toBe('Basic abc');
    expect(JSON.stringify(entry)).not.toContain('very-secret');
  });

  it('sends bodies when asked, up to their bounds, and its own format', async () => {
    await withPlugin(
      logger({
        include_req_body: true,
        include_resp_body: true,
        max_resp_body_bytes: 8,
        log_format: { who: '$remote_addr', fixed: 7, nested: { m: '$request_method' } },
      }),
    );
    expect(await (await fetch(`${gateway.url}/echo`, { method: 'POST', body: 'hello' })).text()).toBe('you said hello');
    const [entry] = await entries();
    expect(entry).toMatchObject({
      who: '127.0.0.1',
      fixed: 7,
      nested: { m: 'POST' },
      request: { body: 'hello' },
      response: { body: 'you said' },
    });
  });

  it('gathers a batch, and tries again while the collector fails', async () => {
    await withPlugin(logger({ batch_max_size: 3, max_retry_count: 20, retry_delay: 0 }));
    isDown = true;
    for (let call = 0; call < 3; call += 1) await fetch(`${gateway.url}/echo`);
    isDown = false;
    await vi.waitFor(() => expect(received).toHaveLength(1), 5_000);
    expect(JSON.parse(received[0]?.body ?? '')).toHaveLength(3);
  });
});

describe('opentelemetry', () => {
  const sampled = (name: string, options: object = {}): object => ({
    opentelemetry: {
      sampler: { name, options },
      additional_attributes: ['route_id'],
      additional_header_prefix_attributes: ['x-trace-'],
    },
  });
  const metadata = (): object => ({
    id: 'opentelemetry',
    collector: { address, request_timeout: 2 },
    batch_span_processor: { batch_timeout: 0.1 },
    trace_id_source: 'x-request-id',
  });

  it('sends a span, and its context upstream, as the child of the caller’s', async () => {
    await withPlugin(sampled('always_on'), [metadata()]);
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    await vi.waitFor(async () => {
      await fetch(`${gateway.url}/echo`, {
        headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01`, 'x-trace-a': 'b' },
      });
      expect(received.some(({ path }) => path === '/v1/traces')).toBe(true);
    }, 8_000);
    expect(traceparent).toMatch(new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
    const span = JSON.parse(received.find(({ path }) => path === '/v1/traces')?.body ?? '{}').resourceSpans[0]
      .scopeSpans[0].spans[0];
    expect(span).toMatchObject({ traceId: trace, parentSpanId: '00f067aa0ba902b7', name: 'GET /echo*' });
    expect(span.attributes).toEqual(
      expect.arrayContaining([
        { key: 'route_id', value: { stringValue: 'a' } },
        { key: 'x-trace-a', value: { stringValue: 'b' } },
      ]),
    );
  });

  it('takes the trace’s id from the request’s id, and sends nothing when it does not sample', async () => {
    await withPlugin(sampled('parent_base', { root: { name: 'always_off' } }), [metadata()]);
    await fetch(`${gateway.url}/echo`, { headers: { 'x-request-id': '4bf92f35-77b3-4da6-a3ce-929d0e0e4736' } });
    expect(traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$/);
    expect(received.filter(({ path }) => path === '/v1/traces')).toEqual([]);
  });
});
