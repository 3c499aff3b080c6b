import { each, inTurn, row, type Measure } from "../measure.ts";
import type { Usage } from "../peers/answer.ts";
import { made, newGroup, startAt } from "../throughput.ts";
import { metrobus } from "../variants.ts";
import { load, OUTPUT, workload } from "../workload.ts";

const STOPS = 50;
const MESSAGES = 20;

/** Fifty stops in one process. */
export const manyStops: Measure = {
  name: "many-stops",
  async run(bench) {
    const { cluster } = bench;
    for (let n = 0; n < STOPS; n++) await load(cluster, workload(`Many-${n}`, MESSAGES));
    const variant = metrobus("many stops", { stops: STOPS });
    const stops = async (): Promise<Usage> => {
      await cluster.empty([OUTPUT]);
      await using peer = startAt(variant, cluster, "Many", newGroup());
      await Promise.race([
        peer.failed,
        made(variant, cluster, { topic: "Many", outputs: [OUTPUT] }, "", STOPS * MESSAGES),
      ]);
      return await peer.usage();
    };
    const found = await inTurn(bench, bench.rounds, { stops });
    return {
      rows: [
        row(`${STOPS} stops in one process, ${MESSAGES} messages each: memory`, "MB", each(found.stops, "memoryMB"), {
          atMost: 200,
        }),
      ],
    };
  },
};
