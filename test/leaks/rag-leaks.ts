/**
 * The leak test: many people with random rights ask many questions, and every list, search and answer is compared with an oracle that
 * evaluates the policies on each document by itself. Nothing may be shown that must not be, and nothing withheld that may be shown.
 */
import { createHash } from 'node:crypto';
import { compile, matchesFilter, type Policy, RegoSet, type Value } from '@bailiwick/rego';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { searchedText } from '../../apps/server/src/documents/document-chunks.js';
import { buildDocuments, type Documents } from '../../apps/server/src/documents/documents.js';
import { type DocumentRequest, policyView, Visibility } from '../../apps/server/src/documents/visibility.js';
import type { CatalogDocument, Chunk } from '../../apps/server/src/ports/document-catalog.port.js';
import type { Embedder } from '../../apps/server/src/ports/embedder.port.js';
import type { VectorIndex } from '../../apps/server/src/ports/vector-index.port.js';
import { Metrics } from '../../apps/server/src/telemetry/metrics.js';
import { RagMetrics } from '../../apps/server/src/telemetry/rag-metrics.js';
import { startTestServer, type TestServer } from '../system/harness.js';
import {
  type Person,
  pick,
  type RandomPolicy,
  randomDocument,
  randomFrom,
  randomPerson,
  randomPolicy,
  topics,
} from './random-policies.js';

export interface LeakSizes {
  readonly people: number;
  readonly projects: number;
  readonly documents: number;
  readonly searchesEach: number;
}

const dimensions = 16;
const limit = 100;

/** A stand-in for a model: the same text gives the same direction. */
const hashEmbedder: Embedder = {
  ...{ model: 'hash-stand-in', dimensions },
  embed: async (texts) => texts.map(directionOf),
  close: async () => undefined,
};

function directionOf(text: string): Float32Array {
  const bytes = createHash('sha256').update(text).digest();
  const vector = Float32Array.from({ length: dimensions }, (_, at) => (bytes[at] ?? 0) - 127.5);
  const norm = Math.hypot(...vector);
  return vector.map((component) => component / norm);
}

/** What the policies say, document by document. */
class Oracle {
  readonly #policies = new Map<string, Policy>();

  set(project: string, { rego, data }: RandomPolicy): void {
    this.#policies.set(project, compile({ modules: [{ name: `${project}.rego`, text: rego }], data: data as Value }));
  }

  maySee(person: Person, project: string, document: CatalogDocument): boolean {
    const policy = this.#policies.get(project);
    if (!policy || person.project !== project) return false;
    if (document.groups.length > 0 && !document.groups.some((group) => person.groups.includes(group))) return false;
    const { id, name, title, media_type, source, tags, groups, metadata, created_by, created_at, updated_at, size } =
      document;
    const shown = {
      id,
      name,
      title,
      media_type,
      source,
      tags,
      groups,
      metadata,
      created_by,
      created_at,
      updated_at,
      size,
    };
    const input = { claims: person, action: 'document.read', document: shown } as unknown as Value;
    const deny = policy.evaluate(`data.${project}.authz.deny`, input);
    if (deny instanceof RegoSet && [...deny].length > 0) return false;
    return policy.evaluate(`data.${project}.authz.allow`, input) === true;
  }
}

function chunkOf(document: CatalogDocument): Chunk {
  const text = `About ${document.title}, the number ${document.id}.`;
  const place = { headings: [], page: null, start: 0, end: text.length };
  const hash = createHash('sha256')
    .update(searchedText(document.title, { headings: [], text }))
    .digest('hex');
  return { id: hash.slice(0, 32), documentId: document.id, generation: 1, ordinal: 0, text, hash, ...place };
}

function requestOf(person: Person, project: string): DocumentRequest {
  return {
    caller: { actor: person.sub, claims: person as unknown as Readonly<Record<string, Value>> },
    ...{
      project,
      method: 'POST',
      path: `/rag/${project}/search`,
      headers: {},
      requestId: 'leak-test',
      clientIp: '127.0.0.1',
    },
  };
}

