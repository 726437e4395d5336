/** A real HAProxy with the files of `deploy/haproxy`, here or in a network namespace. */
import { join } from 'node:path';
import { canRun, runToEnd } from './processes.js';

export const haproxyInstallHint = 'apt-get install haproxy';

export function isHaproxyInstalled(): boolean {
  return canRun('haproxy', ['-v']);
}

export const haproxyFolder = join(import.meta.dirname, '../../deploy/haproxy');

/** In the foreground, one process: its id is the one that serves. */
export const haproxyParameters = (file: string): readonly string[] => ['-db', '-f', join(haproxyFolder, file)];

/** Throws with HAProxy's own words when the file is wrong. */
export function checkHaproxy(file: string, env: NodeJS.ProcessEnv): void {
  runToEnd('haproxy', ['-c', '-f', join(haproxyFolder, file)], { env });
}
