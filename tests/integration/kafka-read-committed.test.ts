import { Kafka, type Admin, type Producer } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, everything, probe, text, unique } from "../support/probe.ts";

const brokers = inject("kafka");
/** What Java's serializer makes of the number 0; and what the end of an aborted transaction has as its key, too. */
const ZERO = Buffer.alloc(4);

describe.skipIf(!brokers)("reading what transactions have written to Kafka (skipped without Docker)", () => {
  const kafka = new Kafka({ brokers: [brokers ?? ""], logLevel: 0 });
  const producers: Producer[] = [];
  let bus: Bus;
  let admin: Admin;
  let topic = "";
  beforeAll(async () => {
    bus = await openKafkaBus(brokers!);
    admin = kafka.admin();
    await admin.connect();
  });
  afterEach(() => Promise.all(producers.splice(0).map((producer) => producer.disconnect())));
  afterAll(() => Promise.all([bus.close(), admin.disconnect()]));

  async function transactional(): Promise<Producer> {
    const transactionalId = unique("transactions");
    const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
    producers.push(producer);
    await producer.connect();
    return producer;
  }
  const record = (value: string) => ({ topic, messages: [{ key: ZERO, value, partition: 0 }] });

  /** a1 b1 a2 (b aborts) c1 (commit) a3 (a aborts) */
  async function interleaved(): Promise<void> {
    topic = unique("topic");
    await bus.create([{ topic, partitions: 1 }]);
    const [one, two] = [await transactional(), await transactional()];
    const a = await one.transaction();
    await a.send(record("a1"));
    const b = await two.transaction();
    await b.send(record("b1"));
    await a.send(record("a2"));
    await b.abort();
    const c = await two.transaction();
    await c.send(record("c1"));
    await c.commit();
    await a.send(record("a3"));
    await a.abort();
  }

  test("aborted records are given to nobody, however transactions lie across each other", async () => {
    await interleaved();
    expect((await everything(bus, topic)).map(text)).toEqual(["c1"]);
  });

  test("neither when reading begins in the midst of them", async () => {
    await interleaved();
    const group = unique("group");
    await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "2" }] });
    const { records } = await probe(bus, { topic, group });
    await eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
    expect(records.map(text)).toEqual(["c1"]);
  });

  test("an open transaction is no lag: nobody can read beyond it", async () => {
    await interleaved();
    const open = await (await transactional()).transaction();
    await open.send(record("d1"));
    const group = unique("group");
    const { records, subscription } = await probe(bus, { topic, group });
    await eventually(() => subscription.lanes()[0]?.position === 8n);
    expect(subscription.lanes()[0]).toMatchObject({ position: 8n, end: 8n });
    await open.commit();
    await eventually(() => records.length === 2);
    expect(records.map(text)).toEqual(["c1", "d1"]);
  });
});
