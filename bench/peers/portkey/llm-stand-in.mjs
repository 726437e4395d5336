// The stand-in LLM of the benchmark: one fixed chat completion, whole or as a stream of 20 events a millisecond apart. Port as argument.
import { createServer } from 'node:http';

const usage = { prompt_tokens: 24, completion_tokens: 20, total_tokens: 44 };
const answer = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-bench',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'Hello, this is the stand-in. '.repeat(8) },
      finish_reason: 'stop',
    },
  ],
  usage,
});
const event = (delta, finish) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-bench', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const events = [
  ...Array.from({ length: 20 }, (_, index) => event({ content: `word${index} ` }, null)),
  event({}, 'stop'),
  'data: [DONE]\n\n',
];

createServer((request, response) => {
  let isStream = false;
  request.on('data', (chunk) => {
    isStream ||= chunk.includes('"stream":true');
  });
  request.on('end', () => {
    if (!isStream) {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
        .end(answer);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let at = 0;
    const next = () => {
      if (at === events.length) return response.end();
      response.write(events[at++]);
      setTimeout(next, 1);
    };
    next();
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
