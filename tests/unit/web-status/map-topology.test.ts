import { routed, type Settings } from "metrobus";
import { expect, test } from "vitest";
import { memoryStats } from "../../../runtime/stats-stores/memory.ts";
import type { Count, From, StatsStore } from "../../../runtime/stats-store.ts";
import { topology } from "../../../web-status/map/topology.ts";
import { line, type Line } from "../../support/line.ts";
import { eventually } from "../../support/probe.ts";

const NO_LAG = new Map();

async function read(stats: StatsStore) {
  const [snapshot, recent] = await Promise.all([stats.read(), stats.recent()]);
  return topology(snapshot, recent, NO_LAG);
}

type Found = Awaited<ReturnType<typeof read>>;
const named = ({ stops }: Found, name: string) => stops.find(({ stop }) => stop === name)!;
const waysOf = ({ ways }: Found) =>
  ways
    .map(({ from, to, recent, share }) => [from, to, recent, share])
    .toSorted((a, b) => (String(a) < String(b) ? -1 : 1));

/** A busdriver that sends some past the white list, a stop that drops and fails, and a last one. */
async function pipeline(settings: Settings = {}): Promise<Line> {
  const bus = await line(settings);
  await bus.stop("Log", (message: object) => message);
  await bus.stop(
    "WhiteList",
    (message: { n: number }, context) => {
      if (message.n === 1) throw Object.assign(new Error("no"), { code: "ENO" });
      return message.n < 4 ? context.drop("not on it") : message;
    },
    { retries: { attempts: 1 } },
  );
  const drive = (m: { n: number }) => routed(m, m.n % 5 === 0 ? ["Log"] : ["WhiteList", "Log"]);
  await bus.stop("Source", drive, { input: "raw" });
  return bus;
}

test("what messages did in a running pipeline is what the map shows", async () => {
  await using bus = await pipeline();
  for (let n = 0; n < 10; n++) await bus.metro.send("Source", { n });
  await eventually(async () => (await bus.counts("Log"))["arrived"]?.[""] === 7);
  const map = await read(bus.metro.stats);
  expect(map.stops.map(({ stop }) => stop)).toEqual(["Source", "WhiteList", "Log"]);
  expect(waysOf(map)).toEqual([
    ["Source", "Log", 2, 0.2],
    ["Source", "WhiteList", 8, 0.8],
    ["WhiteList", "Log", 5, 5 / 8],
  ]);
  expect(named(map, "WhiteList")).toMatchObject({
    instances: 1,
    recent: 8,
    dropped: { recent: 2, share: 0.25 },
    dead: { recent: 1, share: 0.125 },
    boards: null,
  });
  expect(named(map, "Source").boards).not.toBeNull();
  expect(map.ways.every(({ p95Ms, old }) => p95Ms !== null && p95Ms < 60_000 && !old)).toBe(true);
});

/** A store whose clock stands still until somebody moves it. */
function storeAt(start: number) {
  let now = start;
  let sequence = 0;
  const stats = memoryStats(() => now);
  const write = (stop: string, counts: Count[], from: From[] = []) =>
    stats.write({
      instance: "test",
      sequence: ++sequence,
      coversMs: 250,
      stops: [{ stop, counts, worked: {}, waited: {}, from, lastSeen: now, gaps: 0 }],
    });
  return { stats, write, move: (ms: number) => void (now += ms) };
}

const START = Date.UTC(2026, 0, 1);
const forwarded = (detail: string, count: number): Count => ({ outcome: "forwarded", detail, count });

test("rates are those of now, shares those of the last quarter of an hour, or of a minute with many messages", async () => {
  const { stats, write, move } = storeAt(START);
  const dead = (count: number): Count => ({ outcome: "dead", detail: "why", count });
  await write("A", [forwarded("B", 85), dead(5)]);
  move(80_000);
  await write("A", [forwarded("B", 5), forwarded("C", 5)]);
  move(1_000);
  const [few, lately] = [await read(stats), { p95Ms: null, old: false }];
  expect(few.ways).toEqual([
    { from: "A", to: "B", rate: 1, recent: 90, share: 0.9, ...lately },
    { from: "A", to: "C", rate: 1, recent: 5, share: 0.05, ...lately },
  ]);
  expect(named(few, "A").dead).toEqual({ rate: 0, recent: 5, share: 0.05 });
  await write("A", [forwarded("B", 5), forwarded("C", 25)]);
  move(1_000);
  const many = await read(stats);
  expect(many.ways).toEqual([
    { from: "A", to: "B", rate: 2, recent: 95, share: 0.25, ...lately },
    { from: "A", to: "C", rate: 6, recent: 30, share: 0.75, ...lately },
  ]);
  expect(named(many, "A").dead).toEqual({ rate: 0, recent: 5, share: 0 });
});

