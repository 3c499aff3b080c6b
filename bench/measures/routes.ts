import type { Measure } from "../measure.ts";
import { inOneProcess } from "../one-process.ts";
import { load, workload } from "../workload.ts";

const OUTPUTS = Array.from({ length: 10 }, (_, n) => `Output-${n}`);

/** A thousand different routes beside one, with ten next stops in both. */
export const routes: Measure = {
  name: "routes",
  async run(bench) {
    const [many, one] = [1_000, 1].map((count) =>
      workload(`Routes-${count}`, bench.messages, { routes: count, outputs: OUTPUTS }),
    );
    for (const work of [many!, one!]) await load(bench.cluster, work);
    const what = "1,000 routes over 1, in one process: messages a CPU second";
    return { rows: await inOneProcess(bench, what, { work: many! }, { work: one! }, bench.rounds, { atLeast: 0.9 }) };
  },
};
