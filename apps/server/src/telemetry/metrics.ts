/** Prometheus metrics. One function a business event; labels of few values only. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Verdict } from '../decisions/decision.js';
import { FastHistogram } from './fast-histogram.js';

const decisionBuckets = [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.02, 0.1];
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const propagationBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export class Metrics {
  readonly registry = new Registry();
  readonly #decisions: FastHistogram;
  readonly #denials = new Counter({
    name: 'bailiwick_decision_denials_total',
    help: 'Denied decisions, by who settled them.',
    labelNames: ['decided_by'],
    registers: [this.registry],
  });
  readonly #api: FastHistogram;
  readonly #gateway: FastHistogram;
  readonly #propagation = new Histogram({
    name: 'bailiwick_policy_propagation_seconds',
    help: 'From the acknowledgement of a write to its enforcement here.',
    buckets: propagationBuckets,
    registers: [this.registry],
  });

  constructor() {
    this.#decisions = new FastHistogram(this.registry, {
      name: 'bailiwick_decision_seconds',
      help: 'Time of a policy decision.',
      labelNames: ['allowed'],
      buckets: decisionBuckets,
    });
    this.#api = new FastHistogram(this.registry, {
      name: 'bailiwick_api_request_seconds',
      help: 'Requests of the control plane.',
      labelNames: ['route', 'status', 'method'],
      buckets: requestBuckets,
    });
    this.#gateway = new FastHistogram(this.registry, {
      name: 'bailiwick_gateway_request_seconds',
      help: 'Requests through the gateway.',
      labelNames: ['route', 'status'],
      buckets: requestBuckets,
    });
    collectDefaultMetrics({ register: this.registry, prefix: 'bailiwick_' });
  }

  decided(verdict: Verdict, seconds: number): void {
    this.#decisions.observe(verdict.allowed, 0, seconds);
    if (!verdict.allowed) this.#denials.inc({ decided_by: verdict.decidedBy });
  }

  apiRequest(about: { method: string; route: string; status: number }, seconds: number): void {
    this.#api.observe(about.route, about.status, seconds, about.method);
  }

  gatewayRequest(about: { route: string; status: number }, seconds: number): void {
    this.#gateway.observe(about.route, about.status, seconds);
  }

  propagated(seconds: number): void {
    this.#propagation.observe(seconds);
  }

  /**
   * A value that is read when metrics are asked for. `read` rejects: the figure is left out. `among` says what is told when several workers
   * have one: that of the main process (`first`), the `sum`, the `min` or the `max` of all.
   */
  gauge(
    name: string,
    help: string,
    read: () => number | Promise<number>,
    among: 'first' | 'sum' | 'min' | 'max' = 'first',
  ): void {
    const registers = [this.registry];
    new Gauge({
      name,
      help,
      registers,
      aggregator: among,
      async collect() {
        try {
          this.set(await read());
        } catch {
          this.remove();
        }
      },
    });
  }
}
