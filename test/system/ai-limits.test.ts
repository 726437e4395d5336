/** Limits of tokens and money, before a stand-in provider that says what was used. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { localRateLimits } from '../../apps/server/src/adapters/embedded/local-rate-limits.js';
import { chat, chatEvents, json, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
import { type AiGateway, startAiGateway } from './ai-gateway-harness.js';

let llm: LlmStandIn;
let gateway: AiGateway;
beforeAll(async () => {
  llm = await startLlmStandIn();
  gateway = await startAiGateway();
});
afterEach(() => llm.reset());
afterAll(async () => {
  await gateway.stop();
  await llm.stop();
});

let salt = 0;
const apply = async (limits: object, metadata: readonly object[] = []) => {
  salt += 1;
  await gateway.apply(
    {
      'ai-proxy': { provider: 'openai-compatible', auth: {}, override: { endpoint: llm.url } },
      // A configuration of its own has counters of its own.
      'ai-rate-limiting': { rejected_msg: `refused ${salt}`, ...limits },
    },
    { plugin_metadata: metadata },
  );
};
const ask = (maxTokens: number, more: object = {}) => ({
  model: 'm',
  max_tokens: maxTokens,
  messages: [{ role: 'user', content: 'hello' }],
  ...more,
});
const post = async (body: object, headers: Record<string, string> = {}) =>
  await gateway.post('/v1/chat/completions', body, headers);
const using = (tokens: number, input = 5) =>
  chat(['x'], { usage: { prompt_tokens: input, completion_tokens: tokens, total_tokens: tokens + input } });

describe('token limits (stand-in provider)', () => {
  it('stand-in: 200 concurrent calls never use more than the limit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 300, max: 1_000 }), fc.integer({ min: 20, max: 90 }), async (limit, most) => {
        await apply({ limit, time_window: 600 });
        let used = 0;
        llm.behave((request, response) => {
          const tokens = Math.ceil(Math.random() * most);
          used += tokens + 5;
          return using(tokens)(request, response);
        });
        const answers = await Promise.all(
          Array.from({ length: 200 }, async () => {
            const answer = await post(ask(most));
            await answer.text();
            return answer.status;
          }),
        );
        expect(used).toBeLessThanOrEqual(limit);
        expect(answers.filter((status) => status === 503).length).toBeGreaterThan(0);
        expect(new Set(answers)).toEqual(new Set([200, 503]));
      }),
      { numRuns: 5, verbose: 1 },
    );
  }, 60_000);

  it('stand-in: gives back what was set aside and not used, and shows what is left', async () => {
    await apply({ limit: 200, time_window: 600 });
    llm.behave(using(5));
    for (let count = 0; count < 5; count += 1) {
      const answer = await post(ask(100));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-ai-ratelimit-limit-ai-proxy-openai-compatible')).toBe('200');
      await answer.text();
    }
    const answer = await post(ask(195));
    expect([answer.status, await answer.text()]).toEqual([503, JSON.stringify({ error_msg: `refused ${salt}` })]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(500);
  });

  it('stand-in: admits answers of unknown length one by one while the prompt fits', async () => {
    await apply({ limit: 30, time_window: 600 });
    llm.behave(using(10));
    const statuses = [];
    for (let count = 0; count < 3; count += 1) {
      const answer = await post({ model: 'm', messages: [{ role: 'user', content: 'hello' }] });
      await answer.text();
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([200, 200, 503]);
  });

  it('stand-in: a failed call costs nothing, a client that left what had come', async () => {
    await apply({ limit: 210, time_window: 600 });
    llm.behave(json(500, { error: 'x' }));
    for (let count = 0; count < 3; count += 1) expect((await post(ask(150))).status).toBe(500);
    llm.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatEvents(['some words'])[0]);
      response.write(chatEvents(['some words'])[1]);
    });
    const control = new AbortController();
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(ask(150, { stream: true })),
      signal: control.signal,
    });
    await response.body?.getReader().read();
    expect((await post(ask(150))).status).toBe(503);
    control.abort();
    llm.behave(using(1));
    await vi.waitFor(async () => expect((await post(ask(150))).status).toBe(200));
  });

  it('stand-in: counts by rules and keys apart', async () => {
    await apply({ rules: [{ count: 60, time_window: 600, key: '$http_x_user', header_prefix: 'User' }] });
    llm.behave(using(40));
    const status = async (user: string) => (await post(ask(45), { 'x-user': user })).status;
    expect([await status('a'), await status('a'), await status('b')]).toEqual([200, 503, 200]);
  });
});

describe('budgets (stand-in provider)', () => {
  const prices = { id: 'ai-proxy', prices: { m: { input: 0, output: 1_000 } } };

  it('stand-in: a project’s day of money ends with 429 and the time at which the next begins', async () => {
    const budget = { id: 'ai-rate-limiting', budgets: [{ by: 'project', limit: 0.25, window: 'day' }] };
    await apply({ limit: 1_000_000, time_window: 60 }, [prices, budget]);
    llm.behave(using(100));
    const statuses = [];
    let last: Response | undefined;
    for (let count = 0; count < 3; count += 1) {
      last = await post(ask(110));
      statuses.push(last.status);
      if (last.status === 200) await last.text();
    }
    expect(statuses).toEqual([200, 200, 429]);
    const problem = (await last?.json()) as { reset_at: string };
    expect(problem.reset_at).toMatch(/T00:00:00\.\d{3}Z$/);
    expect(Number(last?.headers.get('retry-after'))).toBeLessThanOrEqual(86_400);
    expect(await gateway.metrics()).toMatch(
      /bailiwick_llm_cost_total\{provider="openai-compatible",model="m",project="p"\} 0\.2/,
    );
  });

  it('stand-in: every key has its own, one model’s holds for that model alone, and who has no key shares one', async () => {
    const consumers = ['ann', 'bob'].map((username) => ({
      username,
      plugins: { 'key-auth': { key: `key-of-${username}` } },
    }));
    const models = { m: { input: 0, output: 1_000 }, dear: { input: 0, output: 1_000 } };
    const budgets = [
      { by: 'consumer', limit: 0.25, window: 'day' },
      { by: 'model', name: 'dear', limit: 0.12, window: 'month' },
    ];
    const route = (id: string, plugins: object) => ({
      ...{ id, uri: `/${id}/*`, labels: { project: 'keys' } },
      plugins: {
        ...plugins,
        'ai-proxy': { provider: 'openai-compatible', auth: {}, override: { endpoint: llm.url } },
        'ai-rate-limiting': { limit: 1_000_000, time_window: 60 },
      },
    });
    await gateway.apply(
      {},
      {
        routes: [route('keyed', { 'key-auth': {} }), route('open', {})],
        consumers,
        plugin_metadata: [
          { id: 'ai-proxy', prices: models },
          { id: 'ai-rate-limiting', budgets },
        ],
      },
    );
    llm.behave(using(100));
    const status = async (path: string, who: string, model = 'm') => {
      const answer = await gateway.post(
        `${path}/v1/chat/completions`,
        { ...ask(110), model },
        { apikey: `key-of-${who}` },
      );
      await answer.text();
      return answer.status;
    };
    const times = async (count: number, once: () => Promise<number>): Promise<number[]> => {
      const statuses: number[] = [];
      for (let at = 0; at < count; at += 1) statuses.push(await once());
      return statuses;
    };
    expect(await times(3, () => status('/keyed', 'ann'))).toEqual([200, 200, 429]);
    expect(await times(2, () => status('/keyed', 'bob', 'dear'))).toEqual([200, 429]);
    expect(await status('/keyed', 'bob')).toBe(200);
    expect(await times(3, () => status('/open', 'nobody'))).toEqual([200, 200, 429]);
  });

  it('stand-in: a model without a price is not called under a budget', async () => {
    const budget = { id: 'ai-rate-limiting', budgets: [{ by: 'project', limit: 1, window: 'month' }] };
    await apply({ limit: 1_000_000, time_window: 60 }, [prices, budget]);
    expect((await post({ ...ask(10), model: 'unpriced' })).status).toBe(403);
    expect(llm.seen).toHaveLength(0);
  });
});

describe('reservations', () => {
  it('never exceed the limit, whatever is reserved and settled in what order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 500 }),
        fc.array(
          fc.record({
            most: fc.integer({ min: 1, max: 90 }),
            share: fc.double({ min: 0, max: 1, noNaN: true }),
            settlesAt: fc.nat(30),
          }),
          { maxLength: 60 },
        ),
        async (limit, calls) => {
          const store = localRateLimits(() => 0);
          let used = 0;
          const open: { at: number; by: number; window: number; use: number }[] = [];
          for (const [index, { most, share, settlesAt }] of calls.entries()) {
            for (const one of open.splice(0)) {
              if (one.at > index) open.push(one);
              else await store.settle('k', one.by, one.window);
            }
            const { granted, window } = await store.reserve('k', { least: most, most }, limit, 1_000);
            if (granted === 0) continue;
            const use = Math.floor(granted * share);
            used += use;
            open.push({ at: index + settlesAt, by: use - granted, window, use });
          }
          expect(used).toBeLessThanOrEqual(limit);
        },
      ),
    );
  });
});
