import { expect, it } from 'vitest';
import { WorldCompiler } from './world.js';

const compiler = new WorldCompiler({ allowedBuiltins: [], maxSteps: 100_000, timeoutMs: 200 });
const build = (rego: string, dataText = '{}') => compiler.build('p', { rego, dataText, revision: 1 }, { shared: 1 });

it('reads the clock anew at every decision', async () => {
  const { allow } = build('package p\n\nallow := time.now_ns()\n');
  const first = Number(allow({}));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(Number(allow({})) - first).toBeGreaterThan(10_000_000);
});

it('gives every decision the whole budget of steps', () => {
  const { allow } = build('package p\n\nallow if count([x | some x in numbers.range(1, 40000)]) == 40000\n');
  for (let count = 0; count < 5; count += 1) expect(allow({})).toBe(true);
});

it('ends a policy that would not end, with an error', () => {
  const { allow } = build(
    'package p\n\nallow if count([1 | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000); x == y]) > 0\n',
  );
  expect(() => allow({})).toThrow(/eval_(limit|cancel)_error/);
});

it('verifies tokens with the same result whoever computes', () => {
  const { allow } = build('package p\n\nallow := io.jwt.decode_verify(input.token, {"secret": "secret"})[0]\n');
  const token =
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.YmJpk12OuSc1NmG1bR6dzj5w9u1ZRj7yqbsJyAkLs0I';
  expect(typeof allow({ token })).toBe('boolean');
});

it.each([
  ['its data', 'package p', '{"platform": {}}'],
  ['its package', 'package platform.p', '{}'],
])('refuses a project that claims the platform’s name by %s', (_what, rego, dataText) => {
  expect(() => build(rego, dataText)).toThrow('reserved');
});
