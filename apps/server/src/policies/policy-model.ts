/** Names and keys of policies. The key layout is the specification's (section 4), to the letter. */
import { BailiwickError } from '@bailiwick/contract';
import type { PolicyName } from '../ports/policy-archive.port.js';

export const policyPrefix = '/policies/';
/** Everything else we keep in the store lies here, so that watchers of `/policies/` see policies only. */
export const ownPrefix = '/bailiwick/';
export const outboxPrefix = `${ownPrefix}outbox/`;

const projectPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** What is in force for one policy. */
export interface PolicyDocument {
  readonly rego: string;
  /** Compact JSON text; numbers keep their digits. */
  readonly dataText: string;
  /** The store's revision of the pair; its ETag without quotes. */
  readonly revision: number;
}

export function isProjectName(name: string): boolean {
  return projectPattern.test(name) && name !== 'platform';
}

/** Throws `policy.bad_name`. */
export function assertPolicyName(name: string): void {
  if (name === 'platform' || projectPattern.test(name)) return;
  throw new BailiwickError('invalid', {
    reason: 'policy.bad_name',
    message:
      'A project name is 1 to 63 characters: a–z, 0–9 and hyphens, and does not begin with a hyphen. `platform` names the platform policy.',
  });
}

export function policyFolder(name: PolicyName): string {
  return name === 'platform' ? `${policyPrefix}platform/` : `${policyPrefix}projects/${name}/`;
}

export const regoKey = (name: PolicyName): string => `${policyFolder(name)}rego.rego`;
export const dataKey = (name: PolicyName): string => `${policyFolder(name)}data.json`;
/** Holds the last version number, so that numbers go on after a delete. */
export const versionKey = (name: PolicyName): string => `${ownPrefix}versions/${name}`;

const keyPattern = /^\/policies\/(?:platform|projects\/([^/]+))\/(rego\.rego|data\.json)$/;

/** The policy a key belongs to, or undefined for a key that is none of ours. */
export function parsePolicyKey(key: string): { readonly name: PolicyName; readonly part: 'rego' | 'data' } | undefined {
  const match = keyPattern.exec(key);
  if (!match) return undefined;
  const project = match[1];
  if (project !== undefined && !isProjectName(project)) return undefined;
  return { name: project ?? 'platform', part: match[2] === 'rego.rego' ? 'rego' : 'data' };
}

export const policyPath = (name: PolicyName): string => `/policies/${name}`;
export const scopeOf = (name: PolicyName): 'platform' | 'project' => (name === 'platform' ? 'platform' : 'project');
