import { compare } from "../compare.ts";
import type { Measure, Row } from "../measure.ts";
import { metrobus } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** `pass()` beside returning the message as it is. */
export const pass: Measure = {
  name: "pass",
  async run(bench) {
    const rows: Row[] = [];
    for (const kilobytes of [1, 10]) {
      const messages = Math.ceil(bench.messages / (2 * kilobytes));
      const work = workload(`Pass-${kilobytes}`, messages, { bytes: kilobytes * 1_024 });
      await load(bench.cluster, work);
      const what = `\`pass()\` over returning the object, ${kilobytes} KB: CPU time a message`;
      const passing = { variant: metrobus("pass()", { callback: "pass" }), work };
      const returning = { variant: metrobus("return", { callback: "return" }), work };
      rows.push(...(await compare(bench, what, "cpuSecondsPerMillion", passing, returning)));
    }
    return { rows };
  },
};
