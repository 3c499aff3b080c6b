import { createRequire } from "node:module";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, everything, message, probe, text, unique } from "../support/probe.ts";

const brokers = inject("kafka");
const { prototype } = createRequire(import.meta.url)("kafkajs/src/broker/index.js") as {
  prototype: Record<"fetch" | "produce", (request: object) => Promise<unknown>>;
};

describe.skipIf(!brokers)("a client that hangs (skipped without Docker)", () => {
  const { fetch } = prototype;
  let bus: Bus;
  beforeAll(async () => {
    bus = await openKafkaBus(brokers!);
  });
  afterEach(() => {
    prototype.fetch = fetch;
  });
  afterAll(() => bus.close());

  test("is replaced, and what waited comes", { timeout: 180_000 }, async () => {
    const topic = unique("topic");
    await bus.create([{ topic, partitions: 1 }]);
    const { records } = await probe(bus, { topic, group: unique("group") });
    await bus.send([message(topic, null, "before")]);
    await eventually(() => records.length === 1);
    const hanging = new Set<unknown>();
    prototype.fetch = function (request) {
      // Only this connection: a new one is as good as ever.
      if (hanging.size === 0) hanging.add(this);
      return hanging.has(this) ? new Promise(() => undefined) : fetch.call(this, request);
    };
    await eventually(() => hanging.size === 1);
    await bus.send([message(topic, null, "after")]);
    await eventually(() => records.length === 2);
    expect(records.map(text)).toEqual(["before", "after"]);
  });
});

describe.skipIf(!brokers)("results that the brokers refuse for now (skipped without Docker)", () => {
  const { produce } = prototype;
  afterEach(() => {
    prototype.produce = produce;
  });

  test.each(["at-least-once", "exactly-once"] as const)(
    "are told of, and sent when they are taken: %s",
    async (delivery) => {
      const [bus, topic, next, group] = [
        await openKafkaBus(brokers!),
        unique("topic"),
        unique("next"),
        unique("group"),
      ];
      await bus.create([topic, next].map((name) => ({ topic: name, partitions: 1 })));
      await bus.send([message(topic, null, "1")]);
      const notNow = Object.assign(new Error("not enough replicas are in sync"), {
        type: "NOT_ENOUGH_REPLICAS",
        retriable: true,
      });
      prototype.produce = () => Promise.reject(notNow);
      const { subscription } = await probe(bus, { topic, group, delivery }, ({ settle: carryOut, records }) =>
        carryOut(
          records.map((record, index) => ({ index, out: [message(next, null, text(record))] })),
          () => [],
        ),
      );
      await eventually(() => subscription.problem?.()?.includes("not taken the results of partition 0") ?? false);
      expect(await everything(bus, next)).toEqual([]);
      prototype.produce = produce;
      await eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
      expect((await everything(bus, next)).map(text)).toEqual(["1"]);
      await eventually(() => subscription.problem?.() === null);
      await bus.close();
    },
  );
});

describe.skipIf(!brokers)("a request to write that the client forgets (skipped without Docker)", () => {
  const { produce } = prototype;
  afterEach(() => {
    prototype.produce = produce;
  });

  test("is given up, and what was to be written is written once", { timeout: 180_000 }, async () => {
    const bus = await openKafkaBus(brokers!);
    const lines = (["at-least-once", "exactly-once"] as const).map((delivery) => {
      const [topic, next, group] = [unique("topic"), unique("next"), unique("group")];
      return { topic, next, group, delivery };
    });
    await bus.create(lines.flatMap(({ topic, next }) => [topic, next]).map((topic) => ({ topic, partitions: 1 })));
    for (const { topic } of lines) await bus.send([message(topic, null, "1")]);
    let forgotten = 0;
    prototype.produce = () => {
      forgotten++;
      return new Promise(() => undefined);
    };
    for (const { topic, next, group, delivery } of lines)
      await probe(bus, { topic, group, delivery }, ({ settle: carryOut, records }) =>
        carryOut(
          records.map((record, index) => ({ index, out: [message(next, null, text(record))] })),
          () => [],
        ),
      );
    await eventually(() => forgotten === 2);
    prototype.produce = produce;
    for (const { topic, next, group } of lines) {
      await eventually(async () => (await bus.state(group, topic)).every(({ position, end }) => position === end));
      expect((await everything(bus, next)).map(text)).toEqual(["1"]);
    }
    await bus.close();
  });
});
