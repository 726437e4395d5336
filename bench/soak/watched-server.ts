/** A Bailiwick in a process of its own that says what memory it holds after a full collection. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface WatchedServer {
  readonly url: string;
  readonly token: string;
  /** Of the kernel: resident bytes now; of Node: what is left after a collection. */
  memory(): Promise<{ readonly rss: number; readonly heap: number }>;
  /** Seconds of processor time so far. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** `directory` is its data folder; the caller removes it. Rejects with what it wrote when it does not become ready. */
export async function startWatchedServer(
  root: string,
  directory: string,
  ports: { readonly http: number; readonly https: number },
  environment: Readonly<Record<string, string>>,
): Promise<WatchedServer> {
  const preload = join(root, 'bench', 'soak', 'memory-reporter.mjs');
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--import', preload, join(root, 'dist', 'bailiwick.mjs'), '--no-demo'],
    {
      env: {
        PATH: process.env['PATH'],
        ...{ BAILIWICK_PORT: String(ports.http), BAILIWICK_TLS_PORT: String(ports.https) },
        ...{ BAILIWICK_DATA_DIR: directory, BAILIWICK_LOG_LEVEL: 'silent', ...environment },
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${ports.http}`;
  const end = Date.now() + 30_000;
  while (!(await isReady(url))) {
    if (child.exitCode !== null || Date.now() > end) {
      child.kill('SIGKILL');
      throw new Error('the server did not become ready');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    token: readFileSync(join(directory, 'admin.token'), 'utf8').trim(),
    memory: () => memoryOf(child),
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`).then(
    (answer) => answer.ok,
    () => false,
  );

async function memoryOf(child: ChildProcess): Promise<{ readonly rss: number; readonly heap: number }> {
  const usage = await new Promise<NodeJS.MemoryUsage>((resolve, reject) => {
    const gone = (): void => reject(new Error('the server has ended under load'));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as NodeJS.MemoryUsage);
    });
    child.send('memory');
  });
  return { rss: usage.rss, heap: usage.heapUsed + usage.external };
}
