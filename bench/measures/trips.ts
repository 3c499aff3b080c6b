import { compare } from "../compare.ts";
import { row, type Measure } from "../measure.ts";
import { profiledShare } from "../profile.ts";
import { sideBySide } from "../side-by-side.ts";
import { metrobus, variants } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** What a process has of luck, as how its code was compiled, is more than what is measured: rather many short rounds than a few long ones. */
const ROUNDS = 17;
/** Of the messages. */
const PART = 0.5;
const FILES = /\/runtime\/(trip-[a-z]+|visits|redact|trip-stores\/.*)\.ts$/;
const OFF = { METROBUS_TRIPS: "off" };
const PAYLOAD = { METROBUS_TRIPS: "payload", METROBUS_REDACT: "email" };

/** What it costs that messages carry their visits, and that some of the trips are recorded. */
export const trips: Measure = {
  name: "trips",
  async run(bench) {
    const work = workload("Trips", bench.messages * PART);
    await load(bench.cluster, work);
    const off = { variant: metrobus("off", { env: OFF }), work };
    const on = { variant: variants.metrobus, work };
    const payload = { variant: metrobus("payload", { env: PAYLOAD }), work };
    const rounds = Math.min(ROUNDS, 4 * bench.rounds - 3);
    const share = await profiledShare(bench, work, FILES);
    return {
      rows: [
        row("trips recorded: share of the busy time", "%", [share * 100], { atMost: 3 }),
        ...(await sideBySide(bench, "trips recorded over none, both at once: messages a CPU second", on, off, rounds, {
          atLeast: 0.97,
        })),
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
