import { connect, MetroStop, type Settings } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { json } from "../support/line.ts";
import { eventually, everything, unique } from "../support/probe.ts";

const [kafka, redis] = [inject("kafka"), inject("redis")];

describe.skipIf(kafka === null)("the breaker on a real Kafka and Redis (needs Docker)", () => {
  test("an outage of two session time-outs: partitions are kept, few dead letters, all else goes on once and in order", async () => {
    const [topic, next, errors] = [unique("Call"), unique("Next"), unique("Error")];
    const settings: Settings = {
      KAFKA_BROKERS: kafka!,
      REDIS_URL: `${redis}/4`,
      METROBUS_DEAD_LETTER_TOPIC: errors,
      METROBUS_CREATE_TOPICS: "true",
      METROBUS_SESSION_TIMEOUT: "6s",
      LOG_LEVEL: "silent",
    };
    await using metro = await connect(settings);
    await metro.create([topic, next, errors]);
    let up = true;
    const callback = async (message: { n: number }) => {
      await new Promise(setImmediate);
      if (!up) throw new Error("the callee is down");
      return message;
    };
    await using stop = new MetroStop(topic, callback, {
      bus: metro,
      concurrency: 64,
      retries: { attempts: 2, baseMs: 1 },
      breaker: { baseMs: 500, capMs: 2_000 },
    });
    await stop.start();
    const message = (n: number) => ({
      topic,
      key: Buffer.from(`key ${n % 50}`),
      value: Buffer.from(JSON.stringify({ header: { route: [next] }, payload: { n } })),
      headers: [],
    });
    const send = (from: number, to: number) =>
      metro.bus.send(Array.from({ length: to - from }, (_, n) => message(from + n)));
    const count = async (of: string) => (await everything(metro.bus, of)).length;
    await send(0, 1_000);
    await eventually(async () => (await count(next)) === 1_000);
    const { lanes } = stop.health();

    up = false;
    await send(1_000, 5_000);
    const told = async () => (await metro.stats.read()).stops.find((found) => found.stop === topic)?.breaker;
    await eventually(async () => ((await told())?.openSince ?? 0) > 0);
    await eventually(async () => Date.now() - (await told())!.openSince > 13_000);
    expect(stop.health()).toMatchObject({ ready: false, stuck: false });
    expect(stop.health().lanes.map(({ lane }) => lane)).toEqual(lanes.map(({ lane }) => lane));
    const letters = await count(errors);
    expect(letters).toBeLessThanOrEqual(10);

    up = true;
    await eventually(async () => (await count(next)) + letters >= 5_000);
    const arrived = (await everything(metro.bus, next)).map((record) => ({
      key: String(record.key),
      n: (json(record)["payload"] as { n: number }).n,
    }));
    expect(arrived).toHaveLength(5_000 - letters);
    expect(await count(errors)).toBe(letters);
    for (const key of new Set(arrived.map((each) => each.key))) {
      const ofKey = arrived.filter((each) => each.key === key).map(({ n }) => n);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
    await eventually(async () => (await told())!.openSince === 0);
    expect(await told()).toEqual({ openings: 1, openSince: 0 });
  });
});
