/** Fields of APISIX's AI plugins: logging, Vertex AI with a service account, active checks, the semantic balancer, costs by expression (stand-ins). */
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, exportJWK, type JWK, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { chat, json, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
import { type AiGateway, startAiGateway } from './ai-gateway-harness.js';

let llm: LlmStandIn;
let other: LlmStandIn;
let gateway: AiGateway;
const ask = (content: string, more: object = {}) => ({ model: 'm', messages: [{ role: 'user', content }], ...more });
const path = '/v1/chat/completions';
const instance = (more: object = {}) => ({
  ...{ provider: 'openai-compatible', auth: { header: { Authorization: 'Bearer sk-of-the-provider' } } },
  override: { endpoint: llm.url },
  ...more,
});

beforeAll(async () => {
  [llm, other, gateway] = await Promise.all([startLlmStandIn(), startLlmStandIn(), startAiGateway()]);
});
afterEach(() => {
  llm.reset();
  other.reset();
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([llm.stop(), other.stop()]);
});

describe('logging (stand-in provider)', () => {
  let collector: Server;
  // biome-ignore lint/suspicious/noExplicitAny: entries of every shape.
  const entries: any[] = [];
  beforeAll(async () => {
    collector = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const value: unknown = JSON.parse(text);
        entries.push(...(Array.isArray(value) ? (value as unknown[]) : [value]));
        response.end();
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => void collector.close());

  const apply = async (logging: object | undefined, more: object = {}, resources: Record<string, unknown> = {}) => {
    const uri = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`;
    await gateway.apply(
      {
        'ai-proxy': instance(logging ? { logging } : {}),
        'http-logger': { uri, batch_max_size: 1, inactive_timeout: 1 },
        ...more,
      },
      resources,
    );
    entries.length = 0;
  };
  const entry = async () => await vi.waitFor(() => entries[0] ?? expect.fail('no entry yet'), { timeout: 10_000 });

  it('stand-in: tells no logger what was said unless it is asked to', async () => {
    await apply(undefined);
    await (await gateway.post(path, ask('a secret question'))).text();
    const text = JSON.stringify(await entry());
    for (const member of ['llm_summary', 'llm_request', 'llm_response_text', 'secret question'])
      expect(text).not.toContain(member);
  });

  it.each([false, true])('stand-in: adds numbers and texts to the logger’s entry (stream: %s)', async (stream) => {
    await apply({ summaries: true, payloads: true });
    await (await gateway.post(path, ask('who is there?', { stream, user: 'u-1', tools: [] }))).text();
    expect(await entry()).toMatchObject({
      llm_summary: {
        ...{ request_model: 'm', model: 'm', stream, end_user_id: 'u-1', tool_count: 0, has_tool_calls: false },
        ...{ prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
      },
      llm_request: { stream, messages: [{ role: 'user', content: 'who is there?' }] },
      llm_response_text: { content: 'Hello there' },
    });
    expect(JSON.stringify(entries)).not.toContain('sk-of-the-provider');
  });

  it('stand-in: shows texts as the guard has left them', async () => {
    llm.behave(chat(['mail me at ', 'bob@example.org', ' now']));
    const metadata = [{ id: 'ai-prompt-guard', redact: { kinds: ['email'] } }];
    await apply({ payloads: true }, { 'ai-prompt-guard': {} }, { plugin_metadata: metadata });
    await (await gateway.post(path, ask('I am eve@example.org'))).text();
    const text = JSON.stringify(await entry());
    expect(text).toContain('mail me at ');
    expect(text).not.toContain('@example.org');
  });
});

describe('Vertex AI (stand-in provider, stand-in token endpoint)', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  let google: LlmStandIn;
  let jwk: JWK;
  let lasts = 3600;
  beforeAll(async () => {
    jwk = await exportJWK(publicKey);
    google = await startLlmStandIn();
  });
  afterAll(async () => await google.stop());

  const exchange = async () => {
    let given = 0;
    google.reset();
    google.behave(async (request, response) => {
      const form = new URLSearchParams(request.text);
      await jwtVerify(form.get('assertion') ?? '', createLocalJWKSet({ keys: [jwk] }), {
        ...{ issuer: 'gate@p.iam.example', audience: `${google.url}/token`, algorithms: ['RS256'] },
      });
      expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
      given += 1;
      await json(200, { access_token: `ya29.token-${given}`, expires_in: lasts })(request, response);
    });
    const account = { client_email: 'gate@p.iam.example', private_key: pem, token_uri: `${google.url}/token` };
    return { service_account_json: JSON.stringify(account) };
  };
  const apply = async (gcp: object, more: object = {}) =>
    await gateway.apply({
      'ai-proxy': {
        ...{ provider: 'vertex-ai', provider_conf: { project_id: 'p-1', region: 'europe-west1' }, auth: { gcp } },
        ...{ options: { model: 'google/gemini-x' }, override: { endpoint: llm.url } },
        ...more,
      },
    });

  it('stand-in: a service account’s statement is exchanged once for a token, which calls carry', async () => {
    lasts = 3600;
    await apply(await exchange());
    const answers = await Promise.all([1, 2, 3].map(async () => (await gateway.post(path, ask('hi'))).status));
    expect(answers).toEqual([200, 200, 200]);
    expect(google.seen).toHaveLength(1);
    expect(llm.seen[0]?.path).toBe('/v1beta1/projects/p-1/locations/europe-west1/endpoints/openapi/chat/completions');
    for (const { headers } of llm.seen) expect(headers.authorization).toBe('Bearer ya29.token-1');
  });

  it('stand-in: a token is asked for anew before its end', async () => {
    lasts = 3600;
    await apply({ ...(await exchange()), max_ttl: 1 });
    await (await gateway.post(path, ask('hi'))).text();
    await vi.waitFor(
      async () => {
        await (await gateway.post(path, ask('hi'))).text();
        expect(llm.seen.at(-1)?.headers.authorization).toBe('Bearer ya29.token-2');
      },
      { timeout: 10_000, interval: 200 },
    );
  });

  it('stand-in: a token endpoint that refuses is 502, and neither key nor statement is told', async () => {
    const gcp = await exchange();
    google.behave(json(400, { error: 'invalid_grant' }));
    await apply(gcp);
    const answer = await gateway.post(path, ask('hi'));
    const text = await answer.text();
    expect(answer.status).toBe(502);
    expect(text).not.toContain('invalid_grant');
    expect(text).not.toContain(pem.split('\n')[1]);
    expect(llm.seen).toHaveLength(0);
  });

  it('stand-in: embeddings are asked for in its own form', async () => {
    lasts = 3600;
    await apply(await exchange(), { options: { model: 'text-embedding-x' } });
    llm.behave(async (request, response) => {
      const [one] = request.body.instances;
      const values = [one.content.length, 1];
      await json(200, { predictions: [{ embeddings: { values, statistics: { token_count: 3 } } }] })(request, response);
    });
    const answer = await gateway.post('/v1/embeddings', { model: 'e', input: ['a', 'bcd'], dimensions: 2 });
    expect(await answer.json()).toMatchObject({
      data: [
        { index: 0, embedding: [1, 1] },
        { index: 1, embedding: [3, 1] },
      ],
      usage: { prompt_tokens: 6 },
    });
    expect(llm.seen[0]?.path).toBe(
      '/v1/projects/p-1/locations/europe-west1/publishers/google/models/text-embedding-x:predict',
    );
    expect(llm.seen[0]?.body.parameters).toEqual({ outputDimensionality: 2 });
    expect(llm.seen[0]?.headers.authorization).toBe('Bearer ya29.token-1');
  });

  it.each([
    [{ auth: { gcp: {} } }, 'auth.gcp needs service_account_json'],
    [{ auth: { gcp: { service_account_json: '{' } } }, 'service_account_json is no JSON'],
    [{ auth: { gcp: { service_account_json: '{}' } } }, 'needs client_email and private_key'],
    [{ auth: {}, provider_conf: { region: 'r' }, override: {} }, 'vertex-ai needs provider_conf.project_id'],
  ])('%j is an error at start', async (more, message) => {
    await expect(
      gateway.apply({ 'ai-proxy': { provider: 'vertex-ai', override: { endpoint: llm.url }, ...more } }),
    ).rejects.toThrow(message);
  });
});

describe('active checks of instances (stand-in provider)', () => {
  it('stand-in: an instance that its check finds ill is not asked until it is well again', async () => {
    let isWell = false;
    const probed = createServer((_request, response) => response.writeHead(isWell ? 200 : 503).end());
    await new Promise<void>((resolve) => probed.listen(0, '127.0.0.1', resolve));
    const active = {
      ...{ http_path: '/health', port: (probed.address() as AddressInfo).port },
      ...{ healthy: { interval: 1, successes: 1 }, unhealthy: { interval: 1, http_failures: 1 } },
    };
    const checked = instance({ name: 'checked', weight: 1, priority: 1, checks: { active } });
    const spare = instance({ name: 'spare', weight: 1, override: { endpoint: other.url } });
    await gateway.apply({ 'ai-proxy-multi': { instances: [checked, spare] } });
    const asked = async (): Promise<string> => {
      const before = llm.seen.length;
      await (await gateway.post(path, ask('hi'))).text();
      return llm.seen.length > before ? 'checked' : 'spare';
    };
    await vi.waitFor(async () => expect(await asked()).toBe('spare'), { timeout: 10_000, interval: 100 });
    isWell = true;
    await vi.waitFor(async () => expect(await asked()).toBe('checked'), { timeout: 10_000, interval: 100 });
    probed.closeAllConnections();
    await new Promise((resolve) => probed.close(resolve));
  });
});

describe('the semantic balancer (stand-in provider, stand-in embeddings)', () => {
  let embeddings: LlmStandIn;
  /** How much a text is about code, about cooking, and about nothing. */
  const vectorOf = (text: string): readonly number[] => [
    Number(/code|program|loop/.test(text)),
    Number(/cook|soup|bake/.test(text)),
    0.1,
  ];
  beforeAll(async () => {
    embeddings = await startLlmStandIn(async (request, response) => {
      const data = (request.body.input as string[]).map((text, index) => ({ index, embedding: vectorOf(text) }));
      // In another order than was asked: the index counts.
      await json(200, { data: data.reverse() })(request, response);
    });
  });
  afterEach(() => embeddings.reset());
  afterAll(async () => await embeddings.stop());

  const apply = async (options: object = {}, more: object = {}) =>
    await gateway.apply({
      'ai-proxy-multi': {
        balancer: { algorithm: 'semantic' },
        semantic_opts: {
          embeddings: {
            ...{ provider: 'openai', model: 'e', endpoint: `${embeddings.url}/v1/embeddings` },
            auth: { header: { Authorization: 'Bearer sk-embed' }, query: { v: '1' } },
          },
          ...{ threshold: 0.5, fallback: 'cook', debugging: true },
          ...options,
        },
        instances: [
          instance({ name: 'code', weight: 1, examples: ['write a program', 'fix this loop'] }),
          instance({ name: 'cook', weight: 1, examples: ['cook a soup'], override: { endpoint: other.url } }),
        ],
      },
      ...more,
    });

  it('stand-in: asks the instance whose examples are nearest, and says why when it is asked to', async () => {
    await apply();
    const answer = await gateway.post(path, ask('a loop that ends'));
    expect(answer.headers.get('x-ai-semantic-picked-instance')).toBe('code');
    expect(answer.headers.get('x-ai-semantic-scores')).toMatch(/^code:1\.0000,cook:0\.\d{4}$/);
    await (await gateway.post(path, ask('how do I bake?'))).text();
    expect([llm.seen.length, other.seen.length]).toEqual([1, 1]);
    expect(embeddings.seen.map(({ body }) => body.input.length).sort()).toEqual([1, 1, 3]);
    expect(embeddings.seen[0]).toMatchObject({
      path: '/v1/embeddings?v=1',
      headers: { authorization: 'Bearer sk-embed' },
    });
  });

  it('stand-in: asks the fallback when nothing is near enough, and when no vector is to be had', async () => {
    await apply();
    const far = await gateway.post(path, ask('the weather'));
    expect(far.headers.get('x-ai-semantic-picked-instance')).toBe('fallback');
    embeddings.behave(json(500, {}));
    expect((await gateway.post(path, ask('write code'))).status).toBe(200);
    expect([llm.seen.length, other.seen.length]).toEqual([0, 2]);
  });

  it('stand-in: tells the client when the chosen one fails, and embeds what the guard has left', async () => {
    llm.behave(json(500, { error: { message: 'no' } }));
    await apply({}, { 'ai-prompt-guard': {} });
    await gateway.apply(
      { 'ai-prompt-guard': {}, ...(await semanticOf()) },
      { plugin_metadata: [{ id: 'ai-prompt-guard', redact: { kinds: ['email'] } }] },
    );
    expect((await gateway.post(path, ask('code for bob@example.org'))).status).toBe(500);
    expect([llm.seen.length, other.seen.length]).toEqual([1, 0]);
    expect(JSON.stringify(embeddings.seen)).not.toContain('bob@example.org');
  });

  const semanticOf = async (): Promise<Record<string, unknown>> => ({
    'ai-proxy-multi': {
      balancer: { algorithm: 'semantic' },
      semantic_opts: {
        embeddings: { provider: 'azure-openai', model: 'e', endpoint: embeddings.url, auth: {} },
      },
      instances: [
        instance({ name: 'code', weight: 1, examples: ['write a program'] }),
        instance({ name: 'cook', weight: 1, examples: ['cook'], override: { endpoint: other.url } }),
      ],
    },
  });

  it.each([
    [{ fallback: 'nobody' }, "names the instance 'nobody'"],
    [{ embeddings: { provider: 'azure-openai', model: 'e', auth: {} } }, 'must be the full address'],
  ])('%j is an error at start', async (options, message) => {
    await expect(apply(options)).rejects.toThrow(message);
  });
});

describe('limits by an expression (stand-in provider)', () => {
  const expression = {
    limit_strategy: 'expression',
    cost_expr: 'prompt_tokens * 2 + reasoning_tokens',
    rejected_code: 429,
  };

  it('stand-in: charge what the provider’s own usage comes to', async () => {
    llm.behave(chat(['a'], { usage: { prompt_tokens: 30, completion_tokens: 9, reasoning_tokens: 5 } }));
    await gateway.apply({
      'ai-proxy': instance(),
      'ai-rate-limiting': { limit: 100, time_window: 60, ...expression },
    });
    const once = async () => {
      const answer = await gateway.post(path, ask('hi', { max_tokens: 1 }));
      await answer.text();
      return answer.status;
    };
    expect(await once()).toBe(200);
    // 65 are spent; the estimate of the next call fits into the 35 that are left, the one after has nothing.
    expect(await once()).toBe(200);
    expect(await once()).toBe(429);
  });

  it.each([
    [{ limit_strategy: 'expression' }, 'needs cost_expr'],
    [{ cost_expr: '1' }, 'cost_expr is for limit_strategy expression'],
    [{ limit_strategy: 'expression', cost_expr: 'os.exit()' }, "'os.exit' is no function"],
  ])('%j is an error at start', async (more, message) => {
    const limits = { limit: 1, time_window: 1, ...more };
    await expect(gateway.apply({ 'ai-proxy': instance(), 'ai-rate-limiting': limits })).rejects.toThrow(message);
  });
});

describe('fail_mode', () => {
  const upstream = () => ({ type: 'roundrobin', nodes: { [new URL(llm.url).host]: 1 } });
  const apply = async (plugins: object) =>
    await gateway.apply({}, { routes: [{ id: 'r', uri: '/*', plugins, upstream: upstream() }] });

  it.each([
    ['ai-prompt-guard', {}],
    ['ai-cache', { policy: 'local' }],
  ])('of %s lets what is no call of a language model pass, or refuses it', async (name, more) => {
    for (const [mode, status] of [
      ['skip', 200],
      ['warn', 200],
      ['error', 400],
    ]) {
      await apply({ [name]: { ...more, fail_mode: mode } });
      const answer = await gateway.post('/anything', { hello: 'you' });
      expect([mode, answer.status]).toEqual([mode, status]);
      if (status === 400) expect(await answer.text()).toContain(`Request format not recognized by ${name}`);
    }
  });
});

describe('ai-cache with Azure’s embeddings (stand-in)', () => {
  it('stand-in: asks the deployment with its key and finds the near question', async () => {
    other.behave(json(200, { data: [{ embedding: [1, 2, 3] }] }));
    const azure = { endpoint: `${other.url}/openai/deployments/e/embeddings?api-version=1`, api_key: 'azure-key' };
    await gateway.apply({
      'ai-proxy': instance(),
      'ai-cache': {
        ...{ policy: 'local', layers: ['exact', 'semantic'] },
        semantic: { top_k: 3, embedding: { azure_openai: azure } },
      },
    });
    const statuses: (string | null)[] = [];
    for (const text of ['one question', 'another question']) {
      const answer = await gateway.post(path, ask(text));
      await answer.text();
      statuses.push(answer.headers.get('x-ai-cache-status'));
    }
    expect(statuses).toEqual(['MISS', 'HIT-SEMANTIC']);
    expect(other.seen[0]).toMatchObject({
      path: '/openai/deployments/e/embeddings?api-version=1',
      body: { input: 'one question' },
      headers: { 'api-key': 'azure-key' },
    });
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
  });
});
