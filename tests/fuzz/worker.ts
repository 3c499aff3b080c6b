import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { decode, decodeBatch } from "./decoder.ts";
import { hostile, inHex } from "./hostile.ts";
import { throughStops, type Outcomes } from "./stops.ts";

/** One thread that works on its share of hostile records, and tells at which it is: whoever watches sees it hang, or die. */

export interface Share {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** The number of the record at work, for who watches. */
  readonly at: Int32Array;
}

export interface Progress {
  readonly done: number;
  readonly outcomes: Outcomes;
  readonly slowestMs: number;
  readonly slowest: number;
  /** After a collection of garbage; null: there was none now. */
  readonly heapMB: number | null;
  readonly handles: number;
}

const AT_ONCE = 1_000;
const BATCH = 5;
const CLEAN_EVERY = 10;
/** Of computing, not of waiting: a machine that is busy with something else changes nothing. */
const LONGEST_MS = 2_000;

const { seed, from, to, at } = workerData as Share;
const objects = [Object, Array, Function, String, Number, Buffer, Map, Error, Promise].map(
  (each) => each.prototype as object,
);
const shapeOf = (each: object) =>
  Reflect.ownKeys(each).map((name) => [name, Object.getOwnPropertyDescriptor(each, name)?.value] as const);
const before = objects.map(shapeOf);

function unpolluted(): void {
  for (const [index, each] of objects.entries()) {
    const now = new Map(shapeOf(each));
    const isSame =
      now.size === before[index]!.length && before[index]!.every(([name, value]) => now.get(name) === value);
    if (!isSame) throw new Error(`broken: a prototype has changed: ${[...now.keys()].map(String).join(", ")}`);
  }
}

for (let first = from; first < to; first += AT_ONCE) {
  const records = Array.from({ length: Math.min(AT_ONCE, to - first) }, (_, n) => hostile(seed, first + n));
  const outcomes: Outcomes = { read: 0, malformed: 0 };
  let [slowestMs, slowest] = [0, first];
  for (const [index, record] of records.entries()) {
    const n = first + index;
    Atomics.store(at, 0, n);
    const used = process.threadCpuUsage().user;
    try {
      outcomes[decode(record, n)]!++;
      if (n % BATCH === 0) await decodeBatch(records.slice(index, index + BATCH), seed, n);
    } catch (error) {
      throw new Error(`record ${n} of seed ${seed}\n  ${inHex(record)}`, { cause: error });
    }
    const tookMs = (process.threadCpuUsage().user - used) / 1_000;
    if (tookMs > slowestMs) [slowestMs, slowest] = [tookMs, n];
    if (tookMs > LONGEST_MS) throw new Error(`record ${n} of seed ${seed} took ${tookMs} ms\n  ${inHex(record)}`);
  }
  try {
    const through = await throughStops(records);
    for (const [outcome, count] of Object.entries(through)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  } catch (error) {
    throw new Error(`records ${first} to ${first + records.length - 1} of seed ${seed}`, { cause: error });
  }
  unpolluted();
  await sleep(0);
  const isClean = ((first - from) / AT_ONCE) % CLEAN_EVERY === 0;
  if (isClean) (globalThis as { gc?: () => void }).gc?.();
  const progress: Progress = {
    done: records.length,
    outcomes,
    slowestMs,
    slowest,
    heapMB: isClean ? process.memoryUsage().heapUsed / 1_048_576 : null,
    handles: process.getActiveResourcesInfo().length,
  };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort!.postMessage(progress);
}
