/** A Bailiwick in a process of its own, on one address and one data folder, to be killed, frozen and started again. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  findFreePorts,
  makeTemporaryFolder,
  type ServerProcess,
  startProcess,
  waitUntilReady,
} from '../servers/processes.js';
import { repositoryRoot } from './harness.js';

export interface BailiwickProcess {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly directory: string;
  /** Of the main process. */
  readonly pid: number;
  /** SIGKILL, and wait for the end. */
  kill(): Promise<void>;
  /** The same data folder and port again. */
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** What the present process wrote, the last 64 KiB. */
  log(): string;
  dispose(): Promise<void>;
}

export async function startBailiwickProcess(
  environment: Readonly<Record<string, string>> = {},
): Promise<BailiwickProcess> {
  const directory = await makeTemporaryFolder('process');
  const [port = 0] = await findFreePorts(1);
  const url = `http://127.0.0.1:${port}`;
  let running: ServerProcess | undefined;
  const start = async (): Promise<void> => {
    running = startProcess(process.execPath, [join(repositoryRoot, 'dist/bailiwick.mjs'), '--no-demo'], {
      env: {
        ...{ BAILIWICK_PORT: String(port), BAILIWICK_DATA_DIR: directory, BAILIWICK_LOG_LEVEL: 'error' },
        BAILIWICK_EMBEDDING_DIR: join(directory, 'none'),
        ...environment,
      },
    });
    const isReady = async (): Promise<boolean> => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true;
    await waitUntilReady('Bailiwick', isReady, running);
  };
  await start();
  return {
    ...{ url, port, directory, start },
    get pid() {
      return running?.pid ?? 0;
    },
    token: readFileSync(join(directory, 'admin.token'), 'utf8').trim(),
    kill: async () => await running?.end('SIGKILL'),
    signal: (signal) => running?.signal(signal),
    log: () => running?.log() ?? '',
    dispose: async () => {
      running?.signal('SIGCONT');
      await running?.end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
