/** `ai-cache` before a stand-in provider, and a stand-in for embeddings. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AnswerCache } from '../../apps/server/src/gateway/ai/answer-cache.js';
import { brokenStream, chat, chatEvents, json, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
import { type AiGateway, startAiGateway } from './ai-gateway-harness.js';

let llm: LlmStandIn;
let gateway: AiGateway;
/** Letters of the alphabet as a vector: near texts have near letters. */
const embed = async () =>
  await startLlmStandIn((request, response) => {
    const vector = Array.from({ length: 26 }, () => 0);
    for (const letter of String(request.body?.input).toLowerCase()) {
      const at = letter.charCodeAt(0) - 97;
      if (at >= 0 && at < 26) vector[at] = (vector[at] ?? 0) + 1;
    }
    return json(200, { data: [{ embedding: vector }] })(request, response);
  });
let embeddings: LlmStandIn;
beforeAll(async () => {
  [llm, embeddings, gateway] = await Promise.all([startLlmStandIn(), embed(), startAiGateway()]);
});
afterEach(() => llm.reset());
afterAll(async () => {
  await gateway.stop();
  await llm.stop();
  await embeddings.stop();
});

let salt = 0;
const apply = async (cache: object = {}, more: object = {}) => {
  salt += 1;
  const plugins = (model: string) => ({
    'ai-proxy': { provider: 'openai-compatible', auth: {}, options: { model }, override: { endpoint: llm.url } },
    'ai-cache': { policy: 'local', cache_key: { share_across_routes: true }, ...cache },
  });
  const other = { id: 'other', uri: '/other/*', labels: { project: 'q' }, plugins: plugins(`m-${salt}`) };
  await gateway.apply(plugins(`m-${salt}`), {
    routes: [{ id: 'llm', uri: '/*', labels: { project: 'p' }, plugins: plugins(`m-${salt}`) }, other],
    ...more,
  });
};
const ask = (content: string, more: object = {}) => ({ model: 'm', messages: [{ role: 'user', content }], ...more });
const status = async (body: object, path = '/v1/chat/completions', headers: Record<string, string> = {}) => {
  const answer = await gateway.post(path, body, headers);
  await answer.text();
  return answer.headers.get('x-ai-cache-status');
};

describe('ai-cache (stand-in provider)', () => {
  it('stand-in: answers the same question from the cache, whole and streamed with the same bytes', async () => {
    await apply();
    for (const stream of [false, true]) {
      const first = await gateway.post('/v1/chat/completions', ask('a', { stream }));
      const text = await first.text();
      const again = await gateway.post('/v1/chat/completions', {
        stream,
        messages: [{ content: 'a', role: 'user' }],
        model: 'm',
        user: 'somebody',
      });
      expect(await again.text()).toBe(text);
      expect([first, again].map((one) => one.headers.get('x-ai-cache-status'))).toEqual(['MISS', 'HIT']);
      expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    }
    expect(llm.seen).toHaveLength(2);
    expect(await status(ask('a', { temperature: 1 }))).toBe('MISS');
    expect(await gateway.metrics()).toContain('bailiwick_llm_cache_total{project="p",result="hit"} 2');
  });

  it('stand-in: never gives one project’s answer to another', async () => {
    await apply();
    expect(await status(ask('secret'))).toBe('MISS');
    expect(await status(ask('secret'), '/other/v1/chat/completions')).toBe('MISS');
    expect(await status(ask('secret'))).toBe('HIT');
  });

  it('stand-in: keeps no errors, broken streams, tool calls or what is too large', async () => {
    await apply({ max_cache_body_size: 2_000 });
    const behaviours = [
      json(500, { error: 'x' }),
      json(200, { choices: [{ message: { tool_calls: [] }, finish_reason: 'tool_calls' }] }),
      chat(['long '.repeat(1_000)]),
    ];
    for (const [index, behaviour] of behaviours.entries()) {
      llm.behave(behaviour);
      expect(await status(ask(`q${index}`))).toBe('MISS');
      expect(await status(ask(`q${index}`))).toBe('MISS');
    }
    llm.behave(brokenStream(chatEvents(['a']).slice(0, 2)));
    for (let time = 0; time < 2; time += 1)
      await expect((await gateway.post('/v1/chat/completions', ask('s', { stream: true }))).text()).rejects.toThrow();
    expect(llm.seen).toHaveLength(8);
  });

  it('stand-in: lets requests by that say so', async () => {
    await apply({ bypass_on: [{ header: 'X-No-Cache', equals: '1' }] });
    expect(await status(ask('b'))).toBe('MISS');
    expect(await status(ask('b'), '/v1/chat/completions', { 'x-no-cache': '1' })).toBe('BYPASS');
  });

  it('stand-in: finds a question that is near, in the same project and with the same settings', async () => {
    const openai = { model: 'e', api_key: 'k', endpoint: `${embeddings.url}/v1/embeddings` };
    await apply({ layers: ['exact', 'semantic'], semantic: { similarity_threshold: 0.97, embedding: { openai } } });
    expect(await status(ask('What is the capital of Norway?'))).toBe('MISS');
    expect(await status(ask('What is the capital of Norway, please?'))).toBe('MISS');
    expect(await status(ask('what is the capital of norway'))).toBe('HIT-SEMANTIC');
    expect(await status(ask('what is the capital of norway', { temperature: 0 }))).toBe('MISS');
    expect(await status(ask('what is the capital of norway'), '/other/v1/chat/completions')).toBe('MISS');
    expect(await status(ask('Zzz qqq xxx'))).toBe('MISS');
    expect(embeddings.seen[0]?.headers.authorization).toBe('Bearer k');
  });
});

describe('the cache of answers', () => {
  it('forgets with time and keeps to its bytes, the least used first', () => {
    let now = 0;
    const cache = new AnswerCache(4_000, () => now);
    const answer = { contentType: 'x', body: Buffer.alloc(1_000) };
    cache.set('a', answer, 1_000);
    cache.set('b', answer, 5_000);
    cache.get('a');
    cache.set('c', answer, 5_000);
    expect([cache.get('a') !== undefined, cache.get('b'), cache.bytes]).toEqual([true, undefined, 3_024]);
    now = 2_000;
    expect([cache.get('a'), cache.get('c') !== undefined]).toEqual([undefined, true]);
    cache.set('huge', { ...answer, body: Buffer.alloc(10_000) }, 5_000);
    expect([cache.get('huge'), cache.get('c') !== undefined]).toEqual([undefined, true]);
  });
});
