/** A real Keepalived with the files of `deploy/keepalived`, filled in as `envsubst` would. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canRun } from './processes.js';

export const keepalivedInstallHint = 'apt-get install keepalived curl';

export function isKeepalivedInstalled(): boolean {
  return canRun('keepalived', ['--version']) && canRun('curl');
}

export const keepalivedFolder = join(import.meta.dirname, '../../deploy/keepalived');

/** Throws for a name without a value. */
export function fillKeepalived(file: string, values: Readonly<Record<string, string>>): string {
  // Comments tell how to fill the file in and keep their names.
  return readFileSync(join(keepalivedFolder, file), 'utf8').replace(/^ *[^# ].*$/gm, (line) =>
    line.replace(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${file} needs ${name}`);
      return value;
    }),
  );
}

export const keepalivedParameters = (folder: string): readonly string[] => [
  ...['--dont-fork', '--log-console', '--vrrp', '--no-syslog', '--use-file', join(folder, 'keepalived.conf')],
  ...['--pid', join(folder, 'keepalived.pid'), '--vrrp_pid', join(folder, 'vrrp.pid')],
];
