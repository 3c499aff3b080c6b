import { afterAll, beforeAll, expect, test } from "vitest";
import type { LettersAnswer } from "../../web-status/letters/list.ts";
import type { StopAnswer } from "../../web-status/stop/answer.ts";
import { hasDocker } from "../support/docker.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { operated, type Operated } from "../support/operated.ts";
import { eventually } from "../support/probe.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";

const docker = await hasDocker();
let kafka: KafkaBroker;
let redis: RedisServer;
let scene: Operated;
let stop: string;

beforeAll(async () => {
  if (!docker) return;
  [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
  scene = await operated({ brokers: kafka.brokers, redis: redis.url, database: 0 });
  stop = scene.topic("Work");
  await scene.line.stop(stop, ({ n }: { n: number }) => {
    if (n === 2) throw new RangeError("two is too much");
    return { n };
  });
  for (let n = 0; n < 4; n++) await scene.line.metro.send(stop, { n }, { route: [] });
  await eventually(async () => (await letters()).groups.length === 1);
  await eventually(async () => (await one()).failures?.visits.length === 1);
}, 120_000);
afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
  await Promise.all([kafka?.stop(), redis?.remove()]);
});

const one = () => scene.ask<StopAnswer>(`/api/v1/stops/${stop}`);
const letters = () => scene.ask<LettersAnswer>("/api/v1/letters");

test.skipIf(!docker)(
  "without Redis a stop is shown as it was last, and an operator is told what can't be read",
  async () => {
    await redis.stop();
    await eventually(async () => (await one()).fault !== null);
    const { totals, failures, failuresFault } = await one();
    expect(totals).toMatchObject({ processed: 4, dead: 1 });
    expect([failures, failuresFault]).toEqual([null, expect.stringContaining("Redis at")]);
    await redis.start();
    await eventually(async () => (await one()).fault === null);
    expect((await one()).failures?.visits).toHaveLength(1);
  },
);

test.skipIf(!docker)("without Kafka the page shows what it knows, and what it can't read and why", async () => {
  await kafka.container.stop({ remove: false });
  const { groups, letters: listed, fault } = await letters();
  expect(groups).toMatchObject([{ stop, reason: "RangeError", open: 1 }]);
  expect(listed).toEqual([]);
  expect(fault).toContain(kafka.brokers);
  const shown = await one();
  expect(shown.fault).toBeNull();
  expect(shown.totals).toMatchObject({ processed: 4, dead: 1 });
});
