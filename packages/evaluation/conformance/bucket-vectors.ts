/** Our published buckets (`conformance/evaluation/buckets.json`), computed once by Go over UTF-8. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bucketer, bucketOf, growthBookBucket, murmur3, UNLEASH_VARIANT_SEED, unleashBucket } from '../src/index.js';
import { type SuiteReport, Tally } from './report.js';

interface Vector {
  readonly flag: string;
  readonly key: string;
  readonly murmur3: number;
  readonly bucket: number;
  readonly unleash: number;
  readonly unleashVariant: number;
  readonly growthbookV1: number;
  readonly growthbookV2: number;
}

/** Every vector against every bucket function. */
export function runBucketVectors(folder: string): SuiteReport {
  const tally = new Tally('published buckets');
  const { cases } = JSON.parse(readFileSync(join(folder, 'buckets.json'), 'utf8')) as { cases: readonly Vector[] };
  for (const { flag, key, ...expected } of cases) {
    const actual = {
      murmur3: murmur3(flag + key),
      bucket: bucketOf(flag, key),
      unleash: unleashBucket(key, flag),
      unleashVariant: unleashBucket(key, flag, 1000, UNLEASH_VARIANT_SEED),
      growthbookV1: growthBookBucket(flag, key, 1),
      growthbookV2: growthBookBucket(flag, key, 2),
    };
    tally.check(`${JSON.stringify([flag, key])}`, actual, expected);
    tally.check(`${JSON.stringify([flag, key])} with the flag hashed before`, bucketer(flag)(key), expected.bucket);
  }
  return tally.report();
}
