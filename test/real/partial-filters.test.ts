/**
 * What partial evaluation leaves, asked of real stores: each must select exactly the documents of which the filter holds, or the
 * renderer must have refused. SQLite stands in the process; MongoDB and Cosmos DB are stand-ins that speak their protocols.
 */
import { randomInt } from 'node:crypto';
import { CosmosClient } from '@azure/cosmos';
import {
  type Filter,
  fromJson,
  isPartialEvaluationError,
  matchesFilter,
  toCosmos,
  toMongo,
  toSql,
  type Value,
} from '@bailiwick/rego';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { documentTypes, typedDocument, typedFilter } from '../../packages/rego/src/partial/random-filters.contract.js';
import { startCosmos } from '../servers/cosmos.js';
import { startMongo } from '../servers/mongo.js';
import { startPostgres } from '../servers/postgres.js';
import { describeWithServer } from '../servers/presence.js';

type TestDocument = Readonly<Record<string, Value>>;

/** The numbers of the documents that a store selects. Errors: `PartialEvaluationError`. */
type Select = (filter: Filter) => Promise<number[]>;

const names = Object.keys(documentTypes);

interface Scope {
  readonly seed: number;
  readonly depth: number;
  readonly filters: number;
}

async function expectTheSame(documents: readonly TestDocument[], select: Select, scope: Scope): Promise<void> {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(typedFilter(scope.depth), async (filter) => {
      let selected: number[];
      try {
        selected = await select(filter);
      } catch (error) {
        if (!isPartialEvaluationError(error)) throw error;
        return;
      }
      answered += 1;
      const expected = documents.flatMap((one, i) => (matchesFilter(filter, fromJson(one)) ? [i] : []));
      expect(selected.sort((a, b) => a - b)).toEqual(expected);
    }),
    { seed: scope.seed, numRuns: scope.filters },
  );
  // Refusing is honest; refusing most of them would be no store.
  expect(answered).toBeGreaterThan(scope.filters * 0.6);
}

const makeScope = (depth: number, filters: number): Scope => ({ seed: randomInt(2 ** 31), depth, filters });

const sample = ({ seed }: Scope): TestDocument[] => fc.sample(typedDocument, { seed, numRuns: 60 });

const everyText = 'every filter selects what it says of each document, or is refused';

describe('filters in SQLite', () => {
  const scope = makeScope(3, 2000);
  it(`${everyText} (seed ${scope.seed})`, async () => {
    const documents = sample(scope);
    const database = new Database(':memory:');
    // Columns that do not tell cases apart by themselves.
    database.exec(
      'CREATE TABLE d (n INTEGER, owner TEXT COLLATE NOCASE, team TEXT, level NUMERIC, "limit" REAL, open INTEGER, closed_by TEXT, tags TEXT, scores TEXT)',
    );
    const insert = database.prepare(`INSERT INTO d VALUES (${['?', ...names.map(() => '?')].join()})`);
    const toColumn = (value: Value | undefined): string | number | null => {
      if (typeof value === 'boolean') return Number(value);
      return typeof value === 'string' || typeof value === 'number' ? value : value ? JSON.stringify(value) : null;
    };
    for (const [i, one] of documents.entries()) insert.run(i, ...names.map((name) => toColumn(one[name])));
    const select: Select = async (filter) => {
      const { sql, parameters } = toSql(filter, { fields: documentTypes });
      return database
        .prepare(`SELECT n FROM d WHERE ${sql}`)
        .pluck()
        .all(...parameters) as number[];
    };
    await expectTheSame(documents, select, scope);
    database.close();
  });

  it('takes a thousand alternatives', () => {
    const database = new Database(':memory:');
    database.exec('CREATE TABLE d (a TEXT)');
    database.prepare('INSERT INTO d VALUES (?)').run('v999x');
    const filters = Array.from(
      { length: 1000 },
      (_, i): Filter => ({ op: 'startsWith', field: ['a'], value: `v${i}x` }),
    );
    const { sql, parameters } = toSql({ op: 'or', filters });
    expect(
      database
        .prepare(`SELECT a FROM d WHERE ${sql}`)
        .pluck()
        .all(...parameters),
    ).toEqual(['v999x']);
    database.close();
  });
});

