/** `Cache` within one process: for installations without Redis. Bounded: the oldest value goes when it is full. */
import type { Cache, Counter } from '../../ports/cache.port.js';
import { callSafely } from '../call-safely.js';

interface Held {
  readonly value: string;
  readonly endsMs: number;
}

export class MemoryCache implements Cache {
  readonly #values = new Map<string, Held>();
  readonly #counters = new Map<string, { count: number; readonly endsMs: number }>();
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  readonly #maxEntries: number;
  readonly #nowMs: () => number;

  constructor(options: { readonly maxEntries?: number; readonly nowMs?: () => number } = {}) {
    this.#maxEntries = options.maxEntries ?? 100_000;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  async get(key: string): Promise<string | undefined> {
    const counter = this.#counters.get(key);
    if (counter !== undefined) return counter.endsMs > this.#nowMs() ? String(counter.count) : undefined;
    const held = this.#values.get(key);
    if (held === undefined || held.endsMs > this.#nowMs()) return held?.value;
    this.#values.delete(key);
    return undefined;
  }

  async set(key: string, value: string, ttlMs: number): Promise<void> {
    this.#values.delete(key);
    makeRoom(this.#values, this.#maxEntries, this.#nowMs());
    this.#values.set(key, { value, endsMs: this.#nowMs() + ttlMs });
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
    this.#counters.delete(key);
  }

  async increment(key: string, by: number, windowMs: number): Promise<Counter> {
    const now = this.#nowMs();
    let counter = this.#counters.get(key);
    if (counter === undefined || counter.endsMs <= now) {
      this.#counters.delete(key);
      makeRoom(this.#counters, this.#maxEntries, now);
      counter = { count: 0, endsMs: now + windowMs };
      this.#counters.set(key, counter);
    }
    counter.count += by;
    return { count: counter.count, resetsInMs: counter.endsMs - now };
  }

  async publish(channel: string, message: string): Promise<void> {
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) callSafely(() => listener(message));
  }

  async subscribe(channel: string, onMessage: (message: string) => void): Promise<() => Promise<void>> {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners);
    // The same function may listen twice.
    const listener = (message: string): void => onMessage(message);
    listeners.add(listener);
    return async () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(channel) === listeners) this.#listeners.delete(channel);
    };
  }

  async isHealthy(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#values.clear();
    this.#counters.clear();
    this.#listeners.clear();
  }
}

function makeRoom(held: Map<string, { readonly endsMs: number }>, maxEntries: number, nowMs: number): void {
  if (held.size < maxEntries) return;
  for (const [key, { endsMs }] of held) if (endsMs <= nowMs) held.delete(key);
  for (const key of held.keys()) {
    if (held.size < maxEntries) return;
    held.delete(key);
  }
}
