/**
 * Which bucket an identifier falls into: ours (flagd's v2 formula) and those of Unleash and GrowthBook, which imports
 * keep so that nobody is reshuffled. All of them hash UTF-8.
 */
import { type MurmurState, murmur3, murmur3From, murmur3Prefix, utf8Bytes } from './murmur3.js';

/** Our total weight: one unit is 0.001 %. */
export const TOTAL_WEIGHT = 100_000;

/** The largest sum of weights, 2^31 − 1 (flagd v2). */
export const MAX_TOTAL_WEIGHT = 2_147_483_647;

/**
 * `(hash * totalWeight) >> 32` for an unsigned 32-bit hash and a weight up to 2^31 − 1, exactly, without BigInt:
 * the hash is split so that no product passes 2^53.
 */
export function scaleHash(hash: number, totalWeight: number): number {
  const high = (hash >>> 16) * totalWeight;
  const low = (hash & 0xffff) * totalWeight;
  return Math.floor((high + Math.floor(low / 65_536)) / 65_536);
}

/**
 * The bucket of a targeting key for a flag, 0 … totalWeight − 1, as flagd v2 has it. Sticky: it depends on the flag's
 * key and the targeting key alone. Someone is within a share of w units when the bucket is below w, so a growing share
 * never drops anyone.
 */
export const bucketOf = (flagKey: string, targetingKey: string, totalWeight: number = TOTAL_WEIGHT): number =>
  scaleHash(murmur3(flagKey + targetingKey), totalWeight);

/**
 * The state of the hash after a flag's key, so that it is hashed once for many targeting keys. Undefined when the key
 * ends in a high surrogate: that could pair with the targeting key's first unit, and the text must be hashed whole.
 */
export function hashPrefix(flagKey: string): MurmurState | undefined {
  const last = flagKey.charCodeAt(flagKey.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? undefined : murmur3Prefix(flagKey);
}

/** `bucketOf` for one flag and many targeting keys. */
export function bucketer(flagKey: string, totalWeight: number = TOTAL_WEIGHT): (targetingKey: string) => number {
  const prefix = hashPrefix(flagKey);
  if (prefix === undefined) return (targetingKey) => bucketOf(flagKey, targetingKey, totalWeight);
  return (targetingKey) => scaleHash(murmur3From(prefix, targetingKey) >>> 0, totalWeight);
}

/** The least hash whose bucket is `bucket` or more, 0 … 2^32: comparing hashes with it spares scaling each of them. */
export function firstHashOf(bucket: number, totalWeight: number): number {
  const total = BigInt(totalWeight);
  return Number(((BigInt(bucket) << 32n) + total - 1n) / total);
}

/** Unleash's seed for variants. */
export const UNLEASH_VARIANT_SEED = 86_028_157;

/** Unleash's normalised value: `murmur3("{groupId}:{id}", seed) % normalizer + 1`, so 1 … normalizer; in when ≤ rollout. */
export const unleashBucket = (id: string, groupId: string, normalizer = 100, seed = 0): number =>
  (murmur3(`${groupId}:${id}`, seed) % normalizer) + 1;

/** FNV-1a, 32 bits, over UTF-8. GrowthBook's own SDKs in JavaScript feed it UTF-16 units: equal for ASCII. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8Bytes(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** GrowthBook's bucket, 0 ≤ n < 1: version 1 in steps of 0.001 (biased, kept for running experiments), version 2 of 0.0001. */
export function growthBookBucket(seed: string, value: string, version: 1 | 2): number {
  if (version === 1) return (fnv1a32(value + seed) % 1000) / 1000;
  return (fnv1a32(String(fnv1a32(seed + value))) % 10_000) / 10_000;
}
