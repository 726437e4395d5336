/**
 * A histogram by up to three labels for the hot path: an observation is a map look-up a label and a short scan, where prom-client's own
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
  /** What is observed for a label that has no name here is ignored. */
  readonly labelNames: readonly [first: string, second?: string, third?: string];
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

export class FastHistogram {
  readonly #buckets: readonly number[];
  readonly #labelNames: FastHistogramOptions['labelNames'];
  readonly #series = new Map<string | boolean, Map<number, Map<string, Series>>>();

  constructor(registry: Registry, { name, help, buckets, labelNames }: FastHistogramOptions) {
    this.#buckets = buckets;
    this.#labelNames = labelNames;
    const metric = { name, help, type: 'histogram', aggregator: 'sum' };
    const get = async () => ({ ...metric, values: this.#values(name) });
    registry.registerMetric({ ...metric, get, reset: () => this.#series.clear() } as never);
  }

  observe(first: string | boolean, second: number, value: number, third = ''): void {
    let ofFirst = this.#series.get(first);
    if (!ofFirst) {
      ofFirst = new Map();
      this.#series.set(first, ofFirst);
    }
    let ofSecond = ofFirst.get(second);
    if (!ofSecond) {
      ofSecond = new Map();
      ofFirst.set(second, ofSecond);
    }
    let series = ofSecond.get(third);
    if (!series) {
      series = { counts: new Float64Array(this.#buckets.length + 1), sum: 0 };
      ofSecond.set(third, series);
    }
    let at = 0;
    while (at < this.#buckets.length && value > (this.#buckets[at] ?? 0)) at += 1;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
  }

  #values(name: string): readonly object[] {
    const values: object[] = [];
    const [firstName, secondName, thirdName] = this.#labelNames;
    for (const [first, second, third, series] of this.#all()) {
      const labels = {
        [firstName]: String(first),
        ...(secondName ? { [secondName]: String(second) } : {}),
        ...(thirdName ? { [thirdName]: third } : {}),
      };
      let total = 0;
      for (const [index, bound] of [...this.#buckets, '+Inf'].entries()) {
        total += series.counts[index] ?? 0;
        values.push({ labels: { le: bound, ...labels }, value: total, metricName: `${name}_bucket` });
      }
      values.push({ labels, value: series.sum, metricName: `${name}_sum` });
      values.push({ labels, value: total, metricName: `${name}_count` });
    }
    return values;
  }

  *#all(): Generator<readonly [string | boolean, number, string, Series]> {
    for (const [first, ofFirst] of this.#series)
      for (const [second, ofSecond] of ofFirst)
        for (const [third, series] of ofSecond) yield [first, second, third, series];
  }
}
