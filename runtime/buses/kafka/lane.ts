import type { Batch, Instead, LaneState, Received, Settled } from "../../bus.ts";
import { asError, LaneLost } from "../../errors.ts";
import { Ledger, type Given } from "./ledger.ts";
import { Queue } from "./queue.ts";

/** No next batch while so many records are given and nothing has come of them … */
const OPEN_RECORDS = 10_000;
/** … or so many that the position has not passed, since one before them takes long. */
const AHEAD_RECORDS = 100_000;
/**
 * Bytes of records that a subscription keeps: fetched and waiting, at which fetching pauses until half of it is left, and
 * as much again given and not sent. Its lanes share them; one lane takes at most a quarter, and always a record.
 */
const KEPT_BYTES = 2 * 1024 * 1024;
const LANES = 4;

/** Carries out a lane's settlements, and keeps its promise: at-least-once.ts, exactly-once.ts. */
export interface Settler {
  /** What has to come before the lane's position is asked for. Rejects when the lane is lost. */
  prepare(): Promise<void>;
  /** As `Batch.settle`. */
  settle(given: Given, done: readonly Settled[], instead: Instead, sent?: () => void): Promise<void>;
  /** The lane's position may have something to pass that nobody settles, or the lane has been confirmed. */
  look(): void;
  /** No settlement is under way that could end by itself. */
  readonly idle: boolean;
  /** The how manyth settlement the brokers have been asked to take and have not taken yet; 0: none. */
  readonly asked: number;
  /** Whether more may be given out while what is under way is. */
  readonly ready: boolean;
  /** The lane is lost. Never rejects. */
  close(): Promise<void>;
}

/** What a lane asks of the subscription it belongs to. */
export interface LaneHolder {
  onBatch(batch: Batch): Promise<void>;
  /** Whether batches may still begin. */
  open(): boolean;
  /** Whether the lane is idle may have changed. */
  changed(lane: Lane): void;
  /** Stops or resumes fetching for the lane. */
  fetching(lane: Lane, on: boolean): void;
  fail(error: Error): void;
  /** How many lanes the subscription has. */
  lanes(): number;
  settler(lane: Lane): Settler;
}

/** Offsets are numbers here: 2^53 records are more than a partition will ever see. */
export class Lane {
  readonly partition: number;
  /** The next offset to be fetched. */
  next = -1;
  /** The first offset that is not done; negative until the group's position is known. */
  done = -1;
  /** As the group has it; negative: it has none. */
  committed = -1;
  /** The last position that it may have, though nobody has acknowledged it. */
  attempted = -1;
  low = 0;
  end = 0;
  /** Ours in the group's present generation. */
  confirmed = false;
  paused = false;
  /** Somebody's transaction, which is open, may move the group's position: it ends, or times out. */
  isUncertain = false;
  readonly settler: Settler;
  readonly ledger = new Ledger();
  readonly #holder: LaneHolder;
  readonly #controller = new AbortController();
  readonly #queue = new Queue();
  #fetchedFrom = -1;
  #running = false;

  constructor(partition: number, holder: LaneHolder) {
    this.partition = partition;
    this.#holder = holder;
    this.settler = holder.settler(this);
  }

  /** Aborts with a LaneLost. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get lost(): boolean {
    return this.signal.aborted;
  }

  /** Neither an `onBatch` nor a settlement is under way. */
  get idle(): boolean {
    return !this.#running && (this.lost || this.settler.idle);
  }

  /** What the brokers owe the lane, in words that change as it moves; null: nothing. A position, records for which there is room, or a commit. */
  get owed(): string | null {
    if (this.done < 0) return this.isUncertain ? "the end of a transaction that may move its position" : "its position";
    // What is on its way commits it too, or is waited for before.
    const waits = this.settler.asked > 0;
    if (this.confirmed && !waits && this.committed < this.done) return `the commit after ${this.committed}`;
    const hungry = !this.paused && this.ledger.records === 0 && !this.#queue.head;
    return hungry && this.next < this.end ? `the record at ${this.next}` : null;
  }

  /** The first offset that somebody has still to settle, or else the next to be fetched. */
  get settledUpTo(): number {
    const waiting = this.#queue.head?.position;
    return this.ledger.unsettled ?? (waiting === undefined ? this.next : Number(waiting));
  }

  state(): LaneState {
    const [low, position] = [BigInt(this.low), BigInt(this.done)];
    return { lane: String(this.partition), low, position, end: BigInt(Math.max(this.end, this.done)) };
  }

  /** Begins at a position. Returns whether what was fetched until now goes on from there, if anything was. */
  begin(position: number, committed: number): boolean {
    const covered = this.#fetchedFrom <= position;
    if (covered) this.#queue.dropBelow(position);
    else this.#queue.clear();
    this.next = covered ? Math.max(this.next, position) : position;
    this.done = position;
    this.committed = committed;
    this.confirmed = true;
    this.#resume();
    this.wake();
    return covered;
  }

  /** Takes what was fetched from an offset on, in order; `next` is the next offset to be fetched: what is between, such as markers, nobody has to settle. */
  push(records: readonly Received[], from: number, next: number): void {
    if (this.next < 0) this.#fetchedFrom = from;
    // What was on its way while it was sought elsewhere may end before that.
    this.next = Math.max(this.next, next);
    this.#queue.push(records);
    if (this.#queue.bytes > this.#share) this.#holder.fetching(this, false);
    if (records.length === 0) this.settler.look();
    this.wake();
  }

  /** All below `offset` is done. */
  pass(offset: number): void {
    this.done = offset;
    this.ledger.pass(offset);
    this.wake();
  }

  /** Resolves when nothing of it is open at the brokers. */
  lose(why: string): Promise<void> {
    this.#queue.clear();
    this.confirmed = false;
    this.#controller.abort(new LaneLost(String(this.partition), why));
    this.#holder.changed(this);
    return this.settler.close();
  }

  /** Gives the next batch when there is one and its time has come. */
  wake(): void {
    if (this.#mayGive()) void this.#give();
  }

  get #share(): number {
    return KEPT_BYTES / Math.max(LANES, this.#holder.lanes());
  }

  #mayGive(): boolean {
    const free = !this.#running && !this.lost && this.done >= 0 && this.#holder.open();
    const { records, bytes, ahead } = this.ledger;
    const room = records < OPEN_RECORDS && ahead < AHEAD_RECORDS && bytes < this.#share;
    return free && room && this.settler.ready && this.#queue.head !== undefined;
  }

  #resume(): void {
    if (this.paused && this.#queue.bytes <= this.#share / 2) this.#holder.fetching(this, true);
  }

  async #give(): Promise<void> {
    const records = this.#queue.take();
    this.#resume();
    const given = this.ledger.give(records);
    const settle: Batch["settle"] = async (...settlement) => {
      this.signal.throwIfAborted();
      try {
        await this.settler.settle(given, ...settlement);
      } catch (error) {
        const hasPassed = (index: number) => given.offsets[index]! < this.committed;
        throw error instanceof LaneLost ? error.of(settlement[0], hasPassed) : error;
      }
    };
    this.#running = true;
    this.#holder.changed(this);
    try {
      await this.#holder.onBatch({ records, signal: this.signal, settle });
    } catch (error) {
      this.#holder.fail(asError(error));
    }
    this.#running = false;
    this.#holder.changed(this);
    this.wake();
  }
}
