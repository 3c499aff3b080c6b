import { describe, expect, test } from "vitest";
import { Unavailable } from "../../runtime/errors.ts";
import { statsRecorder } from "../../runtime/stats-recorder.ts";
import { MAX_DETAILS, type Flush, type StatsStore } from "../../runtime/stats-store.ts";
import { memoryStats } from "../../runtime/stats-stores/memory.ts";
import { eventually } from "../support/probe.ts";

/** A store whose server can be down, and whose answer can get lost after it has written. */
function breakable() {
  const store = memoryStats();
  const state: { fault: "none" | "down" | "answer lost" | "hung" } = { fault: "none" };
  const tried: Flush[] = [];
  const write: StatsStore["write"] = async (flush) => {
    tried.push(flush);
    if (state.fault === "hung") return new Promise(() => undefined);
    if (state.fault === "down") throw new Unavailable("the server is gone");
    const orders = await store.write(flush);
    if (state.fault !== "none") throw new Unavailable("the server is gone");
    return orders;
  };
  const logged: string[] = [];
  const log = {
    warn: (line: string) => logged.push(`warn: ${line}`),
    info: (line: string) => logged.push(`info: ${line}`),
  };
  const recorder = statsRecorder({ ...store, write }, { instance: "me", log: log as never, flushEveryMs: 5 });
  const processed = async (stop: string) => (await store.read()).stops.find((found) => found.stop === stop)?.processed;
  return { recorder, store, state, tried, logged, processed };
}

test("what is counted arrives by itself", async () => {
  const { recorder, store, processed } = breakable();
  recorder.count("WhiteList", "forwarded", "Log");
  recorder.count("WhiteList", "forwarded", "Log");
  recorder.count("WhiteList", "dropped", "not on the list", 3);
  recorder.times("WhiteList", 0.001, 1, "Source");
  recorder.gap("Source", 7);
  await eventually(async () => (await processed("WhiteList")) === 5);
  const { stops } = await store.read();
  expect(stops).toMatchObject([
    { stop: "Source", processed: 0, gaps: 7 },
    { stop: "WhiteList", forwarded: 2, dropped: 3, worked: { 0: 1 }, waited: { 39: 1 } },
  ]);
  expect(stops[1]!.lastSeen).toBeGreaterThan(Date.now() - 60_000);
});

test("nothing is written while nothing is counted", async () => {
  const { recorder, tried } = breakable();
  await recorder.flush();
  recorder.count("Log", "arrived", "");
  await recorder.flush();
  await recorder.flush();
  await recorder.close();
  expect(tried).toHaveLength(1);
});

test("what could not be written is written again, the same with the same number; the rest follows", async () => {
  const { recorder, state, tried, processed } = breakable();
  state.fault = "answer lost";
  recorder.count("Log", "arrived", "", 1);
  await recorder.flush();
  recorder.count("Log", "arrived", "", 10);
  await recorder.flush();
  recorder.count("Log", "arrived", "", 100);
  state.fault = "none";
  await recorder.flush();
  expect(tried.map(({ sequence }) => sequence)).toEqual([1, 1, 1, 2]);
  expect(tried.slice(1, 3)).toEqual([tried[0], tried[0]]);
  expect(await processed("Log")).toBe(111);
});

test("a store that is down is reported once, and once when it is back", async () => {
  const { recorder, state, logged, processed } = breakable();
  for (const outage of [1, 2]) {
    state.fault = "down";
    for (let n = 0; n < 3; n++) {
      recorder.count("Log", "arrived", "");
      await recorder.flush();
    }
    expect(logged).toHaveLength(2 * outage - 1);
    expect(logged.at(-1)).toMatch(/^warn: .*the server is gone/);
    state.fault = "none";
    await eventually(async () => (await processed("Log")) === 3 * outage);
    expect(logged).toHaveLength(2 * outage);
    expect(logged.at(-1)).toMatch(/^info: /);
  }
});

