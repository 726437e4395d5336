import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reasonOf, runConnector } from './connector-under-test.js';
import { openFolderConnector } from './folder-connector.js';

let root: string;
let outside: string;
const put = (path: string, text: string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};
const connect = (more: object = {}) => openFolderConnector({ path: root, allowedRoots: [root], ...more });

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'bailiwick-folder-')));
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'bailiwick-outside-')));
  writeFileSync(join(outside, 'secret.txt'), 'SECRET');
});
afterEach(() => {
  for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
});

describe('the folder connector', () => {
  it('finds files in folders, and leaves out hidden and ignored ones', async () => {
    put('a.txt', 'A');
    put('deep/er/b.md', 'B');
    put('.env', 'SECRET');
    put('.git/config', 'SECRET');
    put('node_modules/x/readme.md', 'SECRET');
    put('.gitignore', '*.log\nbuild/\n');
    put('c.log', 'SECRET');
    put('build/d.txt', 'SECRET');
    put('deep/.bailiwickignore', 'drafts');
    put('deep/drafts/e.txt', 'SECRET');
    const { found, names } = await runConnector(connect());
    expect(found).toEqual({ [`folder:${root}/a.txt`]: 'A', [`folder:${root}/deep/er/b.md`]: 'B' });
    expect([...names].sort()).toEqual(['a.txt', 'b.md']);
  });

  it('mentions only what changed and what is gone the next time', async () => {
    for (const name of ['a', 'b', 'c']) put(`${name}.txt`, name);
    const first = await runConnector(connect());
    expect(await runConnector(connect(), { seen: first.seen })).toMatchObject({ found: {}, gone: [] });
    put('b.txt', 'B');
    utimesSync(join(root, 'b.txt'), 1, 1);
    rmSync(join(root, 'c.txt'));
    put('d.txt', 'd');
    const second = await runConnector(connect(), { seen: first.seen });
    expect(second.found).toEqual({ [`folder:${root}/b.txt`]: 'B', [`folder:${root}/d.txt`]: 'd' });
    expect(second.gone).toEqual([`folder:${root}/c.txt`]);
  });

  it('notices a change that keeps size and time of writing', async () => {
    put('a.txt', 'one');
    utimesSync(join(root, 'a.txt'), 1, 1);
    const first = await runConnector(connect());
    put('a.txt', 'two');
    utimesSync(join(root, 'a.txt'), 1, 1);
    expect(Object.values((await runConnector(connect(), { seen: first.seen })).found)).toEqual(['two']);
  });

  it('refuses links that lead out, of files and folders', async () => {
    put('a.txt', 'A');
    symlinkSync(join(outside, 'secret.txt'), join(root, 'link.txt'));
    symlinkSync(outside, join(root, 'folder'));
    symlinkSync(join(root, 'a.txt'), join(root, 'inside.txt'));
    symlinkSync(root, join(root, 'circle'));
    const { found, skipped } = await runConnector(connect());
    expect(Object.values(found)).toEqual(['A']);
    expect(skipped).toEqual({
      [`folder:${root}/link.txt`]: 'connector.leads_outside',
      [`folder:${root}/folder`]: 'connector.leads_outside',
    });
  });

  it('refuses a file that became a link after it was listed', async () => {
    put('x/a.txt', 'A');
    for await (const item of connect().list()) {
      if (item.kind !== 'found') continue;
      rmSync(join(root, 'x'), { recursive: true });
      mkdirSync(join(outside, 'x'));
      writeFileSync(join(outside, 'x', 'a.txt'), 'SECRET');
      symlinkSync(join(outside, 'x'), join(root, 'x'));
      expect(await reasonOf(item.bytes())).toBe('connector.leads_outside');
    }
  });

  it('refuses folders that no root allows, without a word on whether they are there', async () => {
    symlinkSync(outside, join(root, 'way-out'));
    for (const path of [outside, join(root, 'way-out'), join(root, '..'), '/', join(outside, 'not-there')])
      expect(await reasonOf(runConnector(openFolderConnector({ path, allowedRoots: [root] })))).toBe(
        'connector.not_allowed',
      );
    expect(await reasonOf(runConnector(openFolderConnector({ path: `${root}-not`, allowedRoots: [root] })))).toBe(
      'connector.not_allowed',
    );
  });

  it('has limits for files, their number and depth, and can be stopped', async () => {
    put('a/b/c.txt', 'x'.repeat(100));
    put('d.txt', 'd');
    expect((await runConnector(connect({ maxFileBytes: 99 }))).skipped).toEqual({
      [`folder:${root}/a/b/c.txt`]: 'connector.too_large',
    });
    expect(await reasonOf(runConnector(connect({ maxFiles: 1 })))).toBe('connector.too_large');
    expect(await reasonOf(runConnector(connect({ maxDepth: 1 })))).toBe('connector.too_large');
    expect(await reasonOf(runConnector(connect(), { signal: AbortSignal.abort(new Error('stopped')) }))).toBe(
      'stopped',
    );
  });
});
