/**
 * Two data centres in network namespaces, from the files of `deploy`: in each an edge (HAProxy, Keepalived) and an app (one Bailiwick
 * with all roles, a service behind it); etcd's members 0 and 1 in A, 2 in B. Clients sit outside, and one inside B:
 *
 *     client ── core ──┬── A: edge-a app-a etcd-0 etcd-1
 *                      └── B: edge-b app-b etcd-2 client-b
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { haproxyParameters } from '../servers/haproxy.js';
import { fillKeepalived, keepalivedFolder, keepalivedParameters } from '../servers/keepalived.js';
import { Network } from '../servers/namespaces.js';
import { type ServerProcess, waitUntilReady } from '../servers/processes.js';
import { repositoryRoot } from '../system/harness.js';
import type { Asked, LoadAsked, LoadRecord, Told } from './agent.js';

export type Side = 'a' | 'b';
export const sides = ['a', 'b'] as const;

export const vip = '10.77.0.10';
export const vipPort = 8080;
const gatewayPort = 9080;
const edges = { a: '10.77.0.11', b: '10.77.0.21' } as const;
const apps = { a: '10.77.0.12', b: '10.77.0.22' } as const;
const members = ['10.77.0.14', '10.77.0.15', '10.77.0.24'] as const;
/** `2+1`: two of etcd's members in A, one in B. `witness`: one in each, and one at a third place. */
export type Placement = '2+1' | 'witness';
const placements = {
  '2+1': { a: [0, 1], b: [2], elsewhere: [] },
  witness: { a: [0], b: [2], elsewhere: [1] },
} as const;
const issuer = 'https://issuer.example';
const servicePort = 9200;

export type ClientName = 'client' | 'client-b';

export class DataCentres {
  readonly network: Network;
  /** Of programs, by `NAME@HOST`. */
  readonly #processes = new Map<string, ServerProcess>();
  readonly #folder: string;
  readonly #cables: Readonly<Record<Side, string>>;
  #sign: (roles: readonly string[]) => Promise<string> = async () => '';

  readonly #membersOf: Readonly<Record<Side | 'elsewhere', readonly (0 | 1 | 2)[]>>;

