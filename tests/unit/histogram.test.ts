import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketOf, merge, quantile } from "../../runtime/histogram.ts";
import type { Buckets } from "../../runtime/stats-store.ts";

const YEAR = 365 * 86_400_000;
const milliseconds = fc.double({ min: 0.001, max: YEAR / 2, noNaN: true });
const times = fc.array(milliseconds, { minLength: 1, maxLength: 200 });
const histogram = (list: readonly number[]): Buckets =>
  list.reduce<Buckets>((buckets, time) => merge(buckets, { [bucketOf(time)]: 1 }), {});

test("a bucket holds the times from 2^(b/4) to 2^((b+1)/4) microseconds", () => {
  fc.assert(
    fc.property(milliseconds, (time) => {
      const bucket = bucketOf(time);
      expect(time * 1_000).toBeGreaterThanOrEqual(2 ** (bucket / 4) * (1 - 1e-9));
      expect(time * 1_000).toBeLessThan(2 ** ((bucket + 1) / 4) * (1 + 1e-9));
    }),
  );
});

test("what can't be a time is in the first bucket, what takes years in the last", () => {
  expect([0, -5, Number.NaN, 0.0001].map(bucketOf)).toEqual([0, 0, 0, 0]);
  expect(bucketOf(100 * YEAR)).toBe(bucketOf(2 * YEAR));
  expect(bucketOf(Number.POSITIVE_INFINITY)).toBe(bucketOf(2 * YEAR));
});

test("two histograms together are the histogram of both", () => {
  fc.assert(
    fc.property(times, times, (a, b) => {
      expect(merge(histogram(a), histogram(b))).toEqual(histogram([...a, ...b]));
    }),
  );
});

test("a quantile is never below the true one, nor above it by more than 19 %", () => {
  fc.assert(
    fc.property(times, fc.double({ min: 0, max: 1, noNaN: true }), (list, q) => {
      const truth = list.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * list.length)) - 1]!;
      const found = quantile(histogram(list), q)!;
      expect(found / truth).toBeGreaterThanOrEqual(1 - 1e-9);
      expect(found / truth).toBeLessThanOrEqual(1.19);
    }),
  );
});

test("of nothing there is no quantile", () => {
  expect(quantile({}, 0.5)).toBeNull();
});
