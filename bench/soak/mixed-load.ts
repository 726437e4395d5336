/**
 * All that a gateway meets in a day, at a steady rate: plain and fully guarded requests, LLM calls whole and streamed, WebSockets, TLS,
 * denials, clients and upstreams that break off, policies and files that change. Each kind knows what must come of it: an answer that is
 * not right is counted as a fault.
 */
import { writeFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';

export interface Target {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly token: string;
  /** The gateway's file, and what stands in it; written again and again. */
  readonly file: string;
  readonly routes: (round: number) => string;
}

export interface MixedLoad {
  /** Requests begun. */
  readonly requests: number;
  readonly byKind: ReadonlyMap<string, number>;
  /** Answers that were not what they must be, the first few in words. */
  readonly faults: number;
  readonly examples: readonly string[];
  stop(): Promise<void>;
}

interface Kind {
  readonly name: string;
  /** Of a thousand requests. */
  readonly share: number;
  readonly run: () => Promise<string | undefined>;
}

const tickMs = 20;

export function startMixedLoad(target: Target, ratePerSecond: number): MixedLoad {
  const client = new Client(target);
  const kinds = kindsOf(client, target);
  const order = kinds.flatMap((kind) => Array.from({ length: kind.share }, () => kind));
  const byKind = new Map<string, number>();
  const examples: string[] = [];
  const underWay = new Set<Promise<void>>();
  let requests = 0;
  let faults = 0;
  let owed = 0;
  const begin = (): void => {
    // A fixed step through the list mixes the kinds the same way in every run.
    const kind = order[(requests * 337) % order.length];
    if (!kind) return;
    requests += 1;
    byKind.set(kind.name, (byKind.get(kind.name) ?? 0) + 1);
    const running = kind
      .run()
      .catch((error: unknown) => String(error))
      .then((fault) => {
        underWay.delete(running);
        if (fault === undefined) return;
        faults += 1;
        if (examples.length < 10) examples.push(`${kind.name}: ${fault}`);
      });
    underWay.add(running);
  };
  const timer = setInterval(() => {
    owed += (ratePerSecond * tickMs) / 1000;
    for (; owed >= 1; owed -= 1) if (underWay.size < 200) begin();
  }, tickMs);
  return {
    get requests() {
      return requests;
    },
    get faults() {
      return faults;
    },
    byKind,
    examples,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      client.close();
    },
  };
}

interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isTls?: boolean;
}

class Client {
  readonly #target: Target;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  readonly #tlsAgent = new TlsAgent({
    keepAlive: true,
    maxSockets: 4,
    rejectUnauthorized: false,
    servername: 'localhost',
  });

  constructor(target: Target) {
    this.#target = target;
  }

  /** Undefined when the status is the wanted one and the body whole. */
  expect(status: number, path: string, ask: Ask = {}): Promise<string | undefined> {
    return new Promise((resolve) => {
      const outgoing = this.open(path, ask, (answer) => {
        answer.resume();
        answer.once('end', () =>
          resolve(answer.statusCode === status ? undefined : `${answer.statusCode} instead of ${status}`),
        );
        answer.once('error', (error) => resolve(error.message));
      });
      outgoing.once('error', (error) => resolve(error.message));
      outgoing.end(ask.body);
    });
  }

  open(path: string, { method, headers, body, isTls }: Ask, onAnswer: (answer: IncomingMessage) => void) {
    const { httpPort, httpsPort } = this.#target;
    const options: RequestOptions = {
      host: '127.0.0.1',
      port: isTls === true ? httpsPort : httpPort,
      path,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      agent: isTls === true ? this.#tlsAgent : this.#agent,
      headers: {
        ...(isTls === true ? { host: 'localhost' } : {}),
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
    };
    return isTls === true ? httpsRequest(options, onAnswer) : httpRequest(options, onAnswer);
  }

  close(): void {
    this.#agent.destroy();
    this.#tlsAgent.destroy();
  }
}

const chat = (isStream: boolean): string =>
  JSON.stringify({
    model: 'soak',
    max_tokens: 20,
    ...(isStream ? { stream: true } : {}),
    messages: [{ role: 'user', content: 'Which bicycle do you recommend for a commute with hills?' }],
  });

