import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bus } from "../../runtime/bus.ts";
import { hasDocker } from "../support/docker.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, probe, text, unique } from "../support/probe.ts";

describe.skipIf(!(await hasDocker()))("records compressed by Java's producer (skipped without Docker)", () => {
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

  test.each(["none", "gzip", "snappy", "lz4", "zstd"])("are read: %s", async (codec) => {
    const topic = unique(codec);
    await bus.create([{ topic, partitions: 1 }]);
    // More than one block of xerial's snappy, which are of 32 KB.
    const lines = Array.from({ length: 2_000 }, (_, n) => `${n} ${"metrobus ".repeat(5)}`);
    await kafka.tool("kafka-console-producer.sh", ["--topic", topic, "--compression-codec", codec], lines.join("\n"));
    const { records } = await probe(bus, { topic, group: unique("group") });
    await eventually(() => records.length >= lines.length);
    expect(records.map(text)).toEqual(lines);
  });
});
