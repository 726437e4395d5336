/** A real Chroma on a free port of 127.0.0.1, with a folder of its own. */
import { rm } from 'node:fs/promises';
import { findFreePorts, makeTemporaryFolder, startProcess, waitUntilReady } from './processes.js';
import { chromaProgram } from './python-servers.js';

export interface ChromaServer {
  readonly url: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startChroma(): Promise<ChromaServer> {
  const folder = await makeTemporaryFolder('chroma');
  const [port = 0] = await findFreePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const run = async () => {
    const flags = ['run', '--host', '127.0.0.1', '--port', String(port), '--path', folder];
    const env = { ANONYMIZED_TELEMETRY: 'False' };
    const started = startProcess(chromaProgram, flags, { cwd: folder, env });
    await waitUntilReady('Chroma', async () => (await fetch(`${url}/api/v2/heartbeat`)).ok, started);
    return started;
  };
  let server = await run();
  return {
    url,
    kill: () => server.end('SIGKILL'),
    async restart() {
      await server.end('SIGKILL');
      server = await run();
    },
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
