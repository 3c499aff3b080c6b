import { merge } from "../histogram.ts";
import {
  MAX_DETAILS,
  OPEN_KEPT_MS,
  PRESENT_MS,
  type BreakerState,
  type Buckets,
  type Count,
  type Flush,
  type Instance,
  type Orders,
  type Pause,
  type StatsStore,
  type StopFlush,
} from "../stats-store.ts";
import { byName, RATE_SECONDS, stopSnapshot } from "./snapshot.ts";

interface Totals {
  readonly counts: Map<string, Count>;
  /** By second since 1970. */
  readonly recent: Map<number, number>;
  worked: Buckets;
  waited: Buckets;
  lastSeen: number;
  gaps: number;
  openings: number;
  /** By process: since when its breaker is open, and until when that holds. */
  readonly open: Map<string, { readonly since: number; readonly until: number }>;
}

/** Counts that only this process sees, gone with it. */
export function memoryStats(now: () => number = Date.now): StatsStore {
  const sequences = new Map<string, number>();
  const stops = new Map<string, Totals>();
  const instances = new Map<string, Instance>();
  const pauses = new Map<string, Pause>();
  let hits = 0;

  const orders = (): Orders => ({ paused: [...pauses.keys()] });
  const write = ({ instance, sequence, coversMs, stops: flushed, presence }: Flush): Orders => {
    if (sequence <= (sequences.get(instance) ?? 0)) return orders();
    sequences.set(instance, sequence);
    if (presence) instances.set(instance, { instance, seenAt: now(), ...presence });
    if (presence?.stops.length === 0) instances.delete(instance);
    for (const flush of flushed) {
      if (!stops.has(flush.stop)) stops.set(flush.stop, newTotals());
      const totals = stops.get(flush.stop)!;
      add(totals, flush, Math.floor(now() / 1_000), Math.min(1, 1_000 / Math.max(1, coversMs)));
      if (flush.breaker) tell(totals, instance, flush.breaker, now());
    }
    return orders();
  };

  return {
    write: async (flush) => write(flush),
    async read() {
      const at = now();
      const snapshots = [...stops].map(([stop, { counts, recent, openings, open, ...rest }]) =>
        stopSnapshot(stop, [...counts.values()], recentSum(recent, Math.floor(at / 1_000)), {
          ...rest,
          breaker: { openings, openSince: openSince(open, at) },
        }),
      );
      return {
        at,
        counter: Object.fromEntries(snapshots.map(({ stop, processed }) => [stop, processed])),
        hits,
        stops: snapshots.toSorted(byName),
        instances: [...instances.values()]
          .filter(({ seenAt }) => seenAt > at - PRESENT_MS)
          .toSorted((a, b) => (a.instance < b.instance ? -1 : 1)),
        pauses: new Map(pauses),
      };
    },
    hit: async () => ++hits,
    pause: async (stop, by) => void (pauses.has(stop) || pauses.set(stop, { by, at: now() })),
    resume: async (stop) => void pauses.delete(stop),
    close: async () => undefined,
  };
}

function newTotals(): Totals {
  return {
    counts: new Map(),
    recent: new Map(),
    worked: {},
    waited: {},
    lastSeen: 0,
    gaps: 0,
    openings: 0,
    open: new Map(),
  };
}

/** `share` of the messages belongs to this second. */
function add(totals: Totals, flush: StopFlush, second: number, share: number): void {
  let messages = 0;
  for (const { outcome, detail, count } of flush.counts) {
    const full = totals.counts.size >= MAX_DETAILS && !totals.counts.has(`${outcome}:${detail}`);
    const key = `${outcome}:${full ? "other" : detail}`;
    const before = totals.counts.get(key)?.count ?? 0;
    totals.counts.set(key, { outcome, detail: full ? "other" : detail, count: before + count });
    if (outcome !== "later") messages += count;
  }
  totals.recent.set(second, (totals.recent.get(second) ?? 0) + Math.floor(messages * share));
  for (const old of totals.recent.keys()) if (old < second - RATE_SECONDS) totals.recent.delete(old);
  totals.worked = merge(totals.worked, flush.worked);
  totals.waited = merge(totals.waited, flush.waited);
  totals.lastSeen = Math.max(totals.lastSeen, flush.lastSeen);
  totals.gaps += flush.gaps;
}

function tell(totals: Totals, instance: string, { openings, openSince }: BreakerState, at: number): void {
  totals.openings += openings;
  if (openSince > 0) totals.open.set(instance, { since: openSince, until: at + OPEN_KEPT_MS });
  else totals.open.delete(instance);
}

function openSince(open: Totals["open"], at: number): number {
  const since = [...open.values()].filter(({ until }) => until > at).map(({ since }) => since);
  return since.length > 0 ? Math.min(...since) : 0;
}

function recentSum(recent: ReadonlyMap<number, number>, second: number): number {
  let sum = 0;
  for (let back = 1; back <= RATE_SECONDS; back++) sum += recent.get(second - back) ?? 0;
  return sum;
}
