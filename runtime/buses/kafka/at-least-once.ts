import { backoffMs, pause } from "../../backoff.ts";
import type { Instead, Settled } from "../../bus.ts";
import { sendable } from "../sendable.ts";
import type { Commits } from "./commits.ts";
import type { Lane, Settler } from "./lane.ts";
import { lastOf, type Given } from "./ledger.ts";
import { orAborted } from "./persist.ts";
import type { Sender } from "./sender.ts";

/**
 * So many settlements may be under way while more is given out: records that come meanwhile gather to a larger batch. A commit
 * takes a broker 5 ms and more, and a settlement waits for the next one: fewer would have records wait for commits.
 */
const OPEN_SETTLEMENTS = 8;

/**
 * At least once: what came of records is sent, and acknowledged by all in-sync replicas, before the position passes
 * them. Settlements of a lane are sent in their order; the next one's work, sending and committing overlap.
 */
export function atLeastOnce(lane: Lane, sender: Sender, commits: Commits, changed: () => void): Settler {
  const { signal } = lane;
  let sending: Promise<unknown> = Promise.resolve();
  let open = 0;
  /** Settlements that the brokers were asked to take; and which of them they have not taken yet. */
  let [asks, asked] = [0, 0];

  /** What Kafka refuses when it sees it, such as for want of a right, is replaced too. */
  async function send(done: readonly Settled[], instead: Instead): Promise<void> {
    let rest = done;
    for (let refusals = 0; rest.length > 0; refusals++) {
      // What is refused once more was to be kept in the place of another.
      if (refusals > 1) await pause(backoffMs(refusals, 100, 10_000), signal);
      const ready = await sendable(rest, (out) => sender.fault(out, signal), instead, signal);
      const records = ready.flatMap(({ out }) => out);
      asked = ++asks;
      const faults = records.length > 0 ? await sender.send(records, signal) : new Map<never, never>();
      asked = 0;
      rest = ready.flatMap(({ index, out }) => {
        const why = out.map((record) => faults.get(record)).find(Boolean);
        return why ? [{ index, out: instead(index, why) }] : [];
      });
    }
  }

  async function sendInTurn(given: Given, done: readonly Settled[], instead: Instead): Promise<void> {
    const sent = sending.then(() => send(done, instead));
    sending = sent.catch(() => undefined);
    await orAborted(sent, signal);
    lane.ledger.mark(given, done);
    lane.ledger.release(given, done);
    if (advance()) await committed(lane.done);
  }

  /** Returns whether the position has moved. */
  function advance(): boolean {
    const upTo = lane.settledUpTo;
    if (upTo <= lane.done) return false;
    lane.pass(upTo);
    return true;
  }

  async function committed(offset: number): Promise<void> {
    if (lane.committed < offset) await orAborted(commits.upTo(lane, offset), signal);
  }

  return {
    prepare: () => Promise.resolve(),
    async settle(given, done, instead, sent) {
      open++;
      changed();
      try {
        await sendInTurn(given, done, instead);
      } finally {
        open--;
        changed();
        lane.wake();
      }
      // Behind a record that is not settled yet it may take long, and must not hold up the lane's other settlements.
      const last = lastOf(given, done);
      if (last >= lane.done) sent?.();
      await committed(last + 1);
    },
    look() {
      if (lane.confirmed) advance();
      commits.soon();
    },
    get idle() {
      return open === 0;
    },
    get asked() {
      return asked;
    },
    get ready() {
      return open < OPEN_SETTLEMENTS;
    },
    async close() {
      commits.soon();
    },
  };
}
