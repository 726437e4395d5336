/**
 * Clients of streams in a process of their own, for `propagation-sdk.ts`: SDKs, each with its own connection, copy and compiling, and light ones that
 * note when the bytes are there. Times are milliseconds since 1970, so that they mean the same in every process.
 */
import { connect, type Socket } from 'node:net';
import { type Client, createClient } from '@bailiwick/sdk';

export interface ClientsWanted {
  readonly url: string;
  readonly apiKey: string;
  readonly sdks: number;
  readonly streams: number;
}

/** All clients of the process have the value. */
export interface ClientsReached {
  readonly value: number;
  readonly sdks: readonly number[];
  readonly streams: readonly number[];
}

export type ClientsMessage =
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'reached' } & ClientsReached)
  | { readonly kind: 'ended'; readonly refetches: number; readonly reconnects: number };

export const nowMs = (): number => performance.timeOrigin + performance.now();
const say = (message: ClientsMessage): void => void process.send?.(message);

class Tally {
  readonly #clients: number;
  readonly #times = new Map<number, { sdks: number[]; streams: number[] }>();

  constructor(clients: number) {
    this.#clients = clients;
  }

  note(kind: 'sdks' | 'streams', value: number): void {
    const times = this.#times.get(value) ?? { sdks: [], streams: [] };
    this.#times.set(value, times);
    times[kind].push(nowMs());
    if (times.sdks.length + times.streams.length < this.#clients) return;
    this.#times.delete(value);
    say({ kind: 'reached', value, ...times });
  }
}

/** Runs until the parent says `end`. */
export function runClients(): void {
  let clients: readonly Client[] = [];
  let sockets: readonly Socket[] = [];
  const take = async (message: ClientsWanted | 'end'): Promise<void> => {
    if (message !== 'end') {
      const tally = new Tally(message.sdks + message.streams);
      sockets = await openStreams(message, (value) => tally.note('streams', value));
      clients = await openSdks(message, (value) => tally.note('sdks', value));
      say({ kind: 'ready' });
      return;
    }
    const counters = clients.map((client) => client.counters());
    const sum = (of: 'refetches' | 'reconnects'): number => counters.reduce((all, one) => all + one[of], 0);
    say({ kind: 'ended', refetches: sum('refetches'), reconnects: sum('reconnects') });
    await Promise.all(clients.map((client) => client.close()));
    for (const socket of sockets) socket.destroy();
    process.disconnect();
  };
  process.on('message', (message: ClientsWanted | 'end') => void take(message));
}

async function openSdks({ url, apiKey, sdks }: ClientsWanted, onValue: (value: number) => void): Promise<Client[]> {
  const clients: Client[] = [];
  // In portions, as they would come: not all connections in one moment.
  for (let n = 0; n < sdks; n += 1) {
    const client = createClient({ url, apiKey, sendsUsage: false });
    clients.push(client);
    if (n % 25 === 24 || n === sdks - 1) await client.ready({ timeoutMs: 60_000, mustBeLive: true });
  }
  await Promise.all(clients.map((client) => client.ready({ timeoutMs: 60_000, mustBeLive: true })));
  for (const client of clients) client.on('change', () => onValue(client.config('count', -1)));
  return clients;
}

async function openStreams(about: ClientsWanted, onValue: (value: number) => void): Promise<Socket[]> {
  const { hostname, port } = new URL(about.url);
  const sockets: Socket[] = [];
  for (let n = 0; n < about.streams; n += 1) {
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    socket.setEncoding('utf8').on('error', () => undefined);
    const head = [`Host: ${hostname}`, `Authorization: Bearer ${about.apiKey}`, 'Accept: text/event-stream'];
    socket.write(`GET /api/v1/environment/stream HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
    await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    socket.on('data', (text: string) => {
      const [, value] = /event: patch[\s\S]*"key":"count","value":(\d+)/.exec(text) ?? [];
      if (value !== undefined) onValue(Number(value));
    });
  }
  return sockets;
}