function kindsOf(client: Client, { token, file, routes }: Target): readonly Kind[] {
  const authorization = `Bearer ${token}`;
  const json = { authorization, 'content-type': 'application/json' };
  const key = { apikey: 'soak-key' };
  let round = 0;
  return [
    { name: 'plain', share: 300, run: () => client.expect(200, '/plain/x') },
    { name: 'plain with a body', share: 100, run: () => client.expect(200, '/plain/x', { body: 'y'.repeat(4_000) }) },
    {
      name: 'request-id, token, policy, cors, limit',
      share: 230,
      run: () => client.expect(200, '/full/x', { headers: { authorization, origin: 'http://a.example' } }),
    },
    { name: 'TLS', share: 60, run: () => client.expect(200, '/plain/x', { isTls: true }) },
    {
      name: 'chat completion',
      share: 70,
      run: () => client.expect(200, '/v1/chat/completions', { headers: key, body: chat(false) }),
    },
    {
      name: 'chat completion, streamed',
      share: 50,
      run: () => client.expect(200, '/v1/chat/completions', { headers: key, body: chat(true) }),
    },
    { name: 'no token', share: 30, run: () => client.expect(401, '/full/x') },
    {
      name: 'denied by policy',
      share: 40,
      run: () => client.expect(403, '/full/x', { method: 'DELETE', headers: json }),
    },
    { name: 'no route', share: 20, run: () => client.expect(404, '/nowhere') },
    { name: 'bad path', share: 10, run: () => client.expect(400, '/plain/%2e%2e/x') },
    { name: 'client leaves mid-request', share: 15, run: () => leaveMidRequest(client) },
    { name: 'client leaves mid-answer', share: 15, run: () => leaveMidAnswer(client) },
    { name: 'upstream dies before its answer', share: 15, run: () => client.expect(503, '/plain/die') },
    { name: 'upstream dies in its answer', share: 15, run: () => brokenAnswer(client) },
    { name: 'WebSocket', share: 20, run: () => webSocket(client) },
    {
      name: 'policy written',
      share: 8,
      run: async () => {
        round += 1;
        const body = JSON.stringify({ rego: `package other.authz\n\n# ${round}\ndefault allow := false\n` });
        // Writes that meet are one of them a conflict.
        const fault = await client.expect(200, '/policies/other?wait=applied', {
          ...{ method: 'PUT', body, headers: { ...json, 'if-match': '*' } },
        });
        return fault === undefined || /^(?:201|409|412) /.test(fault) ? undefined : fault;
      },
    },
    {
      name: 'file changed',
      share: 2,
      run: async () => {
        round += 1;
        writeFileSync(file, routes(round));
        return undefined;
      },
    },
  ];
}

function leaveMidRequest(client: Client): Promise<undefined> {
  return new Promise((resolve) => {
    const outgoing = client.open(
      '/plain/x',
      { method: 'POST', headers: { 'content-length': '50000' } },
      () => undefined,
    );
    outgoing.once('error', () => resolve(undefined));
    outgoing.once('close', () => resolve(undefined));
    outgoing.write('z'.repeat(10_000), () => setTimeout(() => outgoing.destroy(), 5));
  });
}

function leaveMidAnswer(client: Client): Promise<string | undefined> {
  return new Promise((resolve) => {
    const outgoing = client.open('/plain/slow', {}, (answer) => {
      answer.once('error', () => undefined);
      answer.once('data', () => outgoing.destroy());
      answer.once('close', () => resolve(undefined));
    });
    outgoing.once('error', (error) => resolve(error.message));
    outgoing.end();
  });
}

/** The client must see that the answer is not whole. */
function brokenAnswer(client: Client): Promise<string | undefined> {
  return new Promise((resolve) => {
    const outgoing = client.open('/plain/half', {}, (answer) => {
      answer.resume();
      answer.once('error', () => resolve(undefined));
      answer.once('end', () => resolve('half an answer looked whole'));
    });
    outgoing.once('error', () => resolve(undefined));
    outgoing.end();
  });
}

function webSocket(client: Client): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = {
      ...{ connection: 'upgrade', upgrade: 'websocket' },
      ...{ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' },
    };
    const outgoing = client.open('/socket/x', { headers }, (answer) => {
      answer.resume();
      resolve(`${answer.statusCode} instead of a WebSocket`);
    });
    outgoing.once('upgrade', (_answer, socket) => {
      let rounds = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        rounds += 1;
        if (rounds < 3) socket.write('again');
        else socket.destroy();
      });
      socket.once('close', () => resolve(rounds === 3 ? undefined : 'the WebSocket ended early'));
      socket.write('first');
    });
    outgoing.once('error', (error) => resolve(error.message));
    outgoing.end();
  });
}
