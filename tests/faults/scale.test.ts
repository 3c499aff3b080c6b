import { connect } from "metrobus";
import { Kafka } from "kafkajs";
import { afterEach, describe, expect, inject, test } from "vitest";
import { journey } from "../support/journey.ts";
import { eventually, unique } from "../support/probe.ts";
import { killStops, startStop, takenAgain, type StopProcess } from "../support/stop-process.ts";

const brokers = inject("kafka");

describe.skipIf(!brokers)("a pipeline that changes while it works (needs Docker)", () => {
  afterEach(killStops);

  test("instances join and leave: nothing is lost, and what comes twice was in flight", async () => {
    const { metro, settings, trip, route } = await line();
    const [first, second] = route as [string, string];
    const all: StopProcess[] = [];
    const start = (topic: string) => {
      const stop = startStop(topic, settings);
      all.push(stop);
      return stop;
    };
    const steady = [start(first), start(second)];
    const load = trip.underLoad();
    await Promise.all(steady.map((stop) => stop.progress(100)));
    for (const topic of [first, second, first]) {
      const guests = [start(topic), start(topic)];
      await Promise.all(guests.map((guest) => guest.progress(50)));
      for (const guest of guests) expect(await guest.end("SIGTERM")).toBe(0);
    }
    await Promise.all(steady.map((stop) => stop.progress(100)));
    await load.stop();
    await trip.arrived();
    for (const stop of steady) expect(await stop.end("SIGTERM")).toBe(0);

    const books = await trip.books();
    const again = takenAgain(all);
    console.log(`${trip.sent} messages: ${books.duplicates} twice at the end, ${again} taken again`);
    expect(books).toMatchObject({ missing: [], disordered: [], deadLetters: [] });
    expect(books.duplicates).toBeLessThanOrEqual(again);
    await metro.close();
  });

  test("an instance that leaves alone, in order, has everything of its own done: nothing comes twice", async () => {
    const { metro, settings, trip, route } = await line();
    const [first, second] = route as [string, string];
    const leaver = startStop(first, settings);
    const other = startStop(second, settings);
    const load = trip.underLoad();
    await Promise.all([leaver, other].map((stop) => stop.progress(200)));
    expect(await leaver.end("SIGTERM")).toBe(0);
    const successor = startStop(first, settings);
    await successor.progress(200);
    await load.stop();
    await trip.arrived();
    for (const stop of [successor, other]) expect(await stop.end("SIGTERM")).toBe(0);
    expect(takenAgain([leaver, successor, other])).toBe(0);
    expect(await trip.books()).toMatchObject({ missing: [], duplicates: 0, disordered: [] });
    await metro.close();
  });

  test("without its dead-letter topic a partition waits, says so, and goes on when the topic is back", async () => {
    const { metro, settings, trip, route } = await line();
    const letters = settings.METROBUS_DEAD_LETTER_TOPIC;
    const bad = { topic: route[0]!, key: Buffer.from("key 1"), value: Buffer.from("bad"), headers: [] };
    const processes = route.slice(0, -1).map((topic) => startStop(topic, settings));
    const [stop] = processes as [StopProcess];
    await trip.send(400);
    await Promise.all(processes.map((each) => each.progress(400)));
    await eventually(async () => (await stop.health("/readyz")).status === 200);

    const admin = new Kafka({ brokers: [brokers!], logLevel: 0 }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [letters] });
    await admin.disconnect();
    await eventually(async () => !(await metro.bus.knows(letters)));
    await metro.bus.send([bad]);
    await trip.send(400);
    await eventually(async () => (await stop.health("/readyz")).status === 503);
    expect((await stop.health("/readyz")).text).toContain(
      `a dead letter can't be written: topic \\"${letters}\\" does not exist`,
    );
    expect((await stop.health("/healthz")).status).toBe(200);
    // The partition of the bad message waits, the others do not.
    const lagging = async () =>
      (await metro.state(route[0]!)).filter(({ position, end }) => position < end).map(({ lane }) => lane);
    await eventually(async () => (await lagging()).length === 1);
    expect(stop.log.some(({ level, msg }) => level === 50 && msg.startsWith("a dead letter can't be written"))).toBe(
      true,
    );

    await metro.create([letters]);
    await trip.arrived();
    await eventually(async () => (await stop.health("/readyz")).status === 200);
    for (const each of processes) expect(await each.end("SIGTERM")).toBe(0);
    expect((await trip.books()).deadLetters).toEqual([expect.objectContaining({ key: bad.key, value: bad.value })]);
    await metro.close();
  });
});

async function line() {
  const route = ["A", "B", "End"].map(unique);
  const settings = {
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: brokers!,
    METROBUS_STATS: "memory",
    METROBUS_DEAD_LETTER_TOPIC: unique("Letters"),
  } as const;
  const metro = await connect({ ...settings, LOG_LEVEL: "silent" });
  await metro.create([...route, settings.METROBUS_DEAD_LETTER_TOPIC]);
  return { route, settings, metro, trip: journey(metro, route) };
}
