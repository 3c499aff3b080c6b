import { each, inTurn, median, ratio, type Findings, type Measure } from "../measure.ts";
import { throughput, type Throughput } from "../throughput.ts";
import { variants, type Name, type Variant } from "../variants.ts";
import { load, workload } from "../workload.ts";

/** Messages per second, CPU time and memory of every variant. */
export const rates: Measure = {
  name: "rates",
  async run(bench) {
    const work = workload("Preloaded", bench.messages);
    await load(bench.cluster, work);
    const run = (variant: Variant) =>
      throughput(variant, bench.cluster, work, variant.isSlow ? { seconds: bench.seconds } : {});
    const runs = bench.names.map((name) => [name, () => run(variants[name])] as const);
    return findings(await inTurn(bench, bench.rounds, Object.fromEntries(runs)));
  },
};

function findings(found: Partial<Record<Name, Throughput[]>>): Findings {
  const over = (what: keyof Throughput, one: Name, other: Name) =>
    [each(found[one], what), each(found[other], what)] as const;
  const rate = (one: Name, other: Name) => over("messagesPerSecond", one, other);
  const cpu = "cpuSecondsPerMillion";
  return {
    rows: [
      ...ratio("at-least-once over kafkajs `eachMessage` + `send`", ...rate("metrobus", "eachMessage"), {
        atLeast: 28,
      }),
      ...ratio("at-least-once over the NestJS Kafka transport", ...rate("metrobus", "nest")),
      ...ratio("at-least-once over the best loop of its client", ...rate("metrobus", "bestLoop"), { atLeast: 0.9 }),
      ...ratio("at-least-once over Kafka Streams at_least_once", ...rate("metrobus", "streams"), { atLeast: 1 }),
      ...ratio("its CPU time a message over Streams'", ...over(cpu, "metrobus", "streams"), { atMost: 0.55 }),
      ...ratio("its memory over Streams'", ...over("memoryMB", "metrobus", "streams"), { atMost: 1 }),
      ...ratio("exactly-once over at-least-once", ...rate("exactlyOnce", "metrobus"), { atLeast: 0.85 }),
      ...ratio("exactly-once over kafkajs transactions", ...rate("exactlyOnce", "transactions"), { atLeast: 0.9 }),
      ...ratio("exactly-once over Streams exactly_once_v2", ...rate("exactlyOnce", "streamsExactlyOnce"), {
        atLeast: 0.9,
      }),
    ],
    figures: Object.fromEntries(
      Object.entries(found).map(([name, results]) => [
        name,
        {
          messagesPerSecond: median(each(results, "messagesPerSecond")),
          cpuSecondsPerMillion: median(each(results, cpu)),
          memoryMB: median(each(results, "memoryMB")),
        },
      ]),
    ),
  };
}
