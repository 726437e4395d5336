/** Modules with several mistakes, which different stages of the compiler find: `check` reports what OPA reports, in its words. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opa, runOpa, runOurs } from './beside-opa.js';

/** Each has at least one mistake, of the stages from names to types. */
const MISTAKES = [
  'p1 if { x := 1; input.y }',
  'q1 if { not z }',
  'r1 if { any([true]) }',
  's1 if { 1 == "a" }',
  't1 if { t1 }',
  'u1 := 1\nu1 if { true }',
  'f1(x) := 1\nf1(x, y) := 2',
  'g1 if { nosuch(1) }',
  'h1 if { count(1, 2, 3) }',
  'i1 contains x if { true }',
  'j1 if { x = 1; y := 2 }',
  'k1 if { true with data.foo.bar as y }',
  'l1 if { input := 3 }',
  'm1 if { x := 1; x := 2 }',
  'default n1 := 1\ndefault n1 := 2',
  'o1 if { some x; true }',
  'p2 := x if { true }',
  'q2 if { data.p.zz.f(1) }',
  'r2 if { print(y) }',
  's2 if { every x in [1] { print(x, w) } }',
  't2 if { upper(1) == 2 }',
  'u2.x := 1\nu2.x.y := 2',
  'v2 if { every x in [1] { y == x } }',
  'w2 if { f9(1) with f9 as 1 }',
  'data := 7',
  'x2 if { input.x.y == 1; input.x := 2 }',
  'y2 if { x := 1; [x | x := 2] }',
  'z2(x) if { true }',
  'a3 := [y] if { y := startswith(1, 2) }',
];
const IMPORTS = ['', 'import data.foo\n\n', 'import data.foo\nimport data.bar.foo\n\n'];

const programs = fc
  .tuple(fc.constantFrom(...IMPORTS), fc.shuffledSubarray(MISTAKES, { minLength: 2, maxLength: 6 }))
  .map(([imports, mistakes]) => `package x\n\n${imports}${mistakes.join('\n\n')}\n`);

describe.skipIf(opa === undefined)('beside opa (skipped when it is not installed)', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'check-errors-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('several mistakes are reported as OPA reports them', async () => {
    const file = join(folder, 'mistakes.rego');
    const flags = fc.constantFrom<readonly string[]>([], ['--strict'], ['--max-errors', '1'], ['--max-errors', '3']);
    await fc.assert(
      fc.asyncProperty(programs, flags, async (program, extra) => {
        writeFileSync(file, program);
        const args = ['check', file, ...extra];
        expect(await runOurs(args)).toEqual(runOpa(args));
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
