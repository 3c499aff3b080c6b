import type { Buckets } from "./stats-store.ts";

/**
 * Histograms of milliseconds that can be added up across processes: four buckets for each doubling, from 1 µs on.
 * Bucket `b` holds the times in [2^(b/4), 2^((b+1)/4)) µs, and bucket 0 all that is shorter.
 */

const PER_DOUBLING = 4;
/** How many there are. The last one begins at 342 days and holds all that is longer. */
export const BUCKETS = 180;

/** The bucket that a time belongs to. Below 0 or not a number, as clocks that disagree may have it, is bucket 0. */
export function bucketOf(milliseconds: number): number {
  const bucket = Math.floor(PER_DOUBLING * Math.log2(milliseconds * 1_000));
  return Math.min(Math.max(bucket, 0), BUCKETS - 1) || 0;
}

/** Both together. */
export function merge(a: Buckets, b: Buckets): Buckets {
  const sum: Record<number, number> = { ...a };
  for (const [bucket, count] of Object.entries(b)) sum[Number(bucket)] = (sum[Number(bucket)] ?? 0) + count;
  return sum;
}

/**
 * The time, in ms, that the fraction `q` of all times does not exceed: the upper end of its bucket, so never too low and
 * too high by at most 19 %. Null when nothing was counted.
 */
export function quantile(buckets: Buckets, q: number): number | null {
  // An object has such names in ascending order.
  const ascending = Object.keys(buckets).map(Number);
  const total = ascending.reduce((sum, bucket) => sum + buckets[bucket]!, 0);
  let left = Math.max(1, Math.ceil(q * total));
  for (const bucket of ascending) {
    left -= buckets[bucket]!;
    if (left <= 0) return 2 ** ((bucket + 1) / PER_DOUBLING) / 1_000;
  }
  return null;
}
