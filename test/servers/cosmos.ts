/**
 * The Cosmos DB emulator `@vercel/cosmosdb-server`: a reimplementation of the REST protocol with its data in memory. Before it stands a
 * door of ours, which can be shut and can say that there are too many requests. What the real service adds (durability, request units,
 * several partitions and regions, batches that are all or nothing) can only be shown on it.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findFreePorts, runToEnd, startProcess, waitUntilReady } from './processes.js';

export interface CosmosServer {
  readonly endpoint: string;
  readonly key: string;
  /** Shuts the door: connections end, new ones are refused. */
  kill(): Promise<void>;
  /** Opens it again. */
  restart(): Promise<void>;
  /** The next so many requests are answered 429 with this wish to be asked again later. */
  throttle(requests: number, retryAfterMs: number): void;
  /** How many were, so far. */
  throttled(): number;
  stop(): Promise<void>;
}

const sources = new URL('./cosmos/', import.meta.url).pathname;
const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bailiwick', 'cosmos-emulator');

export const cosmosInstallHint = 'npm (the emulator is installed into ~/.cache/bailiwick when it is first used)';

/** Anything that has npm can have it. */
export const isCosmosInstalled = (): boolean => true;

/** Once a machine: half a minute, most of it for the download. */
export function installCosmos(): string {
  if (!existsSync(join(folder, 'node_modules', '@vercel', 'cosmosdb-server', 'package.json'))) {
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(sources, 'package.json'), join(folder, 'package.json'));
    const flags = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
    runToEnd('npm', flags, { cwd: folder, timeoutMs: 300_000 });
  }
  copyFileSync(join(sources, 'server.mjs'), join(folder, 'server.mjs'));
  return folder;
}

export async function startCosmos(): Promise<CosmosServer> {
  const installed = installCosmos();
  const [port = 0, inside = 0] = await findFreePorts(2);
  const emulator = startProcess(process.execPath, ['server.mjs', String(inside)], { cwd: installed });
  await waitUntilReady('the Cosmos DB emulator', async () => (await fetch(`http://127.0.0.1:${inside}/`)).ok, emulator);
  let [toThrottle, wasThrottled, retryAfterMs] = [0, 0, 0];
  const open = async (): Promise<Server> => {
    const door = createServer((incoming, outgoing) => {
      if (toThrottle > 0) {
        toThrottle -= 1;
        wasThrottled += 1;
        incoming.resume();
        const headers = { 'content-type': 'application/json', 'x-ms-retry-after-ms': String(retryAfterMs) };
        outgoing.writeHead(429, headers).end('{"code":"429","message":"Request rate is large"}');
        return;
      }
      const { method, url, headers } = incoming;
      const onward = request({ host: '127.0.0.1', port: inside, method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve, reject) => door.once('error', reject).listen(port, '127.0.0.1', resolve));
    return door;
  };
  let door = await open();
  const shut = async (): Promise<void> => {
    door.closeAllConnections();
    await new Promise((resolve) => door.close(resolve));
  };
  return {
    endpoint: `http://127.0.0.1:${port}/`,
    // Any will do: the emulator checks no signature.
    key: Buffer.from('the emulator checks no key').toString('base64'),
    kill: shut,
    async restart() {
      if (!door.listening) door = await open();
    },
    throttle(requests, milliseconds) {
      [toThrottle, retryAfterMs] = [requests, milliseconds];
    },
    throttled: () => wasThrottled,
    async stop() {
      await shut();
      await emulator.end();
    },
  };
}
