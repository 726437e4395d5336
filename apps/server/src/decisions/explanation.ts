/** Why a decision came out as it did: the rules and expressions that settled it, with file and line, from the engine's own explanation. */
import { BailiwickError, type Explanation } from '@bailiwick/contract';
import { parseJson, toJson, type Value } from '@bailiwick/rego';
import type { PolicyArchive, PolicyName } from '../ports/policy-archive.port.js';
import { judge } from './decision.js';
import { type DecisionLog, queryOf } from './decision-log.js';
import type { World, WorldCompiler } from './world.js';

export interface WorldExplanation {
  readonly values: Readonly<Record<string, Value | undefined>>;
  readonly trace: Explanation['policies'][number]['trace'];
  /** The rules that succeeded, without doubles. */
  readonly rules: { rule: string; file: string; row: number; column: number }[];
}

export function explainWorld(world: World, input: Value, entrypoints: readonly ('allow' | 'deny')[]): WorldExplanation {
  const values: Record<string, Value | undefined> = {};
  const trace: Explanation['policies'][number]['trace'] = [];
  for (const name of entrypoints) {
    const explained = world.policy.explain(`${world.packagePath}.${name}`, input);
    values[name] = explained.value;
    trace.push(
      ...explained.trace.map((step) => ({
        rule: step.rule,
        file: step.file,
        row: step.row,
        column: step.col,
        expression: step.expression,
        outcome: step.outcome,
      })),
    );
  }
  const rules = new Map(
    trace
      .filter((step) => step.outcome === 'true')
      .map(({ rule, file, row, column }) => [`${rule} ${file} ${row}`, { rule, file, row, column }]),
  );
  return { values, trace, rules: [...rules.values()] };
}

export class ExplanationService {
  readonly #log: DecisionLog;
  readonly #archive: PolicyArchive;
  readonly #compiler: WorldCompiler;
  readonly #current: (
    name: PolicyName,
    etag: string,
  ) => { readonly rego: string; readonly dataText: string } | undefined;

  /** `current` answers from memory when the policy in force has that ETag; the archive knows the rest. */
  constructor(
    log: DecisionLog,
    archive: PolicyArchive,
    compiler: WorldCompiler,
    current: (name: PolicyName, etag: string) => { readonly rego: string; readonly dataText: string } | undefined,
  ) {
    this.#log = log;
    this.#archive = archive;
    this.#compiler = compiler;
    this.#current = current;
  }

  /** Re-evaluates a logged decision with its stored input at its stored revisions. */
  async explain(decisionId: string): Promise<Explanation> {
    const logged = await this.#log.get(decisionId);
    if (!logged)
      throw new BailiwickError('not-found', {
        reason: 'decision.not_found',
        message: `There is no logged decision ${decisionId}; it may be older than those kept.`,
      });
    const platform = await this.#world('platform', logged.bundles['platform']?.revision, undefined);
    const platformData = platform?.data;
    const project =
      logged.project === undefined
        ? undefined
        : await this.#world(logged.project, logged.bundles[`projects/${logged.project}`]?.revision, platformData);
    const query = queryOf(logged);
    const verdict = judge(
      platform && { kind: 'ready', world: platform.world },
      project && { kind: 'ready', world: project.world },
      query,
    );
    const worlds = [platform, logged.control_plane ? undefined : project].filter((item) => item !== undefined);
    return {
      decision_id: decisionId,
      allowed: verdict.allowed,
      reproduced: verdict.allowed === logged.allowed,
      policies: worlds.map(({ world, etag }) => {
        const { values, trace } = explainWorld(world, query.input, ['deny', 'allow']);
        return {
          policy: world.name,
          revision: etag,
          allow: shown(values['allow']),
          deny: shown(values['deny']),
          trace,
        };
      }),
    };
  }

  async #world(
    name: PolicyName,
    etag: string | undefined,
    platformData: Value | undefined,
  ): Promise<{ world: World; etag: string; data: Value } | undefined> {
    if (etag === undefined || etag === '0') return undefined;
    const content = this.#current(name, etag) ?? (await this.#archived(name, etag));
    await this.#compiler.prepare(name, content);
    const world = this.#compiler.build(name, { ...content, revision: Number(etag) }, platformData);
    return { world, etag, data: parseJson(content.dataText) };
  }

  async #archived(name: PolicyName, etag: string): Promise<{ rego: string; dataText: string }> {
    const version = await this.#archive.findByEtag(name, etag);
    if (version) return { rego: version.rego, dataText: version.dataText };
    throw new BailiwickError('not-found', {
      reason: 'decision.revision_gone',
      message: `The policy '${name}' at revision ${etag} is no longer kept, so this decision cannot be made again.`,
    });
  }
}

const shown = (value: Value | undefined): unknown => (value === undefined ? null : toJson(value));
