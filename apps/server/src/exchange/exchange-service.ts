/** Bulk import in one write (all of it or nothing), export in other systems' formats, and snapshots that bring a scope back as it was. */
import { BailiwickError, type ExchangeFormat, type ImportReport, type ImportRequest } from '@bailiwick/contract';
import type { FlagDefinition, JsonValue } from '@bailiwick/evaluation';
import { stringify } from 'yaml';
import type { ConfigContentStored, FlagContent, Item, SegmentContent } from '../configs/config-content.js';
import type { ConfigService } from '../configs/config-service.js';
import type { ConfigurationFeed } from '../configs/configuration-feed.js';
import type { ConfigurationState } from '../configs/configuration-state.js';
import type {
  ConfigurationWriter,
  PlannedChange,
  WriteContext,
  WriteRule,
  Written,
} from '../configs/configuration-writer.js';
import { countsIn } from '../configs/environment-document.js';
import type { Environments } from '../configs/environments.js';
import { scopeOf } from '../configs/scope.js';
import type { ValueCipher } from '../configs/value-cipher.js';
import { VersionedResources } from '../configs/versioned-resources.js';
import { type FlagService, flagValidity } from '../flags/flag-service.js';
import type { ResourceKind, ResourceScope, ResourceStore, ResourceVersion } from '../ports/resource-store.port.js';
import { importRefused, type ParsedImport, parseImport } from './parse-import.js';

export interface SnapshotContent {
  readonly description?: string;
  readonly revision: number;
}

export interface ExchangeParts {
  readonly store: ResourceStore;
  readonly feed: ConfigurationFeed;
  readonly writer: ConfigurationWriter;
  readonly cipher: ValueCipher;
  readonly environments: Environments;
  readonly configs: ConfigService;
  readonly flags: FlagService;
  readonly rules: readonly WriteRule[];
}

interface Draft {
  readonly kind: ResourceKind;
  readonly key: string;
  readonly scope: ResourceScope;
  readonly content: unknown;
  /** Whether an existing one says the same already. */
  readonly isSame: (item: Item<unknown>) => boolean;
}

const maxWarnings = 50;
const exchanged = ['config', 'flag', 'segment'] as const;
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What is kept with the write so that it may be repeated, from the report that it will have. */
export type Keep = (report: (written: Written) => ImportReport) => Pick<WriteContext, 'once'>;

const keepNothing: Keep = () => ({});

/** Ends a write that was only to be checked. */
class DryRun extends Error {
  readonly changes: readonly PlannedChange[];
  constructor(changes: readonly PlannedChange[]) {
    super('dry run');
    this.changes = changes;
  }
}

