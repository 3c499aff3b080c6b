import { connect, MetroStop, type MetroBus, type Settings } from "metrobus";
import { afterEach, describe, expect, inject, test } from "vitest";
import { killAll, startProcess } from "../faults/process.ts";
import { json, letterHeaders } from "../support/line.ts";
import { eventually, everything, unique } from "../support/probe.ts";
import { startRedis } from "../support/redis.ts";

const [kafka, redis] = [inject("kafka"), inject("redis")];

describe.skipIf(kafka === null)("once, on a real Kafka and Redis (needs Docker)", () => {
  afterEach(killAll);

  async function route(more: Settings = {}) {
    const [topic, next, errors] = [unique("Charge"), unique("Next"), unique("Error")];
    const settings: Settings = {
      KAFKA_BROKERS: kafka!,
      REDIS_URL: `${redis}/3`,
      METROBUS_DEAD_LETTER_TOPIC: errors,
      METROBUS_CREATE_TOPICS: "true",
      METROBUS_PARTITIONS: "1",
      METROBUS_SESSION_TIMEOUT: "1s",
      LOG_LEVEL: "silent",
      ...more,
    };
    const metro = await connect(settings);
    await metro.create([topic, next, errors]);
    return { topic, next, errors, settings, metro };
  }

  const charge = (topic: string, settings: Settings, onExpired: string, step = "") =>
    startProcess(topic, topic, {
      command: process.execPath,
      args: ["tests/integration/fixtures/charge.ts", topic, onExpired],
      env: { ...settings, LOG_FORMAT: "json", FAULT_STEP: step },
    });
  const done = (metro: MetroBus, topic: string) =>
    eventually(async () => (await metro.state(topic))[0]!.position === 1n);

  test.each(["Produce before 1 SIGKILL", "Produce after 1 SIGKILL"])(
    "killed at %s, once the outcome is kept: the next process sends the same, and does not work again",
    async (step) => {
      const { topic, next, settings, metro } = await route();
      const first = charge(topic, settings, "again", step);
      await metro.send(topic, { n: 1 }, { route: [next] });
      expect(await first.ended).toBe("SIGKILL");
      expect(first.atStep).toBe(true);
      const second = charge(topic, settings, "again");
      await done(metro, topic);
      await second.end("SIGTERM");
      expect([first.taken, second.taken]).toEqual([["charged 1"], []]);
      const sent = (await everything(metro.bus, next)).map(json);
      expect(sent[0]).toMatchObject({ payload: { n: 1, receipt: expect.any(String) } });
      for (const again of sent) expect(again).toEqual(sent[0]);
      await metro.close();
    },
  );

  test.each(["again", "dead"])("killed while it worked, so that nobody knows what was done: %s", async (onExpired) => {
    const { topic, next, errors, settings, metro } = await route();
    const first = charge(topic, settings, onExpired, "Callback after 1 SIGKILL");
    await metro.send(topic, { n: 1 }, { route: [next] });
    expect(await first.ended).toBe("SIGKILL");
    const second = charge(topic, settings, onExpired);
    await done(metro, topic);
    await second.end("SIGTERM");
    const sent = await everything(metro.bus, next);
    const letters = await everything(metro.bus, errors);
    expect(new Set(second.taken)).toEqual(new Set(onExpired === "again" ? ["charged 1"] : []));
    expect(sent.length > 0).toBe(onExpired === "again");
    expect(letters.length > 0).toBe(onExpired === "dead");
    for (const letter of letters) expect(letterHeaders(letter)).toMatchObject({ reason: "outcome unknown" });
    await metro.close();
  });

  test("while Redis is down messages wait, none is a dead letter, and all go on when it is back", async () => {
    const own = await startRedis();
    const { topic, next, errors, metro } = await route({ REDIS_URL: own.url });
    let calls = 0;
    const stop = new MetroStop(topic, (message: { n: number }) => (calls++, message), {
      bus: metro,
      once: true,
      concurrency: 16,
      breaker: { baseMs: 50, capMs: 500 },
    });
    await stop.start();
    const send = async (from: number, to: number) => {
      for (let n = from; n < to; n++) await metro.send(topic, { n }, { route: [next], key: `key ${n % 5}` });
    };
    await send(0, 100);
    await eventually(async () => (await metro.state(topic))[0]!.position === 100n);
    await own.stop();
    await send(100, 200);
    await eventually(() => stop.health().problems.length > 0);
    expect(stop.health().problems.join()).toContain("can't be kept");
    await own.start();
    await eventually(async () => (await metro.state(topic))[0]!.position === 200n);
    await stop.stop();
    const numbers = (await everything(metro.bus, next)).map((record) => (json(record)["payload"] as { n: number }).n);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(await everything(metro.bus, errors)).toEqual([]);
    expect(calls).toBe(200);
    await metro.close();
    await own.remove();
  });
});
