import type { BreakerState, Buckets, Count, StopSnapshot } from "../stats-store.ts";

/** The full seconds before now of which a rate is the mean. */
export const RATE_SECONDS = 5;

/** What a store knows of a stop, with all that follows from it. */
export function stopSnapshot(
  stop: string,
  counts: readonly Count[],
  /** Messages in the last `RATE_SECONDS` full seconds. */
  recent: number,
  rest: { lastSeen: number; worked: Buckets; waited: Buckets; gaps: number; breaker: BreakerState },
): StopSnapshot {
  const sums = { forwarded: 0, dropped: 0, arrived: 0, dead: 0, later: 0 };
  for (const { outcome, count } of counts) sums[outcome] += count;
  return {
    stop,
    processed: sums.forwarded + sums.dropped + sums.arrived + sums.dead,
    ...sums,
    counts: counts.toSorted((a, b) => b.count - a.count),
    rate: recent / RATE_SECONDS,
    ...rest,
  };
}

export const byName = (a: { stop: string }, b: { stop: string }): number => (a.stop < b.stop ? -1 : 1);
