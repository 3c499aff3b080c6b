import type { Logger } from "pino";
import { backoffMs, pause } from "../../backoff.ts";
import type { Instead, Outgoing } from "../../bus.ts";
import { type MetrobusError, UnknownTopic } from "../../errors.ts";
import { sendable } from "../sendable.ts";
import { isTooLarge, isUnknownTopic, permanent, refusal } from "./failures.ts";
import type { Lane, Settler } from "./lane.ts";
import { lastOf } from "./ledger.ts";
import { orAborted, persist } from "./persist.ts";
import { bytesOf, place } from "./place.ts";
import type { Sender } from "./sender.ts";
import type { Topics } from "./topics.ts";
import type { TransactionalProducer } from "./transaction.ts";

/** A transaction takes at most this much; what comes meanwhile goes with the next. */
const MOST_RECORDS = 10_000;
const MOST_BYTES = 4 * 1024 * 1024;

export interface TransactionHolder {
  readonly topic: string;
  readonly sender: Sender;
  readonly topics: Topics;
  readonly log: Logger;
  /** A producer that shuts out whoever has written for this partition before. */
  takeOver(partition: number): Promise<TransactionalProducer>;
  /** The group's position; negative: none. To be asked after taking over: then nobody can change it. */
  positionOf(partition: number): Promise<number>;
  /** Resolves when the group has confirmed that this process is a member still. */
  member(): Promise<void>;
  /** Somebody else has worked on the lane: it begins anew where the group stands. */
  startOver(lane: Lane): void;
  changed(lane: Lane): void;
  fail(error: Error): void;
}

/** A record that is settled, and what is to be sent for it. */
interface Result {
  readonly index: number;
  readonly out: readonly Outgoing[];
  readonly instead: Instead;
}

/** The results of a lane's next records, in order, and the position behind them. */
interface Part {
  readonly offsets: readonly number[];
  readonly upTo: number;
}

/**
 * Exactly once: what came of records and the position behind them are written in one transaction, one at a time per
 * lane; what is settled meanwhile goes with the next. After a failure nobody knows what was written: the partition is
 * taken over anew, which ends what is open, and the group's position tells whether it was committed. Only who is still
 * a member of the group may do that.
 */
