import { compare } from "../compare.ts";
import type { Measure } from "../measure.ts";
import { metrobus, variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

const OFF = { METROBUS_TRIPS: "off" };
const PAYLOAD = { METROBUS_TRIPS: "payload", METROBUS_REDACT: "email" };

/** What it costs that messages carry their visits, and that some of the trips are recorded. */
export const trips: Measure = {
  name: "trips",
  async run(bench) {
    const work = workload("Trips", bench.messages);
    await load(bench.cluster, work);
    const off = { variant: metrobus("off", { env: OFF }), work };
    const on = { variant: variants.metrobus, work };
    const payload = { variant: metrobus("payload", { env: PAYLOAD }), work };
    const [speed, cpu] = ["messagesPerSecond", "cpuSecondsPerMillion"] as const;
    return {
      rows: [
        ...(await compare(bench, "trips recorded over none: messages a second", speed, on, off, { atLeast: 0.97 })),
        ...(await compare(bench, "trips with payloads over none: CPU time a message", cpu, payload, off)),
      ],
    };
  },
};
