/** Compares many random programs between a real OPA and both back ends of this engine. */
import { makeProgram, type Program } from './generate.js';
import { runOurs } from './ours.js';
import { compareOutcomes, type Difference, type Outcome } from './outcome.js';
import { Peer, type PeerUrls } from './peer.js';
import { shrink } from './shrink.js';

export interface FuzzOptions {
  readonly programs: number;
  readonly seed: number;
  readonly peers: readonly PeerUrls[];
  /** The `opa` program. */
  readonly command: string;
  readonly onDifference?: (found: Found) => void;
  readonly onProgress?: (done: number) => void;
  /** Milliseconds to spend on making one failing program smaller. */
  readonly shrinkMs?: number;
  /** Differences after which to stop. */
  readonly maxDifferences?: number;
}

export interface Found {
  readonly seed: number;
  readonly backend: 'generated' | 'closures';
  readonly difference: Difference;
  readonly program: Program;
}

export interface FuzzReport {
  readonly programs: number;
  /** How many of them OPA compiles. */
  readonly compiled: number;
  readonly answers: number;
  readonly found: readonly Found[];
}

const BACK_ENDS = ['generated', 'closures'] as const;

const isBuiltinError = (answer: string | undefined): boolean =>
  answer === 'error eval_type_error' || answer === 'error eval_builtin_error';

/** Errors differ where only one has an error, or both have and they are not the same. */
function isAboutErrors(difference: Difference): boolean {
  return difference.path !== undefined && /error eval_/.test(difference.category);
}

async function findDifference(
  peer: Peer,
  program: Program,
  first: Outcome,
): Promise<Pick<Found, 'backend' | 'difference'> | undefined> {
  let expected = first;
  for (const backend of BACK_ENDS) {
    const got = runOurs(program, backend, expected);
    for (;;) {
      const difference = compareOutcomes(program, expected, got);
      if (difference === undefined) break;
      const { path = '' } = difference;
      if (!isAboutErrors(difference)) return { backend, difference };
      const pair = [expected.answers.get(path), got.answers.get(path)];
      if (program.strictBuiltinErrors && pair.some(isBuiltinError)) {
        // Which built-ins are reached before a body fails is not part of the language: the answers must
        // be the same where errors of built-ins do not count.
        const lenient = { ...program, strictBuiltinErrors: false };
        return findDifference(peer, lenient, await peer.run(lenient));
      }
      // OPA's index may have left out the rule with the error.
      const plain = peer.unindexed(program, path);
      if (plain === expected.answers.get(path)) return { backend, difference };
      expected = { ...expected, answers: new Map([...expected.answers, [path, plain]]) };
    }
  }
  return undefined;
}

async function minimize(peer: Peer, found: Found, budgetMs: number): Promise<Found> {
  let smallest = found;
  await shrink(
    found.program,
    async (program) => {
      const again = await findDifference(peer, program, await peer.run(program));
      if (again?.difference.category !== found.difference.category) return false;
      smallest = { ...found, ...again, program };
      return true;
    },
    budgetMs,
  );
  return smallest;
}

/** Seeds are `seed`, `seed + 1`, …: any one program can be run again alone. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { programs, seed, maxDifferences = 10, shrinkMs = 10_000 } = options;
  const found: Found[] = [];
  let next = 0;
  let done = 0;
  let compiled = 0;
  let answers = 0;
  const work = async (urls: PeerUrls): Promise<void> => {
    const peer = new Peer(urls, options.command);
    while (next < programs && found.length < maxDifferences) {
      const own = seed + next;
      next += 1;
      const program = makeProgram(own);
      const expected = await peer.run(program);
      if (expected.compileErrors.length === 0) compiled += 1;
      answers += expected.answers.size;
      const different = await findDifference(peer, program, expected);
      if (different !== undefined) {
        const smallest = await minimize(peer, { seed: own, program, ...different }, shrinkMs);
        found.push(smallest);
        options.onDifference?.(smallest);
      }
      done += 1;
      options.onProgress?.(done);
    }
  };
  await Promise.all(options.peers.map(work));
  return { programs: done, compiled, answers, found };
}

/** A difference as text that can be run again. */
export function describeFound({ seed, backend, difference, program }: Found): string {
  return [
    `seed ${seed}, ${program.version}, ${backend}: ${difference.category}`,
    `  OPA: ${difference.expected}`,
    `  we:  ${difference.got}`,
    ...program.modules.map((text, index) => `--- m${index}\n${text.trimEnd()}`),
    `--- data ${JSON.stringify(program.data)}`,
    ...program.inputs.map((input) => `--- input ${JSON.stringify(input)}`),
    ...(program.strictBuiltinErrors ? ['--- strict built-in errors'] : []),
  ].join('\n');
}
