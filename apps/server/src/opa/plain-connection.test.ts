import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonBody } from '../http/json-body.js';
import { PlainConnection } from './plain-connection.js';

const plain = (body: string): string =>
  `POST /v1/data/a HTTP/1.1\r\nHost: a\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const other = 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n';

let server: Server;
let port = 0;
let keepAliveMs = 60_000;
let maxBodyBytes = 1_000;
let answer: (body: string) => JsonBody | Promise<JsonBody>;
const connections: PlainConnection[] = [];

beforeEach(async () => {
  keepAliveMs = 60_000;
  maxBodyBytes = 1_000;
  answer = (body) => `plain:${body}`;
  connections.length = 0;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end(`node:${request.method}:${Buffer.concat(chunks).toString()}`));
  });
  const [handOver] = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    connections.push(
      new PlainConnection(socket, {
        ...{ maxBodyBytes, keepAliveMs },
        answer: (_head, body) => answer(body.toString()),
        handOver: (taken) => handOver?.call(server, taken),
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

class Client {
  readonly socket = connect(port, '127.0.0.1');
  text = '';
  readonly closed: Promise<void>;

  constructor() {
    this.socket.setNoDelay(true);
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString();
    });
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  /** Resolves when the server, which runs in the same process, has read it. */
  async send(text: string): Promise<void> {
    await new Promise((resolve) => this.socket.write(text, resolve));
    for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The bodies of all answers so far. */
  get answers(): readonly string[] {
    return [...this.text.matchAll(/(?:plain|node):[^\r\n]*?(?=HTTP\/1\.1|$)/g)].map(([body]) => body);
  }

  async gets(...answers: readonly string[]): Promise<void> {
    await vi.waitFor(() => expect(this.answers).toEqual(answers), { timeout: 3_000, interval: 2 });
  }
}

describe('a connection of plain calls', () => {
  it('answers one after the other, with a head that HTTP knows', async () => {
    const client = new Client();
    client.socket.write(plain('1'));
    await client.gets('plain:1');
    client.socket.write(plain('2'));
    await client.gets('plain:1', 'plain:2');
    expect(client.text).toMatch(
      /^HTTP\/1\.1 200 OK\r\ncontent-type: application\/json\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\ncontent-length: 7\r\n\r\nplain:1HTTP/,
    );
    client.socket.destroy();
  });

  it('counts the bytes of a body beyond ASCII', async () => {
    answer = () => Buffer.from('plain:ä€');
    const answered = await fetch(`http://127.0.0.1:${port}/v1/data/a`, { method: 'POST', body: '{}' });
    expect(await answered.text()).toBe('plain:ä€');
    expect(answered.headers.get('content-length')).toBe('11');
  });

  it('answers many connections at once', async () => {
    const clients = Array.from({ length: 20 }, () => new Client());
    for (const [at, { socket }] of clients.entries()) socket.write(plain(String(at)));
    await Promise.all(clients.map((client, at) => client.gets(`plain:${at}`)));
    for (const { socket } of clients) socket.destroy();
  });

  it.each([
    ['half a head', plain('1').slice(0, 20), plain('1').slice(20), ['node:POST:1']],
    [
      'half a body and more than the other half',
      plain('12').slice(0, -1),
      `2${plain('3')}`,
      ['node:POST:12', 'node:POST:3'],
    ],
    ['another call', other, '', ['node:GET:']],
    ['two calls at once', plain('1') + plain('2'), '', ['node:POST:1', 'node:POST:2']],
    [
      'a call and half of another',
      plain('1') + plain('2').slice(0, 30),
      plain('2').slice(30),
      ['node:POST:1', 'node:POST:2'],
    ],
    ['more than is allowed', plain('1'.repeat(1_001)), '', [`node:POST:${'1'.repeat(1_001)}`]],
  ])('is Node’s from %s on', async (_what, first, second, answers) => {
    const client = new Client();
    client.socket.write(plain('0'));
    await client.gets('plain:0');
    await client.send(first);
    await client.send(second);
    await client.gets('plain:0', ...answers);
    client.socket.write(plain('9'));
    await client.gets('plain:0', ...answers, 'node:POST:9');
    client.socket.destroy();
  });

  it('waits for a body that comes after its head, or in packets', async () => {
    const client = new Client();
    const text = plain('1234');
    for (const [at, cut] of [text.length - 4, text.length - 1].entries()) {
      await client.send(text.slice(0, cut));
      await client.send(text.slice(cut));
      await client.gets(...Array.from({ length: at + 1 }, () => 'plain:1234'));
    }
    for (const piece of [text.slice(0, -4), '1', '2', '3', '4']) await client.send(piece);
    await client.gets('plain:1234', 'plain:1234', 'plain:1234');
    client.socket.destroy();
  });

  it('hands over a body in crumbs, and one that says it is large', async () => {
    const body = 'x'.repeat(100);
    const crumbs = new Client();
    await crumbs.send(plain(body).slice(0, -100));
    for (const crumb of body) await crumbs.send(crumb);
    await crumbs.gets(`node:POST:${body}`);
    crumbs.socket.destroy();
    maxBodyBytes = 1_000_000;
    const large = new Client();
    await large.send(plain('x'.repeat(70_000)).slice(0, 1_000));
    await large.send(plain('x'.repeat(70_000)).slice(1_000));
    await large.gets(`node:POST:${'x'.repeat(70_000)}`);
    large.socket.destroy();
  });

  it('ends when a client goes in the middle of a body', async () => {
    const client = new Client();
    await client.send(plain('12').slice(0, -1));
    client.socket.end();
    await client.closed;
    expect(client.text).toBe('');
  });

  it('hands a call over that it cannot answer, at once or later', async () => {
    answer = (body) => {
      if (body === '1') throw new Error('no');
      return Promise.reject(new Error('no'));
    };
    for (const body of ['1', '2']) {
      const client = new Client();
      client.socket.write(plain(body));
      await client.gets(`node:POST:${body}`);
      client.socket.destroy();
    }
  });

  it('keeps the order when the next comes before a slow answer', async () => {
    let settle = (): void => undefined;
    answer = (body) => (body === '1' ? new Promise((resolve) => (settle = () => resolve('plain:1'))) : `plain:${body}`);
    for (const [next, answered] of [
      [plain('2'), 'plain:2'],
      [other, 'node:GET:'],
    ] as const) {
      const client = new Client();
      await client.send(plain('1'));
      await client.send(next);
      expect(client.text).toBe('');
      settle();
      await client.gets('plain:1', answered);
      client.socket.destroy();
    }
  });

  it('answers whoever has said that he says no more, and ends', async () => {
    for (const make of [(body: string) => `plain:${body}`, async (body: string) => `plain:${body}`]) {
      answer = make;
      const client = new Client();
      client.socket.end(plain('1'));
      await client.closed;
      expect(client.answers).toEqual(['plain:1']);
    }
  });

  it('ends when nobody asks for long', async () => {
    keepAliveMs = 50;
    const client = new Client();
    client.socket.write(plain('1'));
    await client.closed;
    expect(client.answers).toEqual(['plain:1']);
  });

  it('closes at once while idle, and after the answer otherwise', async () => {
    const idle = new Client();
    idle.socket.write(plain('1'));
    await idle.gets('plain:1');
    connections[0]?.close();
    await idle.closed;
    let settle = (): void => undefined;
    answer = () => new Promise((resolve) => (settle = () => resolve('plain:late')));
    const waiting = new Client();
    await waiting.send(plain('2'));
    expect(connections).toHaveLength(2);
    connections[1]?.close();
    settle();
    await waiting.closed;
    expect(waiting.answers).toEqual(['plain:late']);
  });

  it('stops reading from whoever does not read', async () => {
    const large = 'x'.repeat(1_000_000);
    let calls = 0;
    answer = () => {
      calls += 1;
      return `plain:${large}`;
    };
    const client = new Client();
    client.socket.pause();
    client.socket.write(plain('0'));
    await vi.waitFor(() => expect(calls).toBe(1));
    for (let at = 1; at < 50; at += 1) {
      client.socket.write(plain(String(at)));
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    expect(calls).toBeLessThan(20);
    client.socket.resume();
    await vi.waitFor(() => expect(client.text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(50), { timeout: 5_000 });
    client.socket.destroy();
  });
});
