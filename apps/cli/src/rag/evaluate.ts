/** `bailiwick rag evaluate`: a dataset's queries put to a running server, and how good its searches and answers are. */
import type { QueryAnswer, SearchAnswer } from '@bailiwick/contract';
import { type ConnectionOptions, call } from '../client.js';
import { CommandFailure } from '../failure.js';
import type { Dataset, JudgedQuery } from './dataset.js';
import { distinct, mean, ndcg, recall } from './ranking.js';
import { upload, waitUntilRead } from './uploads.js';

export interface EvaluateOptions extends ConnectionOptions {
  readonly project: string;
  readonly mode: string;
  /** Queries with answers are asked too. */
  readonly answers: boolean;
}

export interface Evaluation {
  readonly queries: number;
  readonly ndcg10: number;
  readonly recall100: number;
  /** The share of questions one of whose answers stands in a cited passage; NaN without answers. */
  readonly spanRecall: number;
  /** The share of citations that are of relevant documents; NaN without answers. */
  readonly citationPrecision: number;
  readonly searchP50: number;
  readonly searchP95: number;
}

const atOnce = 4;

/** Puts the corpus in, each document under its id as the name; what is there already is not read again. */
export async function load(options: EvaluateOptions, { corpus }: Dataset, tell: (text: string) => void): Promise<void> {
  if (corpus.length === 0) throw new CommandFailure('The dataset has no corpus.jsonl to load.');
  const ids: string[] = [];
  for (let at = 0; at < corpus.length; at += atOnce) {
    const some = corpus.slice(at, at + atOnce);
    const uploaded = some.map(({ _id, title, text }) =>
      upload(options, options.project, {
        name: `${_id}.txt`,
        bytes: Buffer.from(text),
        fields: title ? { title } : {},
      }),
    );
    ids.push(...(await Promise.all(uploaded)).map(({ id }) => id));
    if (at % 200 === 0) tell(`${at} of ${corpus.length} documents are uploaded`);
  }
  await waitUntilRead(options, options.project, ids, tell);
}

export async function evaluate(options: EvaluateOptions, { queries }: Dataset): Promise<Evaluation> {
  const measured = [];
  for (const query of queries) measured.push(await measure(options, query));
  const times = measured.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return {
    queries: queries.length,
    ndcg10: mean(measured.map((one) => one.ndcg10)),
    recall100: mean(measured.map((one) => one.recall100)),
    spanRecall: mean(measured.map((one) => one.span)),
    citationPrecision: mean(measured.map((one) => one.precision)),
    searchP50: at(0.5),
    searchP95: at(0.95),
  };
}

async function measure(options: EvaluateOptions, query: JudgedQuery) {
  const started = performance.now();
  const { items } = await post<SearchAnswer>(options, 'search', { query: query.text, limit: 100, mode: options.mode });
  const ms = performance.now() - started;
  const ranked = distinct(items.map(({ document }) => idOf(document.name)));
  const asked =
    options.answers && query.answers && query.answers.length > 0 ? await ask(options, query, query.answers) : undefined;
  return { ms, ndcg10: ndcg(ranked, query.judged), recall100: recall(ranked, query.judged), ...asked };
}

async function ask(options: EvaluateOptions, query: JudgedQuery, answers: readonly string[]) {
  const answer = await post<QueryAnswer>(options, 'query', { question: query.text });
  const cited = answer.citations.map(({ passage, sentence }) => sentence ?? passage.text).join('\n');
  const plain = (text: string): string => text.toLowerCase().replace(/\s+/gu, ' ');
  const isFound = answers.some((text) => plain(cited).includes(plain(text)));
  const relevant = answer.citations.filter(({ passage }) => (query.judged.get(idOf(passage.document.name)) ?? 0) > 0);
  return {
    span: isFound ? 1 : 0,
    precision: answer.citations.length === 0 ? undefined : relevant.length / answer.citations.length,
  };
}

/** Documents of a gold set may be judged by their whole name or without the ending. */
const idOf = (name: string): string => name.replace(/\.txt$/, '');

async function post<T>(options: EvaluateOptions, what: string, body: object): Promise<T> {
  return (await (await call(options, `/rag/${options.project}/${what}`, { method: 'POST', body })).json()) as T;
}
