/** What stands behind the gateway under mixed load: a service that answers, streams, stalls and dies, and a stand-in LLM, which is no model. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Upstreams {
  readonly servicePort: number;
  readonly llmPort: number;
  stop(): void;
}

export async function startUpstreams(): Promise<Upstreams> {
  const service = createServer(serve);
  service.on('upgrade', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
  const llm = createServer(speak);
  return {
    servicePort: await listen(service),
    llmPort: await listen(llm),
    stop: () => {
      for (const server of [service, llm]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const page = 'x'.repeat(2_000);

function serve(request: IncomingMessage, response: ServerResponse): void {
  request.on('error', () => undefined);
  request.resume();
  const path = request.url ?? '';
  if (path.endsWith('/die')) request.socket.destroy();
  else if (path.endsWith('/half')) {
    response.writeHead(200, { 'content-length': 5_000 });
    response.write(page, () => request.socket.destroy());
  } else if (path.endsWith('/slow')) {
    response.writeHead(200);
    const timer = setInterval(() => response.write(page), 20);
    response.once('close', () => clearInterval(timer));
  } else request.once('end', () => response.end(page));
}

const usage = { prompt_tokens: 24, completion_tokens: 6, total_tokens: 30 };
const common = { id: 'chatcmpl-1', created: 1, model: 'soak' };
const whole = JSON.stringify({
  ...common,
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'I am a stand-in.' }, finish_reason: 'stop' }],
  usage,
});
const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const part = (delta: object, finish: string | null): string =>
  event({
    ...common,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...(finish === null ? {} : { usage }),
  });

function speak(request: IncomingMessage, response: ServerResponse): void {
  let text = '';
  request.on('error', () => undefined);
  request.on('data', (chunk) => {
    text += String(chunk);
  });
  request.once('end', () => {
    if (!text.includes('"stream":true')) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(whole);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const parts = [part({ content: 'I am ' }, null), part({ content: 'a stand-in.' }, null), part({}, 'stop')];
    const next = (): void => {
      const one = parts.shift();
      if (one === undefined) response.end('data: [DONE]\n\n');
      else response.write(one, () => setTimeout(next, 2));
    };
    next();
  });
}
