/**
 * The primary of several gateway processes (`BAILIWICK_WORKERS`): starts them, serves them its stores, starts another one where one has died,
 * adds up their metrics, stops them. The workers accept on the public port themselves, so that nothing of a request passes through here.
 */
import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';
import type { GatewayFile } from '../gateway/resource-schemas.js';
import type { FileFeed } from '../gateway-role.js';
import type { RateLimitStore } from '../ports/rate-limit-store.port.js';
import type { Settings } from '../settings.js';
import type { Stores } from '../stores.js';
import type { Logger } from '../telemetry/logger.js';
import { type Message, Relay } from './relay.js';
import { serveStores } from './served-stores.js';

/** What a worker is told when it starts. */
export interface WorkerStart {
  readonly settings: Settings;
  readonly installationRoot: string;
  readonly publicUrl: string;
  readonly publicPort: number;
  readonly controlPath: string;
  /** The gateway's file as all workers have it: one reading, so that all compile, and count, the same. */
  readonly file: GatewayFile;
}

export interface WorkerPoolParts {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly stores: Stores;
  readonly rateLimits: RateLimitStore;
  readonly registry: Registry;
  /** The program that a worker runs. */
  readonly program: string;
  readonly about: Omit<WorkerStart, 'settings' | 'file'>;
  readonly file: FileFeed;
  readonly instanceId: string;
  /** `/readyz` and `/metrics` as the primary answers them. */
  readonly ownAnswer: (
    path: string,
  ) => Promise<{ readonly status: number; readonly type: string; readonly body: string }> | undefined;
}

interface Member {
  readonly slot: number;
  readonly worker: Worker;
  readonly relay: Relay;
  readonly giveBack: () => Promise<void>;
  readonly exited: Promise<void>;
  isReady: boolean;
}

const longestPauseMs = 5_000;
const stopWithinMs = 15_000;
const answerWithinMs = 2_000;

export class WorkerPool {
  readonly #parts: WorkerPoolParts;
  readonly #members = new Map<number, Member>();
  readonly #pausesMs = new Map<number, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #file: GatewayFile;
  #unfollow: (() => void) | undefined;
  #isStopping = false;

  constructor(parts: WorkerPoolParts) {
    this.#parts = parts;
    this.#file = parts.file.first;
  }

  /** Resolves when all listen; rejects when one cannot start. */
  async start(): Promise<void> {
    // A worker that is killed must leave no connection behind that another one could have taken: each accepts for itself.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: this.#parts.program, args: [], serialization: 'advanced' });
    const { workers } = this.#parts.settings;
    await Promise.all(Array.from({ length: workers }, (_, index) => this.#open(index + 1)));
    this.#unfollow = this.#parts.file.follow((file) => {
      this.#file = file;
      this.#tellAll('useFile', file);
    });
  }

  /** How many serve requests now. */
  get ready(): number {
    return [...this.#members.values()].filter((member) => member.isReady).length;
  }

  /** Process ids, for tests and operators. */
  get processIds(): readonly number[] {
    return [...this.#members.values()].flatMap(({ worker }) => worker.process.pid ?? []);
  }

  refreshSecrets(): void {
    this.#tellAll('refreshSecrets');
  }

  /** What workers have decided and not written yet. */
  async flushDecisions(): Promise<void> {
    await this.#askAll('flushDecisions');
  }

  /** The primary's own and all workers' metrics, added up as each metric says. */
  async metrics(): Promise<string> {
    const own = await this.#parts.registry.getMetricsAsJSON();
    const others = (await this.#askAll('metrics')) as MetricObjectWithValues<MetricValue<string>>[][];
    return await AggregatorRegistry.aggregate([own, ...others]).metrics();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#unfollow?.();
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(
      [...this.#members.values()].map(async ({ worker, relay, exited }) => {
        const timer = setTimeout(() => worker.process.kill('SIGKILL'), stopWithinMs);
        await relay.call('worker', 'stop').catch(() => undefined);
        await exited;
        clearTimeout(timer);
      }),
    );
  }

  /** A worker that cannot, says so in its own log. */
  #tellAll(method: string, ...args: readonly unknown[]): void {
    for (const { relay, isReady } of this.#members.values())
      if (isReady) void relay.call('worker', method, ...args).catch(() => undefined);
  }

  /** Answers of those that answer in time. */
  async #askAll(method: string): Promise<readonly unknown[]> {
    const answers = await Promise.all(
      [...this.#members.values()]
        .filter(({ isReady }) => isReady)
        .map(({ relay }) => withinTime(relay.call('worker', method)).catch(() => undefined)),
    );
    return answers.filter((answer) => answer !== undefined);
  }

  async #open(slot: number): Promise<void> {
    const { settings, stores, rateLimits, about, ownAnswer, instanceId } = this.#parts;
    const worker = cluster.fork();
    const relay = new Relay({
      send: (message) => {
        if (worker.isConnected()) worker.send(message);
      },
      onMessage: (listener) => worker.on('message', (message: Message) => listener(message)),
    });
    const giveBack = serveStores(relay, stores, rateLimits);
    const listening = new Promise<void>((resolve) => {
      relay.serve('hello', { iListen: () => resolve() });
    });
    relay.serve('primary', {
      ownAnswer: (path: string) => ownAnswer(path),
    });
    let member: Member | undefined;
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', (code, signal) => {
        void this.#ended(slot, member, { code, signal }).finally(resolve);
      });
    });
    // Node tells of a channel that breaks by an event; the exit follows.
    worker.on('error', (error) => this.#parts.logger.error({ worker: slot, error }, 'the channel to a worker failed'));
    member = { slot, worker, relay, giveBack, exited, isReady: false };
    this.#members.set(slot, member);
    const endedEarly = (cause?: unknown): Error =>
      new Error(`gateway worker ${slot} ended while it was starting`, { cause });
    // What is sent before the program has been loaded would be lost.
    await Promise.race([listening, exited]);
    if (worker.isDead()) throw endedEarly();
    const own = { ...settings, instanceId: `${instanceId}-w${slot}`, roles: ['gateway', 'decide'] };
    const file = this.#file;
    const start: WorkerStart = { ...about, settings: own, file };
    await relay.call('worker', 'start', start).catch((error: unknown) => {
      throw worker.isDead() ? endedEarly(error) : error;
    });
    member.isReady = true;
    // It has changed while this one was starting.
    if (file !== this.#file) await relay.call('worker', 'useFile', this.#file);
    this.#pausesMs.delete(slot);
  }

  async #ended(
    slot: number,
    member: Member | undefined,
    how: { readonly code: number; readonly signal: string },
  ): Promise<void> {
    if (member) {
      member.isReady = false;
      // Before another one takes its place and its name.
      await member.relay.close();
      await member.giveBack();
    }
    if (this.#members.get(slot) === member) this.#members.delete(slot);
    if (this.#isStopping) return;
    this.#parts.logger.error({ worker: slot, ...how }, 'a gateway worker has died; another one is started');
    const pauseMs = this.#pausesMs.get(slot) ?? 0;
    this.#pausesMs.set(slot, Math.min(longestPauseMs, Math.max(100, pauseMs * 2)));
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#open(slot).catch((error: unknown) => {
        this.#parts.logger.error({ worker: slot, error }, 'a gateway worker cannot start');
        this.#members.get(slot)?.worker.process.kill('SIGKILL');
      });
    }, pauseMs);
    this.#timers.add(timer);
  }
}

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the worker does not answer')), answerWithinMs);
  });
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
