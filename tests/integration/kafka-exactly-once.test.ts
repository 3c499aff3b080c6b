import { createRequire } from "node:module";
import { Kafka, type Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import type { Batch, Bus, Outgoing, Subscription } from "../../runtime/bus.ts";
import { LaneLost, type MetrobusError } from "../../runtime/errors.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, everything, message, probe, text, unique } from "../support/probe.ts";

const brokers = inject("kafka");

describe.skipIf(!brokers)("exactly once on Kafka (skipped without Docker)", () => {
  const kafka = new Kafka({ brokers: [brokers ?? ""], logLevel: 0 });
  let bus: Bus;
  let admin: Admin;
  let topic = "";
  let next = "";
  let group = "";
  const subscriptions: Subscription[] = [];
  beforeAll(async () => {
    bus = await openKafkaBus(brokers!);
    admin = kafka.admin();
    await admin.connect();
  });
  afterEach(() => Promise.all(subscriptions.splice(0).map((each) => each.stop(Date.now()))));
  afterAll(() => Promise.all([bus.close(), admin.disconnect()]));

  async function send(values: readonly string[]): Promise<void> {
    [topic, next, group] = [unique("topic"), unique("next"), unique("group")];
    await bus.create([topic, next].map((name) => ({ topic: name, partitions: 1 })));
    await bus.send(values.map((value) => message(topic, "key", value)));
  }

  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => String(from + n));
  const copies = (batch: Batch, of = (value: string): Outgoing[] => [message(next, "key", value)]) =>
    batch.records.map((record, index) => ({ index, out: of(text(record)) }));

  /** A member that copies what comes to `next`, as exactly-once has it. */
  async function copying(of?: (value: string) => Outgoing[]): Promise<{ refused: [string, MetrobusError][] }> {
    const refused: [string, MetrobusError][] = [];
    const { subscription } = await probe(bus, { topic, group, delivery: "exactly-once" }, (batch) =>
      batch
        .settle(copies(batch, of), (index, why) => {
          const value = text(batch.records[index]!);
          refused.push([value, why]);
          return [message(next, "key", `instead of ${value}`)];
        })
        .catch((error: unknown) => expect(error).toBeInstanceOf(LaneLost)),
    );
    subscriptions.push(subscription);
    return { refused };
  }
  const done = () =>
    eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
  const copied = async () => (await everything(bus, next)).map(text);

  /** As Kafka's own log of transactions has it: each stop that runs has another. */
  async function transactionalId(): Promise<string> {
    const reader = kafka.consumer({ groupId: unique("reader") });
    await reader.connect();
    await reader.subscribe({ topic: "__transaction_state", fromBeginning: true });
    const found = Promise.withResolvers<string>();
    const KEY_BEGINS_AT = 4;
    await reader.run({
      async eachMessage({ message: { key } }) {
        const id = key!.subarray(KEY_BEGINS_AT).toString();
        if (id.startsWith(`${group}:${topic}:`)) found.resolve(id);
      },
    });
    return await found.promise.finally(() => reader.disconnect());
  }

  async function otherProducer(id: string) {
    const other = kafka.producer({ transactionalId: id, idempotent: true, maxInFlightRequests: 1 });
    await other.connect();
    return other;
  }

  test("kafkajs joins several times at once, as it does where several leaders have moved: the stop goes on in the generation that there is", async () => {
    interface Group {
      joinAndSync(): Promise<void>;
    }
    const { prototype } = createRequire(import.meta.url)("kafkajs/src/consumer/consumerGroup.js") as {
      prototype: Group;
    };
    const { joinAndSync } = prototype;
    const groups = new Set<Group>();
    onTestFinished(() => void Object.assign(prototype, { joinAndSync }));
    prototype.joinAndSync = function () {
      groups.add(this);
      return joinAndSync.call(this);
    };
    await send(["before"]);
    await copying();
    await done();
    const [ours] = groups;
    for (let times = 1; times <= 5; times++) {
      await Promise.all([ours!.joinAndSync(), ours!.joinAndSync(), ours!.joinAndSync()]);
      await bus.send([message(topic, "key", String(times))]);
      await done();
    }
    expect(await copied()).toEqual(["before", ...numbers(1, 6)]);
  });

  test("a producer with the same transactional id shuts ours out; it takes over again, and nothing comes twice", async () => {
    await send(numbers(0, 100));
    await copying();
    await done();
    const other = await otherProducer(await transactionalId());
    await (await other.transaction()).abort();
    await bus.send(numbers(100, 200).map((value) => message(topic, "key", value)));
    await done();
    await other.disconnect();
    expect(await copied()).toEqual(numbers(0, 200));
  });

  test("whoever is given a partition waits for a transaction that may move its position", async () => {
    await send(numbers(0, 10));
    const other = await otherProducer(unique("other"));
    const transaction = await other.transaction();
    await transaction.sendOffsets({
      consumerGroupId: group,
      topics: [{ topic, partitions: [{ partition: 0, offset: "6" }] }],
    });
    const begun = copying();
    await eventually(async () => (await admin.describeGroups([group])).groups[0]?.state === "Stable");
    await transaction.commit();
    await begun;
    await done();
    await other.disconnect();
    expect(await copied()).toEqual(numbers(6, 10));
  });

  test("whoever reads uncommitted too sees no more: nothing was aborted where nothing failed", async () => {
    await send(numbers(0, 3_000));
    await copying();
    await done();
    const values: string[] = [];
    const reader = kafka.consumer({ groupId: unique("reader"), readUncommitted: true });
    await reader.connect();
    await reader.subscribe({ topic: next, fromBeginning: true });
    await reader.run({ eachMessage: async ({ message: { value } }) => void values.push(String(value)) });
    await eventually(() => values.length >= 3_000);
    await reader.disconnect();
    expect(values).toEqual(numbers(0, 3_000));
  });

  test("a record that the broker alone finds too large is found among thousands, and the others are sent", async () => {
    const large = "x".repeat(1_048_560);
    await send([...numbers(0, 700), "large", ...numbers(700, 1_400)]);
    const { refused } = await copying((value) => [message(next, null, value === "large" ? large : value)]);
    await done();
    expect(refused.map(([value, why]) => [value, why.reason])).toEqual([["large", "too large"]]);
    expect(await copied()).toEqual([...numbers(0, 700), "instead of large", ...numbers(700, 1_400)]);
  });

  test("a topic that is deleted while it is in use stops no other: what goes there is replaced", async () => {
    await send(["0"]);
    const gone = unique("gone");
    await bus.create([{ topic: gone, partitions: 1 }]);
    const { refused } = await copying((value) => [message(next, "key", value), message(gone, "key", value)]);
    await done();
    await admin.deleteTopics({ topics: [gone] });
    await bus.send(numbers(1, 50).map((value) => message(topic, "key", value)));
    await done();
    expect(await copied()).toEqual(["0", ...numbers(1, 50).map((value) => `instead of ${value}`)]);
    expect(new Set(refused.map(([, why]) => why.reason))).toEqual(new Set([`unknown topic ${gone}`]));
  });

  test("records of many partitions and sizes keep their order", async () => {
    await send([]);
    const wide = unique("wide");
    await bus.create([{ topic: wide, partitions: 16 }]);
    const sizes = numbers(0, 600).map((n) => `${n} ${"x".repeat((Number(n) * 7_919) % 20_000)}`);
    for (let from = 0; from < sizes.length; from += 50) {
      await bus.send(sizes.slice(from, from + 50).map((value) => message(topic, "key", value)));
    }
    await copying((value) => [message(wide, `key ${Number.parseInt(value) % 40}`, value), message(next, "key", value)]);
    await done();
    expect(await copied()).toEqual(sizes);
    const found = await everything(bus, wide);
    expect(found).toHaveLength(600);
    for (let key = 0; key < 40; key++) {
      const ofKey = found
        .filter((record) => String(record.key) === `key ${key}`)
        .map((each) => Number.parseInt(text(each)));
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });
});
