/** Calls of language models under policy, through the whole server, to a stand-in provider. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  brokenStream,
  chat,
  chatEvents,
  events,
  json,
  type LlmStandIn,
  startLlmStandIn,
} from '../servers/llm-stand-in.js';
import { startTestServer, type TestServer } from './harness.js';

const folder = mkdtempSync(join(tmpdir(), 'bailiwick-ai-'));
const file = join(folder, 'apisix.yaml');
const providerKey = 'sk-of-the-provider';
let llm: LlmStandIn;
let embeddings: LlmStandIn;
let server: TestServer;

const route = (project: string): string => `
  - id: llm-${project}
    uri: /${project}/v1/*
    labels: {project: ${project}}
    plugins:
      openid-connect: {client_id: b, discovery: "\${{BAILIWICK_DISCOVERY_URL}}", bearer_only: true, use_jwks: true}
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
      ai-proxy:
        provider: openai-compatible
        auth: {header: {Authorization: Bearer ${providerKey}}}
        override: {endpoint: "${llm.url}"}
`;

/** What is about code goes to model-y, which project a may not use; all else to model-x. */
const semanticRoute = (): string => `
  - id: semantic
    uri: /semantic/v1/*
    labels: {project: a}
    plugins:
      openid-connect: {client_id: b, discovery: "\${{BAILIWICK_DISCOVERY_URL}}", bearer_only: true, use_jwks: true}
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
      ai-proxy-multi:
        balancer: {algorithm: semantic}
        semantic_opts:
          threshold: 0.5
          embeddings: {provider: openai, model: e, endpoint: "${embeddings.url}", auth: {}}
        instances:
          - {name: talk, weight: 1, provider: openai-compatible, auth: {}, options: {model: model-x}, override: {endpoint: "${llm.url}"}, examples: [talk]}
          - {name: code, weight: 1, provider: openai-compatible, auth: {}, options: {model: model-y}, override: {endpoint: "${llm.url}"}, examples: [code]}
      ai-cache: {policy: local}
`;

/** Project a may use model-x without tools and with at most 1,000 tokens; project b may use nothing. */
const policy = (project: string): string => `package ${project}.authz

default allow := false

allow if count(deny) == 0

deny contains "this project may not use language models" if "${project}" == "b"

deny contains sprintf("model %s is not for this project", [input.llm.model]) if input.llm.model != "model-x"

deny contains "tools are not allowed" if count(input.llm.tools) > 0

deny contains sprintf("%d tokens are too many", [input.llm.estimated_tokens]) if input.llm.estimated_tokens > 1000

reasons := deny
`;

