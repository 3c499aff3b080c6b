import { connect, MetroStop } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { eventually, unique } from "../support/probe.ts";

const brokers = inject("kafka");
const MESSAGES = 30_000;
const AT_ONCE = 500;

describe.skipIf(!brokers)("a slow key on Kafka (skipped without Docker)", () => {
  test("holds up no other key of its partition, however many messages come meanwhile", async () => {
    const [topic, next, letters] = ["Slow", "Next", "Letters"].map(unique) as [string, string, string];
    await using metro = await connect({
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: brokers!,
      METROBUS_STATS: "memory",
      METROBUS_PARTITIONS: "1",
      METROBUS_DEAD_LETTER_TOPIC: letters,
      METROBUS_TIME_LIMIT: "5m",
      LOG_LEVEL: "silent",
    });
    await metro.create([topic, next, letters]);
    const gate = Promise.withResolvers<void>();
    const work = async (message: { n: number; text: string }) => {
      if (message.n === 0) await gate.promise;
      return message;
    };
    await using stop = new MetroStop(topic, work, { bus: metro, concurrency: 2 });
    const text = "x".repeat(1_000);
    for (let from = 0; from < MESSAGES; from += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, (_, at) => from + at);
      await Promise.all(
        some.map((n) => metro.send(topic, { n, text }, { key: n === 0 ? "slow" : `key ${n % 50}`, route: [next] })),
      );
    }
    await stop.start();
    const written = async () => Number((await metro.state(next))[0]!.end);
    await eventually(async () => (await written()) === MESSAGES - 1);
    expect((await metro.state(topic))[0]!.position).toBe(0n);
    gate.resolve();
    await eventually(async () => (await metro.state(topic))[0]!.position === BigInt(MESSAGES));
    expect(await written()).toBe(MESSAGES);
  });
});
