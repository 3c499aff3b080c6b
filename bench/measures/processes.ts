import { compare } from "../compare.ts";
import type { Measure } from "../measure.ts";
import { variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** Two processes of one group beside one. */
export const processes: Measure = {
  name: "processes",
  async run(bench) {
    const work = workload("Shared", bench.messages);
    await load(bench.cluster, work);
    const one = { variant: variants.metrobus, work };
    return { rows: await compare(bench, "two processes over one", "messagesPerSecond", { ...one, processes: 2 }, one) };
  },
};
