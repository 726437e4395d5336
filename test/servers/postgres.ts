/** A real PostgreSQL on a free port of 127.0.0.1, with a folder of its own. As root it runs as the user `postgres`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { canRun, findFreePorts, makeTemporaryFolder, runToEnd, startProcess, waitUntilReady } from './processes.js';

export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  /** SIGQUIT to the postmaster: every connection ends at once, and it recovers from its log when started. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export const postgresInstallHint = 'apt-get install postgresql';

/** Debian keeps the programs of each major version in a folder of their own. */
function programs(): string {
  const versions = '/usr/lib/postgresql';
  const newest = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  return newest === undefined ? '' : join(versions, newest, 'bin/');
}

export const isPostgresInstalled = (): boolean => canRun(`${programs()}postgres`);

/** The command as the user that PostgreSQL demands not to be root. */
function asPostgres(command: string, parameters: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...parameters]];
  const user = ['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups', '--'];
  return ['setpriv', [...user, command, ...parameters]];
}

async function ownedFolder(): Promise<string> {
  const folder = await makeTemporaryFolder('postgres');
  if (process.getuid?.() === 0) {
    const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }).trim());
    await chown(folder, id('-u'), id('-g'));
  }
  await chmod(folder, 0o700);
  return folder;
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

export interface PostgresOptions {
  /** Name it as in a URL; default `bailiwick`. */
  readonly database?: string;
  readonly flags?: readonly string[];
  /** The folder of its programs, with a slash; default: the newest of Debian's. */
  readonly programs?: string;
}

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = await ownedFolder();
  const data = join(folder, 'data');
  const folderOfPrograms = options.programs ?? programs();
  const name = options.database ?? 'bailiwick';
  const [port = 0] = await findFreePorts(1);
  const initdb = ['-D', data, '-U', 'bailiwick', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-instructions', '-N'];
  runToEnd(...asPostgres(`${folderOfPrograms}initdb`, initdb), { cwd: folder });
  await mkdir(join(folder, 'none'), { recursive: true });
  const run = async () => {
    const flags = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'max_connections=100'];
    const [command, parameters] = asPostgres(`${folderOfPrograms}postgres`, [...flags, ...(options.flags ?? [])]);
    const started = startProcess(command, parameters, { cwd: folder });
    const ready = ['-h', '127.0.0.1', '-p', String(port), '-U', 'bailiwick', '-d', 'postgres'];
    await waitUntilReady(
      'PostgreSQL',
      async () => (await accepts(port)) && canRun(`${folderOfPrograms}pg_isready`, ready),
      started,
    );
    return started;
  };
  let server = await run();
  runToEnd(`${folderOfPrograms}createdb`, ['-h', '127.0.0.1', '-p', String(port), '-U', 'bailiwick', name]);
  return {
    url: `postgres://bailiwick@127.0.0.1:${port}/${name}`,
    port,
    kill: () => server.end('SIGQUIT'),
    restart: async () => {
      await server.end('SIGQUIT');
      server = await run();
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    stop: async () => {
      await server.end('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
