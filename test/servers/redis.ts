/** Real Redis on free ports of 127.0.0.1: one server, a Sentinel group, or a cluster of three. */
import { rm, writeFile } from 'node:fs/promises';
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

export const redisInstallHint = 'apt-get install redis-server redis-sentinel';
export const isRedisInstalled = (): boolean => canRun('redis-server') && canRun('redis-cli');

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const ask = (port: number, ...words: string[]): string =>
  runToEnd('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...words], { timeoutMs: 5_000 }).trim();

async function run(port: number, folder: string, flags: readonly string[] = []): Promise<ServerProcess> {
  const common = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--protected-mode',
    'no',
  ];
  const started = startProcess('redis-server', [...common, ...flags]);
  await waitUntilReady('Redis', async () => ask(port, 'ping') === 'PONG', started);
  return started;
}

export async function startRedis(flags: readonly string[] = []): Promise<RedisServer> {
  const folder = await makeTemporaryFolder('redis');
  const [port = 0] = await findFreePorts(1);
  let server = await run(port, folder, flags);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill: () => server.end('SIGKILL'),
    restart: async () => {
      await server.end('SIGKILL');
      server = await run(port, folder, flags);
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    stop: async () => {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface RedisSentinels {
  /** `host:port` of each sentinel. */
  readonly sentinels: readonly string[];
  readonly masterName: string;
  /** The port of the server that is master now. */
  master(): number;
  killMaster(): Promise<void>;
  stop(): Promise<void>;
}

/** A master, a replica and three sentinels that agree by two. */
export async function startRedisSentinels(): Promise<RedisSentinels> {
  const folder = await makeTemporaryFolder('sentinel');
  const ports = await findFreePorts(5);
  const [first = 0, second = 0, ...sentinelPorts] = ports;
  const masterName = 'bailiwick';
  const servers = new Map<number, ServerProcess>();
  servers.set(first, await run(first, folder));
  servers.set(second, await run(second, folder, ['--replicaof', `127.0.0.1 ${first}`]));
  await waitUntilReady('the replica', async () => ask(second, 'info', 'replication').includes('master_link_status:up'));
  const processes: ServerProcess[] = [];
  for (const port of sentinelPorts) {
    const file = join(folder, `sentinel-${port}.conf`);
    await writeFile(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        'protected-mode no',
        `sentinel monitor ${masterName} 127.0.0.1 ${first} 2`,
        `sentinel down-after-milliseconds ${masterName} 1000`,
        `sentinel failover-timeout ${masterName} 5000`,
        `sentinel parallel-syncs ${masterName} 1`,
      ].join('\n'),
    );
    processes.push(startProcess('redis-server', [file, '--sentinel', '--dir', folder]));
  }
  const [asked = 0] = sentinelPorts;
  await waitUntilReady('the sentinels', async () =>
    ask(asked, 'sentinel', 'ckquorum', masterName).startsWith('OK 3 usable'),
  );
  const master = (): number => Number(ask(asked, 'sentinel', 'get-master-addr-by-name', masterName).split('\n')[1]);
  return {
    sentinels: sentinelPorts.map((port) => `127.0.0.1:${port}`),
    masterName,
    master,
    killMaster: async () => await servers.get(master())?.end('SIGKILL'),
    stop: async () => {
      await Promise.all([...processes, ...servers.values()].map((process) => process.end('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface RedisCluster {
  readonly nodes: readonly string[];
  kill(index: number): Promise<void>;
  /** With the identity and the slots that it had. */
  restart(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** Three masters without replicas: the smallest cluster that has all slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const folder = await makeTemporaryFolder('cluster');
  // The bus listens 10,000 above, which must stay a port.
  const ports = (await findFreePorts(12)).filter((port) => port < 55_000).slice(0, 3);
  if (ports.length < 3) return await startRedisCluster();
  const runNode = (port: number): Promise<ServerProcess> =>
    run(port, folder, ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`]);
  const servers = await Promise.all(ports.map(runNode));
  const nodes = ports.map((port) => `127.0.0.1:${port}`);
  runToEnd('redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes']);
  await waitUntilReady('the cluster', async () =>
    ports.every((port) => ask(port, 'cluster', 'info').includes('cluster_state:ok')),
  );
  return {
    nodes,
    kill: async (index) => await servers[index]?.end('SIGKILL'),
    restart: async (index) => {
      servers[index] = await runNode(ports[index] ?? 0);
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.end('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