  private constructor(placement: Placement) {
    this.#membersOf = placements[placement];
    // Not under /tmp: Keepalived runs no script whose folders others may write to.
    this.#folder = mkdtempSync('/run/bailiwick-pair-');
    this.network = new Network(['core', 'site-a', 'site-b']);
    this.#cables = { a: this.network.join('core', 'site-a'), b: this.network.join('core', 'site-b') };
    for (const side of sides) {
      this.network.addHost(`edge-${side}`, `site-${side}`, `${edges[side]}/24`);
      this.network.addHost(`app-${side}`, `site-${side}`, `${apps[side]}/24`);
      this.network.set(`edge-${side}`, 'net.ipv4.ip_nonlocal_bind', '1');
      for (const member of this.#membersOf[side])
        this.network.addHost(`etcd-${member}`, `site-${side}`, `${members[member]}/24`);
    }
    for (const member of this.#membersOf.elsewhere)
      this.network.addHost(`etcd-${member}`, 'core', `${members[member]}/24`);
    this.network.addHost('client', 'core', '10.77.0.100/24');
    this.network.addHost('client-b', 'site-b', '10.77.0.101/24');
  }

  /** Ready: both gateways answer through the address, and one node has it. */
  static async start(placement: Placement = '2+1'): Promise<DataCentres> {
    const all = new DataCentres(placement);
    try {
      await all.#prepare();
      for (const member of all.#membersOf.elsewhere) all.#startEtcd(member);
      for (const side of sides) all.startSide(side);
      for (const side of sides) await all.waitForSide(side);
      const isReachable = async (): Promise<boolean> => (await all.ask('client', '/readyz')).status === 200;
      await waitUntilReady('the virtual address', isReachable, undefined, 20_000);
      return all;
    } catch (error) {
      const logs = [...all.#processes].map(([name, one]) => `${name}: ${one.log().slice(-2000)}`);
      await all.stop();
      throw new Error(`${String(error)}\n${logs.join('\n')}`, { cause: error });
    }
  }

  async #prepare(): Promise<void> {
    const outfile = join(this.#folder, 'agent.mjs');
    const entryPoints = [join(import.meta.dirname, 'agent.ts')];
    await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'pair', alg: 'RS256', use: 'sig' };
    writeFileSync(join(this.#folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
    this.#sign = async (roles) =>
      await new SignJWT({ roles, project: 'pair' })
        .setProtectedHeader({ alg: 'RS256', kid: 'pair' })
        .setSubject(`pair-${roles.join('-')}`)
        .setIssuer(issuer)
        .setAudience('bailiwick')
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey);
    const routes = readFileSync(join(repositoryRoot, 'deploy/apisix/apisix.yaml'), 'utf8');
    writeFileSync(join(this.#folder, 'apisix.yaml'), routes.replace(/#END\n$/, `${pairRoute}#END\n`));
    for (const side of sides) this.#prepareKeepalived(side);
    for (const name of ['client', 'client-b'] as const)
      this.#start('agent', name, process.execPath, [outfile, 'client', this.#socket(name)]);
  }

  #prepareKeepalived(side: Side): void {
    const folder = this.#edgeFolder(side);
    mkdirSync(folder, { recursive: true });
    const script = join(folder, 'check-health.sh');
    cpSync(join(keepalivedFolder, 'check-health.sh'), script);
    chmodSync(script, 0o755);
    const text = fillKeepalived(`keepalived-${side}.conf`, {
      ...{ BAILIWICK_VIP: vip, BAILIWICK_VIP_PREFIX: '24', BAILIWICK_INTERFACE: 'eth0', BAILIWICK_ROUTER_ID: '77' },
      ...{ BAILIWICK_NODE_A: edges.a, BAILIWICK_NODE_B: edges.b, BAILIWICK_HAPROXY_HEALTH: '127.0.0.1:8404' },
      ...{ BAILIWICK_HEALTH_FILE: join(folder, 'health'), BAILIWICK_HEALTH_SCRIPT: script },
    });
    writeFileSync(join(folder, 'keepalived.conf'), text, { mode: 0o600 });
    this.network.run(`edge-${side}`, 'keepalived', ['-t', '-f', join(folder, 'keepalived.conf')]);
  }

  #edgeFolder = (side: Side): string => join(this.#folder, `edge-${side}`);
  #socket = (name: ClientName): string => join(this.#folder, `${name}.sock`);

  #start(name: string, host: string, command: string, parameters: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#processes.set(`${name}@${host}`, this.network.start(host, command, parameters, { env }));
  }

  #process(name: string, host: string): ServerProcess {
    const found = this.#processes.get(`${name}@${host}`);
    if (!found) throw new Error(`no ${name} runs on ${host}`);
    return found;
  }

  startSide(side: Side): void {
    for (const member of this.#membersOf[side]) this.#startEtcd(member);
    this.startGateway(side);
    this.#start('service', `app-${side}`, process.execPath, [
      join(this.#folder, 'agent.mjs'),
      ...['service', String(servicePort), side],
    ]);
    this.startHaproxy(side);
    this.startKeepalived(side);
  }

  #startEtcd(member: 0 | 1 | 2): void {
    const [client, peer] = [`http://${members[member]}:2379`, `http://${members[member]}:2380`];
    this.#start('etcd', `etcd-${member}`, 'etcd', [
      ...['--name', `m${member}`, '--data-dir', join(this.#folder, `etcd-${member}`)],
      ...['--logger', 'zap', '--log-level', 'error', '--initial-cluster-token', 'bailiwick-pair'],
      ...['--listen-client-urls', `${client},http://127.0.0.1:2379`, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', members.map((address, one) => `m${one}=http://${address}:2380`).join(',')],
    ]);
  }

  startGateway(side: Side): void {
    this.#start(
      'bailiwick',
      `app-${side}`,
      process.execPath,
      [join(repositoryRoot, 'dist/bailiwick.mjs'), '--no-demo'],
      {
        ...{ BAILIWICK_HOST: apps[side], BAILIWICK_PORT: String(gatewayPort), BAILIWICK_INSTANCE_ID: `dc-${side}` },
        ...{ BAILIWICK_DATA_DIR: join(this.#folder, `data-${side}`), BAILIWICK_LOG_LEVEL: 'error' },
        ...{ BAILIWICK_KEY_VALUE_STORE: 'etcd', BAILIWICK_GATEWAY_FILE: join(this.#folder, 'apisix.yaml') },
        // The test's own, which is no setting of the server.
        BAILIWICK_WRITE_RESULTS: undefined,
        BAILIWICK_ETCD_ENDPOINTS: members.map((address) => `http://${address}:2379`).join(','),
        ...{ BAILIWICK_JWKS_FILE: join(this.#folder, 'jwks.json'), BAILIWICK_JWKS_ISSUER: issuer },
      },
    );
  }

  startHaproxy(side: Side): void {
    this.#start('haproxy', `edge-${side}`, 'haproxy', haproxyParameters('haproxy.cfg'), {
      ...{ BAILIWICK_VIP: vip, BAILIWICK_VIP_PORT: String(vipPort) },
      BAILIWICK_GATEWAY_A: `${apps.a}:${gatewayPort}`,
      BAILIWICK_GATEWAY_B: `${apps.b}:${gatewayPort}`,
      BAILIWICK_HAPROXY_SOCKET: join(this.#edgeFolder(side), 'haproxy.sock'),
    });
  }

  startKeepalived(side: Side): void {
    const folder = this.#edgeFolder(side);
    const watch = ['http://127.0.0.1:8404/haproxy-health', join(folder, 'health')];
    if (this.#processes.get(`health@edge-${side}`)?.isRunning() !== true)
      this.#start('health', `edge-${side}`, join(folder, 'check-health.sh'), watch);
    this.#start('keepalived', `edge-${side}`, 'keepalived', keepalivedParameters(folder));
  }

  /** Until the side's gateway answers directly. */
  async waitForSide(side: Side): Promise<void> {
    const isReady = async (): Promise<boolean> => (await this.askGateway(side, '/readyz')).status === 200;
    await waitUntilReady(`the gateway in ${side}`, isReady, this.#process('bailiwick', `app-${side}`), 20_000);
  }

  killHaproxy = (side: Side): Promise<void> => this.#process('haproxy', `edge-${side}`).end('SIGKILL');
  killGateway = (side: Side): Promise<void> => this.#process('bailiwick', `app-${side}`).end('SIGKILL');

  /** Both of its processes at once: neither can give the address up. */
  async killKeepalived(side: Side): Promise<void> {
    const vrrp = Number(readFileSync(join(this.#edgeFolder(side), 'vrrp.pid'), 'utf8'));
    const parent = this.#process('keepalived', `edge-${side}`);
    // The child ends in good order when its parent is gone, and the parent starts another when its child is: one stands still first.
    process.kill(vrrp, 'SIGSTOP');
    const ended = parent.end('SIGKILL');
    process.kill(vrrp, 'SIGKILL');
    await ended;
    // Until somebody reaps the child its id lives on, and a new Keepalived would take it for a running one.
    for (const file of ['vrrp.pid', 'keepalived.pid']) rmSync(join(this.#edgeFolder(side), file), { force: true });
  }

  /** Pulls or plugs the cable of a node, or the one between a data centre and all others. */
  setNode = (name: string, state: 'up' | 'down'): void => this.network.setLink(name, state);
  setSite = (side: Side, state: 'up' | 'down'): void => this.network.setLink(this.#cables[side], state);

  /** Power off: the cable first, so that nobody says goodbye. */
  async loseSide(side: Side): Promise<void> {
    this.setSite(side, 'down');
    const hosts = [`edge-${side}`, `app-${side}`, ...this.#membersOf[side].map((member) => `etcd-${member}`)];
    const all = [...this.#processes].filter(([name]) => hosts.includes(name.split('@')[1] ?? ''));
    await this.killKeepalived(side);
    await Promise.all(all.map(([, one]) => one.end('SIGKILL')));
  }

  /** On the same disks. */
  async bringBack(side: Side): Promise<void> {
    this.setSite(side, 'up');
    this.startSide(side);
    await this.waitForSide(side);
  }

  /** The nodes that hold the virtual address now. */
  holders(): readonly Side[] {
    return sides.filter((side) => this.network.addressesOf(`edge-${side}`).includes(`${vip}/`));
  }

  /** What the side's Keepalived says of itself: `MASTER`, `BACKUP`, or `FAULT` while its HAProxy is not yet trusted again. */
  vrrpState = (side: Side): string | undefined =>
    [...this.log(`keepalived@edge-${side}`).matchAll(/Entering ([A-Z]+) STATE/g)].at(-1)?.[1];

  /** How many gateways the side's HAProxy holds for ready. */
  async upServers(side: Side): Promise<number> {
    const rows = (await askSocket(join(this.#edgeFolder(side), 'haproxy.sock'), 'show stat\n')).split('\n');
    return rows.filter((row) => /^gateways,[ab],/.test(row) && row.split(',')[17]?.startsWith('UP')).length;
  }

  /** What etcd's member itself holds, without asking the others. Keys to values. */
  readMember(member: 0 | 1 | 2, prefix: string): ReadonlyMap<string, string> {
    const parameters = ['--endpoints', 'http://127.0.0.1:2379', 'get', '--prefix', prefix, '--consistency', 's'];
    const text = this.network.run(`etcd-${member}`, 'etcdctl', [...parameters, '-w', 'json'], { ETCDCTL_API: '3' });
    const decode = (value = ''): string => Buffer.from(value, 'base64').toString();
    const { kvs = [] }: { kvs?: readonly { key: string; value?: string }[] } = JSON.parse(text);
    return new Map(kvs.map(({ key, value }) => [decode(key), decode(value)]));
  }

  tokenFor = (...roles: readonly string[]): Promise<string> => this.#sign(roles);

  /** Through the virtual address. */
  ask(from: ClientName, path: string, more: Partial<Asked> = {}): Promise<Told> {
    return this.#callAgent(from, '/ask', { host: vip, port: vipPort, path, ...more });
  }

  /** Past HAProxy, from a client that is where the gateway is (B) or outside. */
  askGateway(side: Side, path: string, more: Partial<Asked> = {}): Promise<Told> {
    const from = side === 'b' ? 'client-b' : 'client';
    return this.#callAgent(from, '/ask', { host: apps[side], port: gatewayPort, path, ...more });
  }

  async startLoad(from: ClientName, load: LoadAsked): Promise<{ stop(): Promise<readonly LoadRecord[]> }> {
    await this.#callAgent(from, '/load/start', load);
    return { stop: () => this.#callAgent(from, '/load/stop', {}) };
  }

  #callAgent<T>(name: ClientName, path: string, body: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.#socket(name), path, method: 'POST' }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => (answer.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
      });
      outgoing.on('error', reject);
      outgoing.end(JSON.stringify(body));
    });
  }

  log(name: string): string {
    return this.#processes.get(name)?.log() ?? '';
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.end('SIGKILL')));
    this.network.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A service in each data centre, behind a token and the project's policy; beside the routes of the installation's own file. */
const pairRoute = `
  - id: pair
    uri: /pair/*
    labels: {project: pair}
    upstream: {type: roundrobin, nodes: {"127.0.0.1:${servicePort}": 1}}
    plugins:
      request-id: {}
      openid-connect:
        client_id: bailiwick
        client_secret: unused-with-bearer-only
        discovery: "\${{BAILIWICK_DISCOVERY_URL}}"
        bearer_only: true
        use_jwks: true
      opa: {host: "\${{BAILIWICK_OPA_URL}}", policy: bailiwick/authz}
`;

/** One command to HAProxy's administration socket. */
const askSocket = (path: string, command: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(command));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
