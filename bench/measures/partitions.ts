import { compare } from "../compare.ts";
import type { Measure } from "../measure.ts";
import { variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** The same messages in many partitions beside one. */
export const partitions: Measure = {
  name: "partitions",
  async run(bench) {
    const [many, one] = [64, 1].map((count) =>
      workload(`Partitions-${count}`, Math.ceil(bench.messages / 2), { partitions: count }),
    );
    for (const work of [many!, one!]) await load(bench.cluster, work);
    const [{ metrobus: variant }, what] = [variants, "64 input partitions over 1"];
    const rows = await compare(
      bench,
      what,
      "messagesPerSecond",
      { variant, work: many! },
      { variant, work: one! },
      {
        atLeast: 0.9,
      },
    );
    return { rows };
  },
};
