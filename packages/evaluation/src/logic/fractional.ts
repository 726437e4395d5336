/**
 * flagd's `fractional` (version 2 of its bucketing): an optional bucket key, then `[variant, weight]` pairs. Without a
 * key of its own it is sticky by flag key and targeting key. Weights are integers, negative ones count 0, their sum is at
 * most 2^31 − 1; anything else gives null, which means the default variant.
 */

import { firstHashOf, hashPrefix, MAX_TOTAL_WEIGHT, scaleHash } from '../hashing/buckets.js';
import { murmur3, murmur3From } from '../hashing/murmur3.js';
import { isObject } from '../json.js';

const SIGN_BIT = -2_147_483_648;

type Part = (data: unknown, nowMs: number | undefined) => unknown;

export interface Share {
  readonly variant: string | number | boolean | null;
  readonly weight: number;
}

/** One evaluated pair; undefined when it is none. A pair without a weight weighs 1. */
export function shareOf(pair: unknown): Share | undefined {
  if (!Array.isArray(pair) || pair.length === 0 || pair.length > 2) return undefined;
  const [variant, weight = 1] = pair as readonly unknown[];
  const isVariant =
    variant === null || typeof variant === 'string' || typeof variant === 'number' || typeof variant === 'boolean';
  if (!isVariant || typeof weight !== 'number' || !Number.isInteger(weight)) return undefined;
  return { variant, weight: Math.max(0, weight) };
}

/** The sum of the weights, or undefined when it cannot be bucketed. */
export function totalWeightOf(shares: readonly Share[]): number | undefined {
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  return total > MAX_TOTAL_WEIGHT ? undefined : total;
}

/** Which share a bucket falls into, as an index; −1 for none. */
export function shareAt(shares: readonly Share[], bucket: number): number {
  let sum = 0;
  for (let index = 0; index < shares.length; index += 1) {
    sum += (shares[index] as Share).weight;
    if (bucket < sum) return index;
  }
  return -1;
}

/** The targeting key of a context as text; undefined when it is absent or empty. */
export function targetingKeyOf(data: unknown): string | undefined {
  const key = (data as { targetingKey?: unknown } | null | undefined)?.targetingKey;
  if (typeof key === 'string') return key === '' ? undefined : key;
  return key ? String(key) : undefined;
}

/** Pairs that are constants, as shares; undefined when one of them is evaluated or is no pair. */
export function constantShares(pairs: readonly unknown[]): readonly Share[] | undefined {
  const shares: Share[] = [];
  for (const pair of pairs) {
    const share = Array.isArray(pair) && !pair.some((item) => isObject(item)) ? shareOf(pair) : undefined;
    if (share === undefined) return undefined;
    shares.push(share);
  }
  return shares;
}

/** `fractional` whose operands are evaluated each time. */
export function compileFractional(parts: readonly Part[], flagKey: string, isRoot: boolean): Part {
  // Within `map` and the like flagd has neither flag nor targeting key, and answers null.
  if (!isRoot) return () => null;
  return (data, nowMs) => {
    const values = parts.map((part) => part(data, nowMs));
    const hasKey = typeof values[0] === 'string';
    const targetingKey = hasKey ? '' : targetingKeyOf(data);
    if (targetingKey === undefined) return null;
    const shares = (hasKey ? values.slice(1) : values).map(shareOf);
    if (!shares.every((share) => share !== undefined)) return null;
    const total = totalWeightOf(shares);
    if (total === undefined) return null;
    const hash = murmur3(hasKey ? (values[0] as string) : flagKey + targetingKey);
    return shares[shareAt(shares, scaleHash(hash, total))]?.variant ?? null;
  };
}

/**
 * `fractional` by targeting key over constant shares: gives the outcome of the share that someone falls into, or
 * `nothing`. One outcome a share, in their order.
 */
export function compileSplit<T>(
  shares: readonly Share[],
  flagKey: string,
  outcomes: readonly T[],
  nothing: T,
): (data: unknown) => T {
  const total = totalWeightOf(shares);
  if (total === undefined || total === 0) return () => nothing;
  const prefix = hashPrefix(flagKey);
  let sum = 0;
  // A share ends where the hash of its last bucket does. Hashes are compared as signed integers, 2^31 less than they are.
  const ends = shares.map(({ weight }) => {
    sum += weight;
    return firstHashOf(sum, total) - 2_147_483_648;
  });
  return (data) => {
    const key = targetingKeyOf(data);
    if (key === undefined) return nothing;
    const at = (prefix === undefined ? murmur3(flagKey + key) : murmur3From(prefix, key)) ^ SIGN_BIT;
    for (let index = 0; index < ends.length; index += 1) if (at < (ends[index] as number)) return outcomes[index] as T;
    return nothing;
  };
}
