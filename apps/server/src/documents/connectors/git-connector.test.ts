import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reasonOf, runConnector } from './connector-under-test.js';
import { parseGitAddress, pinGitAddress } from './git-address.js';
import { type GitOptions, openGitConnector } from './git-connector.js';

let root: string;
let work: string;
const git = (...args: string[]): string =>
  execFileSync(
    'git',
    ['-c', 'user.name=T', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main', ...args],
    { cwd: work, encoding: 'utf8', stdio: 'pipe' },
  );
const put = (path: string, text: string): void => {
  mkdirSync(join(work, path, '..'), { recursive: true });
  writeFileSync(join(work, path), text);
};
const commit = (): void => {
  git('add', '-A');
  git('commit', '-qm', 'change');
};
const connect = (more: Partial<GitOptions> = {}) =>
  openGitConnector({ url: `file://${work}`, allowedRoots: [root], ...more });
const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('bailiwick-git-'));

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'bailiwick-repos-')));
  work = join(root, 'work');
  mkdirSync(work);
  git('init', '-q');
  put('README.md', '# Hello');
  put('docs/a b.txt', 'A');
  commit();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the git connector', () => {
  it('finds the files of the newest commit, and leaves nothing behind', async () => {
    const before = leftovers();
    const { found, names, cursor } = await runConnector(connect());
    expect(found).toEqual({ [`git:${work}/README.md`]: '# Hello', [`git:${work}/docs/a b.txt`]: 'A' });
    expect(names).toEqual(['README.md', 'a b.txt']);
    expect(cursor).toBe(git('rev-parse', 'HEAD').trim());
    expect(leftovers()).toEqual(before);
  });

  it('mentions only what a new commit changes', async () => {
    const first = await runConnector(connect());
    const cursor = first.cursor as string;
    expect(await runConnector(connect(), { seen: first.seen, cursor })).toMatchObject({ found: {}, gone: [], cursor });
    put('README.md', '# Changed');
    rmSync(join(work, 'docs'), { recursive: true });
    commit();
    const second = await runConnector(connect(), { seen: first.seen, cursor });
    expect(second.found).toEqual({ [`git:${work}/README.md`]: '# Changed' });
    expect(second.gone).toEqual([`git:${work}/docs/a b.txt`]);
    expect(second.cursor).not.toBe(cursor);
  });

  it('reads another branch, or one folder', async () => {
    git('checkout', '-qb', 'next');
    put('docs/b.txt', 'B');
    commit();
    git('checkout', '-q', 'main');
    expect(Object.values((await runConnector(connect({ branch: 'next', folder: 'docs' }))).found)).toEqual(['A', 'B']);
    expect(await reasonOf(runConnector(connect({ branch: 'absent' })))).toBe('connector.unreachable');
  });

  it('follows no link, enters no submodule, runs no hook and no filter', async () => {
    symlinkSync('/etc/passwd', join(work, 'passwd.txt'));
    put('.gitattributes', '*.txt filter=evil');
    put('.gitmodules', '[submodule "x"]\n\tpath = x\n\turl = file:///etc\n');
    put('.git/hooks/post-checkout', `#!/bin/sh\ntouch ${root}/hooked\n`);
    execFileSync('chmod', ['+x', join(work, '.git/hooks/post-checkout')]);
    git('config', 'filter.evil.smudge', `touch ${root}/filtered`);
    git('update-index', '--add', '--cacheinfo', `160000,${git('rev-parse', 'HEAD').trim()},x`);
    commit();
    const { found } = await runConnector(connect());
    expect(Object.keys(found).sort()).toEqual([`git:${work}/README.md`, `git:${work}/docs/a b.txt`]);
    expect(readdirSync(root)).toEqual(['work']);
  });

  it('has limits for the copy, its files and its time', async () => {
    put('big.txt', Array.from({ length: 20_000 }, (_, index) => `${Math.imul(index, 2654435761)}`).join('\n'));
    commit();
    expect(await reasonOf(runConnector(connect({ limits: { maxBytes: 50_000 } })))).toBe('connector.too_large');
    expect((await runConnector(connect({ limits: { maxFileBytes: 1000 } }))).skipped).toEqual({
      [`git:${work}/big.txt`]: 'connector.too_large',
    });
    expect(await reasonOf(runConnector(connect({ limits: { maxFiles: 2 } })))).toBe('connector.too_large');
    expect(await reasonOf(runConnector(connect({ limits: { maxSeconds: 0.001 } })))).toBe('connector.takes_too_long');
  });

  it('ends a server that never answers in time, and git with it', async () => {
    const before = leftovers();
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
    expect(await reasonOf(runConnector(openGitConnector({ url, mayBePrivate: true, limits: { maxSeconds: 1 } })))).toBe(
      'connector.takes_too_long',
    );
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    expect(leftovers()).toEqual(before);
  });

  it.each([
    ['--upload-pack=touch /tmp/x'],
    ['-oProxyCommand=x'],
    ['ext::sh -c touch% /tmp/x'],
    ['http://example.org/a.git'],
    ['git://example.org/a.git'],
    ['ftp://example.org/a.git'],
    ['fd::17/a'],
    ['https://user:secret@example.org/a.git'],
    ['https://token@example.org/a.git'],
    ['ssh://-oProxyCommand=x/a.git'],
    ['ssh://git@example.org/-a'],
    ['git@-x:a'],
    ['file://host/a'],
    ['https://example.org/a.git?x=1'],
    ['https://example.org/a b.git'],
    ['relative/path'],
    ['/etc'],
    [''],
  ])('refuses the address %s', (url) => {
    expect(() => openGitConnector({ url })).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ reason: 'connector.invalid_address' }) }),
    );
  });

  it.each([['-x'], ['a..b'], ['a b'], ['']])('refuses the branch %s', (branch) => {
    expect(() => connect({ branch })).toThrow('branch');
  });

  it('refuses folders of the repository that lead out of it', () => {
    for (const folder of ['../x', '/etc', '-x', 'a/../../b']) expect(() => connect({ folder })).toThrow('folder');
  });

  it('refuses repositories outside of the allowed roots', async () => {
    expect(await reasonOf(runConnector(connect({ allowedRoots: [] })))).toBe('connector.not_allowed');
    expect(await reasonOf(runConnector(connect({ url: `file://${root}/work/../../`, allowedRoots: [work] })))).toBe(
      'connector.not_allowed',
    );
  });

  it('refuses private addresses, however they are written, unless they are allowed', async () => {
    for (const url of [
      'https://127.0.0.1/a',
      'https://[::1]/a',
      'https://[::ffff:127.0.0.1]/a',
      'ssh://git@10.1.2.3/a',
      'git@169.254.169.254:a',
      'https://localhost/a',
      'https://2130706433/a',
    ])
      expect(await reasonOf(runConnector(openGitConnector({ url })))).toBe('connector.private_address');
  });

  it('holds git to the address that was looked at', async () => {
    const fence = { mayBePrivate: true, allowedRoots: [] };
    const https = await pinGitAddress(parseGitAddress('https://localhost:8443/a.git'), fence);
    expect(https.settings[0]?.[1]).toMatch(/^localhost:8443:(?:127\.0\.0\.1|\[::1\])$/);
    const ssh = await pinGitAddress(parseGitAddress('git@localhost:a/b.git'), fence);
    expect(ssh.sshCommand).toMatch(/-o HostName=(?:127\.0\.0\.1|::1) -o HostKeyAlias=localhost /);
  });
});
