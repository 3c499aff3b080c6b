import type { Received } from "../../bus.ts";
import { bytesOf } from "./place.ts";

const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 900_000;
/** The front is cut off now and then, not with each batch. */
const CUT_OFF = 10_000;

/** The records of a lane that were fetched and wait to be given out. */
export class Queue {
  bytes = 0;
  #records: Received[] = [];
  /** Index of the first that waits. */
  #first = 0;

  get head(): Received | undefined {
    return this.#records[this.#first];
  }

  push(records: readonly Received[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.bytes += bytesOf(record);
    }
  }

  /** The next batch. */
  take(): Received[] {
    let bytes = 0;
    let end = this.#first;
    do bytes += bytesOf(this.#records[end++]!);
    while (end < this.#records.length && end - this.#first < BATCH_RECORDS && bytes < BATCH_BYTES);
    const records = this.#records.slice(this.#first, end);
    this.#records.fill(undefined as never, this.#first, end);
    this.#first = end;
    this.bytes -= bytes;
    if (end >= CUT_OFF || end === this.#records.length) this.#cut();
    return records;
  }

  /** Forgets the records below an offset. */
  dropBelow(offset: number): void {
    while (this.head && Number(this.head.position) < offset) this.bytes -= bytesOf(this.#records[this.#first++]!);
    this.#cut();
  }

  clear(): void {
    this.#records = [];
    this.#first = this.bytes = 0;
  }

  #cut(): void {
    this.#records = this.#records.slice(this.#first);
    this.#first = 0;
  }
}
