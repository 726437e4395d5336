/** Starts real servers as child processes: free ports, a wait for readiness, and an end by the process's own id. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ServerProcess {
  readonly pid: number;
  /** What it wrote, the last 64 KiB. */
  log(): string;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

const maxLogChars = 65_536;
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Has the kernel end the server with us: a test runner that is killed runs no exit handlers. */
const withParent = ['--pdeathsig', 'KILL', '--'];
const canFollowParent = spawnSync('setpriv', [...withParent, 'true'], { stdio: 'ignore' }).status === 0;

export function startProcess(
  command: string,
  parameters: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): ServerProcess {
  const [program, all] = canFollowParent
    ? ['setpriv', [...withParent, command, ...parameters]]
    : [command, [...parameters]];
  const child = spawn(program, all, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  running.add(child);
  let text = '';
  const keep = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-maxLogChars);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      text += String(error);
      resolve();
    });
    child.once('exit', () => resolve());
  }).then(() => void running.delete(child));
  const isRunning = (): boolean => running.has(child) && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    log: () => text,
    isRunning,
    signal: (signal) => void child.kill(signal),
    async end(signal = 'SIGKILL') {
      if (isRunning()) child.kill(signal);
      await ended;
    },
  };
}

// Below the range that systems give to outgoing connections: those of other tests cannot take a port before its server listens.
const lowestPort = 15_000;
const highestPort = 32_000;

/** Ports nobody listens on at this moment, on 127.0.0.1. */
export async function findFreePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  while (held.length < count) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(randomInt(lowestPort, highestPort), '127.0.0.1', () => resolve(true));
    });
    if (isFree) held.push(server);
  }
  const ports = held.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export function makeTemporaryFolder(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `bailiwick-${name}-`));
}

/** Polls until `isReady` says so. Errors: after `timeoutMs`, or at once when the process has ended, with its log. */
export async function waitUntilReady(
  what: string,
  isReady: () => Promise<boolean>,
  server?: ServerProcess,
  timeoutMs = 60_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await isReady().catch(() => false)) return;
    if (server && !server.isRunning()) throw new Error(`${what} ended before it was ready:\n${server.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} was not ready after ${timeoutMs} ms:\n${server?.log() ?? ''}`);
}

/** Whether the program can be run at all. */
export function canRun(command: string, parameters: readonly string[] = ['--version']): boolean {
  return spawnSync(command, parameters, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

/** Runs to its end. Errors: with what it wrote, when it fails. */
export function runToEnd(
  command: string,
  parameters: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly timeoutMs?: number } = {},
): string {
  const result = spawnSync(command, parameters, {
    encoding: 'utf8',
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ${parameters.join(' ')} failed: ${result.error ?? ''}${result.stderr}${result.stdout}`);
}
