/**
 * A stand-in for providers of language models: answers as they document it, streams, calls tools, fails, is slow, breaks off and lies about
 * its length, as the test tells it. No model is behind it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface LlmRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read bodies of every shape.
  readonly body: any;
}

export type Behaviour = (request: LlmRequest, response: ServerResponse) => void | Promise<void>;

export interface LlmStandIn {
  readonly url: string;
  readonly seen: readonly LlmRequest[];
  /** Requests whose client went before the answer had ended. */
  readonly aborted: number;
  behave(behaviour: Behaviour): void;
  reset(): void;
  stop(): Promise<void>;
}

export async function startLlmStandIn(first: Behaviour = chat()): Promise<LlmStandIn> {
  const seen: LlmRequest[] = [];
  let aborted = 0;
  let behaviour = first;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    response.once('close', () => {
      if (!response.writableFinished) aborted += 1;
    });
    const one = { path: request.url ?? '', headers: request.headers, text, body: parse(text) };
    seen.push(one);
    await behaviour(one, response);
  };
  const server: Server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    seen,
    get aborted() {
      return aborted;
    },
    behave: (next) => {
      behaviour = next;
    },
    reset: () => {
      seen.length = 0;
      aborted = 0;
      behaviour = first;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Behaviour =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

export const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** Chat completions, whole or as a stream of `pieces`, as the request asks. */
export function chat(
  pieces: readonly string[] = ['Hel', 'lo ', 'there'],
  about: { usage?: object | null } = {},
): Behaviour {
  return (request, response) => {
    if (request.body?.stream === true)
      return events(chatEvents(pieces, request.body.model, about.usage))(request, response);
    return json(200, {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: request.body?.model,
      choices: [{ index: 0, message: { role: 'assistant', content: pieces.join('') }, finish_reason: 'stop' }],
      usage: about.usage ?? usage,
    })(request, response);
  };
}

export function chatEvents(
  pieces: readonly string[],
  model = 'gpt-x',
  reported: object | null = usage,
): readonly string[] {
  const event = (choices: unknown, more: object = {}): string =>
    `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices, ...more })}\n\n`;
  return [
    event([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]),
    ...pieces.map((content) => event([{ index: 0, delta: { content }, finish_reason: null }])),
    event([{ index: 0, delta: {}, finish_reason: 'stop' }]),
    ...(reported === null ? [] : [event([], { usage: reported })]),
    'data: [DONE]\n\n',
  ];
}

/** A stream of these texts; `between` is awaited before each but the first. */
export const events =
  (list: readonly string[], between: () => Promise<void> = async () => undefined): Behaviour =>
  async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const [index, text] of list.entries()) {
      if (index > 0) await between();
      if (response.destroyed) return;
      response.write(text);
    }
    response.end();
  };

/** Sends the head and some events, then breaks the connection. */
export const brokenStream =
  (list: readonly string[]): Behaviour =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const text of list) response.write(text);
    setImmediate(() => setImmediate(() => response.destroy()));
  };

/** Says more bytes than it sends. */
export const lyingLength =
  (body: string): Behaviour =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(body.length + 50) });
    response.write(body);
    setImmediate(() => setImmediate(() => response.destroy()));
  };

/** Takes the request and never answers. */
export const silent: Behaviour = () => undefined;
