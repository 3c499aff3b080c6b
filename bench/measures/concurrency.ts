import { compare } from "../compare.ts";
import type { Measure } from "../measure.ts";
import { metrobus } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** Callbacks that wait 5 ms, 64 of a partition at once beside one after the other. */
export const concurrency: Measure = {
  name: "concurrency",
  async run(bench) {
    const work = workload("Waiting", Math.ceil(bench.messages / 4));
    await load(bench.cluster, work);
    const waiting = (many: number) => metrobus(`${many} at once`, { callback: "wait 5 ms", concurrency: many });
    const what = "callbacks of 5 ms, concurrency 64 over 1";
    const sideBySide = { variant: waiting(64), work };
    const inSequence = { variant: { ...waiting(1), isSlow: true }, work } as const;
    return { rows: await compare(bench, what, "messagesPerSecond", sideBySide, inSequence, { atLeast: 50 }) };
  },
};
