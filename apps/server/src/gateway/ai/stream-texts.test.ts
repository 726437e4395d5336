import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactedAnswer, redactedCall } from './answer-texts.js';
import { JsonRedactor, redactWhole } from './json-redactor.js';
import { personalDataKinds, Redactor } from './personal-data.js';
import { EventRedactor } from './stream-texts.js';

const redactor = new Redactor(personalDataKinds);

const personal = fc.constantFrom(
  'jane@mail.example',
  '+49 30 901820 44',
  '4111 1111 1111 1111',
  'DE89 3704 0044 0532 0130 00',
);
const word = fc.constantFrom('the', 'fox,', '"', '\\', '\n', 'Émile', '你好', '😀', '{', 'x'.repeat(300), '42');
const phrase = fc
  .array(fc.oneof({ weight: 1, arbitrary: personal }, { weight: 3, arbitrary: word }), { maxLength: 20 })
  .map((words) => words.join(' '));
const structure = fc.dictionary(
  fc.string({ maxLength: 5 }),
  fc.oneof(
    phrase,
    fc.array(phrase, { maxLength: 3 }),
    fc.integer().map((own) => own / 8),
    fc.boolean(),
  ),
  {
    maxKeys: 5,
    noNullPrototype: true,
  },
);
const leak = /jane@|4111 1111|901820|0532 0130/;

/** The text cut into pieces of at most `size` characters. */
const cut = (text: string, size: number): readonly string[] => text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [''];

/** Bytes through the redactor, `size` at a time; the events that come out. */
// biome-ignore lint/suspicious/noExplicitAny: events have every shape.
function passed(events: readonly object[], size = 37): readonly any[] {
  const stream = new EventRedactor(redactor);
  const bytes = Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(stream.push(bytes.subarray(at, at + size)));
  out.push(stream.flush());
  return Buffer.concat(out)
    .toString('utf8')
    .split('\n\n')
    .flatMap((one) => (one === '' ? [] : [JSON.parse(one.slice(one.indexOf('data: ') + 6)) as object]));
}

describe('JSON that comes in pieces', () => {
  it('stays JSON, loses its personal data, and is the same whatever the pieces are', () => {
    fc.assert(
      fc.property(structure, fc.integer({ min: 1, max: 30 }), fc.constantFrom(0, 2), (value, size, indent) => {
        const text = JSON.stringify(value, null, indent);
        const stream = new JsonRedactor(redactor, true);
        const result =
          cut(text, size)
            .map((piece) => stream.push(piece))
            .join('') + stream.flush();
        const whole = redactWhole(redactor, text, true);
        expect(JSON.parse(result)).toEqual(JSON.parse(whole));
        expect(whole).not.toMatch(leak);
        if (!leak.test(text)) expect(JSON.parse(result)).toEqual(value);
      }),
      { numRuns: 400, verbose: 1 },
    );
  });

  it.each([
    ['{"to":"bob\\u0040mail.example"}', '{"to":"[EMAIL]"}'],
    [
      '{"note":"a\\nbob@mail.example","n":4111111111111111,"at":1700000000003}',
      '{"note":"a\\n[EMAIL]","n":"[CREDIT_CARD]","at":1700000000003}',
    ],
    ['{"bob@mail.example":1}', '{"[EMAIL]":1}'],
    ['{"x":0.30000000000000004,"y":-1e9,"z":[true,null]}', '{"x":0.30000000000000004,"y":-1e9,"z":[true,null]}'],
    ['bob@mail.example, no JSON', '[EMAIL], no JSON'],
    ['{"a": bob@mail.example and +49 30 901820 44', '{"a": [EMAIL] and [PHONE]'],
    ['{"a":"bob@mail.exam', '{"a":"[EMAIL]'],
  ])('%j becomes %j', (text, expected) => expect(redactWhole(redactor, text, true)).toBe(expected));

  it('a text that only begins like JSON is redacted as text', () => {
    expect(redactWhole(redactor, '[Note] bob@mail.example\nsays "hi\nthere"')).toBe('[Note] [EMAIL]\nsays "hi\nthere"');
    expect(redactWhole(redactor, '```json\n{"a":"x\\nbob@mail.example"}\n```')).toBe(
      '```json\n{"a":"x\\n[EMAIL]"}\n```',
    );
  });
});

