/** Calls a Bailiwick: its address and token from options, the environment, or the data folder of this machine. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure } from './failure.js';

export interface ConnectionOptions {
  readonly url: string;
  readonly token?: string;
  readonly dataDir: string;
}

/** The options every command that talks to a server has. */
export function withConnection(command: Command): Command {
  return command
    .option(
      '--url <address>',
      'where Bailiwick is',
      process.env['BAILIWICK_URL'] ?? `http://127.0.0.1:${process.env['BAILIWICK_PORT'] ?? '9080'}`,
    )
    .option(
      '--token <token>',
      'token or API key; default: BAILIWICK_TOKEN, else the administrator’s of the data folder',
    )
    .option('--data-dir <path>', 'the data folder', process.env['BAILIWICK_DATA_DIR'] ?? './data');
}

export function tokenOf(options: ConnectionOptions): string {
  const given = options.token ?? process.env['BAILIWICK_TOKEN'];
  if (given !== undefined && given !== '') return given;
  const path = join(options.dataDir, 'admin.token');
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  throw new CommandFailure(
    `No token: give --token, set BAILIWICK_TOKEN, or say with --data-dir where admin.token is (looked at ${path}).`,
  );
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Rejects with `CommandFailure` for anything but a 2xx; its text is the problem's. */
export async function call(
  options: ConnectionOptions,
  path: string,
  { method = 'GET', headers = {}, body }: CallOptions = {},
): Promise<Response> {
  const request = {
    method,
    headers: {
      authorization: `Bearer ${tokenOf(options)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const response = await fetch(`${options.url.replace(/\/$/, '')}${path}`, request).catch((cause: unknown) => {
    throw new CommandFailure(
      `Nothing answers at ${options.url}: ${cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause)}`,
    );
  });
  if (response.ok) return response;
  const text = await response.text();
  throw new CommandFailure(`${response.status}: ${problemText(text)}`);
}

function problemText(text: string): string {
  try {
    const { detail, errors } = JSON.parse(text) as {
      detail?: string;
      errors?: readonly { file: string; row: number; column: number; message: string }[];
    };
    return [
      detail ?? text,
      ...(errors ?? []).map((error) => `  ${error.file}:${error.row}:${error.column}: ${error.message}`),
    ].join('\n');
  } catch {
    return text;
  }
}