beforeAll(async () => {
  llm = await startLlmStandIn();
  embeddings = await startLlmStandIn(async (request, response) => {
    const data = (request.body.input as string[]).map((text) => ({
      embedding: text.includes('code') ? [1, 0] : [0, 1],
    }));
    await json(200, { data })(request, response);
  });
  writeFileSync(
    file,
    `routes:
  - {id: control, uris: [/policies/*], upstream: {type: roundrobin, nodes: {"\${{BAILIWICK_CONTROL_HOST}}:80": 1}}}${route('a')}${route('b')}${semanticRoute()}#END\n`,
  );
  server = await startTestServer({ gatewayFile: file });
  for (const project of ['a', 'b'])
    expect(
      (await server.call('PUT', `/policies/${project}?wait=applied`, { body: { rego: policy(project) } })).status,
    ).toBeLessThan(300);
}, 60_000);
afterEach(() => llm.reset());
afterAll(async () => {
  await server.stop();
  await llm.stop();
  await embeddings.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ask = { model: 'model-x', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100 };
const call = (body: unknown, project = 'a') => server.call('POST', `/${project}/v1/chat/completions`, { body });

describe('a call of a language model under policy (stand-in provider)', () => {
  it('reaches the provider with the same bytes and the operator’s key, and the answer comes back as it is', async () => {
    const raw = '{"model":"model-x",  "messages":[{"role":"user","content":"Hällo"}], "seed": 12345678901234567890}';
    const answer = await server.call('POST', '/a/v1/chat/completions', { raw });
    expect(answer.status).toBe(200);
    expect(answer.json.choices[0].message.content).toBe('Hello there');
    expect(llm.seen).toHaveLength(1);
    expect(llm.seen[0]?.text).toBe(raw);
    expect(llm.seen[0]?.path).toBe('/v1/chat/completions');
    expect(llm.seen[0]?.headers.authorization).toBe(`Bearer ${providerKey}`);
    expect(JSON.stringify(llm.seen[0]?.headers)).not.toContain(server.token);
  });

  it('streams the provider’s bytes as they come, unchanged', async () => {
    const texts = chatEvents(['one', ' two']);
    let release: () => void = () => undefined;
    llm.behave(events(texts, () => new Promise((resolve) => (release = resolve))));
    const response = await fetch(`${server.url}/a/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}` },
      body: JSON.stringify({ ...ask, stream: true }),
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const received: string[] = [];
    for (const text of texts) {
      const { value } = await reader.read();
      received.push(Buffer.from(value ?? []).toString());
      expect(received.at(-1)).toBe(text);
      release();
    }
    expect((await reader.read()).done).toBe(true);
  });

  it('is refused with the policy’s reasons, and the provider hears nothing of it', async () => {
    const tool = { type: 'function', function: { name: 'delete_everything', parameters: {} } };
    const refused = await call({ ...ask, model: 'model-y', tools: [tool], max_tokens: 5000 });
    expect(refused.status).toBe(403);
    expect([...refused.json.reasons].sort()).toEqual([
      expect.stringMatching(/^50\d\d tokens are too many$/),
      'model model-y is not for this project',
      'tools are not allowed',
    ]);
    expect((await call(ask, 'b')).json.reasons).toEqual(['this project may not use language models']);
    expect(llm.seen).toHaveLength(0);
  });

  it('is judged again when what is said chooses another model, before the cache is asked', async () => {
    const say = async (content: string) =>
      await server.call('POST', '/semantic/v1/chat/completions', {
        body: { messages: [{ role: 'user', content }], max_tokens: 100 },
      });
    expect((await say('hello')).status).toBe(200);
    const refused = await say('write code');
    expect(refused.status).toBe(403);
    expect(refused.json.reasons).toEqual(['model model-y is not for this project']);
    expect(llm.seen.map(({ body }) => body.model)).toEqual(['model-x']);
  });

  it('cannot show the policy one model and the provider another', async () => {
    const raw = '{"model":"model-y","messages":[{"role":"user","content":"x"}],"model":"model-x"}';
    const answer = await server.call('POST', '/a/v1/chat/completions', { raw });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('stands twice');
    expect(llm.seen).toHaveLength(0);
  });

  it('is refused when its body is empty, no JSON, too deep or of no known format', async () => {
    for (const raw of [
      '{',
      '[1]',
      '{"hello":1}',
      '{"model":"model-x","messages":"hi"}',
      `{"messages":${'['.repeat(5000)}`,
    ]) {
      const answer = await server.call('POST', '/a/v1/chat/completions', { raw });
      expect([raw.slice(0, 20), answer.status]).toEqual([raw.slice(0, 20), 400]);
    }
    expect(llm.seen).toHaveLength(0);
  });

  it('tells the client what the provider says is wrong, but not of the gateway’s credentials', async () => {
    llm.behave(json(400, { error: { message: 'bad number', code: 'invalid_value', param: 'messages[0].content' } }));
    const wrong = await call(ask);
    const message =
      "The provider of the language model refused the request because of 'messages[0].content' (400, invalid_value).";
    const error = { message, type: 'invalid_request_error', param: 'messages[0].content', code: 'invalid_value' };
    expect([wrong.status, wrong.json]).toEqual([400, { error }]);
    llm.behave(json(401, { error: { message: `Incorrect API key provided: ${providerKey}` } }));
    const unknown = await call(ask);
    expect([unknown.status, unknown.text.includes(providerKey)]).toEqual([502, false]);
  });

  it('breaks the client’s stream when the provider’s breaks off', async () => {
    llm.behave(brokenStream(chatEvents(['a']).slice(0, 2)));
    const response = await fetch(`${server.url}/a/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}` },
      body: JSON.stringify({ ...ask, stream: true }),
    });
    await expect(response.text()).rejects.toThrow();
  });

  it('takes a prompt of ten megabytes', async () => {
    llm.behave(chat(['ok']));
    const big = await call({ ...ask, messages: [{ role: 'user', content: 'word '.repeat(2_000_000) }] });
    expect(big.status).toBe(403);
    expect(big.json.reasons[0]).toMatch(/^\d{7} tokens are too many$/);
  });
});
