/**
 * What guards say of the system while a rollout is under way: shares of failed and of denied requests, counted by all instances in the cache,
 * and PromQL queries. A guard without figures says `unknown`; one above its limit `unhealthy`.
 */
import type { RolloutGuard } from '@bailiwick/contract';
import type { GuardVerdict } from '@bailiwick/evaluation';
import { request } from 'undici';
import type { TrafficCounts } from './traffic-counts.js';

export interface GuardReading {
  readonly verdict: GuardVerdict;
  readonly measured?: number;
  readonly detail?: string;
}

/** Whose guards they are. */
export interface GuardSubject {
  readonly guards: readonly RolloutGuard[];
  /** The rollout. */
  readonly id: string;
  /** What a guard on denials means that names no project. */
  readonly project: string | undefined;
}

const queryTimeoutMs = 5_000;

export class Guards {
  readonly #counts: TrafficCounts;
  readonly #prometheusUrl: string;

  /** `prometheusUrl`: empty when there is none. */
  constructor(counts: TrafficCounts, prometheusUrl: string) {
    this.#counts = counts;
    this.#prometheusUrl = prometheusUrl;
  }

  /** `unhealthy` when one is; `healthy` when all are; else `unknown`. Without guards `unknown`. */
  async verdict(subject: GuardSubject): Promise<GuardVerdict> {
    const readings = await this.read(subject);
    if (readings.some(({ verdict }) => verdict === 'unhealthy')) return 'unhealthy';
    return readings.length > 0 && readings.every(({ verdict }) => verdict === 'healthy') ? 'healthy' : 'unknown';
  }

  /** One reading a guard. Never rejects. */
  async read(subject: GuardSubject): Promise<readonly GuardReading[]> {
    return await Promise.all(
      subject.guards.map((guard) =>
        this.#read(guard, subject).catch(
          (error: unknown): GuardReading => ({ verdict: 'unknown', detail: String(error) }),
        ),
      ),
    );
  }

  async #read(guard: RolloutGuard, { id, project: own }: GuardSubject): Promise<GuardReading> {
    if (guard.kind === 'promql') return judge(await this.#query(guard.query), guard.max);
    const { window_s = 60, min_samples = 20, max } = guard;
    const counted =
      guard.kind === 'difference_rate' ? id : (guard.project ?? (guard.kind === 'denial_rate' ? own : undefined));
    const { total, bad } = await this.#counts.sum(guard.kind, counted, window_s);
    if (total < min_samples)
      return { verdict: 'unknown', detail: `${total} samples in ${window_s} s; ${min_samples} are needed` };
    return judge(bad / total, max);
  }

  /** The largest value of the query's answer. */
  async #query(query: string): Promise<number | undefined> {
    if (this.#prometheusUrl === '') throw new Error('no Prometheus is set (BAILIWICK_PROMETHEUS_URL)');
    const url = `${this.#prometheusUrl.replace(/\/$/, '')}/api/v1/query`;
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ query }).toString(),
      headersTimeout: queryTimeoutMs,
      bodyTimeout: queryTimeoutMs,
    });
    const answer = (await body.json()) as PrometheusAnswer;
    if (statusCode !== 200 || answer.status !== 'success')
      throw new Error(answer.error ?? `Prometheus says ${statusCode}`);
    const { resultType, result } = answer.data ?? { resultType: 'vector', result: [] };
    const samples = resultType === 'scalar' ? [result as unknown as [number, string]] : result.map((one) => one.value);
    const values = samples.map((sample) => toNumber(sample?.[1])).filter((value) => !Number.isNaN(value));
    return values.length === 0 ? undefined : Math.max(...values);
  }
}

/** Prometheus writes what is beyond all numbers as `+Inf` and `-Inf`. */
function toNumber(text: string | undefined): number {
  if (text === '+Inf' || text === '-Inf') return text === '+Inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  return Number(text);
}

interface PrometheusAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly { readonly value?: readonly [number, string] }[];
  };
}

function judge(measured: number | undefined, max: number): GuardReading {
  if (measured === undefined) return { verdict: 'unknown', detail: 'no figures' };
  // A share of nothing is no number that JSON has.
  if (!Number.isFinite(measured))
    return measured > 0
      ? { verdict: 'unhealthy', detail: 'the query says +Inf' }
      : { verdict: 'healthy', detail: 'the query says -Inf' };
  return { verdict: measured > max ? 'unhealthy' : 'healthy', measured };
}
