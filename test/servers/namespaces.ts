/**
 * Networks of one's own for a test: network namespaces with bridges and virtual cables. The machine's main namespace is never touched:
 * bridges live in a namespace of their own, and so does every end of every cable. Needs root and iproute2.
 */
import { spawnSync } from 'node:child_process';
import { canRun, runToEnd, type ServerProcess, startProcess } from './processes.js';

export const namespacesInstallHint = 'be root on Linux, apt-get install iproute2';

export function areNamespacesAvailable(): boolean {
  if (process.getuid?.() !== 0 || !canRun('ip', ['netns', 'list'])) return false;
  const probe = `bailiwick-${process.pid}-probe`;
  if (!canRun('ip', ['netns', 'add', probe])) return false;
  return canRun('ip', ['netns', 'delete', probe]);
}

const living = new Set<Network>();
process.on('exit', () => {
  for (const network of living) network.remove();
});

/** Named `bailiwick-PID-NAME`, so that what a killed run left can be told and removed by the next. */
export class Network {
  readonly #prefix = `bailiwick-${process.pid}-`;
  readonly #names: string[] = [];
  #cables = 0;

  constructor(bridges: readonly string[]) {
    removeLeftovers();
    living.add(this);
    this.#addNamespace('fabric');
    for (const bridge of bridges) this.#ip('fabric', `link add ${bridge} type bridge`, `link set ${bridge} up`);
  }

  /** A namespace with one interface, `eth0`, on that bridge. `address` has its prefix length. */
  addHost(name: string, bridge: string, address: string): void {
    this.#addNamespace(name);
    this.#ip(
      'fabric',
      `link add ${name} type veth peer name eth0 netns ${this.namespace(name)}`,
      `link set ${name} master ${bridge} up`,
    );
    this.#ip(name, `address add ${address} dev eth0`, 'link set eth0 up');
  }

  /** A cable between two bridges. Returns its name, for `setLink`. */
  join(bridge: string, other: string): string {
    this.#cables += 1;
    const name = `cable${this.#cables}`;
    this.#ip(
      'fabric',
      `link add ${name} type veth peer name ${name}x`,
      `link set ${name} master ${bridge} up`,
      `link set ${name}x master ${other} up`,
    );
    return name;
  }

  /** Plugs or pulls a cable: `join`'s, or a host's by the host's name. */
  setLink(name: string, state: 'up' | 'down'): void {
    this.#ip('fabric', `link set ${name} ${state}`);
  }

  addressesOf(name: string): string {
    return runToEnd('ip', ['-n', this.namespace(name), '-o', '-4', 'address', 'show', 'dev', 'eth0']);
  }

  set(name: string, setting: string, value: string): void {
    runToEnd('ip', ['netns', 'exec', this.namespace(name), 'sysctl', '-qw', `${setting}=${value}`]);
  }

  start(
    name: string,
    command: string,
    parameters: readonly string[],
    options: { readonly env?: NodeJS.ProcessEnv } = {},
  ): ServerProcess {
    // `ip netns exec` becomes the program: its process id is the program's.
    return startProcess('ip', ['netns', 'exec', this.namespace(name), command, ...parameters], options);
  }

  run(name: string, command: string, parameters: readonly string[], env: NodeJS.ProcessEnv = {}): string {
    return runToEnd('ip', ['netns', 'exec', this.namespace(name), command, ...parameters], { env });
  }

  namespace(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** Cables go with their namespaces. */
  remove(): void {
    living.delete(this);
    for (const name of this.#names.splice(0).reverse()) spawnSync('ip', ['netns', 'delete', this.namespace(name)]);
  }

  #addNamespace(name: string): void {
    runToEnd('ip', ['netns', 'add', this.namespace(name)]);
    this.#names.push(name);
    this.#ip(name, 'link set lo up');
    this.set(name, 'net.ipv6.conf.all.disable_ipv6', '1');
  }

  #ip(name: string, ...commands: readonly string[]): void {
    for (const command of commands) runToEnd('ip', ['-n', this.namespace(name), ...command.split(' ')]);
  }
}

/** Namespaces of test runs that are no more. */
function removeLeftovers(): void {
  for (const line of runToEnd('ip', ['netns', 'list']).split('\n')) {
    const [, name, pid] = /^(bailiwick-(\d+)-\S+)/.exec(line) ?? [];
    if (name === undefined || isAlive(Number(pid))) continue;
    spawnSync('ip', ['netns', 'delete', name]);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
