/** Bundles in folders and archives, beside the real OPA. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opa, runOpa, runOurs } from './beside-opa.js';

const WHOLE: Readonly<Record<string, string>> = {
  '.manifest': '{"revision": "r", "roots": ["s"]}',
  's/p.rego': 'package s\n\np if data.s.t.k == 1\n\ntest_p if p\n',
  's/t/data.json': '{"k": 1}',
  's/data.yaml': 'y: [1]\n',
  's/other.json': '{"not": "read"}',
};
const BUNDLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  whole: WHOLE,
  unsafe: { 's/p.rego': 'package s\n\np if not z\n' },
  unparsable: { 's/p.rego': 'package s\n\np if { x = }\n' },
  old: { '.manifest': '{"rego_version": 0}', 's/p.rego': 'package s\n\np { true }\n' },
  outside: { ...WHOLE, '.manifest': '{"roots": ["s/t"]}' },
  'outside-data': { '.manifest': '{"roots": ["s/t"]}', 's/data.json': '{"k": 1}' },
  other: { '.manifest': '{"roots": ["q"]}', 'q/q.rego': 'package q\n\nr if data.s.p\n' },
};

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rego-bundles-'));
  process.chdir(folder);
  for (const [bundle, files] of Object.entries(BUNDLES)) {
    const archive = pack();
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(bundle, name)), { recursive: true });
      writeFileSync(join(bundle, name), text);
      archive.entry({ name: `/${name}` }, text);
    }
    archive.finalize();
    writeFileSync(`${bundle}.tar.gz`, gzipSync(await buffer(archive)));
  }
  writeFileSync('broken.tar.gz', 'no archive');
  writeFileSync('plain.tar.gz', 'this is no gzip at all');
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

test('an archive holds what the same folder holds', async () => {
  const evaluate = async (bundle: string): Promise<unknown> =>
    JSON.parse((await runOurs(['eval', '-b', bundle, '-f', 'raw', 'data'])).stdout);
  expect(await evaluate('whole.tar.gz')).toEqual({ s: { p: true, test_p: true, t: { k: 1 }, y: [1] } });
  expect(await evaluate('whole')).toEqual(await evaluate('whole.tar.gz'));
});

const LOCATIONS = [
  ...Object.keys(BUNDLES).flatMap((name) => [name, `${name}.tar.gz`]),
  'broken.tar.gz',
  'plain.tar.gz',
];
const SAME: readonly (readonly string[])[] = [
  ...LOCATIONS.flatMap((location) => [
    ['eval', '-b', location, '-f', 'pretty', 'data'],
    ['check', '-b', location],
    ['test', '-b', location],
  ]),
  ['eval', '-b', 'whole.tar.gz', '-b', 'other', 'data'],
  ['eval', '-b', 'whole.tar.gz', '-b', 'whole', 'data'],
  ['eval', '-b', 'unsafe', '-b', 'old', 'data'],
  ['eval', '-b', 'unparsable.tar.gz', 'data'],
  ['eval', '-b', 'absent.tar.gz', 'data'],
  ['check', '-b', 'absent.tar.gz'],
  ['test', '-b', 'absent.tar.gz'],
  ['check', '-b', 'whole', 'outside-data'],
  ['test', '-b', 'whole', 'whole.tar.gz'],
  ['test', '-b', 'whole', 'old'],
];

describe.skipIf(opa === undefined)('as opa does (skipped when it is not installed)', () => {
  test.each(SAME.map((args) => [args.join(' '), args] as const))('%s', async (_name, args) => {
    expect(await runOurs(args)).toEqual(runOpa(args));
  });
});
