import { inspect } from "node:util";
import { BUCKETS, bucketOf, merge } from "./histogram.ts";
import { isTopic } from "./route.ts";
import {
  MAX_DETAIL_LENGTH,
  MAX_DETAILS,
  MAX_FROMS,
  type BreakerState,
  type Buckets,
  type Count,
  type OutcomeKind,
  type StopFlush,
} from "./stats-store.ts";

/** What one stop of this process has done since it was last asked. Cheap: it is told of every message. */
export interface StopCounts {
  /** `detail` is counted by its first 256 characters, half a character in it as U+FFFD. */
  count(outcome: OutcomeKind, detail: string, messages: number, at: number): void;
  /** `from`: the stop that the message came from; "": none. */
  times(workedMs: number, waitedMs: number, from: string): void;
  gap(records: number): void;
  /** Epoch ms; 0: closed. */
  breaker(openSince: number): void;
  /** The differences since the last call, or null when there are none. */
  take(): Omit<StopFlush, "stop"> | null;
}

/** A `Count` that goes on counting. */
interface Slot {
  outcome: OutcomeKind;
  detail: string;
  count: number;
}

export function stopCounts(): StopCounts {
  const slots: Slot[] = [];
  const byOutcome: Record<OutcomeKind, Map<string, Slot>> = {
    forwarded: new Map(),
    dropped: new Map(),
    arrived: new Map(),
    dead: new Map(),
    later: new Map(),
  };
  const worked = new Float64Array(BUCKETS);
  /** Waiting times by where a message came from. */
  const waited = new Map<string, Float64Array>();
  let lastSeen = 0;
  let gaps = 0;
  let openSince = 0;
  let news: BreakerState | undefined;
  let changed = false;

  function slotFor(outcome: OutcomeKind, detail: string): Slot {
    const known = byOutcome[outcome].get(detail);
    if (known) return known;
    if (slots.length >= MAX_DETAILS && detail !== "other") return slotFor(outcome, "other");
    const slot = { outcome, detail, count: 0 };
    byOutcome[outcome].set(detail, slot);
    slots.push(slot);
    return slot;
  }

  function waitedFrom(from: string): Float64Array {
    const known = waited.get(from);
    if (known) return known;
    const isKept = waited.size < MAX_FROMS && (from === "" || isTopic(from));
    if (!isKept && from !== "*") return waitedFrom("*");
    const buckets = new Float64Array(BUCKETS);
    waited.set(from, buckets);
    return buckets;
  }

  return {
    count(outcome, detail, messages, at) {
      (byOutcome[outcome].get(detail) ?? slotFor(outcome, asDetail(detail))).count += messages;
      lastSeen = at;
      changed = true;
    },
    times(workedMs, waitedMs, from) {
      worked[bucketOf(workedMs)]! += 1;
      waitedFrom(from)[bucketOf(waitedMs)]! += 1;
      changed = true;
    },
    gap(records) {
      gaps += records;
      changed = true;
    },
    breaker(since) {
      const hasOpened = since !== 0 && since !== openSince;
      openSince = since;
      news = { openings: (news?.openings ?? 0) + (hasOpened ? 1 : 0), openSince };
      changed = true;
    },
    take() {
      if (!changed) return null;
      const from = [...waited].map(([stop, buckets]) => ({ stop, waited: takeBuckets(buckets) }));
      const taken = {
        counts: takeCounts(slots),
        worked: takeBuckets(worked),
        waited: from.reduce<Buckets>((all, each) => merge(all, each.waited), {}),
        from: from.filter((each) => Object.keys(each.waited).length > 0),
        lastSeen,
        gaps,
        ...(news && { breaker: news }),
      };
      gaps = 0;
      news = undefined;
      changed = false;
      return taken;
    },
  };
}

/** Any value as text that every store takes: a reason of a callback without types may be anything. */
function asDetail(given: unknown): string {
  const text = typeof given === "string" ? given : inspect(given);
  return text.slice(0, MAX_DETAIL_LENGTH).toWellFormed();
}

function takeCounts(slots: readonly Slot[]): Count[] {
  const taken = slots.filter(({ count }) => count > 0).map((slot) => ({ ...slot }));
  for (const slot of slots) slot.count = 0;
  return taken;
}

function takeBuckets(buckets: Float64Array): Buckets {
  const taken: Record<number, number> = {};
  for (const [bucket, count] of buckets.entries()) if (count > 0) taken[bucket] = count;
  buckets.fill(0);
  return taken;
}
