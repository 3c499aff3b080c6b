import { connect, MetroStop, type Delivery } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { eventually, unique } from "../support/probe.ts";

const brokers = inject("kafka");
const OTHERS = 16;
/** Of one result: so many of them are more than a stop holds that are not written yet. */
const LARGE = "x".repeat(600_000);
const BUSES = { memory: { METROBUS_BUS: "memory" }, kafka: { METROBUS_BUS: "kafka", KAFKA_BROKERS: brokers ?? "" } };

describe.each(Object.entries(BUSES))(
  "callbacks side by side on the bus %s (kafka: skipped without Docker)",
  (name, env) => {
    test.skipIf(name === "kafka" && !brokers).each<Delivery>(["at-least-once", "exactly-once"])(
      "make much of little, and what waits behind its key goes on all the same (%s)",
      async (delivery) => {
        const [topic, next, letters] = ["Large", "Next", "Letters"].map(unique) as [string, string, string];
        await using metro = await connect({
          ...env,
          METROBUS_STATS: "memory",
          METROBUS_PARTITIONS: "1",
          METROBUS_DEAD_LETTER_TOPIC: letters,
          LOG_LEVEL: "silent",
        });
        await metro.create([topic, next, letters]);
        const othersRun = Promise.withResolvers<void>();
        const work = async ({ n }: { n: number }) => {
          if (n === 0) await othersRun.promise;
          if (n > 3) othersRun.resolve();
          return { n, text: LARGE };
        };
        const keys = ["slow", "slow", ...Array.from({ length: OTHERS }, (_, n) => `key ${n}`)];
        await Promise.all(keys.map((key, n) => metro.send(topic, { n }, { key, route: [next] })));
        await using stop = new MetroStop(topic, work, { bus: metro, concurrency: 2, delivery });
        await stop.start();
        await eventually(async () => (await metro.state(topic))[0]!.position === BigInt(keys.length));
        expect(stop.health().ready).toBe(true);
      },
    );
  },
);
