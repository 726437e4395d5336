/** For tests: runs our command in this process and finds the real OPA to compare it with. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { CommandFailure } from '../../failure.js';
import { regoCommand } from '../rego.js';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `bailiwick rego …` with these arguments. */
export async function runOurs(args: readonly string[]): Promise<Outcome> {
  let [status, stdout, stderr] = [0, '', ''];
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  try {
    await regoCommand().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    status = error.exitCode;
    if (error.message !== '') stderr += `${error.message}\n`;
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
  return { status, stdout, stderr };
}

function opaBinary(): string | undefined {
  const installed = join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin', 'opa');
  if (existsSync(installed)) return installed;
  return spawnSync('opa', ['version']).status === 0 ? 'opa' : undefined;
}

/** Undefined when it is not installed. */
export const opa = opaBinary();

/** `opa …` with these arguments. */
export function runOpa(args: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(opa ?? '', [...args], { encoding: 'utf8' });
  return { status: status ?? -1, stdout, stderr };
}
