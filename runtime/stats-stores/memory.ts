import { merge } from "../histogram.ts";
import {
  MAX_DETAILS,
  OPEN_KEPT_MS,
  type BreakerState,
  type Buckets,
  type Count,
  type Done,
  type Flush,
  type Instance,
  type Lately,
  type Orders,
  type Pause,
  type Span,
  type StatsStore,
  type StopFlush,
} from "../stats-store.ts";
import { difference, history, NOTHING, recentSteps, stepOf, stepsOf, type Window } from "./history.ts";
import { byName, RATE_SECONDS, stopSnapshot, thereOrNot } from "./snapshot.ts";

interface Totals {
  readonly counts: Map<string, Count>;
  worked: Buckets;
  waited: Buckets;
  /** By the stop that messages came from. */
  readonly from: Map<string, Buckets>;
  /** By second since 1970: messages in all ("") and of each count. */
  readonly lately: Map<number, Map<string, number>>;
  /** What was done before each step of its history in which it counted. */
  readonly copies: Readonly<Record<Span, Map<number, Done>>>;
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
      keepCopies(totals, now());
      add(totals, flush, Math.floor(now() / 1_000), Math.min(1, 1_000 / Math.max(1, coversMs)));
      if (flush.breaker) tell(totals, instance, flush.breaker, now());
    }
    return orders();
  };

  return {
    write: async (flush) => write(flush),
    async read() {
      const at = now();
      const snapshots = [...stops].map(([stop, totals]) => {
        const { lately, lastSeen, gaps, openings, open } = totals;
        const breaker = { openings, openSince: openSince(open, at) };
        const latelyOf = (count?: Count) => latelySum(lately, Math.floor(at / 1_000), count ? keyOf(count) : "");
        return stopSnapshot(stop, doneOf(totals), { lately: latelyOf, lastSeen, gaps, breaker });
      });
      return {
        at,
        counter: Object.fromEntries(snapshots.map(({ stop, processed }) => [stop, processed])),
        hits,
        stops: snapshots.toSorted(byName),
        ...thereOrNot([...instances.values()], at),
        pauses: new Map(pauses),
      };
    },
    async history(stop, span) {
      const totals = stops.get(stop);
      return history(span, now(), totals ? doneOf(totals) : NOTHING, (step) => totals?.copies[span].get(step));
    },
    recent: async () => ({ quarter: lately(stops, "quarter", now()), minute: lately(stops, "minute", now()) }),
    hit: async () => ++hits,
    pause: async (stop, by) => void (pauses.has(stop) || pauses.set(stop, { by, at: now() })),
    resume: async (stop) => void pauses.delete(stop),
    close: async () => undefined,
  };
}

function lately(stops: ReadonlyMap<string, Totals>, window: Window, at: number): Lately {
  const { span, steps, since } = recentSteps(window, at);
  const found = [...stops].flatMap(([stop, totals]) => {
    const copies = totals.copies[span];
    const first = steps.find((step) => copies.has(step));
    if (first === undefined) return [];
    const { counts, from } = difference(doneOf(totals), copies.get(first)!);
    return [[stop, { counts, from }] as const];
  });
  return { since, stops: new Map(found) };
}

function newTotals(): Totals {
  return {
    counts: new Map(),
    worked: {},
    waited: {},
    from: new Map(),
    lately: new Map(),
    copies: { "15m": new Map(), "6h": new Map(), "24h": new Map() },
    lastSeen: 0,
    gaps: 0,
    openings: 0,
    open: new Map(),
  };
}

/** `share` of the messages belongs to this second. */
function add(totals: Totals, flush: StopFlush, second: number, share: number): void {
  let messages = 0;
  const lately = totals.lately.get(second) ?? new Map<string, number>();
  totals.lately.set(second, lately);
  const addLately = (key: string, count: number) => lately.set(key, (lately.get(key) ?? 0) + Math.floor(count * share));
  for (const given of flush.counts) {
    const full = totals.counts.size >= MAX_DETAILS && !totals.counts.has(keyOf(given));
    const counted = full ? { ...given, detail: "other" } : given;
    const key = keyOf(counted);
    totals.counts.set(key, { ...counted, count: (totals.counts.get(key)?.count ?? 0) + given.count });
    addLately(key, given.count);
    if (given.outcome !== "later") messages += given.count;
  }
  addLately("", messages);
  for (const old of totals.lately.keys()) if (old < second - RATE_SECONDS) totals.lately.delete(old);
  totals.worked = merge(totals.worked, flush.worked);
  totals.waited = merge(totals.waited, flush.waited);
  for (const { stop, waited } of flush.from) totals.from.set(stop, merge(totals.from.get(stop) ?? {}, waited));
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

function latelySum(lately: Totals["lately"], second: number, key: string): number {
  let sum = 0;
  for (let back = 1; back <= RATE_SECONDS; back++) sum += lately.get(second - back)?.get(key) ?? 0;
  return sum;
}

const keyOf = ({ outcome, detail }: Count): string => `${outcome}:${detail}`;

function doneOf({ counts, worked, waited, from }: Totals): Done {
  return {
    counts: [...counts.values()],
    worked,
    waited,
    from: [...from].map(([stop, waited]) => ({ stop, waited })),
  };
}

function keepCopies(totals: Totals, at: number): void {
  for (const span of Object.keys(totals.copies) as Span[]) {
    const [copies, step] = [totals.copies[span], stepOf(span, at)];
    if (copies.has(step)) continue;
    copies.set(step, doneOf(totals));
    const first = stepsOf(span, at)[0]!;
    for (const old of copies.keys()) if (old < first) copies.delete(old);
  }
}
