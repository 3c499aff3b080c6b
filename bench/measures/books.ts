import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare } from "../compare.ts";
import { row, type Bench, type Measure } from "../measure.ts";
import { shareOf, type Profile } from "../profile.ts";
import { made, newGroup, startAt } from "../throughput.ts";
import { metrobus, variants } from "../variants.ts";
import { load, workload, type Workload } from "../workload.ts";

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
    const share = await profiled(bench, work);
    return {
      rows: [row("counting and logging: share of the busy time", "%", [share * 100], { atMost: 3 }), ...priced],
    };
  },
};

/** The share of a process's busy time that goes into counting and logging, by Node's own profiler. */
async function profiled({ cluster }: Bench, work: Workload): Promise<number> {
  await cluster.empty(work.outputs);
  const folder = await mkdtemp(join(tmpdir(), "metrobus-bench-"));
  const group = newGroup();
  const options = ["--cpu-prof", "--cpu-prof-dir", folder];
  const peer = startAt(variants.metrobus, cluster, work.topic, group, options);
  await Promise.race([peer.failed, made(variants.metrobus, cluster, work, group, work.messages)]);
  await peer[Symbol.asyncDispose]();
  const [file] = await readdir(folder);
  const profile = JSON.parse(await readFile(join(folder, file!), "utf8")) as Profile;
  await rm(folder, { recursive: true });
  return shareOf(profile, FILES);
}
