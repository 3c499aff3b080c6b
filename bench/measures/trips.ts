import { compare } from "../compare.ts";
import { row, type Measure } from "../measure.ts";
import { inOneProcess } from "../one-process.ts";
import { profiledShare } from "../profile.ts";
import { metrobus } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** The difference is small: it takes many rounds to see it. */
const ROUNDS = 31;
const FILES = /\/runtime\/(trip-[a-z]+|visits|redact|trip-stores\/.*)\.ts$/;
const OFF = { METROBUS_TRIPS: "off" };
const PAYLOAD = { METROBUS_TRIPS: "payload", METROBUS_REDACT: "email" };

/** What it costs that messages carry their visits, and that some of the trips are recorded. */
export const trips: Measure = {
  name: "trips",
  async run(bench) {
    const work = workload("Trips", bench.messages);
    await load(bench.cluster, work);
    const off = { variant: metrobus("off", { env: OFF }), work };
    const payload = { variant: metrobus("payload", { env: PAYLOAD }), work };
    const rounds = Math.min(ROUNDS, 15 * bench.rounds - 14);
    const share = await profiledShare(bench, work, FILES);
    return {
      rows: [
        row("trips recorded: share of the busy time", "%", [share * 100], { atMost: 3 }),
        ...(await inOneProcess(
          bench,
          "trips recorded over none, in one process: messages a CPU second",
          { work },
          { work, settings: OFF },
          rounds,
          { atLeast: 0.97 },
        )),
        ...(await compare(
          bench,
          "trips with payloads over none: CPU time a message",
          "cpuSecondsPerMillion",
          payload,
          off,
        )),
      ],
    };
  },
};
