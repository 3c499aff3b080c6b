import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { Unavailable } from "../../runtime/errors.ts";
import { docker, freePort, hasDocker } from "../support/docker.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, everything, message, probe, settle, text, unique } from "../support/probe.ts";

test("a broker that is not there is waited for, and then named with the setting to correct", async () => {
  const nowhere = `127.0.0.1:${await freePort()}`;
  const error = await openKafkaBus(nowhere, { METROBUS_CONNECT_TIMEOUT: "3s" }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Unavailable);
  expect((error as Error).message).toContain(nowhere);
  expect((error as Error).message).toContain("ECONNREFUSED");
  expect((error as Error).message).toContain("METROBUS_CONNECT_TIMEOUT");
});

test.skipIf(!(await hasDocker()))("a broker that names an address which can't be reached is told apart", async () => {
  const elsewhere = `127.0.0.1:${await freePort()}`;
  const kafka = await startKafka({
    env: { KAFKA_ADVERTISED_LISTENERS: `OUTER://${elsewhere},INNER://localhost:19092` },
  });
  const error = await openKafkaBus(kafka.brokers, { METROBUS_CONNECT_TIMEOUT: "5s" }).catch(
    (thrown: unknown) => thrown,
  );
  await kafka.stop();
  expect((error as Error).message).toContain(`names ${elsewhere} as its broker`);
  expect((error as Error).message).toContain("advertised.listeners");
});

describe.skipIf(!(await hasDocker()))("a Kafka that goes away (skipped without Docker)", () => {
  let kafka: KafkaBroker;
  let bus: Bus;
  beforeAll(async () => {
    kafka = await startKafka();
    bus = await openKafkaBus(kafka.brokers);
  });
  afterAll(async () => {
    await bus.close();
    await kafka.stop();
  });

  /** A stop that forwards all of a topic, and somebody who sends to it all the while. */
  async function underLoad(disturb: () => Promise<void>) {
    const [topic, next, group] = [unique("topic"), unique("next"), unique("group")];
    await bus.create([
      { topic, partitions: 4 },
      { topic: next, partitions: 4 },
    ]);
    const { subscription, records } = await probe(bus, { topic, group }, async (batch) => {
      const out = batch.records.map((record, index) => ({ index, out: [message(next, text(record), text(record))] }));
      settle(batch, out).catch(() => undefined);
    });
    let sent = 0;
    let ending = false;
    const sending = (async () => {
      while (!ending) {
        await bus.send(Array.from({ length: 50 }, (_, n) => message(topic, `key ${sent + n}`, String(sent + n))));
        sent += 50;
      }
    })();
    await eventually(() => records.length > 1_000);
    await disturb();
    const before = sent;
    await eventually(() => sent > before + 1_000);
    ending = true;
    await sending;
    await eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
    await subscription.stop(Date.now() + 10_000);
    const seen = new Set((await everything(bus, next)).map((record) => Number(record.value)));
    const missing = Array.from({ length: sent }, (_, n) => n).filter((n) => !seen.has(n));
    expect(missing).toEqual([]);
  }

  test("restarted under load: nothing is lost, and all goes on by itself", () => underLoad(() => kafka.restart()));

  test("frozen for longer than requests wait: nothing is lost, and all goes on by itself", () =>
    underLoad(async () => {
      const id = kafka.container.getId();
      await docker("pause", id);
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      await docker("unpause", id);
    }));
});
