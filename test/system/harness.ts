/** Starts a whole Bailiwick in this process on a fresh data folder, and speaks to its public address. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type RunningServer, startServer } from '../../apps/server/src/server.js';
import { readSettings, type settingDefinitions } from '../../apps/server/src/settings.js';

export const repositoryRoot = resolve(import.meta.dirname, '../..');

export interface TestServer {
  readonly url: string;
  readonly token: string;
  readonly directory: string;
  readonly running: RunningServer;
  /** With the administrator's token unless `token` says otherwise (null: none). */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape.
  readonly json: any;
}

type Overrides = Partial<Record<keyof typeof settingDefinitions, string>>;

export async function startTestServer(overrides: Overrides = {}, folder?: string): Promise<TestServer> {
  const directory = folder ?? mkdtempSync(join(tmpdir(), 'bailiwick-test-'));
  const settings = readSettings(
    {},
    // Whether a model lies on this machine must not matter.
    { port: '0', dataDirectory: directory, logLevel: 'silent', embeddingFolder: join(directory, 'none'), ...overrides },
  );
  const running = await startServer(settings, repositoryRoot);
  const url = `http://127.0.0.1:${running.port}`;
  const token = readFileSync(join(directory, 'admin.token'), 'utf8').trim();
  return {
    url,
    token,
    directory,
    running,
    call: async (method, path, options = {}) => await call(url, token, method, path, options),
    stop: async () => {
      await running.stop();
      if (folder === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function call(url: string, token: string, method: string, path: string, options: CallOptions): Promise<Answer> {
  const bearer = options.token === undefined ? token : options.token;
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** A policy that allows everybody with the role `name`. */
export const allowRole = (name: string): string =>
  `package project.authz\n\ndefault allow := false\n\nallow if "${name}" in input.claims.roles\n`;
