/** What a client saw while something was broken: gaps, failures, leaks; and the writes it was promised. */
import type { LoadRecord } from './agent.js';
import type { DataCentres } from './data-centres.js';

export interface Figures {
  readonly requests: number;
  /** Those that should be allowed and were not answered 200. */
  readonly failed: number;
  /** Those that must be denied and were answered 200. Anything but 0 is a hole. */
  readonly leaked: number;
  readonly denied: number;
  /** The longest time without an answer of 200 to anybody, less what the client itself stood still in it. */
  readonly gapMs: number;
  /** What the client stood still in all: a machine that stops for a second asks nobody, and nobody could answer. */
  readonly stoodStillMs: number;
  readonly p50Ms: number;
  /** Of those answered 200. A first packet that was lost is sent again after a second, by TCP's own clock. */
  readonly slowestMs: number;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Longest first: the times between two answers of 200, each with what the client stood still in it. */
export function gapsOf(records: readonly LoadRecord[], everyMs: number) {
  const asked = records.filter(({ kind }) => kind === 'allow');
  const answers = asked.filter(({ status }) => status === 200).map(({ atMs, tookMs }) => atMs + tookMs);
  // From the first to the last that was sent: a gap that did not end counts.
  const moments = [asked[0]?.atMs ?? 0, ...answers, asked.at(-1)?.atMs ?? 0].toSorted((a, b) => a - b);
  const still = standstillsOf(records, everyMs);
  const within = ({ fromMs, toMs }: Span): number =>
    still.reduce((sum, one) => sum + Math.max(0, Math.min(toMs, one.toMs) - Math.max(fromMs, one.fromMs)), 0);
  return spansOf(moments)
    .map((span) => ({ ...span, stoodStillMs: within(span), gapMs: span.toMs - span.fromMs - within(span) }))
    .toSorted((a, b) => b.gapMs - a.gapMs);
}

const spansOf = (moments: readonly number[]): Span[] =>
  moments.slice(1).map((toMs, index) => ({ fromMs: moments[index] ?? toMs, toMs }));

/** A request was due every `everyMs`, whatever became of those before: where none was sent, the client did not run. */
const standstillsOf = (records: readonly LoadRecord[], everyMs: number): Span[] =>
  spansOf(records.map(({ atMs }) => atMs))
    .map(({ fromMs, toMs }) => ({ fromMs: fromMs + everyMs, toMs }))
    .filter(({ fromMs, toMs }) => toMs - fromMs > everyMs);

/** `records`: in the order in which they were sent. `everyMs`: the time between two of them. */
export function figuresOf(records: readonly LoadRecord[], everyMs: number): Figures {
  const asked = records.filter(({ kind }) => kind === 'allow');
  const guests = records.filter(({ kind }) => kind === 'deny');
  const good = asked.filter(({ status }) => status === 200);
  const took = good.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  return {
    requests: records.length,
    failed: asked.length - good.length,
    leaked: guests.filter(({ status }) => status === 200).length,
    denied: guests.filter(({ status }) => status === 403).length,
    gapMs: gapsOf(records, everyMs)[0]?.gapMs ?? 0,
    stoodStillMs: standstillsOf(records, everyMs).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0),
    p50Ms: took[Math.floor(took.length * 0.5)] ?? 0,
    slowestMs: took.at(-1) ?? 0,
  };
}

export interface Writes {
  /** Names of policies whose write was acknowledged with 201. */
  readonly acknowledged: readonly string[];
  /** Status of each that was not, by its policy's name. 0: no answer. */
  readonly refused: ReadonlyMap<string, number>;
}

const markerOf = (name: string): string => `package p\n\nmarker := "${name}"\n`;

/** A new policy, again and again, through the virtual address: both of its keys name it. */
export function startWriting(all: DataCentres, token: string, prefix: string): { stop(): Promise<Writes> } {
  const acknowledged: string[] = [];
  const refused = new Map<string, number>();
  let isOver = false;
  const write = async (): Promise<void> => {
    for (let number = 0; !isOver; number += 1) {
      const name = `${prefix}-${number}`;
      const { status } = await putPolicy(all, token, name);
      if (status === 201) acknowledged.push(name);
      else refused.set(name, status);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const writing = write();
  return {
    async stop() {
      isOver = true;
      await writing;
      return { acknowledged, refused };
    },
  };
}

export const putPolicy = (all: DataCentres, token: string, name: string, from: 'client' | 'client-b' = 'client') =>
  all.ask(from, `/policies/${name}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ rego: markerOf(name), data: { marker: name } }),
    timeoutMs: 6000,
  });

/** Names of the written policies that this member of etcd lacks, and of those it holds in part or mixed up. */
export function inspectMember(all: DataCentres, member: 0 | 1 | 2, { acknowledged, refused }: Writes) {
  const held = all.readMember(member, '/policies/projects/');
  const missing: string[] = [];
  const torn: string[] = [];
  for (const name of [...acknowledged, ...refused.keys()]) {
    const [rego, data] = [`rego.rego`, `data.json`].map((file) => held.get(`/policies/projects/${name}/${file}`));
    const isWhole = rego === markerOf(name) && data !== undefined && JSON.parse(data).marker === name;
    if (isWhole) continue;
    if (rego !== undefined || data !== undefined) torn.push(name);
    // A write that was refused or got no answer may have happened after all: whole, or not at all.
    else if (!refused.has(name)) missing.push(name);
  }
  return { missing, torn };
}