test("close tries until its deadline, and says what is lost", async () => {
  for (const fault of ["down", "hung"] as const) {
    const { recorder, state, logged } = breakable();
    state.fault = fault;
    recorder.count("Log", "arrived", "");
    await recorder.close(Date.now() + 30);
    expect(logged.at(-1)).toMatch(/lost/);
  }
});

test("close waits for a store that comes back in time", async () => {
  const { recorder, state, tried, processed } = breakable();
  state.fault = "down";
  recorder.count("Log", "arrived", "");
  const closing = recorder.close(Date.now() + 60_000);
  await eventually(() => tried.length > 2);
  state.fault = "none";
  await closing;
  expect(await processed("Log")).toBe(1);
});

test("a stop has a bounded number of details; the rest is counted as other", async () => {
  const { recorder, store } = breakable();
  for (let n = 0; n < MAX_DETAILS + 50; n++) {
    recorder.count("Log", "dropped", `reason ${n}`);
    if (n % 40 === 0) await recorder.flush();
  }
  recorder.count("Log", "dead", "late");
  recorder.count("Log", "dropped", "reason 0");
  await recorder.flush();
  const { counts, dropped, dead } = (await store.read()).stops[0]!;
  expect(dropped).toBe(MAX_DETAILS + 51);
  expect(dead).toBe(1);
  expect(counts.length).toBeLessThanOrEqual(MAX_DETAILS + 2);
  expect(counts).toContainEqual(expect.objectContaining({ outcome: "dropped", detail: "other", count: 50 }));
  expect(counts).toContainEqual(expect.objectContaining({ outcome: "dropped", detail: "reason 0", count: 2 }));
});

test.each<[what: string, given: unknown, counted: string]>([
  ["a long one is cut", "r".repeat(1_000_000), "r".repeat(256)],
  [
    "half a character, also where it was cut, is U+FFFD",
    `\ud83d${"r".repeat(254)}😀`,
    `\ufffd${"r".repeat(254)}\ufffd`,
  ],
  ["null", null, "null"],
  ["a number", 14, "14"],
  ["an object that is no text", { toString: 1 }, "{ toString: 1 }"],
])("a reason is text that every store takes: %s", async (_what, given, counted) => {
  const { recorder, store } = breakable();
  for (let n = 0; n < 2; n++) recorder.count("Log", "dropped", given as string);
  await recorder.flush();
  expect((await store.read()).stops[0]!.counts).toMatchObject([{ outcome: "dropped", detail: counted, count: 2 }]);
});

describe("a stop that has joined", () => {
  const member = (stop: string) => {
    const paused: boolean[] = [];
    const presence = { stop, group: "g", delivery: "at-least-once", paused: false, problems: [], lanes: [] } as const;
    return { member: { stop, tell: () => presence, pause: (wanted: boolean) => void paused.push(wanted) }, paused };
  };

  test("is told of though it counts nothing, until it leaves; then its process is not there any more", async () => {
    const { recorder, store } = breakable();
    const stops = async () => (await store.read()).instances.flatMap(({ stops }) => stops.map(({ stop }) => stop));
    const [one, other] = [member("One").member, member("Other").member];
    await recorder.join(one);
    await recorder.join(other);
    expect(await stops()).toEqual(["One", "Other"]);
    recorder.leave(one);
    await recorder.flush();
    expect(await stops()).toEqual(["Other"]);
    await recorder.close();
    expect(await store.read()).toMatchObject({ instances: [] });
  });

  test("has heard whether it is paused when joining is done, and hears it again with every write", async () => {
    const { recorder, store } = breakable();
    await store.pause("One", "ann");
    const { member: one, paused } = member("One");
    await recorder.join(one);
    expect(paused.at(-1)).toBe(true);
    await store.resume("One");
    await eventually(() => paused.at(-1) === false);
    await recorder.close();
  });

  test.each(["down", "hung"] as const)(
    "is not kept waiting by a store that is %s, and keeps what it was told",
    async (fault) => {
      const { recorder, state } = breakable();
      state.fault = fault;
      const { member: one, paused } = member("One");
      await recorder.join(one);
      expect(paused).toEqual([]);
    },
  );
});
