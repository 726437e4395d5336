import { describe, expect, it } from 'vitest';
import type { FlagDefinition } from '../flags/flag-set.js';
import { applyCommand, createRollout } from '../rollouts/apply-command.js';
import type { Rollout, RolloutStrategy } from '../rollouts/rollout.js';
import { compileEnvironment } from './environment.js';

const boolean = (defaultVariant: string, more: Partial<FlagDefinition> = {}): FlagDefinition => ({
  state: 'ENABLED',
  variants: { on: true, off: false },
  defaultVariant,
  ...more,
});

function started(strategy: RolloutStrategy): Rollout {
  const draft = createRollout({ id: 'r', strategy }, 0);
  if ('error' in draft) throw new Error(draft.error.message);
  const running = applyCommand(draft.rollout, { kind: 'start' }, 0);
  if ('error' in running) throw new Error(running.error.message);
  return running.rollout;
}

describe('an environment', () => {
  it('answers configuration and flags of its scope', () => {
    const environment = compileEnvironment({
      appId: 'shop',
      environment: 'prod',
      entries: [
        { key: 'limit', value: 1 },
        { key: 'limit', value: 3, appId: 'shop', environment: 'prod' },
        { key: 'limit', value: 9, appId: 'shop', environment: 'test' },
      ],
      flags: { flags: { dark: boolean('on') } },
    });
    expect(environment.config('limit', {}, 0)).toBe(3);
    expect(environment.flag('dark', {}, 0)).toMatchObject({ value: true, reason: 'STATIC' });
    expect(environment.flag('nope', {}, 0).errorCode).toBe('FLAG_NOT_FOUND');
    expect(environment.flagKeys()).toEqual(['dark']);
    expect(environment.hasFlag('dark')).toBe(true);
  });

  it('answers those exposed to a rollout by the new definition of a flag, all others by the old one', () => {
    const environment = compileEnvironment({
      entries: [],
      flags: { flags: { dark: boolean('off') } },
      flagCandidates: [
        {
          flag: 'dark',
          definition: boolean('on'),
          rollout: started({ kind: 'targeting', audience: { users: ['ada'] } }),
        },
      ],
    });
    expect(environment.flag('dark', { targetingKey: 'ada' }, 0).value).toBe(true);
    expect(environment.flag('dark', { targetingKey: 'bob' }, 0).value).toBe(false);
  });

  it('gates a configuration value by a flag', () => {
    const targeting = { if: [{ '==': [{ var: 'plan' }, 'gold'] }, 'on', 'off'] };
    const environment = compileEnvironment({
      entries: [
        {
          key: 'limit',
          value: 1,
          candidate: { value: 100, rollout: started({ kind: 'flag', flag: 'more', variant: 'on' }) },
        },
      ],
      flags: { flags: { more: boolean('off', { targeting }) } },
    });
    expect(environment.config('limit', { plan: 'gold' }, 0)).toBe(100);
    expect(environment.config('limit', { plan: 'iron' }, 0)).toBe(1);
  });
});
