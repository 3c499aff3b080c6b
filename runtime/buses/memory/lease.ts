import type { Batch, LaneState, Settled } from "../../bus.ts";
import { asError, LaneLost } from "../../errors.ts";
import type { Lane } from "./lane.ts";

const BATCH = 1_000;
/** No next batch while this many records of the lane are given and not settled. */
const MAX_UNSETTLED = 10_000;

/** What a lease asks of the subscription it belongs to. */
export interface Holder {
  readonly group: string;
  onBatch(batch: Batch): Promise<void>;
  /** Sends what came of the records, all of it or nothing. Throws Refused. */
  deliver(done: readonly Settled[]): void;
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
  /** Positions settled although one before them is not. */
  readonly #settledAhead = new Set<number>();
  readonly #wake = () => this.wake();
  /** The first position that is not settled. */
  #position: number;
  /** The first position that is not given to `onBatch`. */
  #next: number;
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

  /** No `onBatch` is running, and everything that was given and is still ours has been settled. */
  get idle(): boolean {
    return !this.#running && (this.#lost !== null || this.#next === this.#position);
  }

  state(): LaneState {
    return this.lane.state(this.#position);
  }

  /** Takes the lane away: what is not settled comes again, to its next holder. */
  end(why: string): void {
    if (this.#lost !== null) return;
    this.#lost = why;
    this.lane.readers.delete(this.#wake);
    this.#controller.abort(new LaneLost(this.lane.name, why));
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
    const settle = (done: readonly Settled[]) => this.#settle(first, done);
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

  /** Done before it returns, so calls are carried out in their order. */
  async #settle(first: number, done: readonly Settled[]): Promise<void> {
    if (this.#lost !== null) throw new LaneLost(this.lane.name, this.#lost);
    this.#holder.deliver(done);
    for (const { index } of done) this.#settledAhead.add(first + index);
    while (this.#settledAhead.delete(this.#position)) this.#position++;
    this.lane.mark(this.#holder.group, this.#position);
    this.#holder.changed(this);
    this.wake();
  }
}
