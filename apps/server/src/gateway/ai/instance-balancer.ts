/**
 * Which instance is asked next: the highest priority first, within it by weight in turn or by a key's hash. One that has failed several
 * times in a row waits until the others were tried, for a while.
 */
import { createHash } from 'node:crypto';
import type { Exchange } from '../exchange.js';
import type { Instance } from './instance.js';

export interface BalancedInstance {
  readonly instance: Instance;
  readonly weight: number;
  readonly priority: number;
}

/** Failures in a row after which an instance is taken for ill. */
const failuresToIll = 3;
/** How long it is, in milliseconds, until it gets another chance. */
const illMs = 10_000;

interface Health {
  failures: number;
  illUntilMs: number;
}

export class InstanceBalancer {
  readonly #groups: readonly (readonly BalancedInstance[])[];
  readonly #keyOf: ((exchange: Exchange) => string) | undefined;
  readonly #nowMs: () => number;
  readonly #isHealthy: (name: string) => boolean;
  readonly #current = new Map<Instance, number>();
  readonly #health = new Map<Instance, Health>();

  /**
   * `keyOf`: the same key gets the same instance; without it they take turns. A weight of 0 is never chosen. `isHealthy`: what active checks
   * say of the instance with a name.
   */
  constructor(
    all: readonly BalancedInstance[],
    keyOf: ((exchange: Exchange) => string) | undefined,
    isHealthy: (name: string) => boolean = () => true,
    nowMs: () => number = Date.now,
  ) {
    const usable = all.filter(({ weight }) => weight > 0);
    const priorities = [...new Set(usable.map(({ priority }) => priority))].sort((a, b) => b - a);
    this.#groups = priorities.map((priority) => usable.filter((one) => one.priority === priority));
    this.#keyOf = keyOf;
    this.#nowMs = nowMs;
    this.#isHealthy = isHealthy;
  }

  next(exchange: Exchange, tried: ReadonlySet<Instance>): Instance | undefined {
    const now = this.#nowMs();
    const isWell = ({ instance }: BalancedInstance): boolean =>
      (this.#health.get(instance)?.illUntilMs ?? 0) <= now && this.#isHealthy(instance.name);
    const left = this.#groups.map((group) => group.filter(({ instance }) => !tried.has(instance)));
    const group =
      left.map((list) => list.filter(isWell)).find((list) => list.length > 0) ?? left.find((list) => list.length > 0);
    if (!group) return undefined;
    if (group.length === 1) return group[0]?.instance;
    return this.#keyOf ? byHash(group, this.#keyOf(exchange)) : this.#inTurn(group);
  }

  observed(instance: Instance, isGood: boolean): void {
    if (isGood) {
      this.#health.delete(instance);
      return;
    }
    const known = this.#health.get(instance) ?? { failures: 0, illUntilMs: 0 };
    known.failures += 1;
    if (known.failures >= failuresToIll) known.illUntilMs = this.#nowMs() + illMs;
    this.#health.set(instance, known);
  }

  /** nginx's smooth weighted round robin. */
  #inTurn(group: readonly BalancedInstance[]): Instance | undefined {
    let total = 0;
    let best: Instance | undefined;
    let most = Number.NEGATIVE_INFINITY;
    for (const { instance, weight } of group) {
      const current = (this.#current.get(instance) ?? 0) + weight;
      this.#current.set(instance, current);
      total += weight;
      if (current > most) {
        most = current;
        best = instance;
      }
    }
    if (best) this.#current.set(best, most - total);
    return best;
  }
}

/** Weighted rendezvous hashing: an instance that goes takes only its own keys along. */
function byHash(group: readonly BalancedInstance[], key: string): Instance | undefined {
  let best: Instance | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const { instance, weight } of group) {
    const digest = createHash('sha256').update(`${instance.name}\0${key}`).digest();
    const fraction = (digest.readUInt32BE(0) + 1) / 4_294_967_297;
    const score = weight / -Math.log(fraction);
    if (score > most) {
      most = score;
      best = instance;
    }
  }
  return best;
}