test("a way that nobody has taken lately is old; of many such the most taken ones are shown", async () => {
  const { stats, write, move } = storeAt(START);
  await write("A", [forwarded("B", 1), ...[1, 2, 3, 4, 5].map((n) => forwarded(`Old${n}`, 100 * n))]);
  move(30 * 60_000);
  await write("A", [forwarded("B", 10)]);
  const { ways, stops } = await read(stats);
  expect(ways.map(({ to, old }) => [to, old])).toEqual([
    ["B", false],
    ["Old5", true],
    ["Old4", true],
    ["Old3", true],
  ]);
  expect(stops.map(({ stop }) => stop).toSorted()).toEqual(["A", "B", "Old3", "Old4", "Old5"]);
});

test("the time between two stops is that of messages that came from the one to the other", async () => {
  const { stats, write } = storeAt(START);
  const fast = { stop: "A", waited: { 48: 100 } };
  await write("A", [forwarded("C", 100)]);
  await write("C", [{ outcome: "arrived", detail: "", count: 101 }], [fast, { stop: "B", waited: { 80: 1 } }]);
  const { ways } = await read(stats);
  const [fromA, fromB] = ["A", "B"].map((stop) => ways.find(({ from }) => from === stop)!);
  expect(fromA!.p95Ms).toBeLessThan(10);
  expect(fromB).toMatchObject({ rate: null, share: null, recent: 1 });
  expect(fromB!.p95Ms).toBeGreaterThan(1_000);
});

test("a stop that is well again looks well after a minute, and one that has just become slow looks slow", async () => {
  const { stats, write, move } = storeAt(START);
  const arrived = (count: number): Count[] => [{ outcome: "arrived", detail: "", count }];
  const [slow, fast] = [80, 48].map((bucket) => (count: number) => [{ stop: "A", waited: { [bucket]: count } }]);
  const p95 = async () => (await read(stats)).ways.find(({ to }) => to === "C")!.p95Ms;
  await write("C", arrived(1_000), slow!(1_000));
  expect(await p95()).toBeGreaterThan(1_000);
  move(80_000);
  await write("C", arrived(100), fast!(100));
  expect(await p95()).toBeLessThan(10);
  move(80_000);
  await write("C", arrived(30), slow!(30));
  expect(await p95()).toBeGreaterThan(1_000);
  move(80_000);
  expect(await p95()).toBeGreaterThan(1_000);
});

test("stops that tell little are there: of the original's counter, that nobody has, that are paused, that messages wait for", async () => {
  const { stats, write } = storeAt(START);
  await write("A", [forwarded("Nowhere", 3)]);
  await stats.pause("Paused", "ann");
  const snapshot = await stats.read();
  const crashed = {
    instance: "i",
    host: "h",
    pid: 1,
    version: "v1",
    startedAt: START,
    seenAt: START,
    stops: [
      { stop: "Crashed", group: "g", delivery: "at-least-once" as const, paused: false, problems: [], lanes: [] },
    ],
  };
  const withPython = {
    ...snapshot,
    vanished: [crashed],
    counter: { ...snapshot.counter, Python: 12, ["__proto__"]: 1 },
  };
  const lag = new Map([["Waiting", { messages: 4, seconds: 60, growth: null }]]);
  const { stops } = topology(withPython, await stats.recent(), lag);
  const states = Object.fromEntries(stops.map(({ stop, state, processed }) => [stop, [state, processed]]));
  expect(states).toMatchObject({
    A: ["idle", 3],
    Crashed: ["idle", 0],
    Nowhere: ["down", 0],
    Paused: ["paused", 0],
    Python: ["idle", 12],
    Waiting: ["down", 0],
  });
  expect(stops.map(({ stop }) => stop)).toContain("__proto__");
});

test("what is counted as “other”, where there are too many to tell apart, is no stop; a stop of that name is", async () => {
  const { stats, write } = storeAt(START);
  await write("Few", [forwarded("other", 3)]);
  const many = Array.from({ length: 120 }, (_, n) => forwarded(`T${n}`, 1));
  await write("Many", many);
  const { ways } = await read(stats);
  expect(ways.filter(({ to }) => to === "other").map(({ from }) => from)).toEqual(["Few"]);
  expect(ways.filter(({ from }) => from === "Many")).toHaveLength(100);
});

test("without what was done lately the map shows what there is now", async () => {
  const { stats, write, move } = storeAt(START);
  await write("A", [forwarded("B", 10)]);
  move(1_000);
  const { ways, stops } = topology(await stats.read(), null, NO_LAG);
  expect(ways).toMatchObject([{ from: "A", to: "B", rate: 2, share: null, p95Ms: null, old: false }]);
  expect(stops).toHaveLength(2);
});

test("a circle begins where messages board, and of all that a stop does now that part boards which did lately", async () => {
  const { stats, write, move } = storeAt(START);
  const few = (stop: string) => ({ stop, waited: { 1: 5 } });
  await write("Orders", [forwarded("Check", 5)], [few(""), few("Again")]);
  await write("Check", [forwarded("Again", 1)], [few("Orders")]);
  await write("Again", [forwarded("Orders", 1)], [few("Check")]);
  move(1_000);
  const { stops } = await read(stats);
  expect(stops.map(({ stop, boards }) => [stop, boards])).toEqual([
    ["Orders", 0.5],
    ["Check", null],
    ["Again", null],
  ]);
});
