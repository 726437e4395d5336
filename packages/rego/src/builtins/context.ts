/** What a query lends to its built-ins: time, randomness, budget, caches and providers. */
import type { Value } from '../values/index.js';
import type { CryptoProvider } from './crypto/crypto-provider.js';
import { portableCrypto } from './crypto/portable-crypto.js';

/** Sends one request for `http.send` and returns the response object, synchronously. */
export interface HttpClient {
  send(request: Value): Value;
}

/** A source of random numbers that is the same for the same query and seed. */
export interface RandomSource {
  /** A number of [0, 1). */
  next(): number;
}

/** The circumstances of one query. */
export interface BuiltinContext {
  /** The query's wall clock in nanoseconds since 1970; the same for the whole query. */
  readonly nowNs: bigint;
  /** A random source for a seed; the same seed gives the same numbers within a query. */
  random(seed: string): RandomSource;
  /** Lives as long as the query. */
  readonly cache: Map<string, unknown>;
  /** Counts work against the step budget. Errors: throws when the budget is gone. */
  charge(steps: number): void;
  /** What `opa.runtime().env` shows. */
  readonly env: Readonly<Record<string, string>>;
  /** The whole answer of `opa.runtime()`; an object with `env` when absent. */
  readonly runtime?: Value;
  readonly crypto: CryptoProvider;
  readonly http?: HttpClient;
  /** Addresses of a host, for `net.lookup_ip_addr`. */
  resolveHost?(name: string): readonly string[];
  /** The JSON syntax tree of a module, for `rego.parse_module`. */
  parseModule?(filename: string, text: string): Value;
  /** Takes one line of `print`. */
  print?(line: string): void;
  /** Takes one note of `trace`. */
  trace?(note: string): void;
}

/** What may be given for a context; the rest has safe defaults. */
export type ContextOptions = Partial<BuiltinContext> & { readonly seed?: string };

/** Mulberry32 over an FNV-1a hash of the seed: small, fast, and not for secrets. */
export function seededRandom(seed: string): RandomSource {
  let state = 2166136261;
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 16777619);
  return {
    next() {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    },
  };
}

/** A context for one query: no network, no environment, no budget unless given. */
export function createContext(options: ContextOptions = {}): BuiltinContext {
  const seed = options.seed ?? `${Math.random()}`;
  const { seed: _seed, ...given } = options;
  return {
    nowNs: BigInt(Date.now()) * 1_000_000n,
    random: (name) => seededRandom(`${seed}/${name}`),
    cache: new Map(),
    charge() {},
    env: {},
    crypto: portableCrypto,
    ...given,
  };
}
