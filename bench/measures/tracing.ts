import { compare } from "../compare.ts";
import type { Measure } from "../measure.ts";
import { metrobus, variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

const env = { METROBUS_TRACING: "on" };

/** A span for each message beside none: without an SDK in the process, and with one that samples all and exports nowhere. */
export const tracing: Measure = {
  name: "tracing",
  async run(bench) {
    const work = workload("Tracing", Math.ceil(bench.messages / 2));
    await load(bench.cluster, work);
    const plain = { variant: variants.metrobus, work };
    const beside = (what: string, variant = metrobus("traced", { env })) =>
      compare(bench, `${what}: CPU time a message`, "cpuSecondsPerMillion", { variant, work }, plain);
    return {
      rows: [
        ...(await beside("tracing on without an SDK over off")),
        ...(await beside("tracing on with an SDK over off", metrobus("traced", { env, withSpans: true }))),
      ],
    };
  },
};
