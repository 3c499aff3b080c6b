import { connect, MetroStop, type Delivery } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { eventually, unique } from "../support/probe.ts";
import { metrobus } from "../support/program.ts";

const [brokers, redis] = [inject("kafka"), inject("redis")];
/** Above the 25 s after which a client that does nothing counts as stuck. */
const LONG_MS = 30_000;

describe.skipIf(!brokers || !redis)("a stop on Kafka that is paused over Redis (skipped without Docker)", () => {
  test.concurrent.each<Delivery>(["at-least-once", "exactly-once"])(
    "holds its messages in all its processes for as long as it takes, %s, and then each comes once",
    { timeout: 180_000 },
    async (delivery) => {
      const [topic, letters] = ["Paused", "Letters"].map(unique) as [string, string];
      const open = () =>
        connect({
          METROBUS_BUS: "kafka",
          KAFKA_BROKERS: brokers!,
          REDIS_URL: redis!,
          METROBUS_DEAD_LETTER_TOPIC: letters,
          METROBUS_SESSION_TIMEOUT: "3s",
          METROBUS_DELIVERY: delivery,
          LOG_LEVEL: "silent",
        });
      await using one = await open();
      await using other = await open();
      await one.create([topic, letters]);
      const seen: number[] = [];
      const take = (message: { n: number }) => {
        seen.push(message.n);
        return null;
      };
      await using first = new MetroStop(topic, take, { bus: one });
      await using second = new MetroStop(topic, take, { bus: other });
      const stops = [first, second];
      await Promise.all(stops.map((stop) => stop.start()));
      const lanes = () => stops.flatMap((stop) => stop.health().lanes.map(({ lane }) => lane));
      await eventually(() => lanes().length === 4 && new Set(lanes()).size === 4);

      const env = { METROBUS_STATS: "redis", REDIS_URL: redis! };
      const paused = await metrobus(["pause", topic], env);
      expect(paused).toMatchObject({ code: 0, stderr: "" });
      expect(paused.stdout).toMatch(new RegExp(`^stop ${topic} is paused: .*\n$`));
      await eventually(() => stops.every((stop) => stop.health().paused));
      const numbers = Array.from({ length: 1_000 }, (_, n) => n);
      await Promise.all(numbers.map((n) => one.send(topic, { n }, { key: `key ${n % 50}`, route: [] })));
      const since = performance.now();
      await eventually(() => {
        expect(seen).toEqual([]);
        for (const stop of stops) expect(stop.health()).toMatchObject({ paused: true, ready: true, stuck: false });
        return performance.now() - since > LONG_MS;
      });
      const { instances, pauses } = await other.stats.read();
      expect(pauses.get(topic)!.by).toMatch(/@/);
      const told = instances.flatMap(({ stops }) => stops.filter(({ stop }) => stop === topic));
      expect(told).toMatchObject([{ paused: true }, { paused: true }]);
      expect(told.flatMap(({ lanes }) => lanes.map(({ lane }) => lane)).toSorted()).toEqual(["0", "1", "2", "3"]);

      expect(await metrobus(["resume", topic], env)).toMatchObject({ code: 0, stderr: "" });
      const done = async () => (await one.state(topic)).every(({ position, end }) => position === end);
      await eventually(async () => seen.length >= numbers.length && (await done()));
      expect(seen.toSorted((a, b) => a - b)).toEqual(numbers);
    },
  );
});
