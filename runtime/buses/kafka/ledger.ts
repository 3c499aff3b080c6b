import type { Received, Settled } from "../../bus.ts";

/** A batch given to `onBatch`, until the lane's position has passed it. */
export interface Given {
  readonly records: readonly Received[];
  readonly settled: Uint8Array;
  readonly bytes: number;
  /** So many of its first records are settled. */
  done: number;
}

/** What a lane has given out and its position has not passed. */
export class Ledger {
  records = 0;
  bytes = 0;
  #given: Given[] = [];

  give(records: readonly Received[], bytes: number): Given {
    const given = { records, settled: new Uint8Array(records.length), bytes, done: 0 };
    this.#given.push(given);
    this.records += records.length;
    this.bytes += bytes;
    return given;
  }

  mark(given: Given, done: readonly Settled[]): void {
    for (const { index } of done) given.settled[index] = 1;
    while (given.settled[given.done] === 1) given.done++;
  }

  /** The first record that is not settled. */
  get unsettled(): Received | undefined {
    const first = this.#given.find(({ done, records }) => done < records.length);
    return first?.records[first.done];
  }

  /** Those records from an offset on before which everything is settled, in order. */
  *settledFrom(offset: number): Iterable<Received> {
    for (const { records, done } of this.#given) {
      for (let index = 0; index < done; index++) {
        if (Number(records[index]!.position) >= offset) yield records[index]!;
      }
      if (done < records.length) return;
    }
  }

  /** Forgets the batches that lie below an offset. */
  pass(offset: number): void {
    for (let [first] = this.#given; first && Number(first.records.at(-1)!.position) < offset; [first] = this.#given) {
      this.records -= first.records.length;
      this.bytes -= first.bytes;
      this.#given.shift();
    }
  }
}
