import { backoffMs, pause } from "../../backoff.ts";
import type { Instead, Outgoing, Settled } from "../../bus.ts";
import type { MetrobusError } from "../../errors.ts";
import { sendable } from "../sendable.ts";
import type { Lane, Settler } from "./lane.ts";
import { lastOf } from "./ledger.ts";
import { orAborted } from "./persist.ts";
import { bytesOf } from "./place.ts";
import type { Sender } from "./sender.ts";
import type { Topics } from "./topics.ts";
import type { LaneResults, Part, Transactions } from "./transactions.ts";

/** A record that is settled, and what is to be sent for it. */
interface Result {
  readonly index: number;
  readonly out: readonly Outgoing[];
  readonly instead: Instead;
}

/**
 * Exactly once: what came of records waits for the next transaction, in the order of their offsets. Topics and sizes are
 * checked before, since a single record would break it.
 */
export function exactlyOnce(lane: Lane, sender: Sender, topics: Topics, transactions: Transactions): Settler {
  const { signal } = lane;
  /** Settled and not committed, by offset. */
  const results = new Map<number, Result>();
  let waiting: { readonly offset: number; readonly resolve: () => void }[] = [];
  let prepared: Promise<void> | undefined;
  let lastRefused: number | undefined;
  let refusals = 0;
  /** In a row, though nothing was wrong with what was checked. */
  let rechecks = 0;
  /** Settlements of which it is asked whether they can be sent. */
  let checking = 0;

  const mine: LaneResults = {
    lane,
    get due() {
      return !lane.lost && lane.confirmed && (lane.settledUpTo > lane.done || lane.committed !== lane.done);
    },
    next(room) {
      const offsets: number[] = [];
      for (const offset of lane.ledger.settledFrom(lane.done)) {
        if (room.records <= 0 || room.bytes <= 0) return { of: mine, offsets, upTo: offset };
        offsets.push(offset);
        room.records--;
        for (const record of results.get(offset)!.out) room.bytes -= bytesOf(record);
      }
      return { of: mine, offsets, upTo: lane.settledUpTo };
    },
    recordsOf: ({ offsets }) => offsets.flatMap((offset) => results.get(offset)!.out),
    committed({ offsets, upTo }) {
      for (const offset of offsets) results.delete(offset);
      lane.committed = upTo;
      if (!lane.lost) lane.pass(upTo);
      for (const { offset, resolve } of waiting) if (offset <= upTo) resolve();
      waiting = waiting.filter(({ offset }) => offset > upTo);
    },
    async refused(part, error) {
      const [record] = mine.recordsOf(part);
      if (!record) throw error;
      // What is refused once more was to be kept in the place of another.
      if (part.offsets[0] === lastRefused) await pause(backoffMs(++refusals, 100, 10_000), signal);
      else [lastRefused, refusals] = [part.offsets[0], 0];
      for (const offset of part.offsets) replace(offset, await sender.whyRefused(error, record));
    },
    async recheck(part) {
      const names = new Set(mine.recordsOf(part).map(({ topic }) => topic));
      await Promise.all([...names].map((name) => topics.refresh(name).catch(() => undefined)));
      const before = mine.recordsOf(part);
      await replaceUnsendable(part);
      const isSame = mine.recordsOf(part).every((record, at) => record === before[at]);
      rechecks = isSame ? rechecks + 1 : 0;
      if (isSame) await pause(backoffMs(rechecks, 100, 10_000), signal);
    },
  };
  transactions.add(mine);

  async function replaceUnsendable({ offsets }: Part): Promise<void> {
    const before = offsets.map((offset, index) => ({ index, out: results.get(offset)!.out }));
    const instead: Instead = (at, why) => replace(offsets[at]!, why);
    await sendable(before, (out) => sender.fault(out, signal), instead, signal);
  }

  function replace(offset: number, why: MetrobusError): readonly Outgoing[] {
    const { index, instead } = results.get(offset)!;
    const out = instead(index, why);
    results.set(offset, { index, out, instead });
    return out;
  }

  async function passed(offset: number): Promise<void> {
    if (lane.committed >= offset) return;
    try {
      await orAborted(new Promise<void>((resolve) => waiting.push({ offset, resolve })), signal);
    } catch (lost) {
      // It counts when it was too late to call it back.
      await transactions.over(lane);
      if (lane.committed < offset) throw lost;
    }
  }

  return {
    prepare: () => (prepared ??= transactions.prepare(lane)),
    async settle(given, done: readonly Settled[], instead) {
      checking++;
      const ready = await sendable(done, (out) => sender.fault(out, signal), instead, signal).finally(() => checking--);
      for (const { index, out } of ready) results.set(given.offsets[index]!, { index, out, instead });
      lane.ledger.mark(given, done);
      transactions.look(lane);
      await passed(lastOf(given, done) + 1);
    },
    look: () => transactions.look(lane),
    get idle() {
      return checking === 0 && !mine.due && !transactions.has(lane);
    },
    get asked() {
      return transactions.asked(lane);
    },
    ready: true,
    close: () => transactions.remove(mine),
  };
}
