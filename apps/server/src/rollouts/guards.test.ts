/** Guards on PromQL queries, beside a stand-in for Prometheus that answers its query API in Prometheus's form (HTTP API v1, `/api/v1/query`). */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryCache } from '../adapters/memory/memory-cache.js';
import { Guards } from './guards.js';
import { TrafficCounts } from './traffic-counts.js';

const vector = (...values: string[]): unknown => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1_700_000_000, value] })) },
});

/** Query → status and answer. */
const answers: Readonly<Record<string, readonly [number, unknown]>> = {
  low: [200, vector('0.01')],
  high: [200, vector('0.01', '0.5')],
  nothing: [200, vector()],
  unclear: [200, vector('NaN')],
  endless: [200, vector('+Inf')],
  scalar: [200, { status: 'success', data: { resultType: 'scalar', result: [1_700_000_000, '0.5'] } }],
  wrong: [400, { status: 'error', errorType: 'bad_data', error: 'parse error: unexpected end of input' }],
  broken: [502, 'no gateway'],
};

describe('a guard on a PromQL query', () => {
  const asked: string[] = [];
  let prometheus: Server;
  let guards: Guards;
  const counts = new TrafficCounts(new MemoryCache());

  beforeAll(async () => {
    prometheus = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const query = new URLSearchParams(Buffer.concat(chunks).toString()).get('query') ?? '';
        asked.push(`${request.method} ${request.url} ${query}`);
        const [status, answer] = answers[query] ?? [404, ''];
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => prometheus.listen(0, '127.0.0.1', resolve));
    guards = new Guards(counts, `http://127.0.0.1:${(prometheus.address() as AddressInfo).port}/`);
  });
  afterAll(() => prometheus.close());

  const reading = async (query: string, by: Guards = guards) =>
    (await by.read({ id: 'r', project: undefined, guards: [{ kind: 'promql', query, max: 0.1 }] }))[0];

  it.each([
    ['low', { verdict: 'healthy', measured: 0.01 }],
    ['high', { verdict: 'unhealthy', measured: 0.5 }],
    ['scalar', { verdict: 'unhealthy', measured: 0.5 }],
    ['nothing', { verdict: 'unknown', detail: 'no figures' }],
    ['unclear', { verdict: 'unknown', detail: 'no figures' }],
    ['endless', { verdict: 'unhealthy', detail: 'the query says +Inf' }],
    ['wrong', { verdict: 'unknown', detail: expect.stringContaining('parse error') }],
    ['broken', { verdict: 'unknown' }],
  ])('whose query says “%s” is judged so', async (query, expected) => {
    expect(await reading(query)).toMatchObject(expected);
    expect(asked.at(-1)).toBe(`POST /api/v1/query ${query}`);
  });

  it('knows nothing while Prometheus is away or none is set, which rolls nothing back and lets nothing on', async () => {
    expect(await reading('low', new Guards(counts, 'http://127.0.0.1:9'))).toMatchObject({ verdict: 'unknown' });
    const none = await reading('low', new Guards(counts, ''));
    expect(none).toMatchObject({ verdict: 'unknown', detail: expect.stringContaining('BAILIWICK_PROMETHEUS_URL') });
  });

  it('counts with the others: one that is unhealthy is enough, and all must be healthy', async () => {
    const verdict = async (...queries: string[]) =>
      await guards.verdict({
        ...{ id: 'r', project: undefined },
        guards: queries.map((query) => ({ kind: 'promql' as const, query, max: 0.1 })),
      });
    expect(await verdict('low', 'high', 'broken')).toBe('unhealthy');
    expect(await verdict('low', 'nothing')).toBe('unknown');
    expect(await verdict('low', 'low')).toBe('healthy');
  });
});
