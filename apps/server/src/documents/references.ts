/**
 * Documents by reference: a run goes through a place (folder, repository, pages), takes in what is new or changed, removes what is gone,
 * and remembers where it was, so that the next run of the same reference reads the rest only. Runs go on behind the answer; how one stands
 * is kept in this process, what it took in is in the catalog.
 */
import { createHash, randomUUID } from 'node:crypto';
import { BailiwickError, type DocumentReference, isBailiwickError, type ReferenceRun } from '@bailiwick/contract';
import type { KeyValueStore } from '../ports/key-value-store.port.js';
import type { Connector, ConnectorItem } from './connectors/connector.js';
import type { DocumentService } from './document-service.js';
import type { DocumentRequest } from './visibility.js';

export interface ReferencesParts {
  readonly service: DocumentService;
  readonly store: KeyValueStore;
  /** Errors: `connector.*`. */
  readonly open: (reference: DocumentReference) => Connector;
  readonly onError: (error: unknown) => void;
}

/** What the next run starts from. */
interface Memory {
  readonly cursor?: string;
  readonly marks: readonly (readonly [source: string, mark: string])[];
}

interface Run {
  readonly project: string;
  readonly actor: string;
  state: ReferenceRun['state'];
  readonly counts: { created: number; replaced: number; unchanged: number; removed: number };
  readonly failed: { source: string; reason: string; message: string }[];
}

const prefix = '/rag/references/';
const maxKeptRuns = 200;
const maxFailures = 1_000;
/** What fits into one value of any store. */
const maxMemoryChars = 1_000_000;
const maxRunsAtOnce = 4;

export class References {
  readonly #parts: ReferencesParts;
  readonly #runs = new Map<string, Run>();
  readonly #working = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(parts: ReferencesParts) {
    this.#parts = parts;
  }

  /** Errors: `connector.*` for an address that is none; `rag.too_many_runs` (rate-limited). */
  start(request: DocumentRequest, reference: DocumentReference): ReferenceRun {
    if (this.#working.size >= maxRunsAtOnce)
      throw new BailiwickError('rate-limited', {
        reason: 'rag.too_many_runs',
        message: `At most ${maxRunsAtOnce} runs go on at a time. Try again when one has ended.`,
        retryAfterSeconds: 30,
      });
    const connector = this.#parts.open(reference);
    const id = randomUUID();
    const run: Run = {
      ...{ project: request.project, actor: request.caller.actor, state: 'running' },
      ...{ counts: { created: 0, replaced: 0, unchanged: 0, removed: 0 }, failed: [] },
    };
    this.#runs.set(id, run);
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= maxKeptRuns) break;
      this.#runs.delete(oldest);
    }
    const work = this.#work(run, request, reference, connector).finally(() => this.#working.delete(work));
    this.#working.add(work);
    return view(id, run);
  }

  /** Only to whoever started it. Errors: `rag.no_such_run` (not-found). */
  get(request: DocumentRequest, id: string): ReferenceRun {
    const run = this.#runs.get(id);
    if (run?.project !== request.project || run.actor !== request.caller.actor)
      throw new BailiwickError('not-found', {
        reason: 'rag.no_such_run',
        message: 'There is no such run of yours here.',
      });
    return view(id, run);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#working);
  }

  /** Never rejects. */
  async #work(run: Run, request: DocumentRequest, reference: DocumentReference, connector: Connector): Promise<void> {
    const key = keyOf(request, reference);
    try {
      const { cursor, marks } = await this.#remembered(key);
      const seen = new Map(marks);
      let next = cursor;
      const options = { seen, signal: this.#stop.signal, ...(cursor === undefined ? {} : { cursor }) };
      for await (const item of connector.list(options)) {
        if (item.kind === 'cursor') next = item.cursor;
        else await this.#take(run, request, reference, seen, item);
      }
      // What failed is to be read again.
      await this.#remember(key, {
        marks: [...seen],
        ...(next === undefined || run.failed.length > 0 ? {} : { cursor: next }),
      });
      run.state = 'done';
    } catch (error) {
      run.state = 'failed';
      fail(run, '', error);
      if (!isBailiwickError(error) && !this.#stop.signal.aborted) this.#parts.onError(error);
    }
  }

  async #take(
    run: Run,
    request: DocumentRequest,
    reference: DocumentReference,
    seen: Map<string, string>,
    item: Exclude<ConnectorItem, { kind: 'cursor' }>,
  ): Promise<void> {
    const { service } = this.#parts;
    try {
      if (item.kind === 'gone') {
        seen.delete(item.source);
        if (await service.removeSource(request, item.source)) run.counts.removed += 1;
        return;
      }
      if (item.kind === 'skipped') {
        if (run.failed.length < maxFailures) run.failed.push({ ...item });
        return;
      }
      const { tags, groups, metadata } = reference;
      const labels = {
        ...(tags ? { tags } : {}),
        ...(groups ? { groups } : {}),
        ...(metadata ? { metadata } : {}),
      };
      const content = { name: item.name, source: item.source, bytes: await item.bytes(), labels };
      run.counts[(await service.takeIn(request, content)).outcome] += 1;
      seen.set(item.source, item.mark);
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (isBailiwickError(error) && error.details.reason === 'store.unavailable') throw error;
      fail(run, item.source, error);
    }
  }

  async #remembered(key: string): Promise<Memory> {
    const item = await this.#parts.store.get(key);
    return item ? (JSON.parse(item.value) as Memory) : { marks: [] };
  }

  /** A memory that is too large is left out: the next run reads everything, and takes in what has changed. */
  async #remember(key: string, memory: Memory): Promise<void> {
    const value = JSON.stringify(memory);
    const isKept = value.length <= maxMemoryChars;
    await this.#parts.store.transact([], [isKept ? { kind: 'put', key, value } : { kind: 'delete', key }]);
  }
}

/** The same place for the same labels, by the same person: another person's run sees what he may see. */
function keyOf(request: DocumentRequest, reference: DocumentReference): string {
  const text = JSON.stringify([request.caller.actor, reference]);
  return `${prefix}${request.project}/${createHash('sha256').update(text).digest('hex')}`;
}

function fail(run: Run, source: string, error: unknown): void {
  if (run.failed.length >= maxFailures) return;
  const { reason, message } = isBailiwickError(error)
    ? error.details
    : { reason: 'internal', message: 'It could not be taken in.' };
  run.failed.push({ source, reason, message });
}

function view(id: string, { state, counts, failed }: Run): ReferenceRun {
  return {
    ...{ id, state, ...counts },
    failed: failed.map(({ source, reason, message }) => ({ source, reason, message })),
  };
}
