import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Outgoing } from "../../bus.ts";
import { MetrobusError, UnknownTopic } from "../../errors.ts";
import { isRebalance, isTooLarge, isUnknownTopic, permanent, refusal } from "./failures.ts";
import type { Lane } from "./lane.ts";
import type { Membership } from "./membership.ts";
import { orAborted, persist } from "./persist.ts";
import { place } from "./place.ts";
import type { Positions } from "./state.ts";
import type { Topics } from "./topics.ts";
import type { TransactionalProducer } from "./transactional-producer.ts";

/** A transaction takes at most this much; what comes meanwhile goes with the next. */
const MOST_RECORDS = 10_000;
const MOST_BYTES = 4 * 1024 * 1024;
/** So often in a row the group refuses a member that it counts as one: the client has lost count of the group's generations. */
const OUTDATED = 10;
/** A producer that can't be had while the brokers are away keeps no process from ending. */
const CLOSE_MS = 5_000;

/** What a lane has for transactions. */
export interface LaneResults {
  readonly lane: Lane;
  /** There is something to be written, and it may be: the lane is ours. */
  readonly due: boolean;
  /** The first of what is due, within a limit, which it lowers. */
  next(room: Room): Part;
  recordsOf(part: Part): readonly Outgoing[];
  /** The lane's position has passed the part. */
  committed(part: Part): void;
  /** Kafka has refused the part, and no other. Resolves when it may be tried again. */
  refused(part: Part, error: unknown): Promise<void>;
  /** A topic of the part may be gone. Resolves when it may be tried again. */
  recheck(part: Part): Promise<void>;
}

export interface Room {
  records: number;
  bytes: number;
}

/** The results of a lane's next records, in order, and the position behind them. */
export interface Part {
  readonly of: LaneResults;
  readonly offsets: readonly number[];
  readonly upTo: number;
}

export interface TransactionHolder {
  readonly topic: string;
  readonly topics: Topics;
  readonly log: Logger;
  /** A producer that shuts out the one before. */
  takeOver(): Promise<TransactionalProducer>;
  membership(): Membership;
  /** Resolves when the group has confirmed that this process is a member still. */
  member(): Promise<void>;
  /** Joins the group anew, with fresh connections. */
  rejoin(why: string): void;
  /** The group's positions in these partitions, but those that are not certain yet. */
  positions(partitions: readonly number[]): Promise<Positions>;
  /** Somebody else has worked on the lane: it begins anew where the group stands. */
  startOver(lane: Lane): void;
  changed(lane: Lane): void;
  fail(error: Error): void;
}

export interface Transactions {
  add(results: LaneResults): void;
  /** Resolves when a transaction can begin, and none is under way that may move the lane's position. */
  prepare(lane: Lane): Promise<void>;
  /** The lane's results may be due. */
  look(lane: Lane): void;
  has(lane: Lane): boolean;
  /** The how manyth transaction the brokers have been asked to take the lane's results with, and have not taken yet; 0: none. */
  asked(lane: Lane): number;
  /** Resolves when the transaction under way, if the lane has a part in it, has ended. */
  over(lane: Lane): Promise<void>;
  /** The lane is lost. Resolves as `over`. */
  remove(results: LaneResults): Promise<void>;
  /** Aborts what is open. */
  close(): Promise<void>;
}

/**
 * What came of a subscription's records and the positions behind them are written in one transaction, one at a time for all
 * of its lanes; what is settled meanwhile goes with the next. A transaction counts only while we are in the group's
 * present generation, and whoever is given a partition waits until none that may move its position is open.
 *
 * After a failure nobody knows what was written: another producer takes over, which ends what is open, and the group's
 * positions tell whether it was committed.
 */
