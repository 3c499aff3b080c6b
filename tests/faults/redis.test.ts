import { connect } from "metrobus";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { journey } from "../support/journey.ts";
import { eventually, unique } from "../support/probe.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { killStops, startStop } from "../support/stop-process.ts";

const brokers = inject("kafka");

describe.skipIf(!brokers)("Redis gone under load (needs Docker)", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    killStops();
    await redis.remove();
  });

  test.each(["stopped", "hung"] as const)(
    "%s: messages do not notice, and every count is there afterwards",
    async (how) => {
      const route = ["A", "B", "End"].map(unique);
      const settings = {
        METROBUS_BUS: "kafka",
        KAFKA_BROKERS: brokers!,
        REDIS_URL: redis.url,
        METROBUS_DEAD_LETTER_TOPIC: unique("Letters"),
      };
      await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
      await metro.create([...route, settings.METROBUS_DEAD_LETTER_TOPIC]);
      const processes = route.slice(0, -1).map((topic) => startStop(topic, settings, 0));
      const trip = journey(metro, route);
      await trip.send(500);
      await Promise.all(processes.map((stop) => stop.progress(500)));

      await (how === "stopped" ? redis.stop() : redis.hang());
      const load = trip.underLoad();
      await Promise.all(processes.map(({ log }) => eventually(() => log.some(notWritten))));
      // Written off or not yet answered: what is sent now goes all the way, and Redis is still gone.
      const before = trip.sent;
      await eventually(() => trip.sent >= before + 2_000);
      await load.stop();
      await trip.arrived();
      const books = await trip.books();
      expect(books).toMatchObject({ missing: [], duplicates: 0, disordered: [], deadLetters: [] });

      await (how === "stopped" ? redis.start() : redis.goOn());
      await Promise.all(processes.map(({ log }) => eventually(() => log.some(writtenAgain))));
      await trip.send(500);
      await trip.arrived();
      expect(await Promise.all(processes.map((stop) => stop.end("SIGTERM")))).toEqual([0, 0]);

      for (const { log } of processes)
        expect(log.filter(({ level }) => level >= 40)).toEqual([expect.toSatisfy(notWritten)]);
      const { counter, stops } = await metro.stats.read();
      for (const [at, topic] of route.slice(0, -1).entries()) {
        expect(counter[topic]).toBe(trip.sent);
        const outcome = { outcome: "forwarded", detail: route[at + 1], count: trip.sent };
        expect(stops.find(({ stop }) => stop === topic)).toMatchObject({ processed: trip.sent, counts: [outcome] });
      }
    },
  );
});

const notWritten = ({ msg }: { msg: string }) => msg.startsWith("counts can't be written");
const writtenAgain = ({ msg }: { msg: string }) => msg.startsWith("counts are written again");
