import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { connect, type MetroBus } from "metrobus";
import { afterAll, describe, expect, inject, test } from "vitest";
import { journey } from "../support/journey.ts";
import { unique } from "../support/probe.ts";
import { killStops, startStop, takenAgain, type StopProcess } from "../support/stop-process.ts";

const brokers = inject("kafka");
const redis = inject("redis");
const KILLS = 20;
/** Of each stop, and how many of them are killed at a time: a survivor, and new ones, take over. */
const INSTANCES = 3;
const VICTIMS = 2;
/** A process writes its counts every 250 ms; on a busy machine that may take a while. */
const UNFLUSHED_MS = 3_000;

const seed = Number(process.env["FAULT_SEED"] ?? Date.now() % 1_000_000);

describe.skipIf(!brokers || !redis)("processes killed with messages in flight (needs Docker)", () => {
  afterAll(killStops);

  test(`nothing is missing after ${KILLS} kills (FAULT_SEED=${seed})`, async () => {
    const random = xoroshiro128plus(seed);
    const route = ["A", "B", "C", "End"].map(unique);
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: brokers!,
      REDIS_URL: redis!,
      METROBUS_DEAD_LETTER_TOPIC: unique("Letters"),
      METROBUS_SESSION_TIMEOUT: "3s",
    };
    await using metro = await connect({ ...settings, LOG_LEVEL: "silent" });
    await metro.create([...route, settings.METROBUS_DEAD_LETTER_TOPIC]);
    const stops = route.slice(0, -1);
    const all: StopProcess[] = [];
    const start = (topic: string) => {
      const stop = startStop(topic, settings);
      all.push(stop);
      return stop;
    };
    const running = stops.map((topic) => Array.from({ length: INSTANCES }, () => start(topic)));
    const trip = journey(metro, route);
    const load = trip.underLoad();

    let kills = 0;
    const unflushed = new Map(stops.map((topic) => [topic, 0]));
    /** Kills one instance somewhere in its work; another takes its place. */
    const killOne = async (instances: StopProcess[], which: number, after: number) => {
      const victim = instances[which]!;
      await victim.progress(after);
      await victim.end("SIGKILL");
      // Its partitions are nobody's until its session is over, so this is what it had committed.
      if (await hadWorkInFlight(metro, victim)) kills++;
      const lately = victim.taken.filter(({ at }) => at > victim.taken.at(-1)!.at - UNFLUSHED_MS).length;
      unflushed.set(victim.topic, unflushed.get(victim.topic)! + lately);
      instances[which] = start(victim.topic);
    };
    for (let round = 0; kills < KILLS; round++) {
      expect(round, "rounds of kills").toBeLessThan(2 * KILLS);
      const plans = running.flatMap((instances) => {
        const survivor = uniformInt(random, 0, INSTANCES - 1);
        const victims = instances.map((_, which) => which).filter((which) => which !== survivor);
        return victims.slice(0, VICTIMS).map((which) => [instances, which, uniformInt(random, 1, 100)] as const);
      });
      await Promise.all(plans.map((plan) => killOne(...plan)));
    }
    await load.stop();
    await trip.arrived();
    expect(await Promise.all(running.flat().map((stop) => stop.end("SIGTERM")))).toEqual(running.flat().map(() => 0));

    const books = await trip.books();
    const again = takenAgain(all);
    console.log(
      `${kills} kills in flight, ${trip.sent} messages: ${books.duplicates} twice at the end, ${again} taken again`,
    );
    expect(books).toMatchObject({ missing: [], disordered: [], deadLetters: [] });
    // Whatever is there twice was taken twice somewhere, by a process that had it in flight and its successor.
    expect(books.duplicates).toBeLessThanOrEqual(again);
    const { counter } = await metro.stats.read();
    for (const topic of stops) {
      const truth = (await metro.state(topic)).reduce((sum, { end }) => sum + Number(end), 0);
      expect(counter[topic], `counter of ${topic}`).toBeLessThanOrEqual(truth);
      expect(counter[topic], `counter of ${topic}`).toBeGreaterThanOrEqual(truth - unflushed.get(topic)!);
    }
  });
});

async function hadWorkInFlight(metro: MetroBus, { topic, taken }: StopProcess): Promise<boolean> {
  const committed = new Map((await metro.state(topic)).map(({ lane, position }) => [lane, position]));
  return taken.some(({ place }) => {
    const [lane, position] = place.split(" ") as [string, string];
    return BigInt(position) >= committed.get(lane)!;
  });
}
