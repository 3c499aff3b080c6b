import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { hostile, inHex } from "./hostile.ts";
import type { Outcomes } from "./stops.ts";
import type { Progress, Share } from "./worker.ts";

export interface FuzzReport {
  readonly records: number;
  readonly outcomes: Outcomes;
  /** The record that took the longest to decode, in every way there is. */
  readonly slowest: { readonly n: number; readonly ms: number };
  readonly peakMB: number;
  /** After a collection of garbage, by and by. */
  readonly heapMB: readonly number[];
  readonly handles: readonly number[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly from?: number;
  readonly records: number;
  readonly onProgress?: (report: FuzzReport) => void;
}

/** Without a record more in that time, it hangs. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 1_000;

/** Gives hostile records to the decoder and to running stops. Throws, with the record, when one breaks a promise, crashes or hangs. */
export async function fuzz({ seed, from = 0, records, onProgress }: FuzzOptions): Promise<FuzzReport> {
  setFlagsFromString("--expose-gc");
  const at = new Int32Array(new SharedArrayBuffer(4));
  const share: Share = { seed, from, to: from + records, at };
  const report = {
    records: 0,
    outcomes: {} as Outcomes,
    slowest: { n: 0, ms: 0 },
    peakMB: 0,
    heapMB: [] as number[],
    handles: [] as number[],
  };
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: share });
  const hung = Promise.withResolvers<never>();
  let [seen, still] = ["", 0];
  const watch = setInterval(() => {
    report.peakMB = Math.max(report.peakMB, process.memoryUsage().rss / 1_048_576);
    const now = `${report.records} ${Atomics.load(at, 0)}`;
    [seen, still] = [now, now === seen ? still + LOOK_MS : 0];
    if (still < PATIENCE_MS) return;
    const n = Atomics.load(at, 0);
    hung.reject(new Error(`nothing moves behind record ${n} of seed ${seed}\n  ${inHex(hostile(seed, n))}`));
  }, LOOK_MS);
  worker.on("message", ({ done, outcomes, slowest, slowestMs, heapMB, handles }: Progress) => {
    report.records += done;
    for (const [outcome, count] of Object.entries(outcomes))
      report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + count;
    if (slowestMs > report.slowest.ms) report.slowest = { n: slowest, ms: slowestMs };
    if (heapMB !== null) report.heapMB.push(heapMB);
    report.handles.push(handles);
    onProgress?.(report);
  });
  try {
    await Promise.race([once(worker, "exit"), hung.promise]);
    if (report.records < records) throw new Error(`the thread ended after ${report.records} records`);
    return report;
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}
