/** Responses asked for as a chat, and embeddings in the providers' own forms, against a stand-in that answers as they document it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chat, events, json, type LlmStandIn, startLlmStandIn, usage } from '../servers/llm-stand-in.js';
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

const to = (provider: string, auth: object, more: object = {}, path = ''): Record<string, unknown> => ({
  'ai-proxy': { provider, auth, override: { endpoint: `${llm.url}${path}` }, ...more },
});
const bearer = { header: { Authorization: 'Bearer k' } };
const anthropic = { header: { 'x-api-key': 'k' } };
const google = { header: { 'x-goog-api-key': 'k' } };
const aws = { aws: { access_key_id: 'AKID', secret_access_key: 'SECRET' } };
const region = { provider_conf: { region: 'eu-north-1' } };

const tool = {
  type: 'function',
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};
const conversation = {
  model: 'm-1',
  instructions: 'Be brief.',
  max_output_tokens: 50,
  temperature: 0.5,
  tools: [tool],
  tool_choice: 'auto',
  input: [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Weather?' },
        { type: 'input_image', image_url: 'data:image/png;base64,aGk=' },
      ],
    },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Looking.' }] },
    { type: 'function_call', call_id: 'c1', name: 'get_weather', arguments: '{"city":"Oslo"}' },
    { type: 'function_call', call_id: 'c2', name: 'get_weather', arguments: '{"city":"Rome"}' },
    { type: 'function_call_output', call_id: 'c1', output: '12' },
    { type: 'function_call_output', call_id: 'c2', output: '20' },
  ],
};

describe('responses over a chat (stand-in)', () => {
  it('stand-in: say the whole conversation to a provider of chats, at the address of its chats', async () => {
    await gateway.apply(to('openai-compatible', bearer, {}, '/mistral/v1/chat/completions'));
    const answer = await gateway.post('/v1/responses', conversation);
    expect(answer.status).toBe(200);
    expect(llm.seen[0]?.path).toBe('/mistral/v1/chat/completions');
    expect(llm.seen[0]?.headers.authorization).toBe('Bearer k');
    const { body } = llm.seen[0] ?? {};
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'tool',
      'tool',
    ]);
    expect(body.messages[2].tool_calls.map((one: { id: string }) => one.id)).toEqual(['c1', 'c2']);
    expect(body).toMatchObject({
      model: 'm-1',
      max_tokens: 50,
      temperature: 0.5,
      tools: [{ function: { name: 'get_weather' } }],
    });
    expect(await answer.json()).toMatchObject({
      object: 'response',
      status: 'completed',
      model: 'm-1',
      store: false,
      instructions: 'Be brief.',
      output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello there' }] }],
      usage: { input_tokens: 11, output_tokens: 7, total_tokens: 18 },
    });
    const metrics = await gateway.metrics();
    expect(metrics).toMatch(/bailiwick_llm_tokens_total\{.*model="other".*direction="input"\} \d+/);
  });

  it.each([
    ['deepseek', bearer, '/chat/completions'],
    ['openrouter', bearer, '/api/v1/chat/completions'],
    ['aimlapi', bearer, '/v1/chat/completions'],
    ['gemini', bearer, '/v1beta/openai/chat/completions'],
  ])('stand-in: go to %s', async (provider, auth, path) => {
    await gateway.apply(to(provider, auth));
    expect((await gateway.post('/v1/responses', { model: 'm', input: 'Hi' })).status).toBe(200);
    expect(llm.seen[0]?.path).toBe(path);
    expect(llm.seen[0]?.body.messages).toEqual([{ role: 'user', content: 'Hi' }]);
  });

  it('stand-in: stream their events in order, numbered, with texts and calls of tools', async () => {
    const chunk = (delta: object, reason: string | null = null) =>
      `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
    const call = (index: number, more: object) => chunk({ tool_calls: [{ index, ...more }] });
    const reported = `data: ${JSON.stringify({ id: 'x', created: 1, model: 'm', choices: [], usage })}\n\n`;
    llm.behave(
      events([
        chunk({ role: 'assistant', content: 'Look' }),
        chunk({ content: 'ing.' }),
        call(0, { id: 'c9', type: 'function', function: { name: 'get_weather', arguments: '{"city"' } }),
        call(0, { function: { arguments: ':"Oslo"}' } }),
        chunk({}, 'tool_calls'),
        reported,
        'data: [DONE]\n\n',
      ]),
    );
    await gateway.apply(to('deepseek', bearer));
    const answer = await gateway.post('/v1/responses', { ...conversation, stream: true });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const told = (await answer.text())
      .split('\n\n')
      .filter((one) => one !== '')
      .map((one) => {
        const [event, data] = one.split('\n');
        // biome-ignore lint/suspicious/noExplicitAny: events have every shape.
        const value = JSON.parse(String(data).slice(6)) as any;
        expect(event).toBe(`event: ${value.type}`);
        return value;
      });
    expect(told.map((one) => one.sequence_number)).toEqual(told.map((_one, index) => index));
    expect([...new Set(told.map((one) => String(one.type).slice('response.'.length)))]).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'completed',
    ]);
    const { response } = told.at(-1);
    expect(response).toMatchObject({
      status: 'completed',
      output: [
        { type: 'message', content: [{ text: 'Looking.' }] },
        { type: 'function_call', call_id: 'c9', name: 'get_weather', arguments: '{"city":"Oslo"}' },
      ],
      usage: { input_tokens: 11, output_tokens: 7 },
    });
    const deltas = told.filter((one) => one.type.endsWith('.delta')).map((one) => one.delta);
    expect(deltas.join('')).toBe('Looking.{"city":"Oslo"}');
  });

  it('stand-in: reach Anthropic in its own format, and say when the answer was cut', async () => {
    llm.behave(
      json(200, {
        id: 'msg',
        type: 'message',
        role: 'assistant',
        model: 'c',
        content: [
          { type: 'text', text: 'Hi' },
          { type: 'tool_use', id: 't', name: 'get_weather', input: { city: 'Oslo' } },
        ],
        stop_reason: 'max_tokens',
        stop_sequence: null,
        usage: { input_tokens: 3, output_tokens: 4 },
      }),
    );
    await gateway.apply(to('anthropic', anthropic));
    const answer = await gateway.post('/v1/responses', conversation);
    expect(llm.seen[0]?.path).toBe('/v1/messages');
    expect(llm.seen[0]?.body).toMatchObject({ system: [{ text: 'Be brief.' }], max_tokens: 50 });
    expect(await answer.json()).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ type: 'message' }, { type: 'function_call', call_id: 't', arguments: '{"city":"Oslo"}' }],
    });
  });

  it('are refused when they need what only their own service has', async () => {
    await gateway.apply(to('anthropic', anthropic));
    for (const more of [
      { previous_response_id: 'resp_1' },
      { background: true },
      { truncation: 'auto' },
      { include: ['file_search_call.results'] },
      { tools: [{ type: 'web_search' }] },
      { input: [{ type: 'item_reference', id: 'x' }] },
      { input: [{ role: 'user', content: [{ type: 'input_file' }] }] },
    ])
      expect((await gateway.post('/v1/responses', { ...conversation, ...more })).status).toBe(400);
    expect(llm.seen).toHaveLength(0);
  });
});

describe('embeddings in a form of the provider’s own (stand-in)', () => {
  const embed = async (body: object) => await gateway.post('/v1/embeddings', { model: 'm', ...body });

  it('stand-in: come from Gemini, as numbers and in base64', async () => {
    llm.behave((request, response) =>
      json(
        200,
        request.path.endsWith(':embedContent')
          ? { embedding: { values: [0.5, 1] } }
          : { embeddings: request.body.requests.map((_one: unknown, index: number) => ({ values: [index, 1] })) },
      )(request, response),
    );
    await gateway.apply(to('gemini', google));
    const answer = await embed({ input: ['a', 'b'], dimensions: 2 });
    expect(llm.seen[0]?.path).toBe('/v1beta/models/m:batchEmbedContents');
    expect(llm.seen[0]?.body.requests[1]).toMatchObject({
      outputDimensionality: 2,
      content: { parts: [{ text: 'b' }] },
    });
    expect(await answer.json()).toMatchObject({
      object: 'list',
      data: [
        { index: 0, embedding: [0, 1] },
        { index: 1, embedding: [1, 1] },
      ],
    });
    const { data } = (await (await embed({ input: 'a', encoding_format: 'base64' })).json()) as {
      data: { embedding: string }[];
    };
    const bytes = Buffer.from(data[0]?.embedding ?? '', 'base64');
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([0.5, 1]);
  });

  it('stand-in: come from Titan on Bedrock, a text at a time and in order', async () => {
    llm.behave((request, response) =>
      json(200, { embedding: [Number(request.body.inputText)], inputTextTokenCount: 2 })(request, response),
    );
    await gateway.apply(to('bedrock', aws, region));
    const input = Array.from({ length: 10 }, (_none, index) => String(index));
    const answer = await embed({ model: 'amazon.titan-embed-text-v2:0', input, dimensions: 256 });
    expect(llm.seen).toHaveLength(10);
    expect(llm.seen[0]?.body.dimensions).toBe(256);
    expect(llm.seen[0]?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256/);
    const told = (await answer.json()) as { data: { embedding: number[] }[]; usage: object };
    expect(told.data.map(({ embedding }) => embedding[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(told.usage).toEqual({ prompt_tokens: 20, total_tokens: 20 });
    expect((await embed({ model: 'amazon.titan-embed-text-v2:0', input, dimensions: 255 })).status).toBe(400);
  });

  it('stand-in: come from Cohere on Bedrock, many at once', async () => {
    llm.behave((request, response) =>
      json(200, { embeddings: request.body.texts.map((text: string) => [text.length]) })(request, response),
    );
    await gateway.apply(to('bedrock', aws, region));
    const answer = await embed({
      model: 'cohere.embed-multilingual-v3',
      input: ['a', 'bb'],
      input_type: 'search_document',
    });
    expect(llm.seen[0]?.body).toMatchObject({ texts: ['a', 'bb'], input_type: 'search_document' });
    expect(await answer.json()).toMatchObject({ data: [{ embedding: [1] }, { embedding: [2] }] });
  });

  it('stand-in: go to Mistral and Ollama byte by byte, whose form is OpenAI’s', async () => {
    llm.behave(json(200, { data: [{ embedding: [1] }], usage: { prompt_tokens: 1, total_tokens: 1 } }));
    for (const path of ['/v1/chat/completions', '']) {
      await gateway.apply(to('openai-compatible', bearer, {}, path));
      const sent = '{"model":"nomic-embed-text",  "input":"x"}';
      expect((await gateway.post('/v1/embeddings', sent)).status).toBe(200);
      expect(llm.seen.at(-1)).toMatchObject({ path: '/v1/embeddings', text: sent });
    }
  });

  it('are refused where there are none, for tokens, and with the provider’s status', async () => {
    for (const [provider, auth] of [
      ['anthropic', anthropic],
      ['deepseek', bearer],
    ] as const) {
      await gateway.apply(to(provider, auth));
      const answer = await embed({ input: 'x' });
      expect([answer.status, await answer.text()]).toEqual([
        400,
        expect.stringContaining(`${provider} has no embeddings`),
      ]);
    }
    await gateway.apply(to('gemini', google));
    for (const input of [[1, 2], [], [[1]], {}]) expect((await embed({ input })).status).toBe(400);
    expect(llm.seen).toHaveLength(0);
    llm.behave(json(429, { error: { message: 'quota', status: 'RESOURCE_EXHAUSTED' } }, { 'retry-after': '3' }));
    const limited = await embed({ input: 'x' });
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '3']);
    expect(await limited.json()).toMatchObject({ error: { code: 'RESOURCE_EXHAUSTED' } });
    llm.behave(chat());
  });
});
