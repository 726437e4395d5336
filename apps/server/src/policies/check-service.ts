/** `POST …/check`: what a draft would do before it is saved. */
import { BailiwickError, type CheckReport } from '@bailiwick/contract';
import { parseJson } from '@bailiwick/rego';
import type { Enforcer } from '../decisions/enforcer.js';
import type { ImpactService } from '../decisions/impact.js';
import type { WorldCompiler } from '../decisions/world.js';
import type { PolicyName } from '../ports/policy-archive.port.js';
import { assertPolicyName } from './policy-model.js';
import { assertWithinLimits, type Limits, tryPolicy } from './policy-validation.js';

export interface Draft {
  readonly rego?: string | undefined;
  readonly dataText?: string | undefined;
  readonly replay?: number | undefined;
}

const nothingReplayed = { replayed: 0, flips: [], gained: [], lost: [] };

export class CheckService {
  readonly #parts: {
    readonly enforcer: Enforcer;
    readonly compiler: WorldCompiler;
    readonly impact: ImpactService;
    readonly limits: Limits;
    readonly replayed: number;
  };

  constructor(parts: {
    readonly enforcer: Enforcer;
    readonly compiler: WorldCompiler;
    readonly impact: ImpactService;
    readonly limits: Limits;
    readonly replayed: number;
  }) {
    this.#parts = parts;
  }

  async check(name: PolicyName, draft: Draft): Promise<CheckReport> {
    assertPolicyName(name);
    const { enforcer, compiler, impact, limits, replayed } = this.#parts;
    const current = enforcer.entry(name)?.document;
    const rego = draft.rego ?? current?.rego;
    if (rego === undefined)
      throw new BailiwickError('invalid', {
        reason: 'policy.no_draft',
        message: 'There is no policy yet, so a draft needs `rego`.',
      });
    const dataText = draft.dataText ?? current?.dataText ?? '{}';
    assertWithinLimits(rego, dataText, limits);
    await compiler.prepare(name, { rego, dataText });
    const trial = tryPolicy(compiler, name, { rego, dataText }, enforcer.platformData);
    if (trial.kind === 'refused') return { ok: false, errors: [...trial.errors], tests: [], ...nothingReplayed };
    const found = await impact.assess(name, trial.world, parseJson(dataText), draft.replay ?? replayed);
    const isOk = trial.tests.every((test) => test.passed) && found.flips.length === 0;
    return { ok: isOk, errors: [], tests: [...trial.tests], ...found };
  }
}
