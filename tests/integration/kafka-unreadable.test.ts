import { connect, MetroStop, type MetroBus } from "metrobus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANY_TIME, fuzzKafka } from "../fuzz/kafka.ts";
import { bomb } from "../support/bombs.ts";
import { hasDocker } from "../support/docker.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { letterHeaders } from "../support/line.ts";
import { eventually, everything, unique } from "../support/probe.ts";
import { checked, produce, recordBatch, recordBytes } from "../support/record-batch.ts";

/** Kafka writes an offset and an epoch before this. */
const KEPT_FROM = 16;
const MEGABYTE = 1_048_576;
const LOGS = "/tmp/logs-of-the-test";

const good = (n: number) => recordBytes({ value: Buffer.from(`{"header":{"route":["End"]},"payload":${n}}`) });
const one = (body: Buffer) => recordBatch({ body });

describe.skipIf(!(await hasDocker()))("batches that can't be read (skipped without Docker)", () => {
  let kafka: KafkaBroker;
  let metro: MetroBus;
  beforeAll(async () => {
    kafka = await startKafka({ env: { KAFKA_LOG_DIRS: LOGS, ...ANY_TIME } });
    metro = await connect({
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: kafka.brokers,
      METROBUS_STATS: "memory",
      METROBUS_PARTITIONS: "1",
      METROBUS_CREATE_TOPICS: "true",
      LOG_LEVEL: process.env["TEST_LOG_LEVEL"] ?? "silent",
    });
  });
  afterAll(async () => {
    await metro?.close();
    await kafka?.stop();
  });

  /** Writes one good message, what is bad, and another good one; resolves with what a stop has made of them. */
  async function around(
    bad: Buffer,
    delivery: "at-least-once" | "exactly-once",
    damage?: (topic: string, from: number) => Promise<unknown>,
  ) {
    const [topic, end] = [unique("A"), unique("End")];
    await metro.create([topic, end]);
    const toEnd = (n: number) =>
      one(recordBytes({ value: Buffer.from(`{"header":{"route":["${end}"]},"payload":${n}}`) }));
    for (const batch of [toEnd(1), bad, toEnd(2)]) expect(await produce(kafka.brokers, topic, batch)).toBe(0);
    await damage?.(topic, toEnd(1).length);
    await using stop = new MetroStop(topic, (_, context) => context.pass(), { bus: metro, delivery });
    await stop.start();
    await eventually(async () => (await metro.state(topic)).every(({ position, end }) => position >= end));
    const letters = (await everything(metro.bus, "Error")).filter((each) => letterHeaders(each)["topic"] === topic);
    return { topic, arrived: await everything(metro.bus, end), letters };
  }

  test.each([
    ["gzip", bomb("gzip", 768), "at-least-once"],
    ["zstd", bomb("zstd", 2_032), "exactly-once"],
    ["lz4", bomb("lz4", 192), "at-least-once"],
  ] as const)(
    "a bomb of %s is a dead letter with its bytes, and what is behind it arrives",
    async (_codec, bad, delivery) => {
      expect(bad.length).toBeLessThan(MEGABYTE);
      const { topic, arrived, letters } = await around(bad, delivery);
      expect(arrived).toHaveLength(2);
      expect(letters).toHaveLength(1);
      expect(letterHeaders(letters[0]!)).toMatchObject({
        reason: "unreadable batch",
        offset: "1",
        message: expect.stringContaining(
          `records 1 to 1 of partition 0 of topic "${topic}" are one batch that can't be read`,
        ),
      });
      expect(letters[0]!.value!.subarray(KEPT_FROM).equals(bad.subarray(KEPT_FROM))).toBe(true);
    },
  );

  test("records whose numbers jump ahead leave nothing out", async () => {
    const body = Buffer.concat([good(7), recordBytes({ value: Buffer.from("8"), offsetDelta: 5_000 })]);
    const { arrived, letters } = await around(recordBatch({ body, count: 2, lastOffsetDelta: 1 }), "at-least-once");
    expect(arrived).toHaveLength(2);
    expect(letters.map((letter) => letterHeaders(letter))).toMatchObject([{ reason: "unreadable batch", offset: "2" }]);
  });

  test("what has rotted on a broker's disk since is noticed by its checksum", async () => {
    const { arrived, letters } = await around(one(good(3)), "at-least-once", async (topic, from) => {
      const file = `${LOGS}/${topic}-0/00000000000000000000.log`;
      const rot = `printf X | dd of=${file} bs=1 seek=${from + 70} conv=notrunc`;
      const { exitCode, output } = await kafka.container.exec(["sh", "-c", rot]);
      expect(exitCode, output).toBe(0);
    });
    expect(arrived).toHaveLength(2);
    expect(letters.map((letter) => letterHeaders(letter)["message"])).toEqual([
      expect.stringContaining("its checksum is another one"),
    ]);
  });

  test.each(["at-least-once", "exactly-once"] as const)(
    "hostile records through a stop's process: each is accounted for, and it stays small (%s)",
    async (delivery) => {
      const seed = Date.now() % 1_000_000;
      const { outcomes, peakMB } = await fuzzKafka({ brokers: kafka.brokers, seed, records: 300, delivery });
      expect(outcomes, `seed ${seed}`).toMatchObject({ forwarded: expect.any(Number), dead: expect.any(Number) });
      expect(peakMB, `seed ${seed}`).toBeLessThan(700);
    },
  );

  test("Kafka itself takes no batch with a wrong checksum", async () => {
    const topic = unique("A");
    await metro.create([topic]);
    const CORRUPT_MESSAGE = 2;
    const damaged = one(good(1));
    damaged[damaged.length - 3]! ^= 1;
    expect(await produce(kafka.brokers, topic, damaged)).toBe(CORRUPT_MESSAGE);
    expect(await produce(kafka.brokers, topic, checked(damaged))).toBe(0);
  });
});
