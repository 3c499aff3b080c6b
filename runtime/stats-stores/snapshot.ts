import {
  MOST_VANISHED,
  PRESENT_MS,
  VANISHED_MS,
  type BreakerState,
  type Count,
  type Done,
  type Instance,
  type Snapshot,
  type StopSnapshot,
} from "../stats-store.ts";

/** The full seconds before now of which a rate is the mean. */
export const RATE_SECONDS = 5;

export interface Now {
  /** How many messages there were in the last `RATE_SECONDS` full seconds; those of one count, or of all. */
  readonly lately: (count?: Count) => number;
  readonly lastSeen: number;
  readonly gaps: number;
  readonly breaker: BreakerState;
}

/** What a store knows of a stop, with all that follows from it. */
export function stopSnapshot(stop: string, totals: Done, { lately, ...rest }: Now): StopSnapshot {
  const sums = { forwarded: 0, dropped: 0, arrived: 0, dead: 0, later: 0 };
  for (const { outcome, count } of totals.counts) sums[outcome] += count;
  return {
    stop,
    processed: sums.forwarded + sums.dropped + sums.arrived + sums.dead,
    ...sums,
    ...totals,
    counts: totals.counts
      .map((count) => ({ ...count, rate: lately(count) / RATE_SECONDS }))
      .toSorted((a, b) => b.count - a.count),
    rate: lately() / RATE_SECONDS,
    ...rest,
  };
}

/** The processes that are there, and those that have vanished. */
export function thereOrNot(told: readonly Instance[], at: number): Pick<Snapshot, "instances" | "vanished"> {
  const isThere = ({ seenAt }: Instance) => seenAt > at - PRESENT_MS;
  return {
    instances: told.filter(isThere).toSorted((a, b) => (a.instance < b.instance ? -1 : 1)),
    vanished: told
      .filter((each) => !isThere(each) && each.seenAt > at - VANISHED_MS)
      .toSorted((a, b) => b.seenAt - a.seenAt)
      .slice(0, MOST_VANISHED),
  };
}

export const byName = (a: { stop: string }, b: { stop: string }): number => (a.stop < b.stop ? -1 : 1);
