/**
 * The system's `git`, run so that a repository cannot make it do anything but copy: no configuration of this machine, no hooks, no submodules, no
 * prompts, no redirects, only the protocols asked for. Needs git 2.37 or newer (`http.curloptResolve`).
 */
import { spawn } from 'node:child_process';
import { connectorError } from './connector.js';

export interface GitRun {
  readonly args: readonly string[];
  /** Home and working folder: empty but for what git makes. */
  readonly folder: string;
  /** `https`, `ssh` or `file`. */
  readonly protocol: string;
  /** Further settings, `name=value`; not shown in the list of processes. */
  readonly settings?: readonly (readonly [name: string, value: string])[];
  readonly sshCommand?: string;
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
}

const fixedSettings: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.symlinks', 'false'],
  ['credential.helper', ''],
  ['http.followRedirects', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['gc.auto', '0'],
  ['protocol.allow', 'never'],
];

function environment({ folder, protocol, settings = [], sshCommand }: GitRun): NodeJS.ProcessEnv {
  const all = [...fixedSettings, [`protocol.${protocol}.allow`, 'always'] as const, ...settings];
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
    HOME: folder,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    ...(sshCommand === undefined ? {} : { GIT_SSH_COMMAND: sshCommand }),
    GIT_CONFIG_COUNT: String(all.length),
    ...Object.fromEntries(
      all.flatMap(([name, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, name],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/** What git prints. Errors: `connector.unreachable` when it fails, `connector.too_large`, the signal's reason; its whole process group ends then. */
export function runGit(run: GitRun): Promise<Buffer> {
  const { args, folder, maxOutputBytes, signal } = run;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, {
      cwd: folder,
      env: environment(run),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let complaint = '';
    let failure: unknown;
    const stop = (error: unknown): void => {
      failure ??= error;
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
    };
    const abort = (): void => stop(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > maxOutputBytes) stop(connectorError('connector.too_large'));
      else output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2_000);
    });
    child.on('error', (error) => {
      failure ??= connectorError('connector.unreachable', 'git cannot be run on this machine.', error);
    });
    child.on('close', (code) => {
      signal.removeEventListener('abort', abort);
      if (failure !== undefined) reject(failure);
      else if (code === 0) resolve(Buffer.concat(output));
      else reject(connectorError('connector.unreachable', undefined, new Error(complaint.trim())));
    });
  });
}