export function describeLeaks(
  name: string,
  sizes: LeakSizes,
  openVectors: () => Promise<VectorIndex | undefined>,
  seed = Number(process.env['RAG_LEAK_SEED'] ?? Math.floor(Math.random() * 2 ** 31)),
): void {
  describe(`what people find, with ${name} (seed ${seed})`, () => {
    const random = randomFrom(seed);
    const projects = Array.from({ length: sizes.projects }, (_, at) => `leak${at}`);
    const people = Array.from({ length: sizes.people }, (_, at) => randomPerson(random, at, projects));
    const oracle = new Oracle();
    const byProject = new Map<string, CatalogDocument[]>();
    let server: TestServer;
    let documents: Documents;
    let vectors: VectorIndex | undefined;

    beforeAll(async () => {
      server = await startTestServer({ roles: 'gateway,control,decide,worker', demo: 'false' });
      const { enforcer, audit, store, stores, instanceId } = server.running.platform;
      const { documents: catalog } = stores;
      for (const project of projects) {
        const policy = randomPolicy(random, project, people);
        oracle.set(project, policy);
        const answer = await server.call('PUT', `/policies/${project}?wait=applied`, { body: policy });
        expect(answer.status, answer.text).toBe(201);
        byProject.set(project, []);
      }
      for (let number = 0; number < sizes.documents; number += 1) {
        const project = projects[number % projects.length] as string;
        const document = randomDocument(random, project, number, people);
        byProject.get(project)?.push(document);
      }
      for (const [project, all] of byProject) {
        const chunks = all.map(chunkOf);
        for (let at = 0; at < all.length; at += 500) {
          const some = chunks.slice(at, at + 500);
          await catalog.putChunks(project, some);
          const texts = all
            .slice(at, at + 500)
            .map((document, place) => searchedText(document.title, some[place] as Chunk));
          const named = some.map(({ hash }, place) => ({ hash, vector: directionOf(texts[place] as string) }));
          await catalog.putVectors(project, hashEmbedder.model, named);
          await Promise.all(all.slice(at, at + 500).map((document) => catalog.insert(document)));
        }
      }
      vectors = await openVectors();
      documents = buildDocuments({
        ...{ catalog, vectors, store, enforcer, audit, instanceId, isAlone: true, folder: server.directory },
        ...{ openEmbedder: async () => hashEmbedder, model: undefined, reranker: undefined },
        openConnector: () => {
          throw new Error('not asked for');
        },
        metrics: new RagMetrics(new Metrics()),
        onError: (what) => (error) => console.error(what, error),
      });
      documents.start();
      const ask = async () =>
        await documents.search.search(requestOf(people[0] as Person, people[0]?.project ?? ''), {
          ...{ query: 'topic1', limit: 1, mode: 'text' },
        });
      await vi.waitFor(ask, { timeout: 500_000, interval: 500 });
    }, 600_000);
    afterAll(async () => {
      await documents?.stop();
      await vectors?.close();
      await server?.stop();
    });

    it('is exactly what the policies let them see: 0 leaks, 0 withheld', async () => {
      let [leaks, withheld, asked, shownInAll] = [0, 0, 0, 0];
      const faults: string[] = [];
      const compare = (found: readonly string[], allowed: ReadonlySet<string>, expected: readonly string[]): void => {
        asked += 1;
        shownInAll += found.length;
        leaks += found.filter((id) => !allowed.has(id)).length;
        const set = new Set(found);
        const missing = expected.filter((id) => !set.has(id));
        withheld += missing.length;
        for (const id of missing) if (faults.length < 10) faults.push(`withheld ${id}`);
      };
      for (const person of people) {
        for (const project of [person.project, pick(random, projects)]) {
          const request = requestOf(person, project);
          const all = byProject.get(project) ?? [];
          const visible = all.filter((document) => oracle.maySee(person, project, document));
          const allowed = new Set(visible.map(({ id }) => id));
          for (let search = 0; search < sizes.searchesEach; search += 1) {
            const topic = pick(random, topics);
            const about = visible.filter(({ title }) => title === topic).map(({ id }) => id);
            const byText = await documents.search.search(request, { query: topic, limit, mode: 'text' });
            compare(
              byText.passages.map(({ document }) => document.id),
              allowed,
              about,
            );
            const byVector = await documents.search.search(request, { query: `About ${topic}`, limit, mode: 'vector' });
            expect(byVector.mode).toBe('vector');
            const enough = Math.min(limit, visible.length);
            compare(
              byVector.passages.map(({ document }) => document.id),
              allowed,
              [],
            );
            const short = Math.max(0, enough - byVector.passages.length);
            withheld += short;
            if (short > 0)
              faults.push(`${person.sub} in ${project}: ${byVector.passages.length} of ${enough} by vectors`);
            const both = await documents.search.search(request, { query: topic, limit: 10, mode: 'hybrid' });
            compare(
              both.passages.map(({ document }) => document.id),
              allowed,
              [],
            );
            const question = { question: `What about ${topic}?`, conversation: [], limit: 6 };
            for await (const event of documents.answers.answer(
              request,
              question,
              undefined,
              new AbortController().signal,
            ))
              if (event.kind === 'answer')
                compare(
                  event.answer.citations.map(({ passage }) => passage.document.id),
                  allowed,
                  [],
                );
              else if (event.kind === 'context')
                compare(
                  event.passages.map(({ document }) => document.id),
                  allowed,
                  [],
                );
          }
        }
      }
      console.log(
        `${name}: ${asked} answers compared, ${shownInAll} documents shown, ${leaks} leaks, ${withheld} withheld`,
      );
      expect({ leaks, withheld, faults }).toEqual({ leaks: 0, withheld: 0, faults: [] });
      expect(shownInAll).toBeGreaterThan(asked);
    }, 900_000);

    it('is narrowed by a condition that says the same as the decision', () => {
      const visibility = new Visibility(server.running.platform.enforcer);
      for (const person of people) {
        const condition = visibility.condition(requestOf(person, person.project));
        for (const document of (byProject.get(person.project) ?? []).slice(0, 200)) {
          const isAllowed = oracle.maySee(person, person.project, document);
          expect(matchesFilter(condition, policyView(document)), `${person.sub} ${document.id}`).toBe(isAllowed);
          expect(visibility.maySee(requestOf(person, person.project), document)).toBe(isAllowed);
        }
      }
    });

    it('lists exactly the same', async () => {
      for (const person of people.slice(0, 10)) {
        const all = byProject.get(person.project) ?? [];
        const visible = all.filter((document) => oracle.maySee(person, person.project, document)).map(({ id }) => id);
        const listed: string[] = [];
        let cursor: string | undefined;
        do {
          const options = { limit: 500, ...(cursor === undefined ? {} : { cursor }) };
          const page = await documents.service.list(requestOf(person, person.project), options);
          listed.push(...page.items.map(({ id }) => id));
          cursor = page.next;
        } while (cursor !== undefined);
        expect(listed.sort()).toEqual(visible.sort());
      }
    }, 300_000);
  });
}
