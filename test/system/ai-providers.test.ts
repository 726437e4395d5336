/** Every provider's format against a stand-in that answers as the provider documents it. */
import { crc32 } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chat, chatEvents, events, json, type LlmStandIn, startLlmStandIn } from '../servers/llm-stand-in.js';
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
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'w',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
};
const conversation = {
  model: 'm-1',
  max_tokens: 50,
  temperature: 0.5,
  stop: ['END'],
  tools: [weather],
  tool_choice: 'auto',
  messages: [
    { role: 'system', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Weather?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
      ],
    },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } }],
    },
    { role: 'tool', tool_call_id: 'call_1', content: '12 degrees' },
  ],
};

interface Chunk {
  readonly choices: readonly {
    readonly delta: {
      readonly content?: string;
      readonly tool_calls?: readonly { readonly function: { readonly name?: string; readonly arguments: string } }[];
    };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: Record<string, number>;
}

async function chunksOf(response: Response): Promise<readonly Chunk[]> {
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const text = await response.text();
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  return text
    .split('\n\n')
    .filter((one) => one.startsWith('data: {'))
    .map((one) => JSON.parse(one.slice(6)) as Chunk);
}

function told(chunks: readonly Chunk[]) {
  const choices = chunks.flatMap(({ choices: list }) => list);
  const calls = choices.flatMap(({ delta }) => delta.tool_calls ?? []);
  return {
    text: choices.map(({ delta }) => delta.content ?? '').join(''),
    tool: calls.map((one) => one.function.name ?? '').join(''),
    arguments: calls.map((one) => one.function.arguments).join(''),
    finish: choices.at(-1)?.finish_reason,
    usage: chunks.at(-1)?.usage,
  };
}

const anthropicAnswer = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm-1',
  content: [
    { type: 'text', text: 'Looking.' },
    { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: { city: 'Oslo' } },
  ],
  stop_reason: 'tool_use',
  stop_sequence: null,
  usage: { input_tokens: 20, output_tokens: 9 },
};
const anthropicEvent = (type: string, more: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const anthropicStream = [
  anthropicEvent('message_start', {
    message: { ...anthropicAnswer, content: [], stop_reason: null, usage: { input_tokens: 20, output_tokens: 1 } },
  }),
  anthropicEvent('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  anthropicEvent('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Look' } }),
  anthropicEvent('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'ing.' } }),
  anthropicEvent('content_block_stop', { index: 0 }),
  anthropicEvent('content_block_start', {
    index: 1,
    content_block: { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: {} },
  }),
  anthropicEvent('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '{"city":' } }),
  anthropicEvent('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '"Oslo"}' } }),
  anthropicEvent('content_block_stop', { index: 1 }),
  anthropicEvent('message_delta', {
    delta: { stop_reason: 'tool_use', stop_sequence: null },
    usage: { output_tokens: 9 },
  }),
  anthropicEvent('message_stop', {}),
];

describe('Anthropic (stand-in)', () => {
  const auth = { header: { 'x-api-key': 'sk-ant' } };

  it('stand-in: takes chat completions with tools, pictures and results, and answers as chat completions', async () => {
    await gateway.apply(to('anthropic', auth));
    llm.behave(json(200, anthropicAnswer));
    const answer = await (await gateway.post('/v1/chat/completions', conversation)).json();
    expect(llm.seen[0]?.path).toBe('/v1/messages');
    expect(llm.seen[0]?.headers).toMatchObject({ 'x-api-key': 'sk-ant', 'anthropic-version': '2023-06-01' });
    const body = llm.seen[0]?.body;
    expect(body).toMatchObject({
      model: 'm-1',
      max_tokens: 50,
      temperature: 0.5,
      stop_sequences: ['END'],
      system: [{ type: 'text', text: 'Be brief.' }],
    });
    expect(body.tools[0]).toMatchObject({ name: 'get_weather', input_schema: weather.function.parameters });
    expect(body.messages[0].content[1]).toMatchObject({
      type: 'image',
      source: { type: 'base64', media_type: 'image/png', data: 'aGk=' },
    });
    expect(body.messages[1].content[0]).toMatchObject({ type: 'tool_use', id: 'call_1', input: { city: 'Oslo' } });
    expect(body.messages[2].content[0]).toMatchObject({ type: 'tool_result', tool_use_id: 'call_1' });
    expect(answer).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: {
            role: 'assistant',
            content: 'Looking.',
            tool_calls: [
              { id: 'toolu_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } },
            ],
          },
          finish_reason: 'tool_calls',
        },
      ],
      usage: { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 },
    });
  });

  it('stand-in: streams text and tool calls as chat completions', async () => {
    await gateway.apply(to('anthropic', auth));
    llm.behave(events(anthropicStream));
    const response = await gateway.post('/v1/chat/completions', {
      ...conversation,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(told(await chunksOf(response))).toMatchObject({
      text: 'Looking.',
      tool: 'get_weather',
      arguments: '{"city":"Oslo"}',
      finish: 'tool_calls',
      usage: { prompt_tokens: 20, completion_tokens: 9 },
    });
    expect(llm.seen[0]?.body.stream).toBe(true);
  });

  it('stand-in: takes Anthropic messages byte by byte, both ways', async () => {
    await gateway.apply(to('anthropic', auth));
    llm.behave(events(anthropicStream));
    const raw = '{"model":"m-1","max_tokens":5, "stream":true,"messages":[{"role":"user","content":"hi"}]}';
    const response = await gateway.post('/v1/messages', raw, { 'anthropic-beta': 'b-1' });
    expect(await response.text()).toBe(anthropicStream.join(''));
    expect([llm.seen[0]?.text, llm.seen[0]?.headers['anthropic-beta']]).toEqual([raw, 'b-1']);
    expect(await gateway.metrics()).toMatch(
      /bailiwick_llm_tokens_total\{provider="anthropic",model="other",project="p",direction="output"\} \d+/,
    );
  });

  it('stand-in: passes its errors on with their status', async () => {
    await gateway.apply(to('anthropic', auth));
    llm.behave(
      json(429, { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } }, { 'retry-after': '7' }),
    );
    const response = await gateway.post('/v1/chat/completions', conversation);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
    expect(await response.json()).toMatchObject({ error: { type: 'rate_limit_error', code: 'rate_limit_error' } });
  });

  it('stand-in: a stream that breaks off breaks off for the client too', async () => {
    await gateway.apply(to('anthropic', auth));
    llm.behave(events(anthropicStream.slice(0, 4)));
    const response = await gateway.post('/v1/chat/completions', { ...conversation, stream: true });
    await expect(response.text()).rejects.toThrow();
  });

  it('refuses what it could not say to the provider', async () => {
    await gateway.apply(to('anthropic', auth));
    for (const more of [
      { n: 2 },
      { logprobs: true },
      { tools: [{ type: 'web_search' }] },
      { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] },
    ])
      expect((await gateway.post('/v1/chat/completions', { ...conversation, ...more })).status).toBe(400);
    expect(llm.seen).toHaveLength(0);
  });
});

describe('Gemini (stand-in)', () => {
  const answer = {
    candidates: [
      {
        content: {
          role: 'model',
          parts: [{ text: 'Sun' }, { functionCall: { name: 'get_weather', args: { city: 'Oslo' } } }],
        },
        finishReason: 'STOP',
        index: 0,
      },
    ],
    usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 4, totalTokenCount: 12 },
  };

  it('stand-in: is spoken to in its own format with a key of its own', async () => {
    await gateway.apply(to('gemini', { header: { 'x-goog-api-key': 'g-key' } }));
    llm.behave(json(200, answer));
    const told1 = await (await gateway.post('/v1/chat/completions', conversation)).json();
    expect(llm.seen[0]?.path).toBe('/v1beta/models/m-1:generateContent');
    expect(llm.seen[0]?.headers['x-goog-api-key']).toBe('g-key');
    expect(llm.seen[0]?.body.tools[0].functionDeclarations[0].name).toBe('get_weather');
    expect(told1).toMatchObject({
      choices: [
        {
          message: {
            content: 'Sun',
            tool_calls: [{ function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } }],
          },
          finish_reason: 'tool_calls',
        },
      ],
      usage: { prompt_tokens: 8, completion_tokens: 4 },
    });
  });

  it('stand-in: streams', async () => {
    await gateway.apply(to('gemini', { header: { 'x-goog-api-key': 'g-key' } }));
    llm.behave(
      events([
        `data: ${JSON.stringify({ candidates: [{ content: { parts: [{ text: 'Su' }] } }] })}\r\n\r\n`,
        `data: ${JSON.stringify(answer)}\r\n\r\n`,
      ]),
    );
    const chunks = await chunksOf(await gateway.post('/v1/chat/completions', { ...conversation, stream: true }));
    expect(told(chunks)).toMatchObject({
      text: 'SuSun',
      tool: 'get_weather',
      arguments: '{"city":"Oslo"}',
      finish: 'tool_calls',
    });
    expect(llm.seen[0]?.path).toContain(':streamGenerateContent');
  });

  it('stand-in: goes through Google’s OpenAI-compatible address with a bearer key, as in APISIX', async () => {
    await gateway.apply(to('gemini', { header: { authorization: 'Bearer g' } }));
    expect((await gateway.post('/v1/chat/completions', conversation)).status).toBe(200);
    expect(llm.seen[0]?.path).toBe('/v1beta/openai/chat/completions');
  });
});

