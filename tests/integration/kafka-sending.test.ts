import { Kafka } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { clientFactory } from "../../runtime/buses/kafka/client.ts";
import { loadConfig } from "../../runtime/config.ts";
import { MetrobusError, TooLarge, UnknownTopic } from "../../runtime/errors.ts";
import { createLogger } from "../../runtime/logger.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, everything, message, probe, settle, text, unique } from "../support/probe.ts";

const brokers = inject("kafka");

describe.skipIf(!brokers)("sending to Kafka (skipped without Docker)", () => {
  let bus: Bus;
  const warnings: Error[] = [];
  const warned = (warning: Error) => void warnings.push(warning);
  beforeAll(async () => {
    process.on("warning", warned);
    bus = await openKafkaBus(brokers!);
  });
  afterAll(async () => {
    process.off("warning", warned);
    await bus.close();
  });

  const topicOf = async (partitions: number): Promise<string> => {
    const topic = unique("topic");
    await bus.create([{ topic, partitions }]);
    return topic;
  };

  test("an unknown topic stops no other, before and after it was asked for", async () => {
    const known = await topicOf(1);
    const nowhere = unique("nowhere");
    await expect(bus.send([message(nowhere, null, "1")])).rejects.toBeInstanceOf(UnknownTopic);
    await bus.send([message(known, null, "after")]);
    await bus.create([{ topic: nowhere, partitions: 1 }]);
    await bus.send([message(nowhere, null, "created meanwhile")]);
    expect((await everything(bus, known)).map(text)).toEqual(["after"]);
    expect((await everything(bus, nowhere)).map(text)).toEqual(["created meanwhile"]);
  });

  test("a topic that is deleted while it is in use stops no other", async () => {
    const [doomed, other] = [await topicOf(2), await topicOf(2)];
    await bus.send([message(doomed, "k", "1"), message(other, "k", "1")]);
    const admin = new Kafka({ brokers: [brokers!], logLevel: 0 }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [doomed] });
    await admin.disconnect();
    await expect(bus.send([message(other, "k", "2"), message(doomed, "k", "2")])).rejects.toBeInstanceOf(UnknownTopic);
    await bus.send([message(other, "k", "3")]);
    expect((await everything(bus, other)).map(text).at(-1)).toBe("3");
  });

  test("a topic that is made anew with fewer partitions under way takes what a stop has for it", async () => {
    const [topic, next] = [await topicOf(1), await topicOf(4)];
    const keys = Array.from({ length: 40 }, (_, n) => `key-${n}`);
    await bus.send(keys.map((key) => message(next, key, "before")));
    const admin = new Kafka({ brokers: [brokers!], logLevel: 0 }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [next] });
    await eventually(async () => !(await admin.listTopics()).includes(next));
    await admin.createTopics({ topics: [{ topic: next, numPartitions: 2 }], waitForLeaders: true });
    await admin.disconnect();
    await bus.send(keys.map((key) => message(topic, key, "after")));
    const { subscription } = await probe(bus, { topic, group: unique("group") }, async (batch) => {
      await settle(
        batch,
        batch.records.map((record, index) => ({ index, out: [message(next, String(record.key), text(record))] })),
      );
    });
    const there = async () => (await everything(bus, next)).map((record) => String(record.key));
    await eventually(async () => new Set(await there()).size === keys.length);
    await subscription.stop(Date.now() + 10_000);
    expect((await there()).toSorted()).toEqual(keys.toSorted());
  });

  test("many records of one partition are more than a request may carry, and arrive in order", async () => {
    const topic = await topicOf(1);
    const filler = "x".repeat(3_000);
    await bus.send(Array.from({ length: 2_000 }, (_, n) => message(topic, "key", `${n} ${filler}`)));
    const numbers = (await everything(bus, topic)).map((record) => Number.parseInt(text(record)));
    expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  });

  test("a record above the topic's limit is refused, with the limit; those beside it are sent", async () => {
    const [topic, next] = [await topicOf(1), await topicOf(1)];
    await bus.send([message(topic, "k", "good"), message(topic, "k", "large"), message(topic, "k", "good too")]);
    const asked: MetrobusError[] = [];
    const { subscription } = await probe(bus, { topic, group: unique("group") }, async (batch) => {
      const out = batch.records.map((record, index) => {
        const large = text(record) === "large" ? "x".repeat(1_100_000) : text(record);
        return { index, out: [message(next, "k", large)] };
      });
      await batch.settle(out, (_, why) => {
        asked.push(why);
        return [message(next, "k", "instead")];
      });
    });
    await eventually(async () => (await bus.state(unique("nobody"), next))[0]!.end === 3n);
    await subscription.stop(Date.now() + 10_000);
    expect((await everything(bus, next)).map(text)).toEqual(["good", "instead", "good too"]);
    expect(asked).toEqual([expect.any(TooLarge)]);
    expect(asked[0]!.message).toContain("1048588");
  });

  test("a record that the broker alone finds too large is found among thousands", async () => {
    const next = await topicOf(1);
    // Below the limit by its fields, above it as a batch of one.
    const record = message(next, null, "x".repeat(1_048_560));
    const many = Array.from({ length: 500 }, (_, n) => message(next, null, String(n)));
    const error = await bus.send([...many, record, ...many]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TooLarge);
    const [bytes, limit] = (error as Error).message.match(/\d{5,}/g)!.map(Number);
    expect(limit).toBe(1_048_588);
    expect(bytes).toBeGreaterThan(limit!);
    expect((await everything(bus, next)).length).toBe(1_000);
  });

  test("the dead letters' topic takes larger records than others, and keeps them for ever", async () => {
    const topic = unique("Error");
    await bus.create([{ topic, partitions: 1, keepForever: true }]);
    await bus.send([message(topic, null, "x".repeat(2_000_000))]);
    expect((await everything(bus, topic))[0]!.value).toHaveLength(2_000_000);
  });

  test("a settlement whose records all go one way keeps the order of its lane", async () => {
    const [topic, next] = [await topicOf(1), await topicOf(1)];
    await bus.send(Array.from({ length: 3_000 }, (_, n) => message(topic, "k", String(n))));
    const { subscription } = await probe(bus, { topic, group: unique("group") }, async (batch) => {
      void settle(
        batch,
        batch.records.map((record, index) => ({ index, out: [message(next, "k", text(record))] })),
      ).catch(() => undefined);
    });
    await eventually(async () => (await bus.state(unique("nobody"), next))[0]!.end >= 3_000n);
    await subscription.stop(Date.now() + 10_000);
    const values = (await everything(bus, next)).map((record) => Number(record.value));
    expect(values).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
  });

  test("calls made at once are all there, in their order; one that is refused takes no other with it", async () => {
    const topic = await topicOf(1);
    const small = (n: number) => bus.send([message(topic, "key", String(n))]);
    const large = () => bus.send([message(topic, "key", "x".repeat(1_048_560))]);
    const [first, refused, second] = await Promise.all([
      Promise.all(Array.from({ length: 2_000 }, (_, n) => small(n))),
      large().catch((error: unknown) => error),
      Promise.all(Array.from({ length: 2_000 }, (_, n) => small(2_000 + n))),
    ]);
    expect(refused).toBeInstanceOf(TooLarge);
    expect(first.length + second.length).toBe(4_000);
    expect((await everything(bus, topic)).map((record) => Number(record.value))).toEqual([...Array(4_000).keys()]);
  });

  test("a connection that is gone may be let go of time and again, as kafkajs does in an outage: Node warns of nothing", async () => {
    const config = loadConfig({ KAFKA_BROKERS: brokers! }, {});
    const { kafka } = clientFactory(config, createLogger({ logLevel: "silent", logFormat: "json" }))();
    const admin = kafka.admin();
    await admin.connect();
    for (let times = 0; times < 20; times++) {
      await admin.disconnect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(warnings).toEqual([]);
  });

  test("the client sets no timers with a negative time, of which Node warns", async () => {
    await bus.send([message(await topicOf(1), null, "1")]);
    expect(warnings).toEqual([]);
  });
});
