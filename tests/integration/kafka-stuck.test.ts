import { createRequire } from "node:module";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, message, probe, text, unique } from "../support/probe.ts";

const brokers = inject("kafka");
const { prototype } = createRequire(import.meta.url)("kafkajs/src/broker/index.js") as {
  prototype: { fetch: (request: object) => Promise<unknown> };
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