describe('streams of chat completions', () => {
  it('are redacted in every choice, thought and tool call, wherever they are cut', () => {
    fc.assert(
      fc.property(
        phrase,
        phrase,
        structure,
        structure,
        fc.integer({ min: 1, max: 40 }),
        (said, thought, first, second, size) => {
          const event = (index: number, delta: object, reason: string | null = null) => ({
            id: 'c',
            choices: [{ index, delta, finish_reason: reason }],
          });
          const [one, two] = [JSON.stringify(first), JSON.stringify(second)];
          const call = (index: number, written: string) => ({
            tool_calls: [{ index, function: { arguments: written } }],
          });
          const calls = [cut(one, size), cut(two, size)] as const;
          const events: object[] = [];
          for (const piece of cut(thought, size)) events.push(event(1, { reasoning_content: piece }));
          for (const piece of cut(said, size)) events.push(event(0, { content: piece }), event(1, { content: piece }));
          events.push(
            event(1, { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] }),
          );
          // Two calls side by side.
          for (let at = 0; at < Math.max(calls[0].length, calls[1].length); at += 1)
            for (const index of [0, 1] as const) events.push(event(1, call(index, calls[index][at] ?? '')));
          events.push(event(0, {}, 'stop'), event(1, {}, 'tool_calls'));
          const texts = { said0: '', said1: '', thought: '', one: '', two: '' };
          const ended = new Set<number>();
          for (const { choices } of passed(events, size))
            for (const { index, delta, finish_reason: reason } of choices) {
              expect(ended.has(index)).toBe(false);
              if (reason !== null) ended.add(index);
              texts[index === 0 ? 'said0' : 'said1'] += delta.content ?? '';
              texts.thought += delta.reasoning_content ?? '';
              for (const own of delta.tool_calls ?? [])
                texts[own.index === 0 ? 'one' : 'two'] += own.function.arguments ?? '';
            }
          const expected = redactWhole(redactor, said);
          expect([texts.said0, texts.said1, texts.thought]).toEqual([
            expected,
            expected,
            redactWhole(redactor, thought),
          ]);
          expect(JSON.parse(texts.one)).toEqual(JSON.parse(redactWhole(redactor, one, true)));
          expect(JSON.parse(texts.two)).toEqual(JSON.parse(redactWhole(redactor, two, true)));
          expect(Object.values(texts).join('\n')).not.toMatch(leak);
        },
      ),
      { numRuns: 200, verbose: 1 },
    );
  });

  it('bring a thought to its end before the answer begins, and lose their logprobs', () => {
    const delta = (one: object) => ({ choices: [{ index: 0, delta: one, finish_reason: null }] });
    const out = passed([
      delta({ reasoning: 'ask bob@mail.' }),
      delta({ reasoning: 'example', content: '' }),
      {
        choices: [
          { index: 0, delta: { content: 'hi' }, logprobs: { content: [{ token: 'bob@' }] }, finish_reason: 'stop' },
        ],
      },
    ]);
    expect(out.map(({ choices }) => choices[0].delta.reasoning ?? choices[0].delta.content)).toEqual([
      '',
      '',
      'ask [EMAIL]',
      'hi',
    ]);
    expect(JSON.stringify(out)).not.toContain('token');
  });
});

describe('streams of Anthropic messages', () => {
  it('are redacted in texts, thoughts and the input of tools', () => {
    const delta = (index: number, one: object) => ({ type: 'content_block_delta', index, delta: one });
    const stop = (index: number) => ({ type: 'content_block_stop', index });
    const out = passed([
      { type: 'message_start', message: { content: [] } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: 'mail jane' } },
      delta(0, { type: 'thinking_delta', thinking: '@mail.ex' }),
      delta(0, { type: 'thinking_delta', thinking: 'ample' }),
      delta(0, { type: 'signature_delta', signature: 'bob@mail.example' }),
      stop(0),
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: 'jane@mail.example' } },
      stop(1),
      { type: 'content_block_start', index: 2, content_block: { type: 'tool_use', id: 't', name: 'f', input: {} } },
      delta(2, { type: 'input_json_delta', partial_json: '{"to":"jane' }),
      delta(2, { type: 'input_json_delta', partial_json: '\\u0040mail.example","n":41111111' }),
      delta(2, { type: 'input_json_delta', partial_json: '11111111}' }),
      stop(2),
      { type: 'message_delta', delta: { stop_reason: 'tool_use' } },
      { type: 'message_stop' },
    ]);
    const texts: string[] = [];
    let open = -1;
    for (const { type, index, content_block: block, delta: own } of out) {
      if (type === 'content_block_start') open = index;
      if (type === 'content_block_stop') open = -1;
      if (type === 'content_block_delta') expect(index).toBe(open);
      if (index !== undefined)
        texts[index] =
          `${texts[index] ?? ''}${block?.text ?? block?.thinking ?? ''}${own?.text ?? own?.thinking ?? own?.partial_json ?? ''}`;
    }
    expect(texts).toEqual(['mail [EMAIL]', '[EMAIL]', '{"to":"[EMAIL]","n":"[CREDIT_CARD]"}']);
    expect(out.at(-1)).toEqual({ type: 'message_stop' });
  });
});

