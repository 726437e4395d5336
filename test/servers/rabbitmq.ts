/** A real RabbitMQ on free ports of 127.0.0.1, with its own Erlang port mapper, so that nothing of it outlives the test. */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { findFreePorts, makeTemporaryFolder, startProcess, waitUntilReady } from './processes.js';

export interface RabbitMqServer {
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const program = '/usr/lib/rabbitmq/bin/rabbitmq-server';

export const rabbitMqInstallHint = 'apt-get install rabbitmq-server';
export const isRabbitMqInstalled = (): boolean => existsSync(program);

/** Whether AMQP is spoken: the server answers the protocol header, after its port has long been open. */
const speaks = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => socket.write('AMQP\x00\x00\x09\x01'));
    const end = (isReady: boolean) => (): void => {
      socket.destroy();
      resolve(isReady);
    };
    socket.once('data', end(true)).once('error', end(false)).setTimeout(1_000, end(false));
  });

export async function startRabbitMq(): Promise<RabbitMqServer> {
  const folder = await makeTemporaryFolder('rabbitmq');
  const [port = 0, distribution = 0, mapper = 0] = await findFreePorts(3);
  const settings = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    'loopback_users = none',
    'log.console = true',
    'log.console.level = warning',
  ];
  await writeFile(join(folder, 'rabbitmq.conf'), settings.join('\n'));
  await writeFile(join(folder, 'plugins'), '[].\n');
  const env = {
    HOME: folder,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(mapper),
    RABBITMQ_NODENAME: 'bailiwick@localhost',
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // Makes the start script become the server instead of waiting for it: signals reach it, and it ends with us.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  // Started first and in the foreground: the server would otherwise leave one behind.
  const epmd = startProcess('epmd', ['-address', '127.0.0.1', '-port', String(mapper)]);
  const run = async () => {
    const started = startProcess(program, [], { env, cwd: folder });
    await waitUntilReady('RabbitMQ', () => speaks(port), started, 120_000);
    return started;
  };
  let server = await run();
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    kill: () => server.end('SIGKILL'),
    restart: async () => {
      await server.end('SIGKILL');
      server = await run();
    },
    stop: async () => {
      await server.end('SIGKILL');
      await epmd.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
