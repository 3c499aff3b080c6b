import { join } from "node:path";
import { bulkRuns, connect, deadLetters, type BulkRun, type MetroBus, type Outgoing } from "metrobus";
import { describe, expect, inject, test } from "vitest";
import { eventually, everything, unique } from "../support/probe.ts";
import { start, type Running } from "../support/program.ts";
import { startKafka } from "../support/kafka.ts";
import { startRedis } from "../support/redis.ts";

const [brokers, redis] = [inject("kafka"), inject("redis")];
const AT_STEP = join(import.meta.dirname, "../faults/fixtures/at-step.ts");
const WORKER = join(import.meta.dirname, "fixtures/bulk-worker.ts");

const headers = (facts: Record<string, string>) =>
  Object.entries(facts).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);

function letter(topic: string, stop: string, n: number): Outgoing {
  const failure = { stop, topic: stop, reason: "Error", error: "Error" };
  return { topic, key: Buffer.from(String(n)), value: Buffer.from(String(n)), headers: headers(failure) };
}

interface Scene extends AsyncDisposable {
  readonly metro: MetroBus;
  readonly stop: string;
  /** A process that works on runs, as a page does. */
  page(env?: Record<string, string>): Running;
  /** The numbers of the letters that have come to the stop's topic, sorted. */
  sent(): Promise<number[]>;
}

async function scene(letters: number, servers: { brokers: string; redis: string }): Promise<Scene> {
  const [topic, stop] = [unique("Letters"), unique("Stop")];
  const settings = {
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: servers.brokers,
    REDIS_URL: servers.redis,
    METROBUS_DEAD_LETTER_TOPIC: topic,
    METROBUS_CREATE_TOPICS: "true",
    LOG_LEVEL: "silent",
  } as const;
  const metro = await connect(settings);
  await metro.bus.create([{ topic, keepForever: true }, { topic: stop }]);
  await metro.bus.send(Array.from({ length: letters }, (_, n) => letter(topic, stop, n)));
  const pages: Running[] = [];
  return {
    metro,
    stop,
    page(env = {}) {
      const page = start([process.execPath, "--import", AT_STEP, WORKER], { ...settings, ...env });
      pages.push(page);
      return page;
    },
    sent: async () => (await everything(metro.bus, stop)).map(({ value }) => Number(value)).sort((a, b) => a - b),
    async [Symbol.asyncDispose]() {
      for (const { process: page } of pages) page.kill("SIGKILL");
      await Promise.all(pages.map(({ ended }) => ended));
      await metro.close();
    },
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

async function until(metro: MetroBus, id: string, condition: (run: BulkRun) => boolean): Promise<BulkRun> {
  let run: BulkRun | null = null;
  await eventually(async () => {
    run = await bulkRuns(metro)
      .get(id)
      .catch(() => null);
    return run !== null && condition(run);
  });
  return run!;
}

const LETTERS = 1_000;
const nothingElse = { already: 0, failed: 0, failures: [] };

describe.skipIf(!brokers || !redis)("bulk runs on Kafka and Redis (needs Docker)", () => {
  /** All letters have come once, all records say so, and so does the report. */
  async function adds({ metro, sent }: Scene, { id }: BulkRun): Promise<void> {
    const last = await until(metro, id, ({ state }) => state !== "running");
    expect(last).toMatchObject({ state: "done", by: "ann", total: LETTERS, error: "" });
    expect(last.report).toEqual({ asked: LETTERS, done: LETTERS, ...nothingElse });
    expect(await sent()).toEqual(upTo(LETTERS));
    const done = (await Array.fromAsync(deadLetters(metro).audit())).filter(({ outcome }) => outcome === "done");
    expect(done.every((action) => action.run === id && action.by === "ann")).toBe(true);
    expect(new Set(done.map((action) => action.letter)).size).toBe(LETTERS);
    expect(done).toHaveLength(LETTERS);
  }

  const request = { action: "replay", filter: {}, rate: 200, by: "ann", total: LETTERS } as const;

  test.for(["before", "after"] as const)(
    "a page is killed in the middle, %s a transaction's end: the one that is started again finishes, each letter comes once, and the report adds up",
    async (moment) => {
      await using scenery = await scene(LETTERS, { brokers: brokers!, redis: redis! });
      const { metro, page } = scenery;
      const run = await bulkRuns(metro).start(request);
      const { code, stdout } = await page({ FAULT_STEP: `EndTxn ${moment} 10 SIGKILL` }).ended;
      expect({ code, stdout }).toEqual({ code: null, stdout: expect.stringContaining(`step EndTxn ${moment}`) });
      const { total } = await deadLetters(metro).groups();
      expect(total!.replayed).toBeLessThan(LETTERS);
      page();
      await adds(scenery, run);
    },
  );

  test("of two pages side by side the one that works on a run is killed: the other one finishes it", async () => {
    await using scenery = await scene(LETTERS, { brokers: brokers!, redis: redis! });
    const { metro, page } = scenery;
    const pages = [page(), page()];
    await Promise.all(pages.map((each) => each.printed(/works/)));
    const run = await bulkRuns(metro).start(request);
    const { worker } = await until(metro, run.id, ({ report }) => report.done > 100);
    const working = pages.findIndex(({ process: { pid } }) => worker.endsWith(`-${pid}`));
    pages[working]!.process.kill("SIGKILL");
    const next = await until(metro, run.id, (now) => now.worker !== "" && now.worker !== worker);
    expect(next.worker).toMatch(new RegExp(`-${pages[1 - working]!.process.pid}$`));
    await adds(scenery, run);
  });

  test("Redis goes away in the middle for longer than a lease: the run goes on when it is back", async () => {
    const server = await startRedis();
    try {
      await using scenery = await scene(LETTERS, { brokers: brokers!, redis: server.url });
      const { metro, page, sent } = scenery;
      const { id } = await bulkRuns(metro).start({ action: "replay", filter: {}, rate: 50 });
      page();
      await until(metro, id, ({ report }) => report.done > 20);
      await server.stop();
      const since = performance.now();
      await eventually(() => performance.now() - since > 15_000);
      const before = (await sent()).length;
      expect(before).toBeLessThan(LETTERS);
      await server.start();
      const last = await until(metro, id, ({ state }) => state !== "running");
      expect(last).toMatchObject({ state: "done", report: { asked: LETTERS, done: LETTERS, ...nothingElse } });
      expect(await sent()).toEqual(upTo(LETTERS));
    } finally {
      await server.remove();
    }
  });

  test("Kafka is started again in the middle: the run goes on", async () => {
    const server = await startKafka();
    try {
      await using scenery = await scene(LETTERS, { brokers: server.brokers, redis: redis! });
      const { metro, page, sent } = scenery;
      const { id } = await bulkRuns(metro).start({ action: "replay", filter: {}, rate: 100 });
      page();
      await until(metro, id, ({ report }) => report.done > 20);
      await server.restart();
      const last = await until(metro, id, ({ state }) => state !== "running");
      expect(last).toMatchObject({ state: "done", error: "" });
      expect(last.report).toEqual({ asked: LETTERS, done: LETTERS, ...nothingElse });
      expect(await sent()).toEqual(upTo(LETTERS));
    } finally {
      await server.stop();
    }
  });
});