describe('streams of responses', () => {
  it('are redacted in deltas and in what repeats them, and stay numbered', () => {
    let number = 0;
    const event = (type: string, more: object) => {
      number += 1;
      return { type: `response.${type}`, sequence_number: number - 1, ...more };
    };
    const at = { item_id: 'm', output_index: 0, content_index: 0 };
    const of = { item_id: 'f', output_index: 1 };
    const text = 'Write to jane@mail.example';
    const out = passed([
      event('created', { response: { output: [] } }),
      event('reasoning_summary_text.delta', { item_id: 'r', output_index: 0, summary_index: 0, delta: 'jane@mail' }),
      event('reasoning_summary_text.delta', { item_id: 'r', output_index: 0, summary_index: 0, delta: '.example' }),
      event('reasoning_summary_text.done', {
        item_id: 'r',
        output_index: 0,
        summary_index: 0,
        text: 'jane@mail.example',
      }),
      event('output_text.delta', { ...at, delta: text.slice(0, 12) }),
      event('output_text.delta', { ...at, delta: text.slice(12) }),
      event('output_text.done', { ...at, text }),
      event('function_call_arguments.delta', { ...of, delta: '{"to":"jane@ma' }),
      event('function_call_arguments.delta', { ...of, delta: 'il.example"}' }),
      event('function_call_arguments.done', { ...of, arguments: '{"to":"jane@mail.example"}' }),
      event('output_item.done', {
        output_index: 1,
        item: { type: 'function_call', arguments: '{"to":"jane@mail.example"}' },
      }),
      event('completed', { response: { output: [{ content: [{ type: 'output_text', text }] }] } }),
    ]);
    const joined = (type: string): string =>
      out
        .filter((one) => one.type === `response.${type}`)
        .map((one) => one.delta)
        .join('');
    expect(joined('output_text.delta')).toBe('Write to [EMAIL]');
    expect(joined('reasoning_summary_text.delta')).toBe('[EMAIL]');
    expect(joined('function_call_arguments.delta')).toBe('{"to":"[EMAIL]"}');
    expect(JSON.stringify(out)).not.toContain('jane@');
    expect(out.map((one) => one.sequence_number)).toEqual(out.map((_one, index) => index));
    expect(out.at(-1).type).toBe('response.completed');
  });
});

describe('whole calls and answers', () => {
  const data = 'jane@mail.example';
  it.each([
    [
      'chat',
      {
        choices: [0, 1].map((index) => ({
          index,
          message: {
            content: data,
            reasoning_content: data,
            tool_calls: [{ id: 'x', function: { name: 'f', arguments: `{"a":"${data}"}` } }],
          },
        })),
      },
    ],
    [
      'messages',
      {
        content: [
          { type: 'thinking', thinking: data },
          { type: 'text', text: data },
          { type: 'tool_use', input: { to: { name: data }, all: [data] } },
        ],
      },
    ],
    [
      'responses',
      {
        output: [
          { type: 'reasoning', summary: [{ text: data }] },
          { type: 'message', content: [{ text: data }, { refusal: data }] },
          { type: 'function_call', arguments: `{"a":"${data}"}` },
          { type: 'custom_tool_call', input: data },
        ],
      },
    ],
  ])('an answer of %s loses all of it', (_format, answer) => {
    const text = JSON.stringify(redactedAnswer(answer, redactor));
    expect(text).not.toContain(data);
    expect(text.match(/\[EMAIL\]/g)?.length).toBe(JSON.stringify(answer).split(data).length - 1);
  });

  it('a call loses what its user wrote, and nothing that is no text', () => {
    const call = {
      model: 'm',
      user: data,
      metadata: { who: data },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: data },
            { type: 'image_url', image_url: { url: `https://x.example/${data}` } },
          ],
        },
        { role: 'assistant', tool_calls: [{ id: data, function: { name: 'f', arguments: `{"a":"x\\n${data}"}` } }] },
        { role: 'assistant', content: [{ type: 'tool_use', input: { deep: [{ to: data }] } }] },
        { role: 'user', content: [{ type: 'document', source: { type: 'text', data } }] },
      ],
    };
    const next = redactedCall(call, redactor) as typeof call;
    expect(JSON.stringify(next).split(data).length - 1).toBe(2);
    expect(next.messages[1]?.tool_calls?.[0]?.function.arguments).toBe('{"a":"x\\n[EMAIL]"}');
    const clean = { model: 'm', messages: [{ role: 'user', content: '{"a":"\\u00e9"}' }] };
    expect(redactedCall(clean, redactor)).toBe(clean);
  });
});
