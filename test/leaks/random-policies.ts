/** Random policies about documents, of rules that people write; and random documents and people for them. Everything follows from one seed. */
import type { CatalogDocument } from '../../apps/server/src/ports/document-catalog.port.js';

export type Random = () => number;

/** Mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const some = <T>(random: Random, from: readonly T[], share: number): T[] => from.filter(() => random() < share);

export const groups = Array.from({ length: 20 }, (_, at) => `group-${at}`);
const tags = ['public', 'internal', 'secret', 'draft', 'legal'];
const teams = ['red', 'green', 'blue'];
export const topics = Array.from({ length: 100 }, (_, at) => `topic${at}`);

const allowances = [
  'allow if { is_read; "public" in input.document.tags }',
  'allow if { is_read; some group in input.document.groups; group in input.claims.groups }',
  'allow if { is_read; input.document.metadata.team == input.claims.team }',
  'allow if { is_read; input.document.created_by == input.claims.sub }',
  'allow if { is_read; object.get(input.document.metadata, "level", 9) <= input.claims.level }',
  'allow if { is_read; input.document.metadata.level < data.clearance[input.claims.sub] }',
  'allow if { is_read; input.document.media_type in {"text/plain", "text/markdown"}; not "secret" in input.document.tags }',
  'allow if { is_read; startswith(input.document.name, data.prefixes[input.claims.team]) }',
  'allow if { is_read; input.document.created_at >= "2026-06-01T00:00:00.000Z"; input.claims.level > 2 }',
  'allow if { is_read; "reader" in input.claims.roles }',
  'allow if { is_read; input.document.metadata.team in data.teams[input.claims.sub] }',
];
const denials = [
  'deny contains "secret" if { is_read; "secret" in input.document.tags; not "keeper" in input.claims.roles }',
  'deny contains "draft" if { is_read; "draft" in input.document.tags; input.document.created_by != input.claims.sub }',
  'deny contains tag if { is_read; some tag in input.document.tags; tag in data.closed }',
  'deny contains "open" if { is_read; input.document.metadata.open == false; input.claims.level < 3 }',
  'deny contains "large" if { is_read; input.document.size > 5000; input.claims.level == 0 }',
];

export interface RandomPolicy {
  readonly rego: string;
  readonly data: object;
}

export function randomPolicy(random: Random, project: string, people: readonly Person[]): RandomPolicy {
  const rules = [...some(random, allowances, 0.3), pick(random, allowances), ...some(random, denials, 0.25)];
  const rego = `package ${project}.authz

default allow := false

is_read if input.action == "document.read"

allow if input.action != "document.read"

${[...new Set(rules)].join('\n\n')}
`;
  const data = {
    clearance: Object.fromEntries(some(random, people, 0.5).map(({ sub }) => [sub, Math.floor(random() * 5)])),
    prefixes: { red: 'a', green: 'b', blue: '' },
    teams: Object.fromEntries(people.map(({ sub }) => [sub, some(random, teams, 0.4)])),
    closed: some(random, ['legal', 'draft'], 0.4),
  };
  return { rego, data };
}

export interface Person {
  readonly sub: string;
  readonly project: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly team: string;
  readonly level: number;
}

export function randomPerson(random: Random, number: number, projects: readonly string[]): Person {
  return {
    sub: `user-${number}`,
    project: pick(random, projects),
    groups: some(random, groups, 0.15),
    roles: some(random, ['reader', 'keeper'], 0.3),
    team: pick(random, teams),
    level: Math.floor(random() * 5),
  };
}

/** Ready, of one chunk; its topic stands in its title. */
export function randomDocument(
  random: Random,
  project: string,
  number: number,
  people: readonly Person[],
): CatalogDocument {
  const hex = number.toString(16).padStart(12, '0');
  const metadata: Record<string, string | number | boolean> = {};
  if (random() < 0.7) metadata['team'] = pick(random, teams);
  if (random() < 0.7) metadata['level'] = Math.floor(random() * 6);
  if (random() < 0.3) metadata['open'] = random() < 0.5;
  const at = new Date(Date.UTC(2026, 0, 1) + Math.floor(random() * 300) * 86_400_000).toISOString();
  return {
    project,
    ...{ id: `00000000-0000-4000-8000-${hex}`, name: `${pick(random, ['a', 'b', 'c'])}-${number}.txt` },
    ...{ title: pick(random, topics), source: `upload:${number}`, tags: some(random, tags, 0.25), metadata },
    ...{
      media_type: pick(random, ['text/plain', 'text/markdown', 'application/pdf']),
      size: Math.floor(random() * 9000),
    },
    groups: random() < 0.3 ? some(random, groups, 0.15) : [],
    ...{ created_by: pick(random, people).sub, created_at: at, updated_at: at },
    ...{
      version: 1,
      state: 'ready',
      fault: null,
      sha256: '0'.repeat(64),
      generation: 1,
      chunks: 1,
      pages: null,
      notes: [],
      claim: null,
    },
  };
}
