import type { Batch, Instead, LaneState, Received, Settled } from "../../bus.ts";
import { asError, LaneLost } from "../../errors.ts";
import { sendable } from "../sendable.ts";
import type { Commits } from "./commits.ts";
import { orAborted } from "./persist.ts";
import { bytesOf } from "./place.ts";
import type { Sender } from "./sender.ts";

const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 900_000;
/** Fetching pauses above this many bytes of waiting records, and goes on at half of it. */
const QUEUE_BYTES = 2 * 1024 * 1024;
/** No next batch while this much is given and not settled … */
const UNSETTLED_RECORDS = 10_000;
const UNSETTLED_BYTES = 4 * 1024 * 1024;
/** … or this many settlements are under way: records that come meanwhile gather to a larger batch. */
const OPEN_SETTLEMENTS = 3;

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
  readonly commits: Commits;
  readonly sender: Sender;
}

/** A batch given to `onBatch` of which not everything is settled. */
interface Given {
  readonly records: readonly Received[];
  readonly settled: Uint8Array;
  readonly bytes: number;
  /** So many of its first records are settled. */
  done: number;
}

/** Offsets are numbers here: 2^53 records are more than a partition will ever see. */
export class Lane {
  readonly partition: number;
  /** The next offset to be fetched. */
  next: number;
  /** The first offset that is not done. */
  done: number;
  committed: number;
  low = 0;
  end = 0;
  /** Ours in the group's present generation. */
  confirmed = false;
  paused = false;
  readonly #holder: LaneHolder;
  readonly #controller = new AbortController();
  #queue: Received[] = [];
  #first = 0;
  #queuedBytes = 0;
  #given: Given[] = [];
  #unsettledRecords = 0;
  #unsettledBytes = 0;
  #settling = 0;
  #running = false;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(partition: number, holder: LaneHolder) {
    this.partition = partition;
    this.#holder = holder;
    this.next = this.done = this.committed = -1;
  }

  get lost(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Neither an `onBatch` nor a settlement is under way. */
  get idle(): boolean {
    return !this.#running && (this.lost || this.#settling === 0);
  }

  state(): LaneState {
    const [low, position] = [BigInt(this.low), BigInt(this.done)];
    return { lane: String(this.partition), low, position, end: BigInt(Math.max(this.end, this.done)) };
  }

  /** Begins at a position; records below it that are in the queue already are left out. */
  begin(position: number, committed: number): void {
    this.#queue = this.#queue.filter((record) => Number(record.position) >= position);
    this.#queuedBytes = this.#queue.reduce((sum, record) => sum + bytesOf(record), 0);
    this.done = position;
    this.committed = committed;
    this.next = Math.max(this.next, position);
    this.confirmed = true;
    this.wake();
  }

  /** Takes what was fetched, in order; `next` is the next offset to be fetched. */
  push(records: readonly Received[], next: number): void {
    this.next = next;
    for (const record of records) {
      this.#queue.push(record);
      this.#queuedBytes += bytesOf(record);
    }
    if (this.#queuedBytes > QUEUE_BYTES) this.#holder.fetching(this, false);
    this.wake();
  }

  /** All below `offset` was fetched, markers and aborted records included, which nobody has to settle. */
  reached(offset: number): void {
    this.next = Math.max(this.next, offset);
    if (this.#caughtUp()) this.#holder.commits.soon();
  }

  lose(why: string): void {
    if (this.lost) return;
    this.#queue = [];
    this.#first = this.#queuedBytes = 0;
    this.confirmed = false;
    this.#controller.abort(new LaneLost(String(this.partition), why));
    this.#holder.changed(this);
    this.#holder.commits.soon();
  }

  /** Gives the next batch when there is one and its time has come. */
  wake(): void {
    if (this.#mayGive()) void this.#give();
  }

  #mayGive(): boolean {
    const free = !this.#running && !this.lost && this.done >= 0 && this.#holder.open();
    const settled = this.#unsettledRecords < UNSETTLED_RECORDS && this.#unsettledBytes < UNSETTLED_BYTES;
    return free && settled && this.#settling < OPEN_SETTLEMENTS && this.#queue.length > this.#first;
  }

  async #give(): Promise<void> {
    const given = this.#take();
    const settle = (done: readonly Settled[], instead: Instead) => this.#settle(given, done, instead);
    this.#running = true;
    this.#holder.changed(this);
    try {
      await this.#holder.onBatch({ records: given.records, signal: this.#controller.signal, settle });
    } catch (error) {
      this.#holder.fail(asError(error));
    }
    this.#running = false;
    this.#holder.changed(this);
    this.wake();
  }

  #take(): Given {
    let bytes = 0;
    let end = this.#first;
    do bytes += bytesOf(this.#queue[end++]!);
    while (end < this.#queue.length && end - this.#first < BATCH_RECORDS && bytes < BATCH_BYTES);
    const records = this.#queue.slice(this.#first, end);
    this.#forget(end);
    this.#queuedBytes -= bytes;
    if (this.paused && this.#queuedBytes <= QUEUE_BYTES / 2) this.#holder.fetching(this, true);
    const given = { records, settled: new Uint8Array(records.length), bytes, done: 0 };
    this.#given.push(given);
    this.#unsettledRecords += records.length;
    this.#unsettledBytes += bytes;
    return given;
  }

  /** Lets go of the queue's records before `end`; cut off now and then, not with each batch. */
  #forget(end: number): void {
    this.#queue.fill(undefined as never, this.#first, end);
    this.#first = end;
    if (end < this.#queue.length && end < 10_000) return;
    this.#queue = this.#queue.slice(end);
    this.#first = 0;
  }

  async #settle(given: Given, done: readonly Settled[], instead: Instead): Promise<void> {
    this.#controller.signal.throwIfAborted();
    this.#settling++;
    this.#holder.changed(this);
    const sent = this.#sending.then(() => this.#send(done, instead));
    this.#sending = sent.catch(() => undefined);
    try {
      await orAborted(sent, this.#controller.signal);
      if (this.#mark(given, done)) await this.#committed(this.done);
    } finally {
      this.#settling--;
      this.#holder.changed(this);
      this.wake();
    }
    // Behind a record that is not settled yet it may take long, and must not hold up the lane's other settlements.
    const last = done.reduce((latest, { index }) => Math.max(latest, index), -1);
    if (last >= 0) await this.#committed(Number(given.records[last]!.position) + 1);
  }

  async #committed(offset: number): Promise<void> {
    if (this.committed < offset) await orAborted(this.#holder.commits.upTo(this, offset), this.#controller.signal);
  }

  /** What Kafka refuses when it sees it, such as for want of a right, is replaced too. */
  async #send(done: readonly Settled[], instead: Instead): Promise<void> {
    const { signal } = this.#controller;
    const { sender } = this.#holder;
    for (let rest = done; rest.length > 0;) {
      const ready = await sendable(rest, (out) => sender.fault(out, signal), instead, signal);
      const records = ready.flatMap(({ out }) => out);
      const faults = records.length > 0 ? await sender.send(records, signal) : new Map<never, never>();
      rest = ready.flatMap(({ index, out }) => {
        const why = out.map((record) => faults.get(record)).find(Boolean);
        return why ? [{ index, out: instead(index, why) }] : [];
      });
    }
  }

  /** Returns whether the lane's first records are done that were not before. */
  #mark(given: Given, done: readonly Settled[]): boolean {
    for (const { index } of done) given.settled[index] = 1;
    this.#unsettledRecords -= done.length;
    const before = this.done;
    for (let [first] = this.#given; first; [first] = this.#given) {
      while (first.settled[first.done] === 1) first.done++;
      if (first.done > 0) this.done = Number(first.records[first.done - 1]!.position) + 1;
      if (first.done < first.records.length) break;
      this.#unsettledBytes -= first.bytes;
      this.#given.shift();
    }
    return this.#caughtUp() || this.done > before;
  }

  /** With nothing waiting or unsettled, all that was fetched is done: markers and aborted records too. */
  #caughtUp(): boolean {
    const open = this.#given.length > 0 || this.#queue.length > this.#first;
    if (!this.confirmed || open || this.done >= this.next) return false;
    this.done = this.next;
    return true;
  }
}
