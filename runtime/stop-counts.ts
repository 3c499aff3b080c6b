import { BUCKETS, bucketOf } from "./histogram.ts";
import { MAX_DETAILS, type Buckets, type Count, type OutcomeKind, type StopFlush } from "./stats-store.ts";

/** What one stop of this process has done since it was last asked. Cheap: it is told of every message. */
export interface StopCounts {
  count(outcome: OutcomeKind, detail: string, messages: number, at: number): void;
  times(workedMs: number, waitedMs: number): void;
  gap(records: number): void;
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
  };
  const worked = new Float64Array(BUCKETS);
  const waited = new Float64Array(BUCKETS);
  let lastSeen = 0;
  let gaps = 0;
  let changed = false;

  function newSlot(outcome: OutcomeKind, wanted: string): Slot {
    const detail = slots.length < MAX_DETAILS ? wanted : "other";
    const known = byOutcome[outcome].get(detail);
    if (known) return known;
    const slot = { outcome, detail, count: 0 };
    byOutcome[outcome].set(detail, slot);
    slots.push(slot);
    return slot;
  }

  return {
    count(outcome, detail, messages, at) {
      (byOutcome[outcome].get(detail) ?? newSlot(outcome, detail)).count += messages;
      lastSeen = at;
      changed = true;
    },
    times(workedMs, waitedMs) {
      worked[bucketOf(workedMs)]! += 1;
      waited[bucketOf(waitedMs)]! += 1;
      changed = true;
    },
    gap(records) {
      gaps += records;
      changed = true;
    },
    take() {
      if (!changed) return null;
      const taken = {
        counts: takeCounts(slots),
        worked: takeBuckets(worked),
        waited: takeBuckets(waited),
        lastSeen,
        gaps,
      };
      gaps = 0;
      changed = false;
      return taken;
    },
  };
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
