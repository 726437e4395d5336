import { makeSet, type Value } from '@bailiwick/rego';
import { describe, expect, it } from 'vitest';
import { judge, type WorldState } from './decision.js';
import type { World } from './world.js';

/** A world whose rules answer what the test says; a function may throw, as a failing evaluation does. */
function world(allow: Value | undefined | (() => never), deny?: Value | (() => never)): WorldState {
  const answer = (value: Value | undefined | (() => never)) => (): Value | undefined =>
    typeof value === 'function' ? (value as () => never)() : value;
  return { kind: 'ready', world: { allow: answer(allow), deny: answer(deny) } as unknown as World };
}

const broken: WorldState = { kind: 'broken', revision: 1, error: 'rego_parse_error' };
const fails = (): never => {
  throw new Error('eval_conflict_error');
};
const ask = (
  platform: WorldState | undefined,
  project?: WorldState,
  more: { claimedProject?: string; isControlPlane?: boolean } = {},
) =>
  judge(platform, project, {
    input: {},
    project: project ? 'p' : undefined,
    claimedProject: more.claimedProject,
    isControlPlane: more.isControlPlane ?? false,
  });

describe('the decision rule', () => {
  it.each([
    ['the platform allows', world(true), undefined, {}, true, 'platform'],
    ['the project allows', world(false), world(true), {}, true, 'project'],
    ['nobody allows', world(false), world(undefined), {}, false, 'none'],
    ['the platform denies what both allow', world(true, true), world(true), {}, false, 'platform'],
    ['the project denies what both allow', world(true), world(true, true), {}, false, 'project'],
    ['there is no platform policy', undefined, world(true), {}, false, 'error'],
    ['the platform policy is broken', broken, world(true), {}, false, 'error'],
    ['the project’s policy is broken and the platform allows', world(true), broken, {}, false, 'error'],
    ['the platform’s deny fails', world(true, fails), world(true), {}, false, 'error'],
    ['the project’s deny fails', world(true), world(true, fails), {}, false, 'error'],
    ['the platform’s allow fails and the project allows', world(fails), world(true), {}, false, 'error'],
    ['allow is a text', world('yes'), world('true'), {}, false, 'none'],
    ['allow is an object', world({ allow: true }), undefined, {}, false, 'none'],
    [
      'the token is for another project and the project allows',
      world(false),
      world(true),
      { claimedProject: 'q' },
      false,
      'none',
    ],
    [
      'the token is for another project and the platform allows',
      world(true),
      world(false),
      { claimedProject: 'q' },
      true,
      'platform',
    ],
    ['the token is for this project', world(false), world(true), { claimedProject: 'p' }, true, 'project'],
    [
      'the project allows a call of the control plane',
      world(false),
      world(true),
      { isControlPlane: true },
      false,
      'none',
    ],
    [
      'the project denies a call of the control plane',
      world(true),
      world(false, true),
      { isControlPlane: true },
      true,
      'platform',
    ],
  ] as const)('when %s', (_what, platform, project, more, allowed, decidedBy) => {
    expect(ask(platform, project, more)).toMatchObject({ allowed, decidedBy });
  });

  it.each([
    [false, true],
    [undefined, true],
    [[], true],
    [{}, true],
    [makeSet([]), true],
    [true, false],
    ['no', false],
    [0, false],
    [null, false],
    [['no'], false],
    [{ no: true }, false],
    [makeSet(['no']), false],
  ] as const)('a deny of %j leaves it allowed: %j', (deny, allowed) => {
    expect(ask(world(true, deny as Value)).allowed).toBe(allowed);
  });

  it('hands the reasons of a deny on', () => {
    expect(ask(world(true, makeSet(['a', { code: 1 }]))).reasons).toEqual(['a', { code: 1 }]);
    expect(ask(world(true, 'closed')).reasons).toEqual(['closed']);
    expect(ask(world(true, { late: true, code: 7 })).reasons).toEqual(['late', { code: 7 }]);
  });
});
