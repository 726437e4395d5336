/** The README as a new user reads it: every shell command in it is run, in order, on a fresh data folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePorts } from './servers/processes.js';

const root = resolve(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
const folder = mkdtempSync(join(tmpdir(), 'bailiwick-readme-'));
let port = 0;
let server: ChildProcess | undefined;
/** Variables that one block sets and later ones use. */
let variables: Record<string, string> = {};

function run(block: string): string {
  const script = block
    .replaceAll('127.0.0.1:9080', `127.0.0.1:${port}`)
    .replaceAll('docs/samples/', join(root, 'docs/samples/'))
    .replaceAll('npx bailiwick', `node ${join(root, 'apps/cli/bin/bailiwick.mjs')}`)
    .concat('\nprintf "\\n--variables--\\nTOKEN=%s\\nKEY=%s\\n" "$TOKEN" "$KEY"\n');
  const output = execFileSync('bash', ['-e', '-o', 'pipefail', '-c', script], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...variables, BAILIWICK_URL: `http://127.0.0.1:${port}` },
  });
  const [shown = '', set = ''] = output.split('\n--variables--\n');
  variables = Object.fromEntries(
    set
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
  return shown;
}

beforeAll(async () => {
  port = (await findFreePorts(1))[0] ?? 0;
  expect(blocks[0]?.trim()).toBe('npm start');
  server = spawn('npm', ['start'], {
    cwd: root,
    env: {
      ...process.env,
      BAILIWICK_PORT: String(port),
      BAILIWICK_DATA_DIR: join(folder, 'data'),
      BAILIWICK_LOG_LEVEL: 'error',
    },
    stdio: 'ignore',
    detached: true,
  });
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('npm start did not become ready');
}, 60_000);

afterAll(async () => {
  if (server?.pid !== undefined) {
    const ended = new Promise((done) => server?.once('exit', done));
    process.kill(-server.pid, 'SIGTERM');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

describe('the README', () => {
  it('lets a newcomer through the gateway', () => {
    expect(run(blocks[1] ?? '')).toContain('You passed the gateway');
  });

  it('shows a denial', () => {
    const shown = run(blocks[2] ?? '');
    expect(shown).toContain('You passed the gateway');
    expect(shown).toContain('"code":"forbidden"');
  });

  it('shows what a draft would change, and the request allowed after it', () => {
    const shown = run(blocks[3] ?? '');
    expect(shown).toMatch(/"gained": \[\s*"api-key:/);
    expect(shown.trimEnd().split('\n').at(-1)).toContain('You passed the gateway');
  });

  it('rolls back and proves the history', () => {
    const shown = run(blocks[4] ?? '');
    expect(shown).toContain('"code":"forbidden"');
    expect(shown.trimEnd().split('\n').at(-1)).toMatch(/OK: \d+ records/);
  });

  it('rolls a value out to half of the people', () => {
    const output = run(blocks[5] ?? '');
    expect(output).toContain('"values":{"cart.limit":20}');
    expect(output).toContain('"state":"running","percent":50');
    expect(output.trimEnd().split('\n').at(-1)).toMatch(/"values":\{"cart\.limit":(?:20|50)\}/);
  });

  it('answers from a PDF, with the page', () => {
    const output = run(blocks[6] ?? '');
    expect(output).toContain('Every employee has 30 days of paid leave a year. [1]');
    expect(output).toMatch(/\[1\] Employee handbook > .*page 2/);
  });

  it('finds nothing any more when the policy says so', () => {
    const output = run(blocks[7] ?? '');
    expect(output).toContain('I do not find this in the documents that you may see.');
    expect(output).not.toContain('30 days');
  });

  it('has no command that is not run here', () => {
    expect(blocks).toHaveLength(8);
  });
});

describe('the map', () => {
  it('names only paths that exist', () => {
    const map = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
    const paths = [...map.matchAll(/`((?:apps|packages|deploy|scripts|test|bench|docs)(?:\/[\w.-]+)*)`/g)].map(
      (match) => match[1] ?? '',
    );
    expect(paths.length).toBeGreaterThan(40);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('stays short', () => {
    expect(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').split('\n').length).toBeLessThanOrEqual(250);
  });

  it.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/README.md'])(
    'and %s has links that lead somewhere',
    (file) => {
      const text = readFileSync(join(root, file), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? '');
      expect(links.filter((link) => !existsSync(join(root, file, '..', link)))).toEqual([]);
    },
  );
});
