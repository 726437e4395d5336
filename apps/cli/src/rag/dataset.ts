/**
 * Retrieval datasets in BEIR's form: `corpus.jsonl` (`_id, title, text`), `queries.jsonl` (`_id, text`, some with `answers`) and
 * `qrels.tsv` (`query-id corpus-id score`, with a heading). A gold set of one's own has the last two; its documents are named by
 * their file names.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from '../failure.js';
import type { Judgements } from './ranking.js';

export interface CorpusDocument {
  readonly _id: string;
  readonly title?: string;
  readonly text: string;
}

export interface JudgedQuery {
  readonly _id: string;
  readonly text: string;
  /** Texts any of which is the answer. */
  readonly answers?: readonly string[];
  readonly judged: Judgements;
}

export interface Dataset {
  /** Empty where there is no `corpus.jsonl`. */
  readonly corpus: readonly CorpusDocument[];
  /** Those with a judgement. */
  readonly queries: readonly JudgedQuery[];
}

/** Errors: `CommandFailure` with the file and the line. */
export function readDataset(folder: string): Dataset {
  const judgements = readJudgements(join(folder, 'qrels.tsv'));
  const queries = readLines<Omit<JudgedQuery, 'judged'>>(join(folder, 'queries.jsonl'), ['_id', 'text']).flatMap(
    (query) => {
      const judged = judgements.get(query._id);
      return judged ? [{ ...query, judged }] : [];
    },
  );
  if (queries.length === 0) throw new CommandFailure(`No query of ${folder} is judged.`);
  const corpusFile = join(folder, 'corpus.jsonl');
  return { corpus: existsSync(corpusFile) ? readLines<CorpusDocument>(corpusFile, ['_id', 'text']) : [], queries };
}

function read(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readLines<T>(file: string, members: readonly string[]): T[] {
  return read(file).flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      const value = JSON.parse(line) as Record<string, unknown>;
      for (const member of members)
        if (typeof value[member] !== 'string') throw new Error(`\`${member}\` is not a text`);
      return [value as T];
    } catch (error) {
      throw new CommandFailure(`${file}:${at + 1}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

function readJudgements(file: string): Map<string, Map<string, number>> {
  const judgements = new Map<string, Map<string, number>>();
  for (const [at, line] of read(file).entries()) {
    if (at === 0 || line.trim() === '') continue;
    const [query, document, score] = line.split('\t');
    if (query === undefined || document === undefined || !Number.isFinite(Number(score)))
      throw new CommandFailure(`${file}:${at + 1}: expected query-id, corpus-id and score, parted by tabs.`);
    const judged = judgements.get(query) ?? new Map<string, number>();
    judgements.set(query, judged.set(document, Number(score)));
  }
  return judgements;
}
