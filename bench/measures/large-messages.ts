import { inTurn, each, row, type Measure } from "../measure.ts";
import { throughput } from "../throughput.ts";
import { variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

const MESSAGES = 1_000;
const BYTES = 1_000_000;

/** A thousand messages of 1 MB. */
export const largeMessages: Measure = {
  name: "large-messages",
  async run(bench) {
    const { cluster } = bench;
    const work = workload("Large", MESSAGES, { bytes: BYTES });
    await load(cluster, work);
    const found = await inTurn(bench, bench.rounds, { large: () => throughput(variants.metrobus, cluster, work) });
    await cluster.empty([work.topic, ...work.outputs]);
    return { rows: [row("1 MB messages × 1,000: memory", "MB", each(found.large, "memoryMB"), { atMost: 300 })] };
  },
};
