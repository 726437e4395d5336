/** `npm run laptop`: the specification's laptop mode. etcd, a real OPA and Bailiwick on loopback, stopped together. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './prepare.mjs';

const etcdPort = Number(process.env.ETCD_PORT ?? 2379);
const opaPort = Number(process.env.OPA_PORT ?? 8181);
const data = resolve(process.env.BAILIWICK_DATA_DIR ?? './data');
const path = [process.env.PATH, join(homedir(), 'go', 'bin')].join(':');

for (const [name, how] of [
  ['etcd', 'apt-get install etcd-server'],
  ['opa', 'go install github.com/open-policy-agent/opa@v1.22.0'],
]) {
  if (spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH: path } }).status === 0) continue;
  console.error(`${name} is not installed. Install it (${how}) and try again.`);
  process.exit(1);
}
ensureInstalled();
await ensureBuilt();
mkdirSync(join(data, 'etcd'), { recursive: true, mode: 0o700 });

const children = [];
let isStopping = false;
function run(name, command, args, environment = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, PATH: path, ...environment },
    stdio: ['ignore', name === 'bailiwick' ? 'inherit' : 'ignore', name === 'bailiwick' ? 'inherit' : 'ignore'],
    detached: true,
  });
  children.push(child);
  child.once('error', (error) => console.error(`${name}: ${error.message}`));
  child.once('exit', (code) => {
    if (isStopping) return;
    console.error(`${name} ended with ${code}; stopping the others.`);
    stop(1);
  });
}
function stop(code) {
  if (isStopping) return;
  isStopping = true;
  for (const child of children.reverse()) child.kill('SIGTERM');
  setTimeout(() => process.exit(code), 3000).unref();
  void Promise.all(
    children.map((child) => child.exitCode !== null || new Promise((done) => child.once('exit', done))),
  ).then(() => process.exit(code));
}
process.on('SIGINT', () => stop(0));
process.on('SIGTERM', () => stop(0));

async function ready(name, url) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (
      await fetch(url).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return;
    await new Promise((done) => setTimeout(done, 50));
  }
  console.error(`${name} did not become ready.`);
  stop(1);
}

const client = `http://127.0.0.1:${etcdPort}`;
const peer = `http://127.0.0.1:${etcdPort + 1}`;
run('etcd', 'etcd', [
  '--name',
  'laptop',
  '--data-dir',
  join(data, 'etcd'),
  '--listen-client-urls',
  client,
  '--advertise-client-urls',
  client,
  '--listen-peer-urls',
  peer,
  '--initial-advertise-peer-urls',
  peer,
  '--initial-cluster',
  `laptop=${peer}`,
  '--max-request-bytes',
  '4194304',
  '--logger',
  'zap',
  '--log-level',
  'error',
]);
run('opa', 'opa', ['run', '--server', '--addr', `127.0.0.1:${opaPort}`, '--log-level', 'error']);
await Promise.all([ready('etcd', `${client}/health`), ready('opa', `http://127.0.0.1:${opaPort}/health`)]);
console.log(`etcd ${client}   OPA http://127.0.0.1:${opaPort}`);
run('bailiwick', process.execPath, [join(root, 'dist', 'bailiwick.mjs')], {
  BAILIWICK_DATA_DIR: data,
  BAILIWICK_KEY_VALUE_STORE: 'etcd',
  BAILIWICK_ETCD_ENDPOINTS: client,
  BAILIWICK_OPA_URLS: `http://127.0.0.1:${opaPort}`,
});
