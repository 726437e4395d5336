/** A headless Chromium that opens one page of this machine, in an empty profile of its own. */
import { rm } from 'node:fs/promises';
import { canRun, makeTemporaryFolder, type ServerProcess, startProcess } from './processes.js';

export const chromiumInstallHint = 'apt-get install chromium (or set CHROMIUM to the program)';

const chromiumCommand = (): string => process.env['CHROMIUM'] ?? 'chromium';

export function isChromiumInstalled(): boolean {
  return canRun(chromiumCommand(), ['--version']);
}

/** What keeps it to the page: no sandbox (tests run as root), no updates, no calls home. */
const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
];

export interface Chromium {
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

export async function openInChromium(url: string): Promise<Chromium> {
  const profile = await makeTemporaryFolder('chromium');
  const started = startProcess(chromiumCommand(), [...QUIET, `--user-data-dir=${profile}`, url]);
  return {
    process: started,
    stop: async () => {
      await started.end('SIGTERM');
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
