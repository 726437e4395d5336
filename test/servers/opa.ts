/** A real Open Policy Agent with its REST API on a free port of 127.0.0.1. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { canRun, findFreePorts, type ServerProcess, startProcess, waitUntilReady } from './processes.js';

export interface OpaServer {
  readonly url: string;
  /** Ends it with SIGKILL and starts it anew, empty, at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export const opaInstallHint = 'go install github.com/open-policy-agent/opa@v1.22.0';

/** On the path, or where `go install` puts it. */
export function opaCommand(): string {
  const installed = join(process.env['GOBIN'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'), 'opa');
  return existsSync(installed) ? installed : 'opa';
}

export function isOpaInstalled(): boolean {
  return canRun(opaCommand(), ['version']);
}

/** `parameters` follow `opa run --server`: a configuration file, bundles, `--set …`. */
export async function startOpa(parameters: readonly string[] = []): Promise<OpaServer> {
  const [port] = await findFreePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const common = ['--addr', `127.0.0.1:${port}`, '--disable-telemetry', '--log-level', 'error'];
  const run = async (): Promise<ServerProcess> => {
    const started = startProcess(opaCommand(), ['run', '--server', ...common, ...parameters]);
    await waitUntilReady('OPA', async () => (await fetch(`${url}/health`)).ok, started);
    return started;
  };
  let server = await run();
  return {
    url,
    restart: async () => {
      await server.end('SIGKILL');
      server = await run();
    },
    stop: () => server.end('SIGTERM'),
  };
}