describeWithServer('postgres', () => {
  describe('filters in PostgreSQL', () => {
    const scope = makeScope(3, 2000);
    it(`${everyText} (seed ${scope.seed})`, { timeout: 120_000 }, async () => {
      const documents = sample(scope);
      const server = await startPostgres();
      const client = new pg.Client({ connectionString: server.url });
      try {
        await client.connect();
        await client.query(
          `CREATE TABLE d (n integer, owner text, team varchar(20) COLLATE "en-x-icu", level numeric, "limit" double precision,
           open boolean, closed_by text, tags text[], scores double precision[], whole integer)`,
        );
        const places = ['n', ...names].map((_, i) => `$${i + 1}`).join();
        for (const [i, one] of documents.entries())
          await client.query(`INSERT INTO d VALUES (${places}, 2)`, [i, ...names.map((name) => one[name] ?? null)]);
        const select: Select = async (filter) => {
          const { sql, parameters } = toSql(filter, { fields: documentTypes, dialect: 'postgres' });
          const { rows } = await client.query<{ n: number }>(`SELECT n FROM d WHERE ${sql}`, [...parameters]);
          return rows.map(({ n }) => n);
        };
        await expectTheSame(documents, select, scope);
        // An integer's column beside a fraction, and beside what no integer holds.
        const { sql, parameters } = toSql(
          { op: 'and', filters: [2.5, 4e9, 1e300].map((value) => ({ op: 'lt', field: ['whole'], value })) },
          { dialect: 'postgres' },
        );
        const { rowCount } = await client.query(`SELECT n FROM d WHERE ${sql}`, [...parameters]);
        expect(rowCount).toBe(documents.length);
      } finally {
        await client.end();
        await server.stop();
      }
    });
  });
});

describeWithServer('mongo', () => {
  describe('filters in MongoDB (a stand-in)', () => {
    const scope = makeScope(3, 1000);
    it(`${everyText} (seed ${scope.seed})`, { timeout: 120_000 }, async () => {
      const documents = sample(scope);
      const server = await startMongo();
      const client = new MongoClient(server.url);
      try {
        const collection = client.db('filters').collection<{ _id: number }>('documents');
        await collection.insertMany(documents.map((one, i) => ({ ...one, _id: i })));
        const select: Select = async (filter) => {
          const query = toMongo(filter, { fields: documentTypes });
          const found = await collection.find(query, { projection: { _id: 1 } }).toArray();
          return found.map(({ _id }) => _id);
        };
        await expectTheSame(documents, select, scope);
      } finally {
        await client.close();
        await server.stop();
      }
    });
  });
});

describeWithServer('cosmos', () => {
  describe('filters in Cosmos DB (an emulator)', () => {
    // Its parser needs ten times as long for each level of parentheses.
    const scope = makeScope(2, 300);
    it(`${everyText} (seed ${scope.seed})`, { timeout: 180_000 }, async () => {
      const documents = sample(scope);
      const server = await startCosmos();
      try {
        const { endpoint, key } = server;
        const client = new CosmosClient({ endpoint, key, connectionPolicy: { enableEndpointDiscovery: false } });
        const { database } = await client.databases.createIfNotExists({ id: 'filters' });
        const { container } = await database.containers.createIfNotExists({ id: 'd', partitionKey: '/p' });
        for (const [i, one] of documents.entries()) await container.items.create({ ...one, id: String(i), p: 'p' });
        const select: Select = async (filter) => {
          const { sql, parameters } = toCosmos(filter, { fields: documentTypes });
          const query = { query: `SELECT VALUE c.id FROM c WHERE ${sql}`, parameters: [...parameters] as never };
          const { resources } = await container.items.query<string>(query, { partitionKey: 'p' }).fetchAll();
          return resources.map(Number);
        };
        await expectTheSame(documents, select, scope);
      } finally {
        await server.stop();
      }
    });
  });
});
