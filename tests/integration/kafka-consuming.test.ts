import { Kafka, type Admin } from "kafkajs";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { kafkaBus } from "../../runtime/buses/kafka/index.ts";
import { loadConfig } from "../../runtime/config.ts";
import { ConfigError } from "../../runtime/errors.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, message, probe, settleAll, text, unique } from "../support/probe.ts";

const brokers = inject("kafka");

describe.skipIf(!brokers)("consuming from Kafka (skipped without Docker)", () => {
  let bus: Bus;
  let admin: Admin;
  beforeAll(async () => {
    bus = await openKafkaBus(brokers!);
    admin = new Kafka({ brokers: [brokers!], logLevel: 0 }).admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin.disconnect();
    await bus.close();
  });

  const topicOf = async (partitions: number): Promise<string> => {
    const topic = unique("topic");
    await bus.create([{ topic, partitions }]);
    return topic;
  };
  const deleteBefore = async (topic: string, offset: string) => {
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  };

  test("a lane that stays ours through a rebalance goes on with its work, and nothing comes twice", async () => {
    const topic = await topicOf(4);
    const group = unique("group");
    const gate = Promise.withResolvers<void>();
    const first = await probe(bus, { topic, group }, async (batch) => {
      await gate.promise;
      await settleAll(batch).catch(() => undefined);
    });
    await bus.send(Array.from({ length: 400 }, (_, n) => message(topic, `key ${n}`, String(n))));
    await eventually(() => first.batches.length === 4);
    const second = await probe(bus, { topic, group });
    await eventually(() => first.subscription.lanes().length === 2 && second.subscription.lanes().length === 2);
    const kept = new Set(first.subscription.lanes().map(({ lane }) => lane));
    const isKept = ({ records }: { records: readonly { lane: string }[] }) => kept.has(records[0]!.lane);
    expect(first.batches.filter(isKept).map(({ signal }) => signal.aborted)).toEqual([false, false]);
    gate.resolve();
    await eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
    const seen = [...first.records.filter(({ lane }) => kept.has(lane)), ...second.records].map(text);
    expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, n) => n));
  });

  test("a member that comes and goes while records flow: none is missing", async () => {
    const topic = await topicOf(4);
    const group = unique("group");
    const steady = await probe(bus, { topic, group });
    let [sent, isFlowing] = [0, true];
    const sending = (async () => {
      for (; isFlowing; sent += 20) {
        await bus.send(Array.from({ length: 20 }, (_, k) => message(topic, `key ${sent + k}`, String(sent + k))));
      }
    })();
    const guest = await probe(bus, { topic, group });
    await eventually(() => guest.records.length > 0);
    await guest.subscription.stop(Date.now() + 10_000);
    isFlowing = false;
    await sending;
    await eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
    const seen = new Set([...steady.records, ...guest.records].map(text));
    expect(seen.size).toBe(sent);
  });

  test("records that retention took before they were read are counted and named", async () => {
    const topic = await topicOf(1);
    const group = unique("group");
    await bus.send(Array.from({ length: 10 }, (_, n) => message(topic, null, String(n))));
    const first = await probe(bus, { topic, group });
    await eventually(async () => (await bus.state(group, topic))[0]!.position === 10n);
    await first.subscription.stop(Date.now() + 10_000);
    await bus.send(Array.from({ length: 20 }, (_, n) => message(topic, null, String(10 + n))));
    await deleteBefore(topic, "25");
    const gaps: object[] = [];
    const second = await probe(bus, { topic, group, start: "latest", onGap: (gap) => gaps.push(gap) });
    await eventually(() => second.records.length >= 5);
    expect(second.records.map(text)).toEqual(["25", "26", "27", "28", "29"]);
    expect(gaps).toEqual([{ lane: "0", lost: 15n, resumedAt: "25" }]);
  });

  test("records that retention takes while the lane is worked on are counted too", async () => {
    const topic = await topicOf(1);
    const big = "x".repeat(100_000);
    // More than a queue and what is given out take together: the rest is still at the broker.
    for (let n = 0; n < 300; n += 20) {
      await bus.send(Array.from({ length: 20 }, (_, k) => message(topic, null, `${n + k} ${big}`)));
    }
    const gate = Promise.withResolvers<void>();
    const gaps: { lost: bigint }[] = [];
    const { records } = await probe(
      bus,
      { topic, group: unique("group"), onGap: (gap) => gaps.push(gap) },
      async (batch) => {
        await gate.promise;
        await settleAll(batch);
      },
    );
    await eventually(() => records.length > 0);
    await deleteBefore(topic, "299");
    gate.resolve();
    await eventually(() => records.length > 0 && Number.parseInt(text(records.at(-1)!)) === 299);
    await eventually(() => gaps.length > 0);
    expect(records.length + Number(gaps.reduce((sum, { lost }) => sum + lost, 0n))).toBe(300);
  });

  test("partitions that are added are read from their first record", async () => {
    const topic = await topicOf(1);
    const { records, subscription } = await probe(bus, { topic, group: unique("group"), start: "earliest" });
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    const producer = new Kafka({ brokers: [brokers!], logLevel: 0 }).producer();
    await producer.connect();
    await producer.send({ topic, messages: [0, 1, 2].map((partition) => ({ partition, value: String(partition) })) });
    await producer.disconnect();
    const seen = () => [...new Set(records.map(text))].toSorted();
    await eventually(() => seen().length === 3);
    expect(seen()).toEqual(["0", "1", "2"]);
    expect(subscription.lanes().map(({ lane }) => lane)).toEqual(["0", "1", "2"]);
  });

  test("a lane with more waiting than its queue takes stops no other, and is read to its end", async () => {
    const topic = await topicOf(2);
    const value = Buffer.alloc(100_000, "x");
    const record = { topic, key: null, value, headers: [] };
    const gate = Promise.withResolvers<void>();
    const { records } = await probe(bus, { topic, group: unique("group") }, async (batch) => {
      if (batch.records[0]!.lane === "0") await gate.promise;
      await settleAll(batch);
    });
    const producer = new Kafka({ brokers: [brokers!], logLevel: 0 }).producer();
    await producer.connect();
    for (let n = 0; n < 30; n++) {
      await producer.send({
        topic,
        messages: Array.from({ length: 9 }, () => ({ ...record, headers: {}, partition: n % 2 })),
      });
    }
    await producer.disconnect();
    await eventually(() => records.filter(({ lane }) => lane === "1").length === 135);
    gate.resolve();
    await eventually(() => records.length === 270);
  });

  test("a topic that is deleted is told of, once, until it is there again; then all goes on by itself", async () => {
    const entries: { level: number; msg: string }[] = [];
    const log = pino({ level: "debug" }, { write: (line) => entries.push(JSON.parse(line) as (typeof entries)[0]) });
    const other = await kafkaBus(loadConfig({ KAFKA_BROKERS: brokers! }, {}), log);
    const topic = await topicOf(2);
    const group = unique("group");
    const { subscription, records } = await probe(other, { topic, group, start: "earliest" });
    await bus.send([message(topic, null, "before")]);
    // With the topic Kafka forgets its positions, but not one that is committed to it afterwards.
    await eventually(async () => (await bus.state(group, topic)).some(({ position }) => position === 1n));
    expect(subscription.problem?.()).toBeNull();
    await admin.deleteTopics({ topics: [topic] });
    await eventually(() => subscription.problem?.()?.includes(topic) === true);
    expect(subscription.problem?.()).toContain("create it again");
    await eventually(() => entries.filter(({ msg }) => msg.includes("is replaced")).length > 3);
    await bus.create([{ topic, partitions: 2 }]);
    await bus.send([message(topic, null, "after")]);
    await eventually(() => records.length === 2 && subscription.problem?.() === null);
    expect(records.map(text)).toEqual(["before", "after"]);
    await other.close();
    expect(entries.filter(({ level, msg }) => level >= 40 && msg.includes("is gone"))).toHaveLength(1);
    expect(entries.filter(({ level, msg }) => level >= 40 && msg.includes("is replaced"))).toHaveLength(1);
  });

  test("a clock that is set back by an hour costs no membership", async () => {
    const other = await openKafkaBus(brokers!, { METROBUS_SESSION_TIMEOUT: "6s" });
    const [topic, group] = [await topicOf(1), unique("group")];
    const { batches } = await probe(other, { topic, group });
    await bus.send([message(topic, null, "before")]);
    await eventually(() => batches.length === 1);
    const members = async () =>
      (await admin.describeGroups([group])).groups[0]!.members.map(({ memberId }) => memberId);
    const before = await members();
    const { now } = Date;
    vi.spyOn(Date, "now").mockImplementation(() => now() - 3_600_000);
    try {
      const set = performance.now();
      await eventually(() => performance.now() - set > 8_000);
    } finally {
      vi.restoreAllMocks();
    }
    expect(await members()).toEqual(before);
    expect(batches[0]!.signal.aborted).toBe(false);
    await other.close();
  });

  test("a session time-out that the broker does not allow is a wrong setting, said at once", async () => {
    const other = await openKafkaBus(brokers!, { METROBUS_SESSION_TIMEOUT: "1h" });
    const consuming = probe(other, { topic: await topicOf(1), group: unique("group") });
    await expect(consuming).rejects.toBeInstanceOf(ConfigError);
    await expect(consuming).rejects.toThrow(/METROBUS_SESSION_TIMEOUT.*group\.max\.session\.timeout\.ms/);
    await other.close();
  });

  test("what a transaction aborted is not read, and its markers are no lag", async () => {
    const topic = await topicOf(1);
    const group = unique("group");
    const { records } = await probe(bus, { topic, group });
    const client = new Kafka({ brokers: [brokers!], logLevel: 0 });
    const producer = client.producer({ transactionalId: unique("tx"), idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const [value, end] of [
      ["kept", "commit"],
      ["aborted", "abort"],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction[end]();
    }
    await producer.disconnect();
    await eventually(async () => {
      const [lane] = await bus.state(group, topic);
      return lane!.end === 4n && lane!.position === 4n;
    });
    expect(records.map(text)).toEqual(["kept"]);
  });
});
