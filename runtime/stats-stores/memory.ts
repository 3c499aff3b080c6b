import { merge } from "../histogram.ts";
import { MAX_DETAILS, type Buckets, type Count, type Flush, type StatsStore, type StopFlush } from "../stats-store.ts";
import { byName, RATE_SECONDS, stopSnapshot } from "./snapshot.ts";

interface Totals {
  readonly counts: Map<string, Count>;
  /** By second since 1970. */
  readonly recent: Map<number, number>;
  worked: Buckets;
  waited: Buckets;
  lastSeen: number;
  gaps: number;
}

/** Counts that only this process sees, gone with it. */
export function memoryStats(now: () => number = Date.now): StatsStore {
  const sequences = new Map<string, number>();
  const stops = new Map<string, Totals>();
  let hits = 0;

  const write = ({ instance, sequence, coversMs, stops: flushed }: Flush): void => {
    if (sequence <= (sequences.get(instance) ?? 0)) return;
    sequences.set(instance, sequence);
    for (const flush of flushed) {
      if (!stops.has(flush.stop)) stops.set(flush.stop, newTotals());
      add(stops.get(flush.stop)!, flush, Math.floor(now() / 1_000), Math.min(1, 1_000 / Math.max(1, coversMs)));
    }
  };

  return {
    write: async (flush) => write(flush),
    async read() {
      const at = now();
      const snapshots = [...stops].map(([stop, { counts, recent, ...rest }]) =>
        stopSnapshot(stop, [...counts.values()], recentSum(recent, Math.floor(at / 1_000)), rest),
      );
      return {
        at,
        counter: Object.fromEntries(snapshots.map(({ stop, processed }) => [stop, processed])),
        hits,
        stops: snapshots.toSorted(byName),
      };
    },
    hit: async () => ++hits,
    close: async () => undefined,
  };
}

function newTotals(): Totals {
  return { counts: new Map(), recent: new Map(), worked: {}, waited: {}, lastSeen: 0, gaps: 0 };
}

/** `share` of the messages belongs to this second. */
function add(totals: Totals, flush: StopFlush, second: number, share: number): void {
  let messages = 0;
  for (const { outcome, detail, count } of flush.counts) {
    const full = totals.counts.size >= MAX_DETAILS && !totals.counts.has(`${outcome}:${detail}`);
    const key = `${outcome}:${full ? "other" : detail}`;
    const before = totals.counts.get(key)?.count ?? 0;
    totals.counts.set(key, { outcome, detail: full ? "other" : detail, count: before + count });
    messages += count;
  }
  totals.recent.set(second, (totals.recent.get(second) ?? 0) + Math.floor(messages * share));
  for (const old of totals.recent.keys()) if (old < second - RATE_SECONDS) totals.recent.delete(old);
  totals.worked = merge(totals.worked, flush.worked);
  totals.waited = merge(totals.waited, flush.waited);
  totals.lastSeen = Math.max(totals.lastSeen, flush.lastSeen);
  totals.gaps += flush.gaps;
}

function recentSum(recent: ReadonlyMap<number, number>, second: number): number {
  let sum = 0;
  for (let back = 1; back <= RATE_SECONDS; back++) sum += recent.get(second - back) ?? 0;
  return sum;
}
