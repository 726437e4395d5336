/**
 * mongo-java-server with its data in a file: a stand-in that speaks MongoDB's wire protocol. It has no replica sets, so
 * what a majority write concern does, elections, and failover between members can only be shown on a real MongoDB.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  canRun,
  findFreePorts,
  makeTemporaryFolder,
  runToEnd,
  type ServerProcess,
  startProcess,
  waitUntilReady,
} from './processes.js';

export interface MongoServer {
  readonly url: string;
  /** SIGKILL; what was written a moment before may be lost (the stand-in's, not MongoDB's, durability). */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const mongoInstallHint =
  'apt-get install default-jdk-headless maven (the stand-in for MongoDB is built from them)';

const sources = new URL('./mongo/', import.meta.url).pathname;

export function isMongoInstalled(): boolean {
  return existsSync(join(cacheFolder(), 'Main.class')) || (canRun('javac', ['-version']) && canRun('mvn'));
}

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bailiwick', 'mongo-stand-in');
}

/** Once a machine: seconds, most of them for the download. */
function buildMongo(): string {
  const folder = cacheFolder();
  if (existsSync(join(folder, 'Main.class'))) return folder;
  mkdirSync(folder, { recursive: true });
  for (const name of ['pom.xml', 'Main.java']) copyFileSync(join(sources, name), join(folder, name));
  try {
    const build = { cwd: folder, timeoutMs: 600_000 };
    runToEnd('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], build);
    runToEnd('javac', ['-cp', 'lib/*', 'Main.java'], build);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export async function startMongo(): Promise<MongoServer> {
  const classes = buildMongo();
  const folder = await makeTemporaryFolder('mongo');
  const [port = 0] = await findFreePorts(1);
  const start = async (): Promise<ServerProcess> => {
    const classPath = `${join(classes, 'lib', '*')}:${classes}`;
    const parameters = ['-Xmx512m', '-cp', classPath, 'Main', String(port), join(folder, 'data.mv')];
    const server = startProcess('java', parameters);
    await waitUntilReady('the stand-in for MongoDB', () => canConnect(port), server);
    return server;
  };
  let server = await start();
  return {
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    kill: () => server.end('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async restart() {
      await server.end('SIGKILL');
      server = await start();
    },
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
