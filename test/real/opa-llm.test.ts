/** A real OPA asked over HTTP about calls of language models: the input document carries what the call is about. The provider is a stand-in. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
import { isOpaInstalled, type OpaServer, startOpa } from '../servers/opa.js';
import { type AiGateway, startAiGateway } from '../system/ai-gateway-harness.js';

const rego = `package gate

deny contains "model" if input.llm.model != "gpt-x"
deny contains "tools" if "shell" in input.llm.tools
deny contains "size" if input.llm.estimated_tokens > 2000
deny contains "project" if input.llm.project != "p"
deny contains "provider" if input.llm.provider != "openai-compatible"
deny contains "stream" if input.llm.stream
deny contains "facts" if not input.llm

allow if count(deny) == 0
default allow := false
reason := concat(",", sort(deny))
`;

describe.skipIf(!isOpaInstalled())('a real OPA asked about calls of language models (stand-in provider)', () => {
  let opa: OpaServer;
  let llm: LlmStandIn;
  let gateway: AiGateway;
  beforeAll(async () => {
    [opa, llm, gateway] = await Promise.all([startOpa(), startLlmStandIn(), startAiGateway()]);
    const put = await fetch(`${opa.url}/v1/policies/gate`, { method: 'PUT', body: rego });
    expect(put.status, await put.text()).toBe(200);
    await gateway.apply({
      opa: { host: opa.url, policy: 'gate' },
      'ai-proxy': { provider: 'openai-compatible', auth: {}, override: { endpoint: llm.url } },
    });
  }, 60_000);
  afterAll(async () => {
    await gateway.stop();
    await llm.stop();
    await opa.stop();
  });

  const ask = async (more: object, path = '/v1/chat/completions') => {
    const answer = await gateway.post(path, { model: 'gpt-x', messages: [{ role: 'user', content: 'hi' }], ...more });
    return [answer.status, await answer.text()] as const;
  };
  const tool = { type: 'function', function: { name: 'shell', parameters: {} } };

  it('lets a call pass that the policy allows', async () => {
    expect((await ask({}))[0]).toBe(200);
    expect((await ask({ max_tokens: 100 }, '/v1/messages'))[0]).toBe(200);
    expect(llm.seen).toHaveLength(2);
  });

  it.each([
    ['model', { model: 'gpt-y' }],
    ['tools', { tools: [tool] }],
    ['size', { max_tokens: 5_000 }],
    ['size', { messages: [{ role: 'user', content: 'word '.repeat(4_000) }] }],
    ['stream', { stream: true }],
    ['model,stream,tools', { model: 'z', stream: true, tools: [tool] }],
  ])('refuses for %s before the provider hears of it', async (reason, more) => {
    const before = llm.seen.length;
    expect(await ask(more)).toEqual([403, reason]);
    expect(llm.seen.length).toBe(before);
  });

  it('refuses when OPA has lost its policies, and when it is gone', async () => {
    await opa.restart();
    expect((await ask({}))[0]).toBe(503);
    await opa.stop();
    expect((await ask({}))[0]).toBeGreaterThanOrEqual(403);
    expect(llm.seen).toHaveLength(2);
  });
});
