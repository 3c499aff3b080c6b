import { inTurn, row, type Measure } from "../measure.ts";
import { made, newGroup, startAt } from "../throughput.ts";
import { variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** From the start of the process, with the broker up and messages ready, to the first one at the output. */
export const start: Measure = {
  name: "start",
  async run(bench) {
    const { cluster } = bench;
    const work = workload("Start", 1_000);
    await load(cluster, work);
    const time = async () => {
      await cluster.empty(work.outputs);
      const group = newGroup();
      const begun = Date.now();
      await using peer = startAt(variants.metrobus, cluster, work.topic, group);
      await Promise.race([peer.failed, made(variants.metrobus, cluster, work, group, work.messages)]);
      return (await cluster.span(work.outputs)).first - begun;
    };
    const found = await inTurn(bench, bench.rounds, { start: time });
    return { rows: [row("start to first message", "ms", found.start, { atMost: 1_000 })] };
  },
};