export class ExchangeService {
  readonly snapshots: VersionedResources<SnapshotContent>;
  readonly #parts: ExchangeParts;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    const { store, feed, writer } = parts;
    const shown = ({ revision, ...rest }: SnapshotContent): JsonValue => ({ ...rest, of_revision: revision });
    this.snapshots = new VersionedResources({ kind: 'snapshot', store, feed, writer, rules: [], shown });
  }

  snapshotContent(description: string | undefined): SnapshotContent {
    return { revision: this.#parts.feed.state.revision, ...(description === undefined ? {} : { description }) };
  }

  /** Errors: `import.unreadable`, and whatever a write of the parts would be refused with. */
  async import(request: ImportRequest, context: WriteContext, keep: Keep = keepNothing): Promise<ImportReport> {
    const target = scopeOf(request.app_id, request.environment);
    const parsed = parseImport(request.format, request.content);
    const drafts = await this.#drafts(parsed, target);
    if (drafts.length === 0) throw importRefused('There is nothing in the content to import.');
    let unchanged = 0;
    const plan = (state: ConfigurationState): readonly PlannedChange[] => {
      const changes = drafts.flatMap((draft) => changeFor(draft, state));
      unchanged = drafts.length - changes.length;
      return request.mode === 'replace' ? [...changes, ...leftOver(drafts, state, target)] : changes;
    };
    const warned = (report: ImportReport): ImportReport =>
      parsed.warnings.length === 0 ? report : { ...report, warnings: parsed.warnings.slice(0, maxWarnings) };
    const keepWarned: Keep = (report) => keep((written) => warned(report(written)));
    const options = { isDryRun: request.dry_run === true, keep: keepWarned, unchanged: () => unchanged };
    return warned(await this.#writeOrTry(plan, context, options));
  }

  /** Brings entries, flags and segments of the snapshot's scope back as they were. Errors: `snapshot.not_found`. */
  async restore(
    id: string,
    context: WriteContext,
    { isDryRun, keep = keepNothing }: { readonly isDryRun: boolean; readonly keep?: Keep },
  ): Promise<ImportReport> {
    const { content, appId, environment } = this.snapshots.get(id);
    const scope = { appId, environment };
    const old = new Map<string, ResourceVersion>();
    for (const kind of exchanged)
      for (const version of await this.#parts.store.asOf(kind, content.revision))
        if (isWithin(version, scope)) old.set(version.id, version);
    let unchanged = 0;
    const plan = (state: ConfigurationState): readonly PlannedChange[] => {
      const changes: PlannedChange[] = [];
      unchanged = 0;
      for (const kind of exchanged)
        for (const item of state.all<unknown>(kind))
          if (isWithin(item, scope) && !old.has(item.id)) changes.push({ op: 'delete', item, action: 'restore' });
      for (const version of old.values()) {
        const then = JSON.parse(version.content ?? 'null') as unknown;
        const item = state.get<unknown>(version.kind, version.id);
        const place = {
          kind: version.kind,
          key: version.key,
          scope: { appId: version.appId, environment: version.environment },
        };
        if (!item) changes.push({ op: 'create', ...place, content: then, action: 'restore' });
        else if (same(item.content, then)) unchanged += 1;
        else changes.push({ op: 'replace', item, content: then, action: 'restore', rolledBackTo: version.version });
      }
      return changes;
    };
    return await this.#writeOrTry(plan, context, { isDryRun, keep, unchanged: () => unchanged });
  }

  /** The text of a file, and its type. Secrets are left out. */
  export(format: ExchangeFormat, scope: ResourceScope): { readonly text: string; readonly type: string } {
    switch (format) {
      case 'json':
        return { text: `${JSON.stringify(this.#own(scope), null, 2)}\n`, type: 'application/json' };
      case 'yaml':
        return { text: stringify(this.#own(scope)), type: 'application/yaml' };
      case 'env':
        return { text: this.#dotEnv(scope), type: 'text/plain; charset=utf-8' };
      case 'flagd': {
        const { flags } = this.#parts.environments.view(scope).document;
        return { text: `${JSON.stringify(flags, null, 2)}\n`, type: 'application/json' };
      }
      case 'unleash': {
        const { unleash } = this.#parts.environments.view(scope).document;
        const { features = [], segments = [] } = unleash ?? {};
        return { text: `${JSON.stringify({ version: 2, features, segments }, null, 2)}\n`, type: 'application/json' };
      }
      default:
        return format satisfies never;
    }
  }

  async #writeOrTry(
    plan: (state: ConfigurationState) => readonly PlannedChange[],
    context: WriteContext,
    { isDryRun, keep, unchanged }: { isDryRun: boolean; keep: Keep; unchanged: () => number },
  ): Promise<ImportReport> {
    let planned: readonly PlannedChange[] = [];
    const remember = (state: ConfigurationState): readonly PlannedChange[] => {
      planned = plan(state);
      return planned;
    };
    const stop: WriteRule = {
      check: (changes) => {
        throw new DryRun(changes);
      },
    };
    const rules = [this.#parts.configs.validity, flagValidity, ...this.#parts.rules, ...(isDryRun ? [stop] : [])];
    const named = (op: PlannedChange['op']): string[] => planned.filter((change) => change.op === op).map(nameOf);
    const report = ({ revision }: Written): ImportReport => ({
      ...{ dry_run: isDryRun, revision, unchanged: unchanged() },
      ...{ created: named('create'), updated: named('replace'), deleted: named('delete') },
    });
    const kept = { ...context, ...keep(report) };
    const written: Written = await this.#parts.writer.write(kept, remember, rules).catch((error: unknown) => {
      if (error instanceof DryRun) return { revision: this.#parts.feed.state.revision, items: [] };
      throw error;
    });
    return report(written);
  }

  async #drafts(parsed: ParsedImport, target: ResourceScope): Promise<readonly Draft[]> {
    const { configs, flags, cipher } = this.#parts;
    const drafts: Draft[] = [];
    for (const { key, scope = target, draft } of parsed.configs) {
      const content = await configs.content(draft);
      const isSame = (item: Item<unknown>): boolean => {
        const known = item.content as ConfigContentStored;
        const { encrypted: _new, ...mine } = content;
        const { encrypted: _old, value, ...theirs } = known;
        const plain = draft.sensitive === true ? { ...theirs } : { value, ...theirs };
        return (
          same(sorted(mine), sorted(plain)) &&
          (draft.sensitive !== true || same(draft.value, cipher.plain(item as Item<ConfigContentStored>)))
        );
      };
      drafts.push({ kind: 'config', key, scope, content, isSame });
    }
    for (const { key, scope = target, body, unleash } of parsed.flags) {
      const content: FlagContent = { ...flags.flagContent(body), ...(unleash === undefined ? {} : { unleash }) };
      drafts.push({ kind: 'flag', key, scope, content, isSame: (item) => same(sorted(item.content), sorted(content)) });
    }
    for (const { key, scope = target, body } of parsed.segments) {
      const content: SegmentContent = flags.segmentContent(body);
      drafts.push({
        kind: 'segment',
        key,
        scope,
        content,
        isSame: (item) => same(sorted(item.content), sorted(content)),
      });
    }
    return drafts;
  }

  #own(scope: ResourceScope): Record<string, unknown> {
    const { state } = this.#parts.feed;
    const place = (item: Item<unknown>) => ({ key: item.key, app_id: item.appId, environment: item.environment });
    const within = <C>(kind: ResourceKind): Item<C>[] =>
      [...state.all<C>(kind)]
        .filter((item) => isWithin(item, scope))
        .sort((a, b) => (nameAndScope(a) < nameAndScope(b) ? -1 : 1));
    return {
      bailiwick: 1,
      configs: within<ConfigContentStored>('config')
        .filter(({ content }) => !content.sensitive)
        .map((item) => {
          const { dependsOn, encrypted: _encrypted, ...content } = item.content;
          return { ...place(item), ...content, ...(dependsOn === undefined ? {} : { depends_on: dependsOn }) };
        }),
      flags: within<FlagContent>('flag').map((item) => {
        const { definition, ...rest } = item.content;
        return { ...place(item), ...(definition as FlagDefinition), ...rest };
      }),
      segments: within<SegmentContent>('segment').map((item) => ({ ...place(item), ...item.content })),
    };
  }

  /** Effective values as NAME=value; names that meet are refused. */
  #dotEnv(scope: ResourceScope): string {
    const view = this.#parts.environments.view(scope);
    const lines = new Map<string, string>();
    for (const key of view.compiled.configs.keys()) {
      const value = view.sensitiveKeys.has(key) ? undefined : view.compiled.configs.get(key);
      if (value === undefined) continue;
      const name = key
        .replace(/[^A-Za-z0-9]/g, '_')
        .toUpperCase()
        .replace(/^(?=\d)/, '_');
      if (lines.has(name))
        throw new BailiwickError('conflict', {
          reason: 'export.names_meet',
          message: `Two keys would both be ${name} in a .env file (one is '${key}'). Rename one, or export as YAML.`,
        });
      lines.set(name, `${name}=${quoted(typeof value === 'string' ? value : JSON.stringify(value))}`);
    }
    return `${[...lines.values()].join('\n')}\n`;
  }
}

const quoted = (text: string): string => {
  if (/^[A-Za-z0-9_./:@-]*$/.test(text)) return text;
  // Single quotes keep everything as it is; a text with both kinds of quotes goes into backticks.
  if (!text.includes("'")) return `'${text}'`;
  return text.includes('"') ? `\`${text}\`` : `"${text}"`;
};

function changeFor({ kind, key, scope, content, isSame }: Draft, state: ConfigurationState): readonly PlannedChange[] {
  const item = state.find<unknown>(kind, scope, key);
  if (!item) return [{ op: 'create', kind, scope, key, content, action: 'import' }];
  return isSame(item) ? [] : [{ op: 'replace', item, content, action: 'import' }];
}

/** What is in the import's scope and not in its file. */
function leftOver(
  drafts: readonly Draft[],
  state: ConfigurationState,
  target: ResourceScope,
): readonly PlannedChange[] {
  const kinds = new Set(drafts.map(({ kind }) => kind));
  const named = new Set(drafts.map(({ kind, key, scope }) => `${kind}\n${key}\n${scope.appId}\n${scope.environment}`));
  const changes: PlannedChange[] = [];
  for (const kind of kinds)
    for (const item of state.all<unknown>(kind)) {
      const isHere = item.appId === target.appId && item.environment === target.environment;
      if (isHere && !named.has(`${kind}\n${item.key}\n${item.appId}\n${item.environment}`))
        changes.push({ op: 'delete', item, action: 'import' });
    }
  return changes;
}

const nameAndScope = (item: Item<unknown>): string => `${item.appId ?? ''}\n${item.environment ?? ''}\n${item.key}`;

/** In the scope or in one that is part of it. */
const isWithin = (resource: ResourceScope, scope: ResourceScope): boolean => countsIn(scope, resource);

function nameOf(change: PlannedChange): string {
  const { kind, key } = change.op === 'create' ? change : change.item;
  return `${kind} ${key}`;
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, sorted(one)]),
  );
}
