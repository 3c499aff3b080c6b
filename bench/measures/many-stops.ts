import { row, type Measure } from "../measure.ts";
import { made, newGroup, startAt } from "../throughput.ts";
import { metrobus } from "../variants.ts";
import { load, OUTPUT, workload } from "../workload.ts";

const STOPS = 50;
const MESSAGES = 20;

/** Fifty stops in one process. */
export const manyStops: Measure = {
  name: "many-stops",
  async run({ cluster }) {
    for (let n = 0; n < STOPS; n++) await load(cluster, workload(`Many-${n}`, MESSAGES));
    await cluster.empty([OUTPUT]);
    const variant = metrobus("many stops", { stops: STOPS });
    await using peer = startAt(variant, cluster, "Many", newGroup());
    await Promise.race([
      peer.failed,
      made(variant, cluster, { topic: "Many", outputs: [OUTPUT] }, "", STOPS * MESSAGES),
    ]);
    const { memoryMB } = await peer.usage();
    return {
      rows: [
        row(`${STOPS} stops in one process, ${MESSAGES} messages each: memory`, "MB", [memoryMB], { atMost: 200 }),
      ],
    };
  },
};
