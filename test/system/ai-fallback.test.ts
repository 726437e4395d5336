/** `ai-proxy-multi` before stand-in providers: falls back when it should, within bounds, and never after the first byte. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  brokenStream,
  chat,
  chatEvents,
  json,
  type LlmStandIn,
  silent,
  startLlmStandIn,
} from '../servers/llm-stand-in.js';
import { type AiGateway, startAiGateway } from './ai-gateway-harness.js';

let first: LlmStandIn;
let second: LlmStandIn;
let third: LlmStandIn;
let gateway: AiGateway;
beforeAll(async () => {
  [first, second, third] = await Promise.all([startLlmStandIn(), startLlmStandIn(), startLlmStandIn()]);
  gateway = await startAiGateway();
});
afterEach(() => {
  for (const one of [first, second, third]) one.reset();
});
afterAll(async () => {
  await gateway.stop();
  for (const one of [first, second, third]) await one.stop();
});

const instance = (name: string, llm: LlmStandIn, priority: number, more: object = {}) => ({
  name,
  provider: 'openai-compatible',
  weight: 1,
  priority,
  auth: { header: { authorization: `Bearer ${name}` } },
  options: { model: `model-${name}` },
  override: { endpoint: llm.url },
  ...more,
});
const apply = async (more: object, priorities = [3, 2, 1]) =>
  await gateway.apply({
    'ai-proxy-multi': {
      instances: [first, second, third].map((llm, index) => instance('abc'[index] ?? '', llm, priorities[index] ?? 0)),
      ...more,
    },
  });
const ask = { model: 'any', messages: [{ role: 'user', content: 'hi' }] };
const post = async (body: object = ask) => await gateway.post('/v1/chat/completions', body);
const asked = (): readonly number[] => [first, second, third].map((one) => one.seen.length);

describe('ai-proxy-multi (stand-in providers)', () => {
  it.each([401, 402, 429, 500, 503])('stand-in: asks the next one after %i', async (status) => {
    await apply({ fallback_strategy: ['http_429', 'http_5xx'], fallback_http_statuses: [401, 402] });
    first.behave(json(status, { error: 'no' }));
    const answer = await post();
    expect([answer.status, asked()]).toEqual([200, [1, 1, 0]]);
    expect(second.seen[0]?.body.model).toBe('model-b');
    expect(second.seen[0]?.headers.authorization).toBe('Bearer b');
  });

  it('stand-in: asks the next one after a time-out and a refused connection', async () => {
    await apply({ fallback_strategy: 'http_5xx', timeout: 200 });
    first.behave(silent);
    expect([(await post()).status, asked()]).toEqual([200, [1, 1, 0]]);
    await gateway.apply({
      'ai-proxy-multi': {
        instances: [
          instance('gone', first, 2, { override: { endpoint: 'http://127.0.0.1:1' } }),
          instance('b', second, 1),
        ],
        fallback_strategy: 'http_5xx',
      },
    });
    expect((await post()).status).toBe(200);
    expect(await gateway.metrics()).toMatch(
      /bailiwick_llm_fallbacks_total\{provider="openai-compatible",model="model-b",project="p"\} \d+/,
    );
  });

  it('stand-in: does not, without a strategy or for another status', async () => {
    await apply({});
    first.behave(json(500, { error: 'no' }));
    expect([(await post()).status, asked()]).toEqual([500, [1, 0, 0]]);
    await apply({ fallback_strategy: 'http_429' });
    expect([(await post()).status, asked()]).toEqual([500, [2, 0, 0]]);
  });

  it('stand-in: stops after max_retries and after retry_on_failure_within_ms', async () => {
    for (const one of [first, second, third]) one.behave(json(503, { error: 'no' }));
    await apply({ fallback_strategy: 'http_5xx', max_retries: 1 });
    expect([(await post()).status, asked()]).toEqual([503, [1, 1, 0]]);
    first.behave((_request, response) => {
      setTimeout(() => response.writeHead(503).end(), 120);
    });
    await apply({ fallback_strategy: 'http_5xx', retry_on_failure_within_ms: 60 });
    expect([(await post()).status, asked()]).toEqual([503, [2, 1, 0]]);
  });

  it('stand-in: never asks another one after the first byte of a stream', async () => {
    await apply({ fallback_strategy: 'http_5xx' });
    first.behave(brokenStream(chatEvents(['a']).slice(0, 2)));
    await expect((await post({ ...ask, stream: true })).text()).rejects.toThrow();
    expect(asked()).toEqual([1, 0, 0]);
    first.behave(brokenStream([]));
    expect(await (await post({ ...ask, stream: true })).text()).toContain('[DONE]');
    expect(asked()).toEqual([2, 1, 0]);
  });

  it('stand-in: an instance that failed three times in a row is asked last', async () => {
    await apply({ fallback_strategy: 'http_5xx' });
    first.behave(json(500, {}));
    for (let count = 0; count < 5; count += 1) await post();
    expect(asked()).toEqual([3, 5, 0]);
  });

  it('stand-in: shares by weight, and by a key’s hash', async () => {
    await gateway.apply({
      'ai-proxy-multi': {
        instances: [
          instance('a', first, 0, { weight: 3 }),
          instance('b', second, 0),
          instance('c', third, 0, { weight: 0 }),
        ],
      },
    });
    for (let count = 0; count < 8; count += 1) await post();
    expect(asked()).toEqual([6, 2, 0]);
    await apply({ balancer: { algorithm: 'chash', hash_on: 'header', key: 'x-user' } }, [0, 0, 0]);
    for (const one of [first, second, third]) one.reset();
    const at = async (user: string) => {
      const before = asked();
      await gateway.post('/v1/chat/completions', ask, { 'x-user': user });
      return asked().findIndex((count, index) => count > (before[index] ?? 0));
    };
    const users = Array.from({ length: 30 }, (_, index) => `user-${index}`);
    const places = [];
    for (const user of users) places.push(await at(user));
    expect(new Set(places).size).toBe(3);
    for (const [index, user] of users.entries()) expect(await at(user)).toBe(places[index]);
  });

  it('stand-in: a client that leaves takes the provider’s call with it', async () => {
    await apply({});
    first.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatEvents(['a'])[0]);
    });
    const control = new AbortController();
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...ask, stream: true }),
      signal: control.signal,
    });
    await response.body?.getReader().read();
    control.abort();
    await vi.waitFor(() => expect(first.aborted).toBe(1));
    first.behave(chat());
    expect((await post()).status).toBe(200);
  });

  it('refuses a file that names an instance twice or an unknown field', async () => {
    const twice = { instances: [instance('a', first, 0), instance('a', second, 0)] };
    await expect(gateway.apply({ 'ai-proxy-multi': twice })).rejects.toThrow(/same name/);
    await expect(apply({ semantic_opts: {} })).rejects.toThrow(/semantic_opts/);
  });
});
