/**
 * A histogram by two labels (or one) for the hot path: an observation is two map look-ups and a short scan, where prom-client's own
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
  /** One label or two; the second one's value is ignored when there is one. */
  readonly labelNames: readonly [first: string, second?: string];
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

export class FastHistogram {
  readonly #buckets: readonly number[];
  readonly #labelNames: FastHistogramOptions['labelNames'];
  readonly #series = new Map<string | boolean, Map<number, Series>>();

  constructor(registry: Registry, { name, help, buckets, labelNames }: FastHistogramOptions) {
    this.#buckets = buckets;
    this.#labelNames = labelNames;
    const metric = { name, help, type: 'histogram', aggregator: 'sum' };
    const get = async () => ({ ...metric, values: this.#values(name) });
    registry.registerMetric({ ...metric, get, reset: () => this.#series.clear() } as never);
  }

  observe(first: string | boolean, second: number, value: number): void {
    let ofFirst = this.#series.get(first);
    if (!ofFirst) {
      ofFirst = new Map();
      this.#series.set(first, ofFirst);
    }
    let series = ofFirst.get(second);
    if (!series) {
      series = { counts: new Float64Array(this.#buckets.length + 1), sum: 0 };
      ofFirst.set(second, series);
    }
    let at = 0;
    while (at < this.#buckets.length && value > (this.#buckets[at] ?? 0)) at += 1;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
  }

  #values(name: string): readonly object[] {
    const values: object[] = [];
    const [firstName, secondName] = this.#labelNames;
    for (const [first, ofFirst] of this.#series) {
      for (const [second, series] of ofFirst) {
        const labels = { [firstName]: String(first), ...(secondName ? { [secondName]: String(second) } : {}) };
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
