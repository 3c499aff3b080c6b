import { connect, type MetroBus } from "metrobus";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { docker } from "../support/docker.ts";
import { journey, type Journey } from "../support/journey.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { unique } from "../support/probe.ts";
import { killStops, startStop, type StopProcess } from "../support/stop-process.ts";

const INSTANCES = 2;

describe.skipIf(!inject("kafka"))("the broker restarted, processes frozen (needs Docker)", () => {
  let broker: KafkaBroker;
  beforeAll(async () => {
    broker = await startKafka();
  });
  afterEach(killStops);
  afterAll(() => broker.stop());

  /** Two stops of two processes each, and messages on their way. */
  async function pipeline() {
    const route = ["A", "B", "End"].map(unique);
    const settings = {
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: broker.brokers,
      METROBUS_STATS: "memory",
      METROBUS_DEAD_LETTER_TOPIC: unique("Letters"),
      METROBUS_SESSION_TIMEOUT: "3s",
    } as const;
    const metro = await connect({ ...settings, LOG_LEVEL: "silent" });
    await metro.create([...route, settings.METROBUS_DEAD_LETTER_TOPIC]);
    const stops = route.slice(0, -1).flatMap((topic) => Array.from({ length: INSTANCES }, () => topic));
    const processes = stops.map((topic) => startStop(topic, settings));
    const trip = journey(metro, route);
    const load = trip.underLoad();
    await Promise.all(processes.map((stop) => stop.progress(50)));
    return { metro, processes, trip, load };
  }

  /** The load ends; all that was sent has to come through, and the processes end as they should. */
  async function finish({ metro, processes, trip, load }: Line) {
    await load.stop();
    await trip.arrived();
    expect(processes.filter(({ running }) => !running)).toEqual([]);
    expect(await Promise.all(processes.map((stop) => stop.end("SIGTERM")))).toEqual(processes.map(() => 0));
    const books = await trip.books();
    await metro.close();
    expect(books).toMatchObject({ missing: [], disordered: [], deadLetters: [] });
    return books;
  }

  test("a broker that is restarted, or killed and started, is only waited for", async () => {
    const line = await pipeline();
    const id = broker.container.getId();
    for (const end of ["stop", "kill"]) {
      await docker(end, id);
      await docker("start", id);
      // Each of them goes on by itself.
      await Promise.all(line.processes.map((stop) => stop.progress(100)));
    }
    const books = await finish(line);
    console.log(`${line.trip.sent} messages, ${books.duplicates} twice after two restarts of the broker`);
  });

  test("a process that wakes after its partitions went to others does no harm", async () => {
    const line = await pipeline();
    const [frozen, other] = line.processes as [StopProcess, StopProcess];
    frozen.signal("SIGSTOP");
    await takeOver(frozen, other);
    frozen.signal("SIGCONT");
    await frozen.progress(100);
    const books = await finish(line);
    console.log(`${line.trip.sent} messages, ${books.duplicates} twice after a process was frozen`);
  });
});

interface Line {
  metro: MetroBus;
  processes: readonly StopProcess[];
  trip: Journey;
  load: { stop(): Promise<void> };
}

/** Waits until the other has worked on a partition that the frozen one was working on. */
async function takeOver(frozen: StopProcess, other: StopProcess): Promise<void> {
  const lanesOf = (taken: StopProcess["taken"]) => new Set(taken.map(({ place }) => place.split(" ")[0]!));
  const wanted = lanesOf(frozen.taken.slice(-50));
  const from = other.taken.length;
  while (lanesOf(other.taken.slice(from)).intersection(wanted).size < wanted.size) await other.progress(1);
}
