import type { Batch, Delivery, Instead, LaneState, Outgoing, Settled } from "../../bus.ts";
import { asError, LaneLost, type MetrobusError } from "../../errors.ts";
import { sendable } from "../sendable.ts";
import type { Lane } from "./lane.ts";

const BATCH = 1_000;
/** No next batch while this many records of the lane are given and not settled. */
const MAX_UNSETTLED = 10_000;

/** How the bus sends what came of records. */
export interface Sending {
  /** Why it can't be sent. */
  fault(out: readonly Outgoing[]): MetrobusError | null;
  deliver(out: readonly Outgoing[]): void;
}

/** What a lease asks of the subscription it belongs to. */
export interface Holder extends Sending {
  readonly group: string;
  readonly delivery: Delivery;
  onBatch(batch: Batch): Promise<void>;
  /** Whether batches may still begin. */
  open(): boolean;
  /** Whether the lease is idle may have changed. */
  changed(lease: Lease): void;
  fail(error: Error): void;
}

/** One member's hold on one lane, from the moment it is given to it until it is taken away. */
export class Lease {
  readonly lane: Lane;
  readonly #holder: Holder;
  readonly #controller = new AbortController();
  /** Positions settled although one before them is not, with what is still to be sent for them; and who waits for the position to pass them. */
  readonly #settledAhead = new Map<number, readonly Outgoing[]>();
  #waiting: { end: number; passed: () => void; lost: (error: LaneLost) => void }[] = [];
  readonly #wake = () => this.wake();
  /** The first position that is not settled. */
  #position: number;
  /** The first position that is not given to `onBatch`. */
  #next: number;
  #settling = 0;
  #last: Promise<void> = Promise.resolve();
  #scheduled = false;
  #running = false;
  #lost: string | null = null;

  constructor(lane: Lane, holder: Holder) {
    this.lane = lane;
    this.#holder = holder;
    this.#position = lane.positionOf(holder.group) ?? lane.low;
    this.#next = this.#position;
    lane.readers.add(this.#wake);
    this.wake();
  }

  /** Neither an `onBatch` nor a settlement is under way. */
  get idle(): boolean {
    return !this.#running && (this.#lost !== null || this.#settling === 0);
  }

  state(): LaneState {
    return this.lane.state(this.#position);
  }

  /** Takes the lane away: what is not settled comes again, to its next holder. */
  end(why: string): void {
    if (this.#lost !== null) return;
    this.#lost = why;
    this.lane.readers.delete(this.#wake);
    const lost = new LaneLost(this.lane.name, why);
    this.#controller.abort(lost);
    for (const each of this.#waiting) each.lost(lost);
    this.#holder.changed(this);
  }

  /** Gives the next batch in the event loop's next turn, so that timers and sockets have theirs and records can gather. */
  wake(): void {
    if (this.#scheduled || !this.#mayGive()) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#mayGive()) void this.#give();
    });
  }

  #mayGive(): boolean {
    const { end } = this.lane;
    const free = !this.#running && this.#lost === null && this.#next - this.#position < MAX_UNSETTLED;
    return free && this.#next < end && this.#holder.open();
  }

  async #give(): Promise<void> {
    const first = this.#next;
    const records = this.lane.slice(first, BATCH);
    const settle = (done: readonly Settled[], instead: Instead) => this.#settle(first, done, instead);
    this.#next += records.length;
    this.#running = true;
    this.#holder.changed(this);
    try {
      await this.#holder.onBatch({ records, signal: this.#controller.signal, settle });
    } catch (error) {
      this.#holder.fail(asError(error));
    }
    this.#running = false;
    this.#holder.changed(this);
    this.wake();
  }

  /** A settlement that has to wait holds back those behind it, so that order is kept. */
  #settle(first: number, done: readonly Settled[], instead: Instead): Promise<void> {
    this.#settling++;
    const carriedOut = this.#last
      .then(() => this.#carryOut(first, done, instead))
      .finally(() => {
        this.#settling--;
        this.#holder.changed(this);
      });
    this.#last = carriedOut.catch(() => undefined);
    const end = done.reduce((most, { index }) => Math.max(most, first + index + 1), 0);
    return carriedOut
      .then(() => this.#passed(end))
      .catch((error: unknown) => {
        const hasPassed = (index: number) => first + index < this.#position;
        throw error instanceof LaneLost ? error.of(done, hasPassed) : error;
      });
  }

  /** Resolves when all below `end` is settled; rejects when the lane is lost before that. */
  #passed(end: number): Promise<void> | undefined {
    if (this.#position >= end) return undefined;
    if (this.#lost !== null) throw new LaneLost(this.lane.name, this.#lost);
    return new Promise((passed, lost) => this.#waiting.push({ end, passed, lost }));
  }

  async #carryOut(first: number, done: readonly Settled[], instead: Instead): Promise<void> {
    const ready = await sendable(done, (out) => this.#holder.fault(out), instead, this.#controller.signal);
    if (this.#lost !== null) throw new LaneLost(this.lane.name, this.#lost);
    const atOnce = this.#holder.delivery === "at-least-once";
    for (const { index, out } of ready) {
      if (atOnce) this.#holder.deliver(out);
      this.#settledAhead.set(first + index, atOnce ? [] : out);
    }
    this.#advance();
    for (const { end, passed } of this.#waiting) if (end <= this.#position) passed();
    this.#waiting = this.#waiting.filter(({ end }) => end > this.#position);
    this.lane.mark(this.#holder.group, this.#position);
    this.wake();
  }

  #advance(): void {
    for (let out = this.#settledAhead.get(this.#position); out; out = this.#settledAhead.get(this.#position)) {
      this.#holder.deliver(out);
      this.#settledAhead.delete(this.#position++);
    }
  }
}
