import type { MetrobusError, UnreadableBatch } from "./errors.ts";

/**
 * What a bus is to metrobus, written as promises. A bus has topics; a topic's records lie in lanes (Kafka: partitions),
 * in order; a consumer group shares a topic's lanes among its members. A batch of records comes in, a settlement goes
 * out: every guarantee of the runtime lives in `Batch.settle`.
 */

/** Header pairs as they came, in order; a name may occur twice and a value may be null. */
export type RecordHeaders = readonly (readonly [name: string, value: Buffer | null])[];

export interface Message {
  topic: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: RecordHeaders;
}

/** A record as it was read. `position` is its place in the lane (Kafka: the offset); `timestamp` is in epoch ms. */
export interface Received extends Message {
  lane: string;
  position: string;
  timestamp: number;
  /** Why the records of a batch can't be read: this stands for all of them, in the place of the last one, with its bytes as the value. */
  readonly unreadable?: UnreadableBatch;
}

/** A record to send. Records of one topic with the same key go to the same lane, as Kafka's default partitioner has it. */
export interface Outgoing extends Message {
  /**
   * Epoch ms: the bus parks the record, and delivers it to `topic` then or soon after, for this group alone. Only in a
   * settlement of a subscription with `later`.
   */
  readonly notBefore?: number;
}

/**
 * What a settlement promises when the process dies at any point. "at-least-once": what was sent may be sent again.
 * "exactly-once": `out` and the position of the input become visible together or not at all, and whoever has lost the
 * lane can write neither.
 */
export type Delivery = "at-least-once" | "exactly-once";

/** What became of the record at `index` of its batch: the records to send for it. Dropped or arrived: `out` is empty. */
export interface Settled {
  index: number;
  out: readonly Outgoing[];
}

/** What to send in the place of an `out` that can't be sent, and why it can't. */
export type Instead = (index: number, why: MetrobusError) => readonly Outgoing[];

/** Records of one lane, in order: at least one. */
export interface Batch {
  readonly records: readonly Received[];
  /**
   * Aborts, with a LaneLost as its reason, when the lane is no longer ours or the deadline of `Subscription.stop` has
   * passed. All batches of a lane have the same until then.
   */
  readonly signal: AbortSignal;
  /**
   * Makes `out` durable on all in-sync replicas, then marks the input as done up to the first record of the lane that
   * is not settled yet; with delivery "exactly-once" both in one transaction, so that `out` of what lies behind an
   * unsettled record waits for that one. Indexes may come in any order, each once, in any number of calls; calls of one lane are carried
   * out in the order they were made.
   *
   * When the `out` of an index can't be sent (unknown topic, too large, not authorized), `instead` is asked, before
   * anything of that lane is sent after it, what to send in its place. If that can't be sent either it is asked again,
   * with backoff: the lane waits.
   *
   * Resolves when all is durable and the lane's position has passed it: what lies behind an unsettled record waits for
   * that one. Rejects only with LaneLost: what the position has not passed comes again, here or elsewhere; its
   * `passed` names what it has. Everything else (brokers away, leaders moving, time-outs) the bus retries until it works or
   * the lane is lost.
   *
   * `sent` may be called before that, when `out` is durable and waits only for the position to pass it: whoever holds
   * records, or `out`, can let go of them. It needs no `this`.
   */
  readonly settle: (done: readonly Settled[], instead: Instead, sent?: () => void) => Promise<void>;
}

export interface ConsumeOptions {
  topic: string;
  /** The consumer group. Two different topics in one group are an error. */
  group: string;
  /** Where a group without a position for a lane begins. */
  start: "earliest" | "latest";
  /** Default: "at-least-once". "exactly-once" needs `Bus.features.exactlyOnce`. */
  delivery?: Delivery;
  /**
   * How long this member of the group may be silent before its lanes are given to others, ms; a bus may have a shorter
   * time. Default: what the bus was opened with.
   */
  silentMs?: number;
  /**
   * How long records of this subscription may be parked, in ms, shortest first: each for the first that is long enough,
   * and no longer than the last. Each has a topic, `<group>.later.<delay>`, that the subscription itself reads.
   * `buses/later` gives this to every bus. Default: none.
   */
  later?: readonly number[];
  /** Called when a lane's position no longer exists (retention) and consuming goes on at `resumedAt`. */
  onGap?: (gap: { lane: string; lost: bigint; resumedAt: string }) => void;
}

/** Where a lane stands. `low` is the oldest position kept, `position` the next one to be marked as done, `end` the next one to be written (Kafka: the last stable offset). */
export interface LaneState {
  lane: string;
  low: bigint;
  position: bigint;
  end: bigint;
}

export interface Subscription {
  /** The lanes that are ours now, as last known; asks nobody. */
  lanes(): readonly LaneState[];
  /** What keeps it from consuming, and what to do about it; null: nothing. It goes on by itself when that is over. */
  problem?(): string | null;
  /** Resolves, with the reason, when this subscription can't go on by itself. Never rejects; pending while all is well. */
  readonly failed: Promise<Error>;
  /**
   * No batch is begun any more. Waits until every `onBatch` has returned, `work` has resolved and every settlement is
   * done, at most until `deadline` (epoch ms); then aborts the batches' signals, leaves the group and resolves. May be
   * called twice.
   */
  stop(deadline: number, work?: Promise<unknown>): Promise<void>;
}

export interface TopicSpec {
  topic: string;
  /** Default: what the bus was opened with. */
  partitions?: number;
  /** Keep records for so long, ms. Default: as the bus does. */
  keepMs?: number;
  /** Keep records for ever (dead letters). */
  keepForever?: boolean;
}

export interface Bus {
  readonly name: string;
  /** What the bus can do beyond the least; the contract suite is told of it. */
  readonly features: { readonly exactlyOnce: boolean; readonly ordered: boolean; readonly readable: boolean };
  /**
   * Gives each lane's records to `onBatch`, one batch per lane at a time, lanes side by side. `onBatch` may take hours:
   * the bus keeps its membership alive meanwhile. It may return before its settlements are done: the next batch comes
   * then, as long as the lane's unsettled records stay within the bus's bound in bytes. An `onBatch` that rejects is a
   * fault of the runtime and ends the subscription through `failed`.
   *
   * Resolves when the group has been joined. Throws UnknownTopic, ConfigError (group in use for another topic), Unavailable.
   */
  consume(options: ConsumeOptions, onBatch: (batch: Batch) => Promise<void>): Promise<Subscription>;
  /** Resolves when all in-sync replicas have all messages. Throws UnknownTopic, TooLarge, Unavailable. */
  send(messages: readonly Outgoing[]): Promise<void>;
  /** At most `limit` records of a lane from a position on, without a group; ends at the lane's end. */
  read(topic: string, lane: string, from: bigint, limit: number): AsyncIterable<Received>;
  /** Whether the topic exists, asked anew. */
  knows(topic: string): Promise<boolean>;
  /** Creates the topics that are missing; leaves those that exist as they are. */
  create(topics: readonly TopicSpec[]): Promise<void>;
  /** Every lane of the topic with the group's position. Throws UnknownTopic. */
  state(group: string, topic: string): Promise<readonly LaneState[]>;
  close(): Promise<void>;
}
