/** `npm start`: reads the settings, builds the platform, starts the roles, and stops them so that nothing acknowledged is lost. */
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPatiently } from './patient-start.js';
import { startServer } from './server.js';
import { readSettings, SettingsError, type settingDefinitions } from './settings.js';
import { runGatewayWorker } from './workers/gateway-worker.js';

/** How long a start waits for its stores. */
const startPatienceMs = 60_000;

const usage = `Bailiwick: policies, decisions and their history behind one gateway.

  npm start [-- OPTIONS]

  --no-demo         do not seed the demo project
  --port=N          the public port (BAILIWICK_PORT)
  --data-dir=PATH   the folder for all state (BAILIWICK_DATA_DIR)
  --roles=A,B       the roles of this process (BAILIWICK_ROLES)
  --help

Every setting is an environment variable; docs/reference/settings.md lists them.
`;

type Overrides = Partial<Record<keyof typeof settingDefinitions, string>>;

/** Throws `SettingsError` for what it does not know. */
function readArguments(args: readonly string[]): Overrides {
  const overrides: Overrides = {};
  const faults: string[] = [];
  const names = { port: 'port', 'data-dir': 'dataDirectory', roles: 'roles' } as const;
  for (const argument of args) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(argument) ?? [];
    if (name === 'no-demo') overrides.demo = 'false';
    else if (name !== undefined && name in names && value !== undefined)
      overrides[names[name as keyof typeof names]] = value;
    else faults.push(`'${argument}' is not an option; --help lists them.`);
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return overrides;
}

/** The folder that holds `deploy/`: above the bundle, or above the sources. */
function installationRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'deploy', 'apisix')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

async function main(): Promise<void> {
  if (cluster.isWorker) {
    runGatewayWorker();
    return;
  }
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(usage);
    return;
  }
  const settings = readSettings(process.env, readArguments(args));
  const begin = () =>
    startServer(
      { ...settings, dataDirectory: resolve(settings.dataDirectory) },
      installationRoot(),
      fileURLToPath(import.meta.url),
    );
  const onWait = (why: string): void => void process.stderr.write(`Waiting for a store. ${why}\n`);
  const server = await startPatiently(begin, { patienceMs: startPatienceMs, onWait });
  process.stdout.write(`${server.greeting}\n`);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    // Whatever hangs must not hold the process for ever; everything acknowledged is on disk already.
    setTimeout(() => process.exit(1), 20_000).unref();
    void server.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error: unknown) => {
  const isExpected =
    error instanceof SettingsError || (error instanceof Error && Symbol.for('bailiwick.error') in error);
  process.stderr.write(
    `${isExpected ? (error as Error).message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(1);
});
