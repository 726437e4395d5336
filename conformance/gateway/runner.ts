/** Runs conformance cases against a gateway: puts the case's file in force, sends its requests, compares. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { hmacToken, type StandIns } from './stand-ins.js';

export interface Target {
  readonly url: string;
  /** Puts a file's text in force; resolves when the gateway answers by it. */
  apply(text: string): Promise<void>;
  stop(): Promise<void>;
}

export interface Case {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** What the stand-in OPA answers. */
  readonly opa?: { readonly status?: number; readonly body: unknown };
  /** What must be installed; without it the case cannot be run. */
  readonly needs?: readonly 'redis'[];
  readonly requests: readonly CaseRequest[];
}

interface CaseRequest {
  /** What happens to the real Redis before. */
  readonly redis?: 'killed' | 'started';
  /** Sent again until it is answered as expected, for ten seconds: what a gateway has to find out by itself first. */
  readonly eventually?: boolean;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly times?: number;
  readonly jwt?: { readonly secret: string; readonly claims: Record<string, unknown>; readonly alg?: string };
  readonly bearer?: { readonly claims: Record<string, unknown> };
  readonly expect: Expectation;
}

interface Expectation {
  readonly status?: number;
  readonly statuses?: readonly number[];
  readonly headers?: Readonly<Record<string, string | null | { readonly matches: string }>>;
  readonly body?: {
    readonly equals?: string;
    readonly contains?: string;
    readonly matches?: string;
    readonly json?: unknown;
  };
  readonly upstream?: null | {
    readonly path?: string;
    readonly method?: string;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string | null | { readonly matches: string }>>;
  };
  readonly opa?: unknown;
}

export function readCases(folder: string): readonly Case[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .flatMap((file) =>
      (parse(readFileSync(join(folder, file), 'utf8')) as readonly Case[]).map((one) => ({
        ...one,
        name: `${file.slice(0, -5)}: ${one.name}`,
      })),
    );
}

/** Faults in words; none when the gateway behaves. */
export async function runCase(one: Case, target: Target, standIns: StandIns): Promise<readonly string[]> {
  standIns.reset();
  if (one.opa) standIns.answerOpa(one.opa);
  const fill = (text: string): string =>
    text
      .replaceAll('UPSTREAM', standIns.upstream)
      .replaceAll('OPA', standIns.opa)
      .replaceAll('ISSUER', standIns.issuer)
      .replaceAll('VAULT', standIns.vault)
      .replaceAll('REDIS_PORT', String(standIns.redisPort));
  await target.apply(`${fill(stringify(one.config, { aliasDuplicateObjects: false }))}#END\n`);
  standIns.reset();
  if (one.opa) standIns.answerOpa(one.opa);
  const faults: string[] = [];
  for (const [index, request] of one.requests.entries()) {
    if (request.redis) await standIns.setRedis(request.redis);
    const deadline = Date.now() + (request.eventually === true ? 10_000 : 0);
    let found = await tryRequest(request, target, standIns);
    while (found.length > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      found = await tryRequest(request, target, standIns);
    }
    for (const fault of found) faults.push(`request ${index + 1}: ${fault}`);
  }
  return faults;
}

/** Sends it as often as it says, and compares the last answer. */
async function tryRequest(request: CaseRequest, target: Target, standIns: StandIns): Promise<readonly string[]> {
  const before = standIns.seen.length;
  const statuses: number[] = [];
  let last = await send(request, target.url, standIns);
  statuses.push(last.status);
  for (let time = 1; time < (request.times ?? 1); time += 1) {
    last = await send(request, target.url, standIns);
    statuses.push(last.status);
  }
  const seen = standIns.seen.slice(before);
  return compare(request.expect, { statuses, answer: last, seen, opaInput: standIns.opaInputs.at(-1) });
}

/** Why a case cannot be run here. */
export const missingFor = (one: Case, standIns: Pick<StandIns, 'redisPort'>): string | undefined =>
  one.needs?.includes('redis') && standIns.redisPort === undefined ? 'Redis is not installed' : undefined;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

async function send(request: CaseRequest, url: string, standIns: StandIns): Promise<Answer> {
  const headers: Record<string, string> = { ...request.headers };
  if (request.jwt)
    headers['authorization'] = `Bearer ${hmacToken(request.jwt.secret, request.jwt.claims, request.jwt.alg)}`;
  if (request.bearer) headers['authorization'] = `Bearer ${await standIns.sign(request.bearer.claims)}`;
  const answer = await fetch(url + (request.path ?? '/hello'), {
    method: request.method ?? 'GET',
    headers,
    redirect: 'manual',
    ...(request.body === undefined ? {} : { body: request.body }),
  });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

interface Observed {
  readonly statuses: readonly number[];
  readonly answer: Answer;
  readonly seen: StandIns['seen'];
  readonly opaInput: unknown;
}

function compare(expect: Expectation, { statuses, answer, seen, opaInput }: Observed): readonly string[] {
  const faults: string[] = [];
  const differ = (what: string, wanted: unknown, found: unknown): void =>
    void faults.push(`${what}: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
  if (expect.status !== undefined && answer.status !== expect.status)
    differ('status', expect.status, `${answer.status} ${answer.body.slice(0, 200)}`);
  if (expect.statuses && !isDeepStrictEqual(expect.statuses, statuses)) differ('statuses', expect.statuses, statuses);
  for (const [name, wanted] of Object.entries(expect.headers ?? {}))
    if (!fits(answer.headers.get(name) ?? undefined, wanted))
      differ(`header ${name}`, wanted, answer.headers.get(name));
  const { body } = expect;
  if (body?.equals !== undefined && answer.body !== body.equals) differ('body', body.equals, answer.body);
  if (body?.contains !== undefined && !answer.body.includes(body.contains)) differ('body', body.contains, answer.body);
  if (body?.matches !== undefined && !new RegExp(body.matches).test(answer.body))
    differ('body', body.matches, answer.body);
  if (body?.json !== undefined && !holds(parseJson(answer.body), body.json)) differ('body', body.json, answer.body);
  if (expect.upstream === null && seen.length > 0) differ('upstream', 'not reached', seen[0]);
  if (expect.upstream) {
    const last = seen.at(-1);
    if (!last) differ('upstream', 'reached', 'not reached');
    for (const name of ['path', 'method', 'body'] as const)
      if (last && expect.upstream[name] !== undefined && last[name] !== expect.upstream[name])
        differ(`upstream ${name}`, expect.upstream[name], last[name]);
    for (const [name, wanted] of Object.entries(expect.upstream.headers ?? {}))
      if (last && !fits(textOf(last.headers[name]), wanted))
        differ(`upstream header ${name}`, wanted, last.headers[name]);
  }
  if (expect.opa !== undefined && !holds(opaInput, expect.opa)) differ('OPA input', expect.opa, opaInput);
  return faults;
}

const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' || value === undefined ? value : value.join(', ');

function fits(found: string | undefined, wanted: string | null | { readonly matches: string }): boolean {
  if (wanted === null) return found === undefined;
  if (found === undefined) return false;
  return typeof wanted === 'string' ? found === wanted : new RegExp(wanted.matches).test(found);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether `found` has everything `wanted` has. */
function holds(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return isDeepStrictEqual(found, wanted);
  if (typeof found !== 'object' || found === null) return false;
  return Object.entries(wanted).every(([name, value]) => holds((found as Record<string, unknown>)[name], value));
}
