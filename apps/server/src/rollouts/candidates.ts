/** What rollouts put beside entries and flags while they are under way. */

import type { Item } from '../configs/config-content.js';
import type { ConfigurationState } from '../configs/configuration-state.js';
import type { Candidates } from '../configs/environment-document.js';
import type { ValueCipher } from '../configs/value-cipher.js';
import { hasEnded, type RolloutContent } from './rollout-content.js';

/** Those for which time can do something. */
export function rolloutsUnderWay(state: ConfigurationState): readonly Item<RolloutContent>[] {
  const found: Item<RolloutContent>[] = [];
  for (const item of state.all<RolloutContent>('rollout'))
    if (!hasEnded(item.content) && item.content.rollout.state !== 'draft') found.push(item);
  return found;
}

/** As of now. A secret that cannot be opened is no candidate until it can. */
export function candidatesOf(state: ConfigurationState, cipher: Pick<ValueCipher, 'opened'>): Candidates {
  const byTarget = new Map(rolloutsUnderWay(state).map(({ content }) => [content.target.id, content]));
  return {
    configCandidate: ({ id }) => {
      const { target, rollout } = byTarget.get(id) ?? {};
      if (target?.kind !== 'config' || rollout === undefined) return undefined;
      const value = target.encrypted === undefined ? target.value : cipher.opened(target.encrypted);
      return value === undefined ? undefined : { value, rollout };
    },
    isSealed: ({ id }) => {
      const target = byTarget.get(id)?.target;
      return (
        target?.kind === 'config' && target.encrypted !== undefined && cipher.opened(target.encrypted) === undefined
      );
    },
    flagCandidate: ({ id }) => {
      const { target, rollout } = byTarget.get(id) ?? {};
      if (target?.kind !== 'flag' || rollout === undefined) return undefined;
      return { definition: target.definition, rollout };
    },
    targetOf: ({ content }) => {
      const { kind, id } = (content as RolloutContent).target;
      return kind === 'policy' ? undefined : { kind, id };
    },
  };
}
