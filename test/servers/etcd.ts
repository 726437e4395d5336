/** A real etcd v3: one member or three, on free ports of 127.0.0.1, with TLS or with users when a test asks for them. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Certificates, makeCertificates } from './certificates.js';
import {
  canRun,
  findFreePorts,
  makeTemporaryFolder,
  runToEnd,
  type ServerProcess,
  startProcess,
  waitUntilReady,
} from './processes.js';

export interface EtcdOptions {
  readonly members?: 1 | 3;
  /** Clients must show a certificate. */
  readonly tls?: boolean;
  /** Users `root` and `bailiwick`; the latter may read and write everything. */
  readonly auth?: boolean;
  readonly flags?: readonly string[];
}

export interface EtcdServer {
  readonly endpoints: readonly string[];
  readonly tls?: Certificates;
  readonly user?: { readonly username: string; readonly password: string };
  /** SIGKILL; the data stay. */
  kill(member: number): Promise<void>;
  /** SIGSTOP: frozen, its connections stay open. */
  pause(member: number): void;
  resume(member: number): void;
  restart(member: number): Promise<void>;
  /** The leader's number, as the living members see it. */
  leader(): Promise<number>;
  compact(revision: number): Promise<void>;
  stop(): Promise<void>;
}

export const etcdInstallHint = 'apt-get install etcd-server etcd-client';

export function isEtcdInstalled(): boolean {
  return canRun('etcd') && canRun('etcdctl', ['version']);
}

/** Twice what a policy of the largest size needs (its default of 1.5 MiB is less than one). */
const maxRequestBytes = 8 * 1024 * 1024;

class Cluster {
  readonly scheme: string;
  readonly #folder: string;
  readonly #ports: readonly number[];
  readonly #options: EtcdOptions;
  readonly certificates: Certificates | undefined;
  readonly #processes: ServerProcess[] = [];
  user: { readonly username: string; readonly password: string } | undefined;

  constructor(folder: string, ports: readonly number[], options: EtcdOptions) {
    this.#folder = folder;
    this.#ports = ports;
    this.#options = options;
    this.scheme = options.tls ? 'https' : 'http';
    this.certificates = options.tls ? makeCertificates(folder) : undefined;
  }

  get #count(): number {
    return this.#ports.length / 2;
  }

  endpoint(member: number): string {
    return `${this.scheme}://127.0.0.1:${this.#ports[member]}`;
  }

  get endpoints(): string[] {
    return Array.from({ length: this.#count }, (_, member) => this.endpoint(member));
  }

  #peer(member: number): string {
    return `http://127.0.0.1:${this.#ports[this.#count + member]}`;
  }

  start(member: number): void {
    const names = Array.from({ length: this.#count }, (_, other) => `m${other}=${this.#peer(other)}`);
    const file = (name: string): string => join(this.#folder, name);
    const tls = [
      '--cert-file',
      file('server.crt'),
      '--key-file',
      file('server.key'),
      '--client-cert-auth',
      '--trusted-ca-file',
      file('ca.crt'),
    ];
    this.#processes[member] = startProcess('etcd', [
      ...['--name', `m${member}`, '--data-dir', file(`m${member}`), '--logger', 'zap', '--log-level', 'warn'],
      ...['--listen-client-urls', this.endpoint(member), '--advertise-client-urls', this.endpoint(member)],
      ...['--listen-peer-urls', this.#peer(member), '--initial-advertise-peer-urls', this.#peer(member)],
      ...['--initial-cluster', names.join(','), '--initial-cluster-token', 'bailiwick-test'],
      ...['--max-request-bytes', String(maxRequestBytes), '--quota-backend-bytes', String(2 * 1024 ** 3)],
      ...(this.#options.tls ? tls : []),
      ...(this.#options.flags ?? []),
    ]);
  }

  process(member: number): ServerProcess {
    const found = this.#processes[member];
    if (!found) throw new Error(`etcd has no member ${member}`);
    return found;
  }

  get processes(): readonly ServerProcess[] {
    return this.#processes;
  }

  control(endpoints: readonly string[], ...parameters: string[]): string {
    const file = (name: string): string => join(this.#folder, name);
    const tls = ['--cacert', file('ca.crt'), '--cert', file('client.crt'), '--key', file('client.key')];
    const user = this.user ? ['--user', 'root:root-secret'] : [];
    const common = ['--endpoints', endpoints.join(','), '--dial-timeout', '2s', '--command-timeout', '5s'];
    return runToEnd('etcdctl', [...common, ...(this.certificates ? tls : []), ...user, ...parameters], {
      env: { ETCDCTL_API: '3' },
    });
  }

  async waitFor(member: number): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      this.control([this.endpoint(member)], 'endpoint', 'health');
      return true;
    };
    await waitUntilReady(`etcd member ${member}`, isReady, this.process(member));
  }

  enableUsers(): void {
    const run = (...parameters: string[]): string => this.control(this.endpoints, ...parameters);
    run('user', 'add', 'root:root-secret');
    run('user', 'grant-role', 'root', 'root');
    run('role', 'add', 'app');
    run('role', 'grant-permission', 'app', '--prefix=true', 'readwrite', '');
    run('user', 'add', 'bailiwick:app-secret');
    run('user', 'grant-role', 'bailiwick', 'app');
    run('auth', 'enable');
    this.user = { username: 'bailiwick', password: 'app-secret' };
  }

  leader(): number {
    const isAlive = (member: number): boolean => this.process(member).isRunning();
    for (const member of this.endpoints.keys()) {
      if (!isAlive(member)) continue;
      const [status] = JSON.parse(this.control([this.endpoint(member)], 'endpoint', 'status', '-w', 'json'));
      if (status.Status.header.member_id === status.Status.leader) return member;
    }
    throw new Error('etcd has no leader among the living members');
  }
}

async function waitForLeader(cluster: Cluster): Promise<number> {
  let leader = -1;
  await waitUntilReady('an etcd leader', async () => {
    leader = cluster.leader();
    return true;
  });
  return leader;
}

export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  const count = options.members ?? 1;
  const folder = await makeTemporaryFolder('etcd');
  const cluster = new Cluster(folder, await findFreePorts(count * 2), options);
  const members = Array.from({ length: count }, (_, member) => member);
  for (const member of members) cluster.start(member);
  for (const member of members) await cluster.waitFor(member);
  if (options.auth) cluster.enableUsers();
  return {
    endpoints: cluster.endpoints,
    ...(cluster.certificates ? { tls: cluster.certificates } : {}),
    ...(cluster.user ? { user: cluster.user } : {}),
    kill: (member) => cluster.process(member).end('SIGKILL'),
    pause: (member) => cluster.process(member).signal('SIGSTOP'),
    resume: (member) => cluster.process(member).signal('SIGCONT'),
    async restart(member) {
      await cluster.process(member).end('SIGKILL');
      cluster.start(member);
      await cluster.waitFor(member);
    },
    leader: () => waitForLeader(cluster),
    async compact(revision) {
      const living = cluster.endpoints.find((_, member) => cluster.process(member).isRunning());
      cluster.control([living ?? ''], 'compaction', String(revision));
    },
    async stop() {
      await Promise.all(cluster.processes.map((process) => process.end('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
