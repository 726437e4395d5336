/** `ai-cache` in a real Redis: the contract, two gateways that share their answers, and a Redis that goes away. Providers are stand-ins. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { redisAnswers } from '../../apps/server/src/adapters/redis/redis-answers.js';
import { describeAnswerStore } from '../../apps/server/src/ports/answer-store.contract.js';
import type { RedisLocation } from '../../apps/server/src/ports/rate-limit-store.port.js';
import { chat, json, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
import { describeWithServer } from '../servers/presence.js';
import { type RedisServer, startRedis } from '../servers/redis.js';
import { type AiGateway, startAiGateway } from '../system/ai-gateway-harness.js';

const location = (port: number): RedisLocation => ({
  kind: 'single',
  host: '127.0.0.1',
  port,
  database: 0,
  tls: { isOn: false, isVerified: false },
  timeoutMs: 1_000,
});

describeWithServer('redis', () => {
  describeAnswerStore('Redis', async () => {
    const server = await startRedis();
    const store = redisAnswers(location(server.port), 'contract');
    return {
      store,
      dispose: async () => {
        await store.close();
        await server.stop();
      },
    };
  });

  describe('answers in one Redis', () => {
    let server: RedisServer;
    let llm: LlmStandIn;
    let embeddings: LlmStandIn;
    let gateways: readonly AiGateway[] = [];
    beforeAll(async () => {
      server = await startRedis();
      llm = await startLlmStandIn();
      // Letters of the alphabet as a vector: near texts have near letters.
      embeddings = await startLlmStandIn((request, response) => {
        const letters = [...String(request.body?.input).toLowerCase()].map((letter) => letter.charCodeAt(0) - 97);
        const vector = Array.from({ length: 26 }, (_none, at) => letters.filter((letter) => letter === at).length);
        return json(200, { data: [{ embedding: vector }] })(request, response);
      });
      gateways = await Promise.all([startAiGateway(), startAiGateway()]);
      const openai = { model: 'e', api_key: 'k', endpoint: `${embeddings.url}/v1/embeddings` };
      for (const gateway of gateways)
        await gateway.apply({
          'ai-proxy': { provider: 'openai-compatible', auth: {}, override: { endpoint: llm.url } },
          'ai-cache': {
            policy: 'redis',
            redis_host: '127.0.0.1',
            redis_port: server.port,
            redis_timeout: 500,
            layers: ['exact', 'semantic'],
            semantic: { embedding: { openai }, vector_search: { redis: { index: 'two' } } },
          },
        });
    }, 60_000);
    afterAll(async () => {
      for (const gateway of gateways) await gateway.stop();
      await llm.stop();
      await embeddings.stop();
      await server.stop();
    });

    const ask = async (gateway: AiGateway | undefined, content: string) => {
      const answer = await gateway?.post('/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content }] });
      return { status: answer?.status, cache: answer?.headers.get('x-ai-cache-status'), text: await answer?.text() };
    };

    it('that one gateway has kept are found by the other, exactly and by nearness', async () => {
      llm.behave(chat(['Oslo']));
      const [first, second] = gateways;
      const asked = await ask(first, 'capital of norway');
      expect(asked.cache).toBe('MISS');
      await vi.waitFor(async () => expect((await ask(second, 'capital of norway')).cache).toBe('HIT'), 5_000);
      const seen = llm.seen.length;
      expect(await ask(second, 'capital of norway')).toMatchObject({ cache: 'HIT', text: asked.text });
      // The same letters, but never the same text: what was missed a moment too early is not found exactly then.
      let spaces = 0;
      const near = async (gateway: AiGateway | undefined, content: string) => {
        spaces += 1;
        return await ask(gateway, content + ' '.repeat(spaces));
      };
      await vi.waitFor(
        async () =>
          expect(await near(second, 'capital of norway')).toMatchObject({ cache: 'HIT-SEMANTIC', text: asked.text }),
        5_000,
      );
      expect((await ask(second, 'zebra quiz')).cache).toBe('MISS');
      // What the second has learned since, the first finds as well, though it has looked before.
      await vi.waitFor(async () => expect((await near(first, 'zebra quiz')).cache).toBe('HIT-SEMANTIC'), 5_000);
      expect(llm.seen.length).toBeGreaterThan(seen);
    });

    it('are a miss while Redis is away, and are kept again when it is back', async () => {
      const [first, second] = gateways;
      await server.kill();
      expect(await ask(first, 'while away')).toMatchObject({ status: 200, cache: 'MISS' });
      await server.restart();
      await vi.waitFor(
        async () => {
          await ask(first, 'back again');
          expect((await ask(second, 'back again')).cache).toBe('HIT');
        },
        { timeout: 15_000, interval: 200 },
      );
    }, 30_000);
  });
});
