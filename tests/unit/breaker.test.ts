import { quantile, type StopContext } from "metrobus";
import { describe, expect, test, vi } from "vitest";
import { json, letterHeaders, line, type Line } from "../support/line.ts";
import { eventually } from "../support/probe.ts";

const quick = { retries: { attempts: 2, baseMs: 0 }, breaker: { baseMs: 1, capMs: 20 } };

/** A server that a stop's callback needs, up or down. */
function callee() {
  const state = { up: true, calls: 0, atOnce: 0, mostAtOnce: 0, attempts: [] as number[] };
  const callback = async (message: { n: number; broken?: boolean }, context: StopContext) => {
    state.calls++;
    state.mostAtOnce = Math.max(state.mostAtOnce, ++state.atOnce);
    await new Promise(setImmediate);
    state.atOnce--;
    state.attempts.push(context.attempt);
    if (!state.up) throw new Error("the callee is down");
    if (message.broken) throw new TypeError("broken");
    return message;
  };
  return { state, callback };
}

async function send(bus: Line, from: number, to: number, extra: object = {}): Promise<void> {
  for (let n = from; n < to; n++) await bus.metro.send("A", { n, ...extra }, { route: ["B"], key: `key ${n % 100}` });
}

const numbers = async (bus: Line, topic: string, atLeast = 0) =>
  (await bus.records(topic, atLeast)).map((record) => (json(record)["payload"] as { n: number }).n);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const openSince = async (bus: Line) => {
  await bus.metro.recorder.flush();
  return (await bus.metro.stats.read()).stops.find(({ stop }) => stop === "A")?.breaker;
};

describe("when all that a callback needs is down", () => {
  test.each([
    ["one partition, one after the other", "1", 1],
    ["four partitions, 64 at once", "4", 64],
  ])("few become dead letters, the others wait and go on in order: %s", async (_what, partitions, concurrency) => {
    await using bus = await line({ METROBUS_PARTITIONS: partitions });
    await bus.metro.create(["B"]);
    const { state, callback } = callee();
    const stop = await bus.stop("A", callback, { ...quick, concurrency });
    await send(bus, 0, 100);
    await bus.records("B", 100);

    state.up = false;
    await send(bus, 100, 1_000);
    await eventually(() => stop.health().problems.length > 0);
    // Once those that were under way have failed, one at a time is tried.
    await eventually(async () => {
      state.mostAtOnce = 0;
      const { calls } = state;
      await eventually(() => state.calls > calls + 8);
      return state.mostAtOnce === 1;
    });
    expect(stop.health()).toMatchObject({ ready: false, stuck: false });
    expect(stop.health().problems).toEqual([
      expect.stringMatching(
        /^the breaker is open since [-\dT:.]+Z: Error; (the next probe in \d+ s|a probe is under way)$/,
      ),
    ]);
    expect(await openSince(bus)).toEqual({ openings: 1, openSince: expect.closeTo(Date.now(), -5) });
    const letters = await numbers(bus, "Error");
    expect(letters.length).toBeLessThanOrEqual(10);

    state.up = true;
    const arrived = await numbers(bus, "B", 1_000 - letters.length);
    expect([...arrived, ...letters].toSorted((a, b) => a - b)).toEqual(upTo(1_000));
    expect(await numbers(bus, "Error")).toEqual(letters);
    for (const key of upTo(100)) {
      const ofKey = arrived.filter((n) => n % 100 === key);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
    expect(stop.health()).toMatchObject({ ready: true, problems: [] });
    expect(await openSince(bus)).toEqual({ openings: 1, openSince: 0 });
    expect(Math.max(...state.attempts)).toBeGreaterThan(2);
  });

  test("a stop may be stopped at once; what was held comes again", async () => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    const { state, callback } = callee();
    state.up = false;
    const slow = { ...quick, breaker: { baseMs: 600_000, capMs: 600_000 } };
    const first = await bus.stop("A", callback, slow);
    await send(bus, 0, 50);
    await eventually(() => first.health().problems.length > 0);
    await first.stop();
    expect(await openSince(bus)).toMatchObject({ openSince: 0 });
    state.up = true;
    await bus.stop("A", callback, slow);
    const letters = await numbers(bus, "Error");
    expect(letters).toEqual(upTo(8));
    expect(await numbers(bus, "B", 42)).toEqual(upTo(50).slice(8));
  });

  test("a lane that moves takes its probe with it, and the others are tried", async () => {
    await using bus = await line({ METROBUS_PARTITIONS: "2", SHUTDOWN_TIMEOUT: "0s" });
    await bus.metro.create(["B"]);
    const { state, callback } = callee();
    state.up = false;
    let hanging = 0;
    const hangs = (message: { n: number }, context: StopContext) =>
      context.attempt > 2 && message.n >= 0 && hanging++ === 0
        ? new Promise<never>(() => undefined)
        : callback(message, context);
    const first = await bus.stop("A", hangs, quick);
    await send(bus, 0, 100);
    await eventually(() => hanging > 0);
    state.up = true;
    // One of the two lanes goes to the newcomer, perhaps that of the probe, which never ends.
    const second = await bus.stop("A", callback, quick);
    await first.stop();
    const letters = await numbers(bus, "Error");
    expect(letters.length).toBeLessThanOrEqual(10);
    const arrived = new Set(await numbers(bus, "B", 100 - letters.length));
    await eventually(() => second.health().lag === 0);
    expect(arrived.size + letters.length).toBe(100);
  });

  test("switched off, every message is a dead letter", async () => {
    await using bus = await line();
    const { state, callback } = callee();
    state.up = false;
    await bus.stop("A", callback, { ...quick, breaker: false });
    await send(bus, 0, 50);
    expect(await numbers(bus, "Error", 50)).toEqual(upTo(50));
  });
});