describe('Bedrock (stand-in)', () => {
  const auth = { aws: { access_key_id: 'AKID', secret_access_key: 'secret' } };
  const more = { provider_conf: { region: 'eu-north-1' } };

  it('stand-in: signs the call and translates it', async () => {
    await gateway.apply(to('bedrock', auth, more));
    llm.behave(
      json(200, {
        output: {
          message: {
            role: 'assistant',
            content: [{ text: 'Cold' }, { toolUse: { toolUseId: 't1', name: 'get_weather', input: { city: 'Oslo' } } }],
          },
        },
        stopReason: 'tool_use',
        usage: { inputTokens: 5, outputTokens: 6, totalTokens: 11 },
      }),
    );
    const answer = await (await gateway.post('/v1/chat/completions', conversation)).json();
    expect(llm.seen[0]?.path).toBe('/model/m-1/converse');
    expect(llm.seen[0]?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-north-1\/bedrock\/aws4_request/,
    );
    expect(answer).toMatchObject({
      choices: [{ message: { content: 'Cold', tool_calls: [{ id: 't1' }] }, finish_reason: 'tool_calls' }],
      usage: { total_tokens: 11 },
    });
  });

  it('stand-in: streams its event frames', async () => {
    await gateway.apply(to('bedrock', auth, more));
    const frames = [
      frame('messageStart', { role: 'assistant' }),
      frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Co' } }),
      frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'ld' } }),
      frame('contentBlockStop', { contentBlockIndex: 0 }),
      frame('messageStop', { stopReason: 'end_turn' }),
      frame('metadata', { usage: { inputTokens: 5, outputTokens: 6, totalTokens: 11 } }),
    ];
    llm.behave((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
      for (const one of frames) response.write(one);
      response.end();
    });
    const chunks = await chunksOf(await gateway.post('/v1/chat/completions', { ...conversation, stream: true }));
    expect(told(chunks)).toMatchObject({ text: 'Cold', finish: 'stop' });
  });
});

