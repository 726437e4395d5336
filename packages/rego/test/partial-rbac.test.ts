/** Partial evaluation of a real policy: 200 users, roles with grants, projects. Where the shared folder is at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, fromJson, matchesFilter, partialFilter, type Value } from '../src/index.js';

const folder = new URL('../../../../shared/bench/rbac/', import.meta.url);
const isThere = existsSync(folder);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

describe.skipIf(!isThere)(`partial evaluation of bench/rbac (skipped where ${folder.pathname} is missing)`, () => {
  const data = isThere
    ? (JSON.parse(read('data.json')) as { platform: { users: Record<string, unknown> } })
    : undefined;
  const policy = compile({
    modules: isThere ? [{ name: 'policy.rego', text: read('policy.rego') }] : [],
    data: fromJson(data ?? {}),
  });
  const input = isThere ? (JSON.parse(read('input-allow.json')) as Record<string, Value>) : {};
  const allow = 'gateway/authz/allow';

  it('says which users may, in no more words than there are users', () => {
    const { user: _, ...rest } = input;
    const filter = partialFilter(policy, allow, { unknowns: ['input.user'], input: fromJson(rest) });
    const users = Object.keys(data?.platform.users ?? {});
    expect(JSON.stringify(filter).length).toBeLessThan(users.length * 10);
    let allowed = 0;
    for (const id of users) {
      for (const kind of ['human', 'service']) {
        const user = fromJson({ id, kind, scopes: id.endsWith('3') ? ['p7:read'] : [] });
        const decided = policy.evaluate(allow, fromJson({ ...rest, user }));
        expect(matchesFilter(filter, user)).toBe(decided);
        if (decided === true) allowed += 1;
      }
    }
    expect(allowed).toBeGreaterThan(10);
    expect(allowed).toBeLessThan(users.length);
  });

  it('says which resources a user may touch', () => {
    const { resource: _, ...rest } = input;
    const filter = partialFilter(policy, allow, { unknowns: ['input.resource'], input: fromJson(rest) });
    expect(JSON.stringify(filter).length).toBeLessThan(1_000);
    for (const kind of ['model', 'document'])
      for (const name of ['model-2', 'model-19', 'x'])
        for (const owner of ['u007', 'u009']) {
          const resource = fromJson({ kind, name, owner });
          const decided = policy.evaluate(allow, fromJson({ ...rest, resource }));
          expect(matchesFilter(filter, resource)).toBe(decided);
        }
  });

  it('says where it cannot', () => {
    const { request: _, ...rest } = input;
    expect(() => partialFilter(policy, allow, { unknowns: ['input.request'], input: fromJson(rest) })).toThrow(
      'policy.rego:66:30: glob.match of an unknown value cannot be translated',
    );
  });
});
