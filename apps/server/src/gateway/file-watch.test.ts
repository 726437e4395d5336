import { renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../telemetry/logger.js';
import { WatchedGatewayFile } from './file-watch.js';
import type { GatewayFile } from './resource-schemas.js';

const textOf = (id: string): string =>
  `routes: [{id: ${id}, uri: /x, upstream: {type: roundrobin, nodes: {"127.0.0.1:1": 1}}}]\n#END\n`;

let folder: string;
let path: string;
let seen: unknown[];
let stop: () => void = () => undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bailiwick-file-watch-'));
  path = join(folder, 'apisix.yaml');
  seen = [];
  writeFileSync(path, textOf('a'));
});
afterEach(async () => {
  stop();
  await rm(folder, { recursive: true, force: true });
});

const idOf = (file: GatewayFile): unknown => file.routes[0]?.id;
const open = (): WatchedGatewayFile => new WatchedGatewayFile(path, {}, createLogger('silent'));

function follow(file: WatchedGatewayFile): void {
  stop = file.follow((next) => void seen.push(idOf(next)));
}

const expectSeen = (ids: readonly string[]): Promise<void> =>
  vi.waitFor(() => expect(seen).toEqual(ids), { timeout: 5_000, interval: 20 });

describe('the gateway’s file', () => {
  it('is taken as it is after a change between the first reading and the first look', async () => {
    const file = open();
    expect(idOf(file.first)).toBe('a');
    writeFileSync(path, textOf('b'));
    follow(file);
    await expectSeen(['b']);
  });

  it('is taken once, however often it is looked at, and again after two changes within one time stamp', async () => {
    follow(open());
    writeFileSync(path, textOf('b'));
    const { atime, mtime } = statSync(path);
    await expectSeen(['b']);
    writeFileSync(path, textOf('c'));
    utimesSync(path, atime, mtime);
    await expectSeen(['b', 'c']);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(seen).toEqual(['b', 'c']);
  });

  it('keeps the routes while it is half written, wrong, empty or gone, and takes what comes then', async () => {
    follow(open());
    writeFileSync(path, textOf('b').slice(0, 30));
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    writeFileSync(path, textOf('b'));
    await expectSeen(['b']);
    writeFileSync(path, '');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    rmSync(path);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(seen).toEqual(['b']);
    writeFileSync(`${path}.new`, textOf('c'));
    renameSync(`${path}.new`, path);
    await expectSeen(['b', 'c']);
  });
});
