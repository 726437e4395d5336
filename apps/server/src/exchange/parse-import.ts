/** Files of other systems, and our own, as drafts of entries, flags and segments. Pure; what cannot be read is refused with where and why. */
import { parseEnv } from 'node:util';
import { BailiwickError, type ExchangeFormat, type FlagBody, type SegmentBody } from '@bailiwick/contract';
import { importUnleash, type JsonValue, type UnleashFeature, type UnleashSegment } from '@bailiwick/evaluation';
import { parseDocument } from 'yaml';
import type { ConfigDraft } from '../configs/config-service.js';
import type { ResourceScope } from '../ports/resource-store.port.js';

interface Placed {
  readonly key: string;
  /** Undefined: the scope of the import. */
  readonly scope: ResourceScope | undefined;
}

export interface ParsedImport {
  readonly configs: readonly (Placed & { readonly draft: ConfigDraft })[];
  readonly flags: readonly (Placed & {
    readonly body: FlagBody;
    readonly unleash?: { feature: UnleashFeature; segments: UnleashSegment[] };
  })[];
  readonly segments: readonly (Placed & { readonly body: SegmentBody })[];
  /** What is taken and yet may not do what its author meant. */
  readonly warnings: readonly string[];
}

const nothing: ParsedImport = { configs: [], flags: [], segments: [], warnings: [] };
const maxAliases = 50;

export const importRefused = (message: string, faults?: readonly unknown[]): BailiwickError =>
  new BailiwickError('invalid', {
    reason: 'import.unreadable',
    message,
    ...(faults === undefined ? {} : { extra: { faults } }),
  });

/** Errors: `import.unreadable`. */
export function parseImport(format: ExchangeFormat, content: unknown): ParsedImport {
  switch (format) {
    case 'env':
      return parseDotEnv(textOf(content));
    case 'yaml':
      return parseOwn(fromYaml(textOf(content)));
    case 'json':
      return parseOwn(fromJson(content));
    case 'flagd':
      return parseFlagd(fromJson(content));
    case 'unleash':
      return parseUnleash(fromJson(content));
    default:
      return format satisfies never;
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  throw importRefused('This format is a text: send the file’s content as `content`.');
}

function fromJson(content: unknown): unknown {
  if (typeof content !== 'string') return content;
  try {
    return JSON.parse(content) as unknown;
  } catch (cause) {
    throw importRefused(`The content is no JSON: ${cause instanceof Error ? cause.message : String(cause)}.`);
  }
}

function fromYaml(text: string): unknown {
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true });
  const [error] = document.errors;
  if (error) throw importRefused(`The content is no YAML: ${error.message}`);
  try {
    return document.toJS({ maxAliasCount: maxAliases }) as unknown;
  } catch (cause) {
    throw importRefused(`The content is no usable YAML: ${cause instanceof Error ? cause.message : String(cause)}.`);
  }
}

function parseDotEnv(text: string): ParsedImport {
  const configs = Object.entries(parseEnv(text)).map(([key, value]) => ({ key, scope: undefined, draft: { value } }));
  return { ...nothing, configs };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (isObject(value)) return value;
  throw importRefused(`${what} must be an object.`);
}

/** Our own export; or a plain map of keys to values. */
function parseOwn(value: unknown): ParsedImport {
  const document = objectOf(value, 'The document');
  const isOwn = ['configs', 'flags', 'segments'].some((name) => Array.isArray(document[name]));
  if (!isOwn) {
    const configs = Object.entries(document).map(([key, one]) => ({ key, scope: undefined, draft: { value: one } }));
    return { ...nothing, configs };
  }
  const unknown = Object.keys(document).filter((name) => !['configs', 'flags', 'segments', 'bailiwick'].includes(name));
  if (unknown.length > 0) throw importRefused(`The document has members nobody knows: ${unknown.join(', ')}.`);
  const list = (name: string): { key: string; scope: ResourceScope | undefined; rest: Record<string, unknown> }[] =>
    ((document[name] ?? []) as unknown[]).map((one, index) => {
      const { key, app_id = null, environment = null, ...rest } = objectOf(one, `/${name}/${index}`);
      if (typeof key !== 'string') throw importRefused(`/${name}/${index} has no key.`);
      return { key, scope: { appId: app_id as string | null, environment: environment as string | null }, rest };
    });
  return {
    configs: list('configs').map(({ key, scope, rest }) => {
      if (!('value' in rest))
        throw importRefused(
          `The entry '${key}' has no value (secrets are left out of exports; add it, or leave the entry out).`,
        );
      return { key, scope, draft: rest as unknown as ConfigDraft };
    }),
    flags: list('flags').map(({ key, scope, rest: { unleash, ...body } }) => ({
      ...{ key, scope, body: body as unknown as FlagBody },
      ...(unleash === undefined ? {} : { unleash: unleash as { feature: UnleashFeature; segments: UnleashSegment[] } }),
    })),
    warnings: [],
    segments: list('segments').map(({ key, scope, rest }) => ({ key, scope, body: rest as unknown as SegmentBody })),
  };
}

function parseFlagd(value: unknown): ParsedImport {
  const document = objectOf(value, 'The document');
  const flags = objectOf(document['flags'], '/flags');
  const evaluators = objectOf(document['$evaluators'] ?? {}, '/$evaluators');
  return {
    ...nothing,
    flags: Object.entries(flags).map(([key, body]) => ({
      ...{ key, scope: undefined },
      body: objectOf(body, `/flags/${key}`) as unknown as FlagBody,
    })),
    segments: Object.entries(evaluators).map(([key, rule]) => ({
      key,
      scope: undefined,
      body: { rule: rule as JsonValue },
    })),
  };
}

function parseUnleash(value: unknown): ParsedImport {
  const { state, faults } = importUnleash(value);
  const isSoft = ({ code }: { readonly code: string }): boolean => code.startsWith('unleash.unknown_');
  const hard = faults.filter((fault) => !isSoft(fault));
  if (hard.length > 0) throw importRefused(`${hard[0]?.path}: ${hard[0]?.message}.`, hard.slice(0, 20));
  const byId = new Map(state.segments.map((segment) => [segment.id, segment]));
  const flags = state.features.map((feature) => {
    const named = new Set((feature.strategies ?? []).flatMap((strategy) => strategy.segments ?? []));
    const segments = [...named].flatMap((id) => byId.get(id) ?? []);
    return { key: feature.name, scope: undefined, body: unleashShape(feature), unleash: { feature, segments } };
  });
  // An unknown operator or strategy lets nobody in, here as in Unleash's own clients: kept, and said.
  const warnings = faults.filter(isSoft).map(({ path, message }) => `${path}: ${message}`);
  return { ...nothing, flags, warnings };
}

/** What an Unleash feature looks like from outside: on or off. Its variants answer with their payloads. */
function unleashShape(feature: UnleashFeature): FlagBody {
  return {
    state: feature.enabled ? 'ENABLED' : 'DISABLED',
    variants: { enabled: true, disabled: false },
    defaultVariant: 'disabled',
    metadata: { source: 'unleash' },
  };
}
