import { each, inTurn, ratio, type Bench, type Row } from "./measure.ts";
import { throughput, type Throughput } from "./throughput.ts";
import type { Variant } from "./variants.ts";
import type { Workload } from "./workload.ts";

const ROUNDS = 3;

export interface Case {
  readonly variant: Variant;
  readonly work: Workload;
  readonly processes?: number;
}

/** How one does beside another: the ratios of messages per second, or of CPU time a message, which is less noisy. */
export async function compare(
  bench: Bench,
  what: string,
  by: "messagesPerSecond" | "cpuSecondsPerMillion",
  one: Case,
  other: Case,
  target?: Row["target"],
): Promise<readonly Row[]> {
  const run = ({ variant, work, processes = 1 }: Case) => {
    const seconds = variant.isSlow ? bench.seconds : Infinity;
    return (): Promise<Throughput> => throughput(variant, bench.cluster, work, { seconds, processes });
  };
  const cases = { [`${what}: one`]: run(one), [`${what}: other`]: run(other) };
  const [ones, others] = Object.values(await inTurn(bench, Math.min(ROUNDS, bench.rounds), cases));
  return ratio(what, each(ones, by), each(others, by), target);
}