describe("what does not open it", () => {
  test("one message in two that fails", async () => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    const { callback } = callee();
    await bus.stop("A", callback, quick);
    for (let n = 0; n < 100; n++) await send(bus, n, n + 1, { broken: n % 2 === 0 });
    expect(await numbers(bus, "Error", 50)).toEqual(upTo(100).filter((n) => n % 2 === 0));
    expect(await openSince(bus)).toEqual({ openings: 0, openSince: 0 });
  });

  test.each([
    ["one's own isRetryable calls the message's own", { isRetryable: (error: Error) => error.name !== "TypeError" }],
    [
      "a schema refuses",
      {
        schema: {
          "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "no" }] }) },
        } as never,
      },
    ],
  ])("failures that %s, one after the other", async (_what, options) => {
    await using bus = await line();
    const { callback } = callee();
    const stop = await bus.stop("A", callback, { ...quick, ...options });
    await send(bus, 0, 100, { broken: true });
    expect(await numbers(bus, "Error", 100)).toEqual(upTo(100));
    expect(stop.health().problems).toEqual([]);
  });
});

test("a probe that is the message's own fault is a dead letter, and the next one is tried", async () => {
  await using bus = await line();
  await bus.metro.create(["B"]);
  const { state, callback } = callee();
  state.up = false;
  const isRetryable = (error: Error) => error.name !== "TypeError";
  const stop = await bus.stop("A", callback, { ...quick, isRetryable });
  await send(bus, 0, 8);
  await send(bus, 8, 12, { broken: true });
  await send(bus, 12, 20);
  await eventually(() => stop.health().problems.length > 0);
  state.up = true;
  expect(await numbers(bus, "B", 8)).toEqual(upTo(20).slice(12));
  expect(await numbers(bus, "Error")).toEqual(upTo(12));
  expect((await bus.records("Error")).slice(8).map((letter) => letterHeaders(letter)["reason"])).toEqual(
    Array.from({ length: 4 }, () => "TypeError"),
  );
});

test("a callback that returns no promise is held and goes on too; the time it is held is no work", async () => {
  await using bus = await line();
  await bus.metro.create(["B"]);
  let up = false;
  const { now } = performance;
  const stop = await bus.stop(
    "A",
    (message: { n: number }) => {
      if (!up) throw new Error("down");
      return message;
    },
    { ...quick, retries: { attempts: 1 } },
  );
  await send(bus, 0, 30);
  await eventually(() => stop.health().problems.length > 0);
  vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 3_600_000);
  up = true;
  expect(await numbers(bus, "B", 22)).toEqual(upTo(30).slice(8));
  vi.restoreAllMocks();
  await bus.metro.recorder.flush();
  const { worked, waited } = (await bus.metro.stats.read()).stops.find(({ stop }) => stop === "A")!;
  expect(quantile(worked, 1)).toBeLessThan(60_000);
  expect(quantile(waited, 1)).toBeGreaterThan(3_000_000);
});
