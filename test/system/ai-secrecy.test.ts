/** What a request says never chooses where a call goes, and neither prompts nor keys reach logs, metrics or traces. Stand-in provider. */
import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { localRateLimits } from '../../apps/server/src/adapters/embedded/local-rate-limits.js';
import { parseApisixFile } from '../../apps/server/src/gateway/apisix-file.js';
import { Gateway } from '../../apps/server/src/gateway/gateway.js';
import { plugins } from '../../apps/server/src/gateway/plugins/index.js';
import { toProblem } from '../../apps/server/src/http/problems.js';
import { createLogger } from '../../apps/server/src/telemetry/logger.js';
import { Metrics } from '../../apps/server/src/telemetry/metrics.js';
import { chat, json, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';

const key = 'sk-very-secret-key';
let llm: LlmStandIn;
let bait: LlmStandIn;
let traces = '';
const collector = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    traces += chunk.toString('latin1');
  });
  request.on('end', () => response.end('{}'));
});
const metrics = new Metrics();
const logged: string[] = [];
let gateway: Gateway;
let url = '';

beforeAll(async () => {
  [llm, bait] = await Promise.all([startLlmStandIn(), startLlmStandIn()]);
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const address = collector.address();
  const collectorPort = typeof address === 'object' && address !== null ? address.port : 0;
  const logger = createLogger('info');
  for (const level of ['info', 'warn', 'error'] as const)
    vi.spyOn(logger, level).mockImplementation((...about: unknown[]) => {
      logged.push(
        JSON.stringify(about, (_name, value) =>
          value instanceof Error ? { ...value, text: `${value.message} ${String(value.cause)}` } : value,
        ),
      );
    });
  const absent = new Proxy({}, { get: () => () => Promise.reject(new Error('not part of this test')) });
  gateway = new Gateway({
    services: {
      authenticator: absent as never,
      decisions: absent as never,
      metrics,
      openRateLimits: () => localRateLimits(),
      openAnswers: () => absent as never,
    },
    logger,
    metrics,
    toProblem,
    upstreamTimeoutMs: 5_000,
    maxBodyBytes: 1_000_000,
    localServices: new Map(),
    ownAnswer: () => undefined,
    secrets: { environment: { LLM_KEY: `Bearer ${key}` }, local: absent as never, openVault: () => absent as never },
    secretCacheMs: 300_000,
  });
  const file = `routes:
  - id: llm
    uri: /*
    labels: {project: p}
    plugins:
      opentelemetry: {sampler: {name: always_on}}
      ai-proxy:
        provider: openai-compatible
        auth: {header: {Authorization: "$env://LLM_KEY"}}
        override: {endpoint: "${llm.url}"}
plugin_metadata:
  - {id: opentelemetry, collector: {address: "127.0.0.1:${collectorPort}"}, batch_span_processor: {batch_timeout: 0.05}}
#END
`;
  gateway.load(parseApisixFile(file, 'test.yaml', {}, plugins));
  await gateway.settled();
  url = `http://127.0.0.1:${await gateway.listen('127.0.0.1', 0)}`;
});
afterEach(() => {
  llm.reset();
  bait.reset();
});
afterAll(async () => {
  await gateway.close(0);
  await llm.stop();
  await bait.stop();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

const post = async (body: object, headers: Record<string, string> = {}, path = '/v1/chat/completions') =>
  await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), redirect: 'manual' });
const ask = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

describe('where a call goes (stand-in provider)', () => {
  it('stand-in: is the file’s alone, whatever the request says', async () => {
    const requests: readonly (readonly [object, Record<string, string>?, string?])[] = [
      [{ ...ask, model: bait.url }],
      [{ ...ask, model: '../../latest/meta-data' }],
      [{ ...ask, endpoint: bait.url, base_url: bait.url, api_base: bait.url, override: { endpoint: bait.url } }],
      [ask, { 'x-portkey-custom-host': bait.url, 'x-forwarded-host': bait.url, 'x-original-url': bait.url }],
      [ask, { host: 'localhost' }],
      [ask, {}, `/v1/chat/completions?endpoint=${encodeURIComponent(bait.url)}`],
      [ask, {}, '//169.254.169.254/v1/chat/completions'],
      [
        {
          ...ask,
          messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `${bait.url}/x.png` } }] }],
        },
      ],
    ];
    for (const [body, headers, path] of requests) await (await post(body, headers, path)).text();
    expect(bait.seen).toHaveLength(0);
    expect(llm.seen.length).toBeGreaterThanOrEqual(requests.length - 1);
    expect(new Set(llm.seen.map((one) => one.path))).toEqual(new Set(['/v1/chat/completions']));
  });

  it.each([301, 302, 307, 308])('stand-in: follows no redirect (%i)', async (status) => {
    llm.behave((_request, response) => {
      response.writeHead(status, { location: `${bait.url}/v1/chat/completions` }).end();
    });
    const answer = await post(ask);
    expect([answer.status, answer.headers.get('location'), bait.seen.length]).toEqual([502, null, 0]);
  });

  it('stand-in: the client’s own credentials and cookies stay here', async () => {
    await post(ask, {
      authorization: 'Bearer mine',
      cookie: 'sid=1',
      apikey: 'k',
      'openai-organization': 'org-of-another',
    });
    const sent = llm.seen[0]?.headers ?? {};
    expect(sent['authorization']).toBe(`Bearer ${key}`);
    for (const name of ['cookie', 'apikey', 'openai-organization', 'x-forwarded-for'])
      expect(sent).not.toHaveProperty(name);
  });
});

