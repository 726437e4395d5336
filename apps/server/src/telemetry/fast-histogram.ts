/**
 * A histogram by route and status for the gateway's hot path: an observation is two map look-ups and a short scan, where prom-client's own
 * makes a key of the labels each time. Read by prom-client's registry like any other metric.
 */
import type { Registry } from 'prom-client';

interface Series {
  readonly counts: Float64Array;
  sum: number;
}

export interface FastHistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

export class FastHistogram {
  readonly #buckets: readonly number[];
  readonly #routes = new Map<string, Map<number, Series>>();

  constructor(registry: Registry, { name, help, buckets }: FastHistogramOptions) {
    this.#buckets = buckets;
    const metric = { name, help, type: 'histogram', aggregator: 'sum' };
    const get = async () => ({ ...metric, values: this.#values(name) });
    registry.registerMetric({ ...metric, get, reset: () => this.#routes.clear() } as never);
  }

  observe(route: string, status: number, value: number): void {
    let statuses = this.#routes.get(route);
    if (!statuses) {
      statuses = new Map();
      this.#routes.set(route, statuses);
    }
    let series = statuses.get(status);
    if (!series) {
      series = { counts: new Float64Array(this.#buckets.length + 1), sum: 0 };
      statuses.set(status, series);
    }
    let at = 0;
    while (at < this.#buckets.length && value > (this.#buckets[at] ?? 0)) at += 1;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
  }

  #values(name: string): readonly object[] {
    const values: object[] = [];
    for (const [route, statuses] of this.#routes) {
      for (const [status, series] of statuses) {
        const labels = { route, status: String(status) };
        let total = 0;
        for (const [index, bound] of [...this.#buckets, '+Inf'].entries()) {
          total += series.counts[index] ?? 0;
          values.push({ labels: { le: bound, ...labels }, value: total, metricName: `${name}_bucket` });
        }
        values.push({ labels, value: series.sum, metricName: `${name}_sum` });
        values.push({ labels, value: total, metricName: `${name}_count` });
      }
    }
    return values;
  }
}
