/** Other searches over the same passages: MiniSearch, and PostgreSQL with `ts_rank` and pgvector, as their documentation has them. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import pg from 'pg';
import { startPgvector } from '../../test/servers/pgvector.js';
import { pgvectorPrograms } from '../../test/servers/python-servers.js';
import type { EmbeddedPassage } from './corpus.js';
import type { Ranker } from './quality.js';

const peerFolder = join(process.cwd(), 'bench', 'peers', 'rag');
const depth = 100;

interface MiniSearch {
  addAll(documents: readonly object[]): void;
  search(query: string): readonly { readonly document: number }[];
}

export function miniSearch(passages: readonly EmbeddedPassage[]): Ranker {
  if (!existsSync(join(peerFolder, 'node_modules', 'minisearch'))) {
    console.error('Installing minisearch (once) …');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: peerFolder,
      stdio: 'ignore',
    });
  }
  const Constructor = createRequire(join(peerFolder, 'package.json'))('minisearch') as new (
    options: object,
  ) => MiniSearch;
  const index = new Constructor({ fields: ['text'], storeFields: ['document'] });
  index.addAll(passages.map(({ id, text, document }) => ({ id, text, document })));
  return ({ text }) =>
    index
      .search(text)
      .slice(0, depth)
      .map(({ document }) => document);
}

export interface PostgresRankers {
  readonly tsRank: Ranker;
  readonly pgvector: Ranker;
  close(): Promise<void>;
}

/** Undefined where no PostgreSQL with pgvector is to be had. */
export async function postgres(passages: readonly EmbeddedPassage[]): Promise<PostgresRankers | undefined> {
  if (pgvectorPrograms() === undefined) return undefined;
  const server = await startPgvector();
  const pool = new pg.Pool({ connectionString: server.url, max: 2 });
  const dimensions = passages[0]?.vector.length ?? 0;
  await pool.query('CREATE EXTENSION IF NOT EXISTS vector');
  await pool.query(
    `CREATE TABLE passages (document integer, body text, words tsvector, embedding vector(${dimensions}))`,
  );
  for (const { document, text, vector } of passages)
    await pool.query("INSERT INTO passages VALUES ($1, $2, to_tsvector('english', $2), $3)", [
      ...[document, text, `[${vector.join(',')}]`],
    ]);
  await pool.query('CREATE INDEX ON passages USING gin (words)');
  await pool.query('CREATE INDEX ON passages USING hnsw (embedding vector_cosine_ops)');
  const documents = async (sql: string, parameter: string): Promise<number[]> =>
    (await pool.query<{ document: number }>(sql, [parameter, depth])).rows.map(({ document }) => document);
  return {
    // Any of the words: `plainto_tsquery` wants all of them, and finds next to nothing for a sentence.
    tsRank: ({ text }) =>
      documents(
        `SELECT document FROM passages, to_tsquery('english', $1) query WHERE words @@ query ORDER BY ts_rank(words, query) DESC LIMIT $2`,
        [...new Set(text.toLowerCase().match(/[a-z0-9]+/g) ?? [])].join(' | '),
      ),
    pgvector: (_query, vector) =>
      documents('SELECT document FROM passages ORDER BY embedding <=> $1::vector LIMIT $2', `[${vector.join(',')}]`),
    close: async () => {
      await pool.end();
      await server.stop();
    },
  };
}
