import { compare } from "../compare.ts";
import { row, type Measure } from "../measure.ts";
import { profiledShare } from "../profile.ts";
import { metrobus, variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

const FILES =
  /\/runtime\/(books|stats-recorder|stop-counts|histogram|logger|stats-stores\/.*)\.ts$|\/node_modules\/(pino|@redis)\//;
const OFF = { METROBUS_STATS: "memory", LOG_LEVEL: "silent" };

/** What counting to Redis and logging cost. */
export const books: Measure = {
  name: "books",
  async run(bench) {
    const work = workload("Books", bench.messages);
    await load(bench.cluster, work);
    const what = "counts kept in Redis and logs on, over both off: CPU time a message";
    const [on, off] = [variants.metrobus, metrobus("off", { env: OFF })];
    const priced = await compare(bench, what, "cpuSecondsPerMillion", { variant: on, work }, { variant: off, work });
    const share = await profiledShare(bench, work, FILES);
    return {
      rows: [row("counting and logging: share of the busy time", "%", [share * 100], { atMost: 3 }), ...priced],
    };
  },
};
