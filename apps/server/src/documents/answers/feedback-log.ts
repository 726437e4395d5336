/**
 * What people thought of answers: in the key-value store, under the project, one entry an answer and person. Answers themselves are
 * not kept: they would outlive the documents they quote. Question and passages are kept when the one who rates sends them along.
 */
import { createHash } from 'node:crypto';
import type { FeedbackBody, FeedbackEntry } from '@bailiwick/contract';
import type { KeyValueStore } from '../../ports/key-value-store.port.js';

const prefix = '/rag/feedback/';
const keptMs = 90 * 24 * 3_600_000;
const readAtOnce = 10_000;
const deletedAtOnce = 100;

export class FeedbackLog {
  readonly #store: KeyValueStore;
  readonly #nowMs: () => number;

  constructor(store: KeyValueStore, nowMs: () => number = Date.now) {
    this.#store = store;
    this.#nowMs = nowMs;
  }

  /** Again by the same person replaces. */
  async rate(project: string, answerId: string, actor: string, body: FeedbackBody): Promise<FeedbackEntry> {
    const ts = new Date(this.#nowMs()).toISOString();
    const entry: FeedbackEntry = { answer_id: answerId, actor, ts, ...body };
    const person = createHash('sha256').update(actor).digest('hex').slice(0, 16);
    const key = `${prefix}${project}/${answerId}/${person}`;
    await this.#store.transact([], [{ kind: 'put', key, value: JSON.stringify(entry) }]);
    return entry;
  }

  /** Newest first. */
  async list(project: string, limit: number): Promise<readonly FeedbackEntry[]> {
    const { items } = await this.#store.range(`${prefix}${project}/`, { limit: readAtOnce });
    const entries = items.map(({ value }) => JSON.parse(value) as FeedbackEntry);
    return entries.sort((a, b) => (a.ts < b.ts ? 1 : -1)).slice(0, limit);
  }

  /** Drops what is older than 90 days. */
  async prune(): Promise<void> {
    const before = new Date(this.#nowMs() - keptMs).toISOString();
    const { items } = await this.#store.range(prefix, { limit: readAtOnce });
    const old = items.filter(({ value }) => (JSON.parse(value) as FeedbackEntry).ts < before);
    for (let at = 0; at < old.length; at += deletedAtOnce)
      await this.#store.transact(
        [],
        old.slice(at, at + deletedAtOnce).map(({ key }) => ({ kind: 'delete', key })),
      );
  }
}
