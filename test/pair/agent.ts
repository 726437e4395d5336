/**
 * What runs inside a network namespace on the test's behalf. A socket file crosses namespaces: the test asks there, over HTTP.
 * `agent.mjs client SOCKET` sends requests; `agent.mjs service PORT NAME` is a service behind the gateway that answers with its name.
 */
import { createServer, request as httpRequest, type OutgoingHttpHeaders } from 'node:http';

export interface Asked {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** For the whole of it, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface Told {
  /** 0: no answer, and `text` says why. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface LoadAsked {
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Sent in turn, each on a connection of its own. */
  readonly requests: readonly (Asked & { readonly kind: string })[];
}

export interface LoadRecord {
  readonly kind: string;
  /** Unix time in milliseconds when it was sent. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly status: number;
  /** The service that answered, or why none did. */
  readonly by: string;
}

function ask(asked: Asked): Promise<Told> {
  return new Promise((resolve) => {
    const { host, port, path, method = 'GET', headers = {}, body, timeoutMs = 2000 } = asked;
    const fail = (error: Error): void => resolve({ status: 0, headers: {}, text: error.message });
    const signal = AbortSignal.timeout(timeoutMs);
    // No agent: each request opens its own connection, as a new client would.
    const outgoing = httpRequest({ host, port, path, method, headers, agent: false, signal }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      answer.on('error', fail);
    });
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

/** Open loop: the next request is sent when it is due, whatever became of those before. */
function startLoad({ everyMs, timeoutMs, requests }: LoadAsked): { stop(): Promise<readonly LoadRecord[]> } {
  const records: LoadRecord[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  const send = async (): Promise<void> => {
    const one = requests[sent % requests.length];
    sent += 1;
    if (!one) return;
    const atMs = Date.now();
    const { status, headers, text } = await ask({ ...one, timeoutMs });
    const by = String(headers['x-service'] ?? (status === 0 ? text : ''));
    records.push({ kind: one.kind, atMs, tookMs: Date.now() - atMs, status, by });
  };
  const timer = setInterval(() => {
    const sending = send().finally(() => open.delete(sending));
    open.add(sending);
  }, everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(open);
      return records.toSorted((a, b) => a.atMs - b.atMs);
    },
  };
}

function serveClient(socketPath: string): void {
  let load: ReturnType<typeof startLoad> | undefined;
  const answer = async (path: string, body: string): Promise<unknown> => {
    switch (path) {
      case '/ask':
        return await ask(JSON.parse(body));
      case '/load/start':
        load = startLoad(JSON.parse(body));
        return {};
      case '/load/stop':
        return await load?.stop();
      default:
        throw new Error(`the agent has no ${path}`);
    }
  };
  createServer((incoming, outgoing) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    incoming.on('end', () => {
      answer(incoming.url ?? '', body).then(
        (value) => outgoing.end(JSON.stringify(value)),
        (error: unknown) => outgoing.writeHead(500).end(String(error)),
      );
    });
  }).listen(socketPath);
}

function serveService(port: number, name: string): void {
  createServer((incoming, outgoing) => {
    incoming.resume().on('end', () => outgoing.writeHead(200, { 'x-service': name }).end(`${name}\n`));
  }).listen(port, '127.0.0.1');
}

const [role = '', where = '', name = ''] = process.argv.slice(2);
if (role === 'client') serveClient(where);
else if (role === 'service') serveService(Number(where), name);
else throw new Error(`no role '${role}'`);
