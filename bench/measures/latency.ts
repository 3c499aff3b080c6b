import { latency as measured } from "../latency.ts";
import { each, inTurn, median, ratio, type Measure } from "../measure.ts";
import { variants, type Name } from "../variants.ts";

const ROUNDS = 5;

/** At 1,000 messages a second. */
export const latency: Measure = {
  name: "latency",
  async run(bench) {
    const names = bench.names.filter((name) => name !== "streamsSmall");
    const runs = names.map((name) => [name, () => measured(variants[name], bench.cluster, bench.seconds)] as const);
    const found = await inTurn(bench, Math.min(ROUNDS, bench.rounds), Object.fromEntries(runs));
    const over = (what: "p50" | "p99", one: Name, other: Name) =>
      [each(found[one], what), each(found[other], what)] as const;
    return {
      rows: [
        ...ratio("at-least-once, p50 over `eachMessage`'s", ...over("p50", "metrobus", "eachMessage"), {
          atMost: 1 / 20,
        }),
        ...ratio("at-least-once, p99 over `eachMessage`'s", ...over("p99", "metrobus", "eachMessage"), {
          atMost: 1 / 10,
        }),
        ...ratio("exactly-once, p99 over exactly_once_v2's", ...over("p99", "exactlyOnce", "streamsExactlyOnce"), {
          atMost: 1 / 2,
        }),
      ],
      figures: Object.fromEntries(
        Object.entries(found).map(([name, results]) => [
          name,
          { p50: median(each(results, "p50")), p99: median(each(results, "p99")) },
        ]),
      ),
    };
  },
};