/** AWS's event stream encoding. */
function frame(type: string, payload: object): Buffer {
  const header = (name: string, value: string): Buffer => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(value.length);
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)]);
  };
  const headers = Buffer.concat([
    header(':event-type', type),
    header(':content-type', 'application/json'),
    header(':message-type', 'event'),
  ]);
  const body = Buffer.from(JSON.stringify(payload));
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + headers.length + body.length, 0);
  prelude.writeUInt32BE(headers.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const all = Buffer.concat([prelude, headers, body]);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(all));
  return Buffer.concat([all, check]);
}

describe('OpenAI and what is compatible (stand-in)', () => {
  const auth = { header: { authorization: 'Bearer k' } };

  it.each([
    ['openai', '/v1/chat/completions', ''],
    ['deepseek', '/chat/completions', ''],
    ['openrouter', '/api/v1/chat/completions', ''],
    [
      'azure-openai',
      '/openai/deployments/d/chat/completions?api-version=2024-10-21',
      '/openai/deployments/d/chat/completions?api-version=2024-10-21',
    ],
    ['openai-compatible', '/mistral/v1/chat/completions', '/mistral/v1/chat/completions'],
  ])('stand-in: %s is called at %s', async (provider, path, endpoint) => {
    await gateway.apply(to(provider, auth, {}, endpoint));
    expect((await gateway.post('/v1/chat/completions', conversation)).status).toBe(200);
    expect(llm.seen[0]?.path).toBe(path);
  });

  it.each(['/v1/responses', '/v1/embeddings'])('stand-in: %s goes through byte by byte', async (path) => {
    await gateway.apply(to('openai', auth));
    const raw = '{"model":"m",  "input":"hi"}';
    llm.behave(
      json(200, {
        object: 'list',
        model: 'm',
        data: [],
        usage: { prompt_tokens: 2, input_tokens: 2, output_tokens: 0 },
      }),
    );
    expect((await gateway.post(path, raw)).status).toBe(200);
    expect([llm.seen[0]?.path, llm.seen[0]?.text]).toEqual([path, raw]);
  });

  it('stand-in: sets the model and options of the file, and the client’s other fields stay', async () => {
    await gateway.apply(to('openai', auth, { options: { model: 'forced', temperature: 0 } }));
    await gateway.post('/v1/chat/completions', conversation);
    expect(llm.seen[0]?.body).toEqual({ ...conversation, model: 'forced', temperature: 0 });
  });

  it('stand-in: an Anthropic client is answered in its own format, whole and streamed, with tool calls', async () => {
    await gateway.apply(to('openai', auth));
    const call = { id: 'c1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } };
    llm.behave(
      json(200, {
        id: 'x',
        object: 'chat.completion',
        created: 1,
        model: 'm-1',
        choices: [
          { index: 0, message: { role: 'assistant', content: 'Hm', tool_calls: [call] }, finish_reason: 'tool_calls' },
        ],
        usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      }),
    );
    const body = {
      model: 'm-1',
      max_tokens: 9,
      system: 'Be brief.',
      messages: [{ role: 'user', content: 'hi' }],
      tools: [{ name: 'get_weather', input_schema: weather.function.parameters }],
    };
    expect(await (await gateway.post('/v1/messages', body)).json()).toMatchObject({
      type: 'message',
      stop_reason: 'tool_use',
      usage: { input_tokens: 3, output_tokens: 4 },
      content: [
        { type: 'text', text: 'Hm' },
        { type: 'tool_use', id: 'c1', name: 'get_weather', input: { city: 'Oslo' } },
      ],
    });
    expect(llm.seen[0]?.body.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'hi' },
    ]);
    llm.behave(chat(['one', 'two']));
    const text = await (await gateway.post('/v1/messages', { ...body, stream: true })).text();
    expect(text.match(/^event: .+$/gm)).toEqual([
      'event: message_start',
      'event: content_block_start',
      'event: content_block_delta',
      'event: content_block_delta',
      'event: content_block_stop',
      'event: message_delta',
      'event: message_stop',
    ]);
    expect(text).toContain('"text":"one"');
  });

  it('stand-in: invalid JSON, a lying length and a redirect become 502', async () => {
    await gateway.apply(to('openai', auth));
    const { lyingLength } = await import('../servers/llm-stand-in.js');
    llm.behave(json(200, '{"choices":'));
    expect((await gateway.post('/v1/chat/completions', conversation)).status).toBe(502);
    llm.behave(lyingLength('{"choices":[]}'));
    expect((await gateway.post('/v1/chat/completions', conversation)).status).toBe(502);
    llm.behave((_request, response) => {
      response.writeHead(307, { location: `${llm.url}/elsewhere` }).end();
    });
    expect((await gateway.post('/v1/chat/completions', conversation)).status).toBe(502);
    expect(llm.seen.map((one) => one.path)).not.toContain('/elsewhere');
    llm.behave(events(chatEvents(['x'])));
  });
});
