import { createInterface } from "node:readline";
import type { MetroBus } from "metrobus";
import type { Running } from "./program.ts";

/** What a process tells of itself and of its stops. */
export interface Told {
  /** Stop → outcome → how many. */
  readonly counts: Record<string, Record<string, number>>;
  readonly rssMB: number;
  readonly peakMB: number;
  /** After a collection of garbage, where the process has --expose-gc. */
  readonly heapMB: number;
  /** Buffers outside of the heap. */
  readonly externalMB: number;
  /** What keeps the process alive, by kind. */
  readonly handles: Record<string, number>;
}

const MEGABYTE = 1_048_576;

/** For a process under test: prints what there is to tell as a line with its number and JSON, for each line that comes on stdin. It ends with whoever has started it. */
export function tellOnDemand(metro: MetroBus): void {
  let times = 0;
  createInterface({ input: process.stdin })
    .on("line", () => void tell(metro, ++times))
    .on("close", () => process.exit());
}

async function tell(metro: MetroBus, times: number): Promise<void> {
  await metro.recorder.flush();
  const { stops } = await metro.stats.read();
  const counts: Told["counts"] = {};
  for (const { stop, counts: found } of stops) {
    const outcomes = (counts[stop] = {} as Record<string, number>);
    for (const { outcome, count } of found) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  }
  const handles: Told["handles"] = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const told: Told = {
    counts,
    rssMB: rss / MEGABYTE,
    peakMB: process.resourceUsage().maxRSS / 1_024,
    heapMB: heapUsed / MEGABYTE,
    externalMB: external / MEGABYTE,
    handles,
  };
  process.stdout.write(`told ${times} ${JSON.stringify(told)}\n`);
}

/** Asks a process that was started, `times`: for the first, second … time; rejects when it ends instead of answering. */
export async function ask(running: Running, times: number): Promise<Told> {
  running.process.stdin!.write("\n");
  const answer = new RegExp(`^told ${times} (.*)\n`, "m");
  return JSON.parse(answer.exec(await running.printed(answer))![1]!) as Told;
}
