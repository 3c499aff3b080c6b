import { compare } from "../compare.ts";
import type { Measure, Row } from "../measure.ts";
import { metrobus } from "../variants.ts";
import { load, workload, type Workload } from "../workload.ts";

const what = "callbacks of 5 ms, concurrency 64 over 1";

/** Callbacks that wait 5 ms, 64 of a partition at once beside one after the other: of one partition, and of four, where one process has all that it can do. */
export const concurrency: Measure = {
  name: "concurrency",
  async run(bench) {
    const [one, four] = [1, 4].map((partitions) =>
      workload(`Waiting-${partitions}`, Math.ceil(bench.messages / 4), { partitions }),
    );
    for (const work of [one!, four!]) await load(bench.cluster, work);
    const waiting = (many: number) => metrobus(`${many} at once`, { callback: "wait 5 ms", concurrency: many });
    const ratio = (partitions: string, work: Workload, target?: Row["target"]) =>
      compare(
        bench,
        `${what}, ${partitions}`,
        "messagesPerSecond",
        { variant: waiting(64), work },
        { variant: { ...waiting(1), isSlow: true }, work },
        target,
      );
    const rows = [...(await ratio("one partition", one!, { atLeast: 50 })), ...(await ratio("four partitions", four!))];
    return { rows };
  },
};
