/**
 * The environment with its rules, kept up to date by the stream and evaluated here. What holds: the revision of one history never gets
 * smaller; another history is entered only by the whole of it, never by a step; a step applies to exactly the revision it was made
 * for, and when it does not fit everything is asked for anew. While the stream is away the environment is polled by its ETag.
 */
import type { BackoffOptions } from './backoff.js';
import { changedKeys } from './changed-keys.js';
import { EventStream } from './event-stream.js';
import type { Frame } from './frames.js';
import { isObject } from './json.js';
import { Poll } from './poll.js';
import { applyPatch, type EnvironmentSnapshot, toPatch, toSnapshot } from './snapshot.js';
import { messageData, SingleFlight, type Source, type SourceHost } from './source.js';
import type { Transport } from './transport.js';
import { LocalWorld } from './world.js';

export interface LocalSourceOptions {
  readonly transport: Transport;
  readonly host: SourceHost;
  /** Kept from an earlier run. */
  readonly initial: LocalWorld | undefined;
  readonly heartbeatMs: number;
  readonly pollMs: number;
  readonly backoff: BackoffOptions;
}

const bodyTimeoutMs = 30_000;

export class LocalSource implements Source {
  readonly #options: LocalSourceOptions;
  readonly #end = new AbortController();
  readonly #flight = new SingleFlight();
  readonly #poll: Poll;
  /** Histories that were left: a frame that was held up does not bring one back. */
  readonly #left = new Set<string>();
  #world: LocalWorld | undefined;
  #stream: EventStream | undefined;
  #hasFrame = false;
  /** Counts the changes of history, so that an answer asked for before one is known. */
  #generation = 0;

  constructor(options: LocalSourceOptions) {
    this.#options = options;
    this.#world = options.initial;
    const { pollMs: everyMs, backoff, host } = options;
    const poll = async (): Promise<void> => {
      host.count('polls');
      await this.refresh({}).catch((error: unknown) => this.#fail(error));
    };
    this.#poll = new Poll({ everyMs, random: backoff.random, poll });
  }

  get world(): LocalWorld | undefined {
    return this.#world;
  }

  start(): void {
    const { transport, heartbeatMs, backoff, host } = this.#options;
    this.#stream = new EventStream({
      backoff,
      silenceMs: 2 * heartbeatMs,
      open: async (signal) => {
        this.#hasFrame = false;
        const tag = this.#tag();
        return await transport.request('/api/v1/environment/stream', {
          signal,
          headers: { accept: 'text/event-stream', ...(tag === undefined ? {} : { 'last-event-id': tag }) },
        });
      },
      onFrame: (frame) => this.#onFrame(frame),
      onDown: (error) => {
        host.count('reconnects');
        this.#poll.start();
        this.#fail(error);
      },
    });
  }

  refresh({ minRevision, signal }: { minRevision?: number; signal?: AbortSignal }): Promise<void> {
    if (minRevision !== undefined) return this.#fetch(minRevision, signal);
    return this.#flight.run(() => this.#fetch(undefined, undefined));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    this.#poll.stop();
    await this.#stream?.stop();
  }

  #tag(): string | undefined {
    return this.#world === undefined ? undefined : `${this.#world.epoch}.${this.#world.revision}`;
  }

  #fail(error: unknown): void {
    if (!this.#end.signal.aborted) this.#options.host.onFailure(error);
  }

  async #fetch(minRevision: number | undefined, given: AbortSignal | undefined): Promise<void> {
    const { transport, host } = this.#options;
    const bounds = [this.#end.signal, AbortSignal.timeout(bodyTimeoutMs), ...(given === undefined ? [] : [given])];
    const signal = AbortSignal.any(bounds);
    const generation = this.#generation;
    const tag = this.#tag();
    const response = await transport.request('/api/v1/environment', {
      signal,
      headers: tag === undefined ? {} : { 'if-none-match': `"${tag}"` },
      ...(minRevision === undefined ? {} : { query: { min_revision: String(minRevision) } }),
    });
    const isStale = response.headers.get('warning')?.startsWith('110') === true;
    const snapshot = response.status === 304 ? undefined : toSnapshot(await response.json());
    if (this.#end.signal.aborted) return;
    if (generation !== this.#generation) return await this.#fetch(minRevision, given);
    if (snapshot !== undefined) this.#takeWhole(snapshot, true);
    else this.#confirm();
    host.onContact(isStale);
  }

  #onFrame(frame: Frame): void {
    const { host } = this.#options;
    host.count('frames');
    this.#hasFrame = true;
    this.#poll.stop();
    try {
      const isStale = this.#takeFrame(frame);
      host.onContact(isStale);
    } catch (error) {
      host.count('refusedFrames');
      this.#fail(error);
      this.#fetchWhole();
    }
  }

  /** Whether the server says that it is stale itself. Throws for what is malformed. */
  #takeFrame({ event, data }: Frame): boolean {
    if (event === 'put') this.#takeWhole(toSnapshot(messageData(data)), false);
    else if (event === 'patch') this.#takeStep(data);
    else if (event === 'heartbeat') {
      const beat = messageData(data);
      const { revision, stale } = isObject(beat) ? beat : {};
      if (typeof revision === 'number' && revision > (this.#world?.revision ?? -1)) this.#fetchWhole();
      else if (revision === this.#world?.revision) this.#confirm();
      return stale === true;
    }
    return false;
  }

  #takeStep(data: string): void {
    const patch = toPatch(messageData(data));
    const world = this.#world;
    if (world === undefined || patch.epoch !== world.epoch) {
      this.#fetchWhole();
      return;
    }
    // Heard before.
    if (patch.revision <= world.revision) {
      this.#options.host.count('refusedFrames');
      return;
    }
    if (patch.base !== world.revision) {
      this.#fetchWhole();
      return;
    }
    this.#enter(applyPatch(world.snapshot, patch));
  }

  /** `isAsked`: an answer to a question of ours, and not a frame that may have been held up. */
  #takeWhole(snapshot: EnvironmentSnapshot, isAsked: boolean): void {
    const world = this.#world;
    const { host } = this.#options;
    if (world !== undefined && snapshot.epoch === world.epoch) {
      if (snapshot.revision < world.revision) {
        host.count('refusedFrames');
        return;
      }
      this.#enter(snapshot);
      return;
    }
    if (!isAsked && this.#left.has(snapshot.epoch)) {
      host.count('refusedFrames');
      this.#fetchWhole();
      return;
    }
    this.#enter(snapshot);
    if (world === undefined) return;
    this.#generation += 1;
    this.#left.add(world.epoch);
    this.#left.delete(snapshot.epoch);
  }

  #enter(snapshot: EnvironmentSnapshot): void {
    const before = this.#world;
    const world = new LocalWorld(snapshot, 'server', before);
    const changed = changedKeys(before, world);
    this.#world = world;
    this.#options.host.onWorld(world, changed);
  }

  /** What was kept from an earlier run is what the server has. */
  #confirm(): void {
    const world = this.#world;
    if (world === undefined || world.source === 'server') return;
    this.#world = world.confirmed();
    this.#options.host.onWorld(this.#world, { configs: [], flags: [] });
  }

  /** After a gap. When that fails, a new connection brings what is missing. */
  #fetchWhole(): void {
    this.#options.host.count('refetches');
    this.refresh({}).catch((error: unknown) => {
      this.#fail(error);
      if (this.#hasFrame) this.#stream?.reconnect('what is missing could not be fetched');
    });
  }
}
