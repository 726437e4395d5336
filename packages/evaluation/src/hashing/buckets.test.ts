/** Buckets: hashing over UTF-8, the share they give, and that nobody leaves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketer, bucketOf, firstHashOf, MAX_TOTAL_WEIGHT, scaleHash, TOTAL_WEIGHT } from './buckets.js';
import { murmur3, utf8Bytes } from './murmur3.js';

describe('buckets', () => {
  it('scales exactly as 64-bit integers do', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: MAX_TOTAL_WEIGHT }),
        (hash, total) => {
          expect(scaleHash(hash, total)).toBe(Number((BigInt(hash) * BigInt(total)) >> 32n));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('finds the hash at which a bucket begins', () => {
    const weights = fc.integer({ min: 1, max: MAX_TOTAL_WEIGHT });
    fc.assert(
      fc.property(weights, fc.nat(), (total, nat) => {
        const bucket = nat % (total + 1);
        const first = firstHashOf(bucket, total);
        if (first <= 0xffffffff) expect(scaleHash(first, total)).toBeGreaterThanOrEqual(bucket);
        if (first > 0) expect(scaleHash(first - 1, total)).toBeLessThan(bucket);
      }),
      { numRuns: 5_000 },
    );
  });

  it('hashes the bytes that UTF-8 encoders write, lone surrogates too', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
        (text) => {
          expect(utf8Bytes(text)).toEqual([...new TextEncoder().encode(text)]);
        },
      ),
    );
  });

  it('gives the same with the flag hashed before, wherever the text is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, at) => {
        const cut = text.length === 0 ? 0 : at % text.length;
        expect(bucketer(text.slice(0, cut))(text.slice(cut))).toBe(bucketOf('', text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('knows the published values of MurmurHash3', () => {
    expect(murmur3('')).toBe(0);
    expect(murmur3('', 1)).toBe(0x514e28b7);
    expect(murmur3('Hello, world!', 0x9747b28c)).toBe(0x24884cba);
  });

  it('is within 0.2 % of the share over a million users, ASCII and not', () => {
    for (const prefix of ['user-', '用户-']) {
      const bucket = bucketer('checkout');
      const shares = [0.1, 1, 10, 25, 50, 75, 99];
      const counts = shares.map(() => 0);
      for (let user = 0; user < 1_000_000; user += 1) {
        const at = bucket(`${prefix}${user}`);
        for (let index = 0; index < shares.length; index += 1)
          if (at < (shares[index] as number) * 1000) counts[index] = (counts[index] as number) + 1;
      }
      for (const [index, share] of shares.entries())
        expect(Math.abs((counts[index] as number) / 10_000 - share), `${share} %`).toBeLessThan(0.2);
    }
  });

  it('lies below the total weight', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (flag, key) => {
        const bucket = bucketOf(flag, key);
        expect(bucket).toBeGreaterThanOrEqual(0);
        expect(bucket).toBeLessThan(TOTAL_WEIGHT);
      }),
    );
  });
});