export function transactions(holder: TransactionHolder): Transactions {
  const { topic: from, topics, log } = holder;
  const closing = new AbortController();
  const { signal } = closing;
  const all = new Set<LaneResults>();
  /** Kafka refused something of theirs: they go alone, with at most so many records, until they are past it. */
  const apart = new Map<LaneResults, { readonly until: number; readonly most: number }>();
  /** Something has to be done about them first. */
  const resting = new Set<LaneResults>();
  const asked = new Map<Lane, number>();
  let asks = 0;
  let producer: Promise<TransactionalProducer> | null = null;
  /** Producers that are given up have aborted what was open. */
  let dropped: Promise<unknown> = Promise.resolve();
  /** The last transaction. */
  let last: { readonly parts: readonly Part[]; readonly ended: Promise<void>; isOver: boolean } | undefined;
  /** Nobody knows whether these were committed. */
  let doubtful: readonly Part[] = [];
  let mostRecords = MOST_RECORDS;
  /** In a row, without those that a rebalance brings. */
  let failures = 0;
  /** In a row, of those. */
  let outdated = 0;
  let running = false;

  const ready = () => [...all].filter((each) => each.due && !resting.has(each));

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    try {
      const what = `sending what came of topic "${from}" in a transaction`;
      while (ready().length > 0) await persist(transact, { what, log, signal, failed });
    } catch (error) {
      if (!signal.aborted) holder.fail(error as Error);
    }
    running = false;
    for (const { lane } of all) holder.changed(lane);
  }

  function look(lane: Lane): void {
    holder.changed(lane);
    void run();
  }

  function failed(error: unknown): void {
    const fault = permanent(error);
    if (fault) throw fault;
  }

  async function transact(): Promise<void> {
    const mine = await own();
    if (doubtful.length > 0) await clearDoubt();
    const parts = compose();
    const records = parts.flatMap((part) => part.of.recordsOf(part));
    const gone = records.find(({ topic }) => !topics.known(topic));
    if (gone) return refused(parts, new UnknownTopic(gone.topic));
    for (const { of } of parts) asked.set(of.lane, asked.get(of.lane) ?? ++asks);
    try {
      await commit(mine, parts, records);
    } catch (error) {
      drop();
      signal.throwIfAborted();
      if (isRefusal(error)) return refused(parts, error);
      doubtful = parts;
      if (!isRebalance(error)) inSmallerParts(parts);
      else if (++outdated % OUTDATED === 0)
        holder.rejoin("its transactions are refused as those of an older generation");
      throw error;
    }
    failures = outdated = 0;
    mostRecords = Math.min(MOST_RECORDS, mostRecords * 2);
  }

  async function own(): Promise<TransactionalProducer> {
    const mine = (producer ??= holder.takeOver());
    try {
      return await orAborted(mine, signal);
    } catch (error) {
      if (producer === mine) drop();
      throw error;
    }
  }

  function drop(): void {
    const ended = producer?.then((each) => each.close()).catch(() => undefined);
    producer = null;
    dropped = Promise.all([dropped, ended]);
  }

  /** It may have been too much for the line; or there is one partition that nothing can be written to, which need not hold up all lanes. */
  function inSmallerParts(parts: readonly Part[]): void {
    mostRecords = Math.max(1, sizeOf(parts) >> 1);
    if (++failures > 1 && parts.length > 1) for (const part of parts) setApart(part, part.offsets.length);
  }

  async function clearDoubt(): Promise<void> {
    const parts = doubtful.filter(({ of }) => !of.lane.lost);
    if (parts.length > 0) await resolve(parts);
    doubtful = [];
  }

  /** Only who is a member still goes on. */
  async function resolve(parts: readonly Part[]): Promise<void> {
    await orAborted(holder.member(), signal);
    const known = await orAborted(holder.positions(parts.map(({ of }) => of.lane.partition)), signal);
    for (const part of parts) {
      const { lane } = part.of;
      const position = known.get(lane.partition);
      if (lane.lost) continue;
      if (position === undefined) throw new Error(`the position of partition ${lane.partition} is not certain yet`);
      if (position === part.upTo) committed(part);
      else if (position === lane.committed) lane.attempted = position;
      else holder.startOver(lane);
    }
  }

  /** Those that were left out for want of room come first the next time. */
  function compose(): Part[] {
    const due = ready();
    const [first] = due;
    const alone = first && apart.get(first);
    const room = { records: Math.min(mostRecords, alone?.most ?? mostRecords), bytes: MOST_BYTES };
    const parts: Part[] = [];
    for (const results of alone ? [first] : due) {
      if (room.records <= 0 || room.bytes <= 0) break;
      if (!alone && apart.has(results)) continue;
      parts.push(results.next(room));
      all.delete(results);
      all.add(results);
    }
    return parts;
  }

  async function commit(mine: TransactionalProducer, parts: readonly Part[], records: readonly Outgoing[]) {
    if (parts.length === 0) return;
    const offsets = new Map(parts.map(({ of, upTo }) => [of.lane.partition, upTo]));
    for (const { of, upTo } of parts) of.lane.attempted = upTo;
    const rounds = place(records, topics.known);
    const carriedOut = mine.commit(rounds, offsets, holder.membership()).then(() => parts.forEach(committed));
    const mark = { parts, ended: carriedOut.catch(() => undefined), isOver: false };
    last = mark;
    try {
      await carriedOut;
    } finally {
      mark.isOver = true;
      for (const { of } of parts) holder.changed(of.lane);
    }
  }

  function committed(part: Part): void {
    const { of, upTo } = part;
    asked.delete(of.lane);
    of.committed(part);
    const alone = apart.get(of);
    if (alone && upTo >= alone.until) apart.delete(of);
    else if (alone) apart.set(of, { ...alone, most: alone.most * 2 });
  }

  /** Kafka refuses a record, and with it the whole transaction: it is looked for by halving. */
  function refused(parts: readonly Part[], error: unknown): void {
    for (const part of parts) {
      const { of, offsets } = part;
      if (of.lane.lost) continue;
      asked.delete(of.lane);
      of.lane.attempted = of.lane.committed;
      if (error instanceof UnknownTopic || isUnknownTopic(error)) rest(of, of.recheck(part));
      else if (parts.length === 1 && offsets.length <= 1) rest(of, of.refused(part, error));
      else setApart(part, parts.length > 1 ? offsets.length : offsets.length >> 1);
    }
  }

  function setApart({ of, upTo }: Part, most: number): void {
    apart.set(of, { until: apart.get(of)?.until ?? upTo, most: Math.max(1, most) });
  }

  function rest(results: LaneResults, until: Promise<void>): void {
    resting.add(results);
    const done = () => {
      resting.delete(results);
      look(results.lane);
    };
    until.then(done, (error: unknown) => {
      done();
      if (!results.lane.lost) holder.fail(error as Error);
    });
  }

  const partOf = (lane: Lane) => (last && !last.isOver ? last.parts.find(({ of }) => of.lane === lane) : undefined);

  async function over(lane: Lane): Promise<void> {
    if (last?.parts.some(({ of }) => of.lane === lane)) await last.ended;
  }

  return {
    add: (results) => void all.add(results),
    async prepare(lane) {
      const what = `preparing topic "${from}" for delivery exactly-once`;
      try {
        await persist(own, { what, log, signal: lane.signal, failed });
      } catch (error) {
        if (!lane.lost) holder.fail(error as Error);
        throw error;
      }
      // It may be of a time when the partition was ours already.
      while (last && !last.isOver && last.parts.some(({ of }) => of.lane.partition === lane.partition))
        await orAborted(last.ended, lane.signal);
    },
    look,
    has: (lane) => partOf(lane) !== undefined,
    asked: (lane) => asked.get(lane) ?? 0,
    over,
    async remove(results) {
      all.delete(results);
      apart.delete(results);
      asked.delete(results.lane);
      await over(results.lane);
    },
    async close() {
      closing.abort(new MetrobusError("the subscription has ended"));
      drop();
      await Promise.race([dropped, sleep(CLOSE_MS, undefined, { ref: false })]);
    },
  };
}

const sizeOf = (parts: readonly Part[]): number => parts.reduce((sum, { offsets }) => sum + offsets.length, 0);

const isRefusal = (error: unknown): boolean =>
  error instanceof UnknownTopic || isUnknownTopic(error) || isTooLarge(error) || refusal(error, "") !== null;
