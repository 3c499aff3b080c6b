import { each, inTurn, row, type Measure } from "../measure.ts";
import { throughput } from "../throughput.ts";
import { metrobus } from "../variants.ts";
import { load, workload } from "../workload.ts";

const STOPS = 50;
const MESSAGES = 20;

/** Fifty stops in one process. */
export const manyStops: Measure = {
  name: "many-stops",
  async run(bench) {
    const { cluster } = bench;
    for (let n = 0; n < STOPS; n++) await load(cluster, workload(`Many-${n}`, MESSAGES));
    const variant = metrobus("many stops", { stops: STOPS });
    const work = workload("Many", STOPS * MESSAGES);
    const found = await inTurn(bench, bench.rounds, { stops: () => throughput(variant, cluster, work) });
    return {
      rows: [
        row(`${STOPS} stops in one process, ${MESSAGES} messages each: memory`, "MB", each(found.stops, "memoryMB"), {
          atMost: 200,
        }),
      ],
    };
  },
};
