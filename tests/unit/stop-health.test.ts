import { MetroStop, type MetroBus } from "metrobus";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Batch } from "../../runtime/bus.ts";
import { serveHealth } from "../../runtime/health.ts";
import { line } from "../support/line.ts";
import { eventually, message } from "../support/probe.ts";

/** The same connection to a bus on which nobody creates the dead-letter topic. */
const withoutDeadLetters = (metro: MetroBus): MetroBus => ({
  ...metro,
  bus: { ...metro.bus, create: (specs) => metro.bus.create(specs.filter(({ topic }) => topic !== "Error")) },
});

describe("a dead letter that can't be written", () => {
  test("keeps a stop from being ready until it is written, or its partition belongs to somebody else", async () => {
    await using bus = await line({ METROBUS_PARTITIONS: "2" });
    const metro = withoutDeadLetters(bus.metro);
    const problems = (stop: MetroStop<never>) => stop.health().problems;
    const one = await bus.stop("A", () => null, { bus: metro });
    for (const key of ["a", "b", "c", "d", "e", "f"]) await metro.bus.send([message("A", key, "no message")]);
    await eventually(() => problems(one).length > 0);
    expect(problems(one)).toEqual([expect.stringContaining('topic "Error" does not exist')]);
    expect(one.health().ready).toBe(false);

    const other = await bus.stop("A", () => null, { bus: metro });
    await eventually(() => problems(other).length > 0);
    await bus.metro.bus.create([{ topic: "Error" }]);
    await eventually(() => one.health().ready && other.health().ready);
    expect((await bus.records("Error", 6)).length).toBe(6);
  });
});

describe("/healthz", () => {
  afterEach(() => vi.useRealTimers());

  /** The same connection to a bus that delivers nothing, and one whose settlements are never done. */
  const silent = (metro: MetroBus): MetroBus => ({
    ...metro,
    bus: { ...metro.bus, consume: (options) => metro.bus.consume(options, () => new Promise(() => undefined)) },
  });
  const neverSettling = (metro: MetroBus): MetroBus => ({
    ...metro,
    bus: {
      ...metro.bus,
      consume: (options, onBatch) =>
        metro.bus.consume(options, (batch: Batch) => onBatch({ ...batch, settle: () => new Promise(() => undefined) })),
    },
  });

  async function afterTwoMinutes(wrap: (metro: MetroBus) => MetroBus, callback: () => unknown = () => null) {
    await using bus = await line({ SHUTDOWN_TIMEOUT: "10ms" });
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    const stop = await bus.stop("A", callback as () => null, { bus: wrap(bus.metro), retries: { baseMs: 1e9 } });
    await bus.metro.send("A", 1, { route: [] });
    const server = await serveHealth(0, () => [stop.health()]);
    const url = `http://localhost:${(server.address() as AddressInfo).port}/healthz`;
    const before = await fetch(url);
    await vi.advanceTimersByTimeAsync(120_000);
    const after = await fetch(url);
    vi.useRealTimers();
    server.close();
    return { before: before.status, after: after.status, text: await after.text() };
  }

  test("is 503 when the client lets messages lie although the bus answers, and says where", async () => {
    const { before, after, text } = await afterTwoMinutes(silent);
    expect([before, after]).toEqual([200, 503]);
    expect(text).toContain("no progress for 55 s on partition 0");
  });

  test("stays 200 while the bus does not answer: a new process would not find it either", async () => {
    const away = (metro: MetroBus): MetroBus => {
      const { bus, ...rest } = silent(metro);
      return { ...rest, bus: { ...bus, state: () => Promise.reject(new Error("no broker")) } };
    };
    expect(await afterTwoMinutes(away)).toMatchObject({ before: 200, after: 200 });
  });

  test.each<[what: string, wrap: (metro: MetroBus) => MetroBus, callback: () => unknown]>([
    ["a callback runs", (metro) => metro, () => new Promise(() => undefined)],
    ["a backoff waits", (metro) => metro, () => Promise.reject(new Error("not yet"))],
    ["sending or committing is tried again", neverSettling, () => null],
  ])("stays 200 while %s", async (_what, wrap, callback) => {
    expect(await afterTwoMinutes(wrap, callback)).toMatchObject({ before: 200, after: 200 });
  });
});
