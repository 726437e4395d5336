/** A first start puts the platform policy, and the demo unless it is turned off, into an empty store. */
import { type BailiwickError, isBailiwickError } from '@bailiwick/contract';
import type { PolicyService, WriteContext } from '../policies/policy-service.js';
import { demoData, demoProject, demoRego, platformData, platformRego } from './platform-policy.js';

/** Does nothing to what exists; safe on every instance at once. */
export async function seed(policies: PolicyService, options: { readonly isDemo: boolean }): Promise<void> {
  const isFirstStart = await create(policies, 'platform', platformRego, platformData);
  if (options.isDemo && isFirstStart) await create(policies, demoProject, demoRego, demoData);
}

async function create(policies: PolicyService, name: string, rego: string, data: object): Promise<boolean> {
  const context: WriteContext = {
    actor: 'system:seed',
    claims: { sub: 'system:seed', roles: ['platform-admin'] },
    requestId: 'seed',
    clientIp: '',
    ifNoneMatch: '*',
  };
  try {
    await policies.read(name);
    return false;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return await policies.write(name, { kind: 'put', rego, dataText: JSON.stringify(data) }, context).then(
      () => true,
      (raced: unknown) => {
        // Another instance seeded at the same moment.
        if (isBailiwickError(raced) && raced.kind === 'conflict') return false;
        throw raced;
      },
    );
  }
}

const isMissing = (error: unknown): error is BailiwickError => isBailiwickError(error) && error.kind === 'not-found';