export function exactlyOnce(lane: Lane, holder: TransactionHolder): Settler {
  const { sender, topics, log } = holder;
  const { signal } = lane;
  /** Settled and not committed, by offset. */
  const results = new Map<number, Result>();
  let waiting: { readonly offset: number; readonly resolve: () => void }[] = [];
  let producer: TransactionalProducer | null = null;
  let prepared: Promise<void> | undefined;
  /** The last transaction. */
  let underWay: { readonly upTo: number; readonly carriedOut: Promise<boolean> } | null = null;
  let running = false;
  let [asks, asked] = [0, 0];
  let mostRecords = MOST_RECORDS;
  /** The last failure was that Kafka refused a record. */
  let wasRefused = false;
  let lastRefused: number | undefined;
  let refusals = 0;

  const due = () => lane.settledUpTo > lane.done || lane.committed !== lane.done;

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    holder.changed(lane);
    try {
      while (!lane.lost && lane.confirmed && due()) await transact();
    } catch (error) {
      if (!lane.lost) holder.fail(error as Error);
    }
    running = false;
    holder.changed(lane);
  }

  async function transact(): Promise<void> {
    const part = nextPart();
    await replaceUnsendable(part);
    try {
      const what = `sending partition ${lane.partition}'s results in a transaction`;
      asked = ++asks;
      await persist(() => attempt(part), { what, log, signal, failed }).finally(() => (asked = 0));
      committed(part);
      mostRecords = Math.min(MOST_RECORDS, mostRecords * 2);
    } catch (error) {
      signal.throwIfAborted();
      await refused(part, error);
    }
  }

  function nextPart(): Part {
    const offsets: number[] = [];
    let bytes = 0;
    for (const offset of lane.ledger.settledFrom(lane.done)) {
      if (offsets.length >= mostRecords || bytes >= MOST_BYTES) return { offsets, upTo: offset };
      offsets.push(offset);
      for (const record of results.get(offset)!.out) bytes += bytesOf(record);
    }
    return { offsets, upTo: lane.settledUpTo };
  }

  /** Topics and sizes are checked before a transaction, which a single record would break. */
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

  async function attempt(part: Part): Promise<void> {
    const mine = producer ?? (await takeOverAnew(part));
    if (!mine) return;
    const records = recordsOf(part);
    const gone = records.find(({ topic }) => !topics.known(topic));
    if (gone) throw new UnknownTopic(gone.topic);
    lane.attempted = part.upTo;
    const committing = mine.commit(place(records, topics.known), part.upTo);
    const carriedOut = committing.then(
      () => true,
      () => false,
    );
    underWay = { upTo: part.upTo, carriedOut };
    await committing;
  }

  /** Returns null when the attempt before had succeeded. */
  async function takeOverAnew({ upTo }: Part): Promise<TransactionalProducer | null> {
    // Whoever was only refused a record wrote until now, and is the owner.
    if (!wasRefused) await orAborted(holder.member(), signal);
    const taken = await takeOver();
    const position = await orAborted(holder.positionOf(lane.partition), signal);
    if (position === lane.attempted && position === upTo) return null;
    if (position === lane.committed) return taken;
    holder.startOver(lane);
    throw signal.reason;
  }

  async function takeOver(): Promise<TransactionalProducer> {
    const taken = await holder.takeOver(lane.partition);
    if (lane.lost) void taken.close();
    signal.throwIfAborted();
    return (producer = taken);
  }

  function failed(error: unknown): void {
    void producer?.close();
    producer = null;
    wasRefused = isTooLarge(error) || refusal(error, "") !== null;
    const fault = permanent(error);
    if (fault && !(fault instanceof UnknownTopic)) holder.fail(fault);
    if (fault ?? (isUnknownTopic(error) || wasRefused)) throw error;
  }

  /** Kafka refuses a record, and with it the whole transaction: it is looked for by halving. A topic that is gone is found before the next one. */
  async function refused(part: Part, error: unknown): Promise<void> {
    if (error instanceof UnknownTopic || isUnknownTopic(error)) await askForTopics(part);
    else if (part.offsets.length > 1) mostRecords = part.offsets.length >> 1;
    else await refusedAlone(part, error);
  }

  async function refusedAlone(part: Part, error: unknown): Promise<void> {
    const [record] = recordsOf(part);
    if (!record) throw error;
    // What is refused once more was to be kept in the place of another.
    if (part.offsets[0] === lastRefused) await pause(backoffMs(++refusals, 100, 10_000), signal);
    else [lastRefused, refusals] = [part.offsets[0], 0];
    for (const offset of part.offsets) replace(offset, await sender.whyRefused(error, record));
  }

  async function askForTopics(part: Part): Promise<void> {
    const names = new Set(recordsOf(part).map(({ topic }) => topic));
    await Promise.all([...names].map((name) => topics.refresh(name).catch(() => undefined)));
  }

  const recordsOf = ({ offsets }: Part) => offsets.flatMap((offset) => results.get(offset)!.out);

  function committed({ offsets, upTo }: Part): void {
    for (const offset of offsets) results.delete(offset);
    lane.committed = upTo;
    lane.pass(upTo);
    for (const { offset, resolve } of waiting) if (offset <= upTo) resolve();
    waiting = waiting.filter(({ offset }) => offset > upTo);
  }

  async function passed(offset: number): Promise<void> {
    if (lane.committed >= offset) return;
    try {
      await orAborted(new Promise<void>((resolve) => waiting.push({ offset, resolve })), signal);
    } catch (lost) {
      // It counts when it was too late to call it back.
      const counts = underWay && offset <= underWay.upTo && (await underWay.carriedOut);
      if (!counts) throw lost;
    }
  }

  return {
    prepare() {
      const what = `taking over partition ${lane.partition} of topic "${holder.topic}" for delivery exactly-once`;
      prepared ??= persist(takeOver, { what, log, signal, failed }).then(() => undefined);
      return prepared;
    },
    async settle(given, done, instead) {
      for (const { index, out } of done) results.set(given.offsets[index]!, { index, out, instead });
      lane.ledger.mark(given, done);
      void run();
      await passed(lastOf(given, done) + 1);
    },
    look: () => void run(),
    get idle() {
      return !running;
    },
    get asked() {
      return asked;
    },
    ready: true,
    close: () => producer?.close() ?? Promise.resolve(),
  };
}
