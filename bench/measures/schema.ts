import { compare } from "../compare.ts";
import type { Measure } from "../measure.ts";
import { metrobus, variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** A schema of three fields (zod) beside none. */
export const schema: Measure = {
  name: "schema",
  async run(bench) {
    const work = workload("Schema", Math.ceil(bench.messages / 2));
    await load(bench.cluster, work);
    const [checked, plain] = [metrobus("schema", { withSchema: true }), variants.metrobus];
    const what = "a zod schema over none: CPU time a message";
    return {
      rows: await compare(bench, what, "cpuSecondsPerMillion", { variant: checked, work }, { variant: plain, work }),
    };
  },
};
