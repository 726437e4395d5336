/** Whether memory grows: a straight line through the samples, and a stated bound for what it may rise over the time that was looked at. */
export interface Sample {
  /** Since the load began. */
  readonly seconds: number;
  /** Resident, in bytes. */
  readonly rss: number;
  /** JavaScript's heap and what it holds outside of it, after a full collection, in bytes. */
  readonly heap: number;
  /** Requests made so far. */
  readonly requests: number;
}

export interface Trend {
  readonly mean: number;
  /** The line's rise from the first to the last sample, in bytes. */
  readonly growth: number;
  /** Bytes; more than this is a failure. */
  readonly bound: number;
}

export interface Judgement {
  readonly heap: Trend;
  readonly rss: Trend;
  /** Of the heap's growth, over the requests made between the first sample and the last. */
  readonly bytesPerRequest: number;
  readonly faults: readonly string[];
}

const mebibyte = 2 ** 20;

/** Part of the run that is not judged: caches fill, functions are compiled. */
export const warmUpShare = 0.25;

/** Least squares. `xs` and `ys` have the same length, at least two different `xs`. */
export function slopeOf(xs: readonly number[], ys: readonly number[]): number {
  const meanX = mean(xs);
  const meanY = mean(ys);
  let above = 0;
  let below = 0;
  for (const [index, x] of xs.entries()) {
    above += (x - meanX) * ((ys[index] ?? 0) - meanY);
    below += (x - meanX) ** 2;
  }
  return above / below;
}

/** The heap may rise by 4 MiB or 6 % of its mean, the resident memory by 16 MiB or 10 %, whichever is more. Throws without three samples. */
export function judge(all: readonly Sample[]): Judgement {
  const last = all.at(-1)?.seconds ?? 0;
  const samples = all.filter(({ seconds }) => seconds >= last * warmUpShare);
  if (samples.length < 3) throw new RangeError('there are too few samples to see a trend');
  const heap = trendOf(samples, 'heap', { least: 4 * mebibyte, share: 0.06 });
  const rss = trendOf(samples, 'rss', { least: 16 * mebibyte, share: 0.1 });
  const requests = (samples.at(-1)?.requests ?? 0) - (samples[0]?.requests ?? 0);
  const faults = Object.entries({ heap, rss })
    .filter(([, { growth, bound }]) => growth > bound)
    .map(
      ([name, { growth, bound }]) => `${name} grew by ${inMebibytes(growth)} MiB; ${inMebibytes(bound)} are allowed`,
    );
  return { heap, rss, bytesPerRequest: requests > 0 ? heap.growth / requests : 0, faults };
}

function trendOf(
  samples: readonly Sample[],
  what: 'heap' | 'rss',
  { least, share }: { readonly least: number; readonly share: number },
): Trend {
  const xs = samples.map(({ seconds }) => seconds);
  const ys = samples.map((sample) => sample[what]);
  const growth = slopeOf(xs, ys) * ((xs.at(-1) ?? 0) - (xs[0] ?? 0));
  return { mean: mean(ys), growth, bound: Math.max(least, mean(ys) * share) };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export const inMebibytes = (bytes: number): number => Math.round((bytes / mebibyte) * 100) / 100;
