/**
 * What a real OPA gets: every policy mounted apart, so that two projects may both say `package project.authz`. A project's world lies
 * under `data.projects["NAME"]`, the platform's under `data.platform`; `data.bailiwick.authz` is the decision rule over all of them, in
 * Rego, so that a gateway asks one path and gets the same answer as from us.
 */
import { mountModule, parseJson, printModule, stringifyJson, type syntax, type Value } from '@bailiwick/rego';
import type { Enforcer } from '../decisions/enforcer.js';
import type { World } from '../decisions/world.js';
import type { PolicyName } from '../ports/policy-archive.port.js';

export interface TenantModule {
  /** `projects/team-a/rego.rego`: the policy's id in a real OPA, and its file in a bundle. */
  readonly id: string;
  /** Rego v1, also where the policy was written in v0. */
  readonly rego: string;
}

export interface TenantData {
  /** Under `data`. */
  readonly path: readonly string[];
  readonly text: string;
}

export interface TenantSet {
  readonly revision: number;
  readonly modules: readonly TenantModule[];
  readonly data: readonly TenantData[];
}

const mountOf = (name: PolicyName): readonly string[] => (name === 'platform' ? ['platform'] : ['projects', name]);

/** Everything in force. A broken policy is left out and its decision rule denies. */
export function tenantSet(enforcer: Enforcer): TenantSet {
  const worlds: World[] = [];
  const data: TenantData[] = [];
  const broken: PolicyName[] = [];
  for (const name of enforcer.names()) {
    const entry = enforcer.entry(name);
    if (entry?.state.kind === 'ready') {
      worlds.push(entry.state.world);
      data.push({ path: mountOf(name), text: entry.document.dataText });
    } else if (entry) broken.push(name);
  }
  const modules = worlds.map(mountWorld);
  return { revision: enforcer.revision, modules: [...modules, decisionModule(worlds, broken)], data };
}

function mountWorld(world: World): TenantModule {
  const module = world.policy.modules[0];
  if (!module) throw new Error(`the world of ${world.name} has no module`);
  // The platform's data is where projects look for it, in a real OPA too.
  const mounted = mountModule(module, mountOf(world.name).join('.'), {
    shared: world.name === 'platform' ? [] : ['platform'],
  });
  const printed = printModule(module.version === 'v0' ? inV1(mounted) : mounted);
  return { id: `${mountOf(world.name).join('/')}/rego.rego`, rego: printed };
}

/** A v0 module in v1's words: `if` before a body, `contains` in a set rule's head. OPA reads what is pushed over REST as v1. */
function inV1(module: syntax.Module): syntax.Module {
  const rule = (each: syntax.Rule): syntax.Rule => {
    const isSetRule = each.head.key !== undefined && each.head.value === undefined && each.head.args === undefined;
    const wanted = [...(each.generatedBody ? [] : (['if'] as const)), ...(isSetRule ? (['contains'] as const) : [])];
    const keywords = [...new Set([...each.head.keywords, ...wanted])];
    return { ...each, head: { ...each.head, keywords }, otherwise: each.otherwise.map(rule) };
  };
  return { ...module, version: 'v1', rules: module.rules.map(rule) };
}

/** The decision rule (`decisions/decision.ts`) as Rego. Written in the common part of v0 with keywords imported, so any OPA reads it. */
function decisionModule(worlds: readonly World[], broken: readonly PolicyName[]): TenantModule {
  const reference = (world: World, rule: string): string => {
    const path = [...mountOf(world.name), ...world.packageSteps, rule];
    return `data${path.map((segment) => `[${JSON.stringify(segment)}]`).join('')}`;
  };
  const platform = worlds.find((world) => world.name === 'platform');
  const projects = worlds.filter((world) => world.name !== 'platform');
  const lines = [
    '# Made by Bailiwick: the decision rule over every policy in force. Do not edit; it is replaced at every change.',
    'package bailiwick.authz',
    'import rego.v1',
    'default allow := false',
    'default project := ""',
    'project := input.project if is_string(input.project)',
    'else := input.claims.project if is_string(input.claims.project)',
    'claims_foreign_project if {\n\tis_string(input.claims.project)\n\tproject != input.claims.project\n}',
    'holds(value) if value == true',
    'holds(value) if is_string(value)',
    'holds(value) if is_number(value)',
    'holds(value) if {\n\tis_set(value)\n\tcount(value) > 0\n}',
    'holds(value) if {\n\tis_array(value)\n\tcount(value) > 0\n}',
    'holds(value) if {\n\tis_object(value)\n\tcount(value) > 0\n}',
    ...(platform
      ? [
          `denied if holds(${reference(platform, 'deny')})`,
          `reasons contains ${reference(platform, 'deny')} if holds(${reference(platform, 'deny')})`,
        ]
      : ['denied if true']),
    ...broken.map((name) => (name === 'platform' ? 'denied if true' : `denied if project == ${JSON.stringify(name)}`)),
    ...projects.flatMap((world) => [
      `denied if {\n\tproject == ${JSON.stringify(world.name)}\n\tholds(${reference(world, 'deny')})\n}`,
      `reasons contains ${reference(world, 'deny')} if {\n\tproject == ${JSON.stringify(world.name)}\n\tholds(${reference(world, 'deny')})\n}`,
    ]),
    ...(platform ? [`allow if {\n\tnot denied\n\t${reference(platform, 'allow')} == true\n}`] : []),
    ...projects.map(
      (world) =>
        `allow if {\n\tnot denied\n\tnot claims_foreign_project\n\tproject == ${JSON.stringify(world.name)}\n\t${reference(world, 'allow')} == true\n}`,
    ),
  ];
  return { id: 'bailiwick/authz.rego', rego: `${lines.join('\n\n')}\n` };
}

/** The whole data document of a set, as one JSON text with every digit kept. */
export function wholeData(set: TenantSet): string {
  const root: Record<string, Value> = {};
  for (const { path, text } of set.data) {
    let target = root;
    for (const segment of path.slice(0, -1)) {
      target[segment] ??= {};
      target = target[segment] as Record<string, Value>;
    }
    target[path.at(-1) ?? ''] = parseJson(text);
  }
  return stringifyJson(root);
}
