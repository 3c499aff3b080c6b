import type { Measure } from "../measure.ts";
import { sideBySide } from "../side-by-side.ts";
import { variants } from "../variants.ts";
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
    const { metrobus: variant } = variants;
    const what = "1,000 routes over 1, both at once: messages a CPU second";
    const [ofMany, ofOne] = [many!, one!].map((work) => ({ variant, work }));
    const rows = await sideBySide(bench, what, ofMany!, ofOne!, bench.rounds, { atLeast: 0.9 });
    return { rows };
  },
};
