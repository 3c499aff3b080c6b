import type { Received, Settled } from "../../bus.ts";
import { bytesOf } from "./place.ts";

/** A batch given to `onBatch`, until the lane's position has passed it. It keeps numbers, not the records. */
export interface Given {
  readonly offsets: Float64Array;
  /** Of each record, until the ledger has forgotten them. */
  readonly bytes: Float64Array;
  readonly settled: Uint8Array;
  /** So many of its first records are settled. */
  done: number;
}

/** What a lane has given out and its position has not passed. */
export class Ledger {
  /** Records that somebody holds, and their bytes. */
  records = 0;
  bytes = 0;
  /** Records that the position has not passed, held or not. */
  ahead = 0;
  #given: Given[] = [];

  give(records: readonly Received[]): Given {
    const given = {
      offsets: Float64Array.from(records, ({ position }) => Number(position)),
      bytes: Float64Array.from(records, bytesOf),
      settled: new Uint8Array(records.length),
      done: 0,
    };
    this.#given.push(given);
    this.records += records.length;
    this.ahead += records.length;
    for (const bytes of given.bytes) this.bytes += bytes;
    return given;
  }

  mark(given: Given, done: readonly Settled[]): void {
    for (const { index } of done) given.settled[index] = 1;
    while (given.settled[given.done] === 1) given.done++;
  }

  /** Nobody holds these records any more. */
  release(given: Given, done: readonly Settled[]): void {
    for (const { index } of done) this.#free(given, index);
  }

  /** The first offset that is not settled. */
  get unsettled(): number | undefined {
    const first = this.#given.find(({ done, offsets }) => done < offsets.length);
    return first?.offsets[first.done];
  }

  /** The offsets of the records from one on before which everything is settled, in order. */
  *settledFrom(offset: number): Iterable<number> {
    for (const { offsets, done } of this.#given) {
      for (let index = 0; index < done; index++) if (offsets[index]! >= offset) yield offsets[index]!;
      if (done < offsets.length) return;
    }
  }

  /** Forgets the batches that lie below an offset. */
  pass(offset: number): void {
    for (let [first] = this.#given; first && first.offsets.at(-1)! < offset; [first] = this.#given) {
      for (let index = 0; index < first.offsets.length; index++) this.#free(first, index);
      this.ahead -= first.offsets.length;
      this.#given.shift();
    }
  }

  #free(given: Given, index: number): void {
    const bytes = given.bytes[index]!;
    if (bytes === 0) return;
    given.bytes[index] = 0;
    this.bytes -= bytes;
    this.records--;
  }
}

/** The highest offset of a settlement; -1: it is empty. */
export function lastOf({ offsets }: Given, done: readonly Settled[]): number {
  return done.reduce((last, { index }) => Math.max(last, offsets[index]!), -1);
}