/** What providers have been seen to say: keys, prompts, addresses of their inside. */
const prompt = 'the merger with Acme is on Friday';
const inside = 'http://10.7.0.12:8080/v1/internal';
const said = `Incorrect key ${key}, sk-proj-AbC123dEf456GhI789jKl; jane@mail.example wrote "${prompt}"; upstream ${inside} failed: bad seed`;
const leaks = [key, 'sk-proj', 'AbC123', prompt, 'merger with', 'jane@mail.example', 'wrote'];
const question = { model: 'm', messages: [{ role: 'user', content: prompt }] };
const formats: readonly (readonly [string, object, (body: { error: { message: string } }) => unknown])[] = [
  ['/v1/chat/completions', question, ({ error }) => error.message],
  ['/v1/messages', { ...question, max_tokens: 9 }, ({ error }) => error.message],
  ['/v1/responses', { model: 'm', input: prompt }, ({ error }) => error.message],
  ['/v1/embeddings', { model: 'm', input: prompt }, ({ error }) => error.message],
];

describe('what a provider says is wrong (stand-in provider)', () => {
  it.each(formats)(
    'stand-in: reaches the client of %s in its own format and in our words',
    async (path, body, messageOf) => {
      for (const [status, more] of [
        [400, {}],
        [401, {}],
        [404, {}],
        [429, { 'retry-after': '7', 'x-ratelimit-remaining-requests': '0', 'x-debug': inside, 'request-id': key }],
        [500, { 'retry-after': key }],
        [503, {}],
      ] as const) {
        for (const form of [
          { error: { message: said, code: key, type: prompt, param: key } },
          said,
          { detail: [{ msg: said }] },
        ]) {
          logged.length = 0;
          llm.behave(json(status, form, more));
          const answer = await post(body, {}, path);
          const text = await answer.text();
          const told = text + JSON.stringify([...answer.headers]);
          expect(answer.status).toBe(status === 401 ? 502 : status);
          expect(messageOf(JSON.parse(text))).toMatch(/provider/);
          expect(answer.headers.get('retry-after')).toBe(status === 429 ? '7' : null);
          for (const leak of [...leaks, inside, 'bad seed']) expect([leak, told.includes(leak)]).toEqual([leak, false]);
          const log = logged.find((one) => one.includes('has refused a call')) ?? '';
          expect(log).toContain(`"status":${status}`);
          expect(log).toContain('failed: bad seed');
          for (const leak of leaks.slice(0, -1)) expect([leak, log.includes(leak)]).toEqual([leak, false]);
        }
      }
    },
  );

  it('stand-in: does not get through in the midst of a stream either, however it is cut', async () => {
    const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
    const cases = [
      [
        '/v1/chat/completions',
        question,
        [event({ choices: [{ index: 0, delta: { content: 'x' } }] }), event({ error: { message: said } })],
      ],
      [
        '/v1/responses',
        { model: 'm', input: prompt },
        [
          event({ type: 'response.created', response: { error: null } }),
          event({ type: 'response.failed', response: { id: 'r', error: { code: 'server_error', message: said } } }),
          event({ type: 'error', message: said, code: key }),
        ],
      ],
    ] as const;
    for (const [path, body, events] of cases) {
      logged.length = 0;
      llm.behave(async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const piece of events.join('').match(/.{1,50}/gs) ?? []) {
          response.write(piece);
          await new Promise((resolve) => setImmediate(resolve));
        }
        response.end();
      });
      const text = await (await post({ ...body, stream: true }, {}, path)).text();
      expect(text.split('\n\n').length).toBe(events.length + 1);
      expect(text).toContain('The provider of the language model refused');
      for (const leak of [...leaks, inside]) expect([leak, text.includes(leak)]).toEqual([leak, false]);
      for (const leak of leaks.slice(0, -1)) expect([leak, logged.join().includes(leak)]).toEqual([leak, false]);
      expect(logged.join()).toContain('failed: bad seed');
    }
  });

  it('stand-in: does not get through in an answer with the status 200', async () => {
    llm.behave(json(200, { error: { message: said, code: 502 } }));
    const text = await (await post(question)).text();
    expect(text).toContain('refused the request (502)');
    for (const leak of [...leaks, inside]) expect([leak, text.includes(leak)]).toEqual([leak, false]);
  });
});

describe('what is told of a call (stand-in provider)', () => {
  it('stand-in: usage is, in logs, metrics and traces; prompts, answers and keys are not', async () => {
    const prompt = 'my-very-private-prompt';
    llm.behave(chat(['my-very-private-answer']));
    expect(await (await post({ ...ask, messages: [{ role: 'user', content: prompt }] })).text()).toContain(
      'private-answer',
    );
    llm.behave(json(401, { error: `bad key ${key}` }));
    expect(await (await post({ ...ask, messages: [{ role: 'user', content: prompt }] })).text()).not.toContain(key);
    llm.behave((_request, response) => response.destroy() as unknown as undefined);
    await (await post({ ...ask, messages: [{ role: 'user', content: prompt }] })).text();
    await vi.waitFor(() => expect(traces).toContain('gen_ai.usage.input_tokens'), 5_000);
    const told = { logs: logged.join('\n'), metrics: await metrics.registry.metrics(), traces };
    for (const [where, text] of Object.entries(told))
      for (const secret of [prompt, 'private-answer', key])
        expect([where, text.includes(secret)]).toEqual([where, false]);
    expect(told.logs).toMatch(
      /"llm":\{"provider":"openai-compatible","model":"m".*"input_tokens":11,"output_tokens":7/,
    );
    expect(told.metrics).toMatch(
      /bailiwick_llm_tokens_total\{provider="openai-compatible",model="other",project="p",direction="input"\} \d+/,
    );
    for (const name of [
      'gen_ai.operation.name',
      'gen_ai.provider.name',
      'gen_ai.request.model',
      'gen_ai.response.model',
    ])
      expect(traces).toContain(name);
  });
});
