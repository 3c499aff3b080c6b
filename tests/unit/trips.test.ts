import { routed, type MetroBus, type Received, type Settings } from "metrobus";
import { expect, test } from "vitest";
import type { Trip } from "../../runtime/trip-store.ts";
import { MOST_CARRIED } from "../../runtime/visits.ts";
import { json, line, type Line } from "../support/line.ts";
import { eventually, message } from "../support/probe.ts";

/** A busdriver, a stop, and a last one. */
async function pipeline(
  settings: Settings = {},
  prepare: (metro: MetroBus) => Promise<void> = async () => undefined,
): Promise<Line> {
  const bus = await line(settings);
  await prepare(bus.metro);
  await bus.stop("Log", () => null);
  await bus.stop(
    "Charge",
    (payload: { n: number }) => {
      if (payload.n === 13) throw Object.assign(new TypeError("no 13"), { code: "E13" });
      return { ...payload, charged: true };
    },
    { retries: { attempts: 2, baseMs: 1 } },
  );
  await bus.stop("Source", (payload: object) => routed(payload, ["Charge", "Log"]), { input: "raw" });
  return bus;
}

async function tripWith(metro: MetroBus, id: string, visits: number): Promise<Trip> {
  let trip: Trip | null = null;
  await eventually(async () => ((trip = await metro.trips.trip(id))?.visits.length ?? 0) >= visits);
  return trip!;
}

/** One message of 2^24 is recorded for the next hour. */
async function recordNone({ trips }: MetroBus): Promise<void> {
  const [now, later] = [0, Date.now() + 3_600_000].map((from) => ({ from, halvings: 24 }));
  await trips.announce(now!, undefined);
  await trips.announce(later!, now);
}

const outline = ({ visits }: Trip) => visits.map(({ stop, from, outcome, detail }) => [stop, from, outcome, detail]);

test("the trip of a message is kept whole: its visits, its key and its header, but not what it holds", async () => {
  await using bus = await pipeline();
  await bus.metro.send("Source", { n: 1 }, { key: "K" });
  const trip = await tripWith(bus.metro, "Source-0-0", 3);
  expect(outline(trip)).toEqual([
    ["Source", "", "forwarded", "Charge"],
    ["Charge", "Source", "forwarded", "Log"],
    ["Log", "Charge", "dropped", "returned null"],
  ]);
  expect(trip).toMatchObject({ id: "Source-0-0", key: "K", boarded: trip.visits[0]!.at });
  expect(JSON.parse(trip.header)).toMatchObject({ route: [], historical_route: ["Charge", "Log"], id: "Source-0-0" });
  expect(
    trip.visits.every(({ payload, instance }) => payload === undefined && instance.includes(`-${process.pid}-`)),
  ).toBe(true);
  expect(await bus.metro.trips.newest(5, "K")).toEqual(["Source-0-0"]);
});

test("METROBUS_TRIPS=payload keeps what came to each stop, without what METROBUS_REDACT names", async () => {
  await using bus = await pipeline({ METROBUS_TRIPS: "payload", METROBUS_REDACT: "email, card.number" });
  await bus.metro.send("Source", { n: 1, email: "a@b", card: { number: 4, name: "x" } });
  const { visits } = await tripWith(bus.metro, "Source-0-0", 3);
  const came = { n: 1, email: "[redacted]", card: { number: "[redacted]", name: "x" } };
  expect(visits.map(({ payload }) => JSON.parse(payload!) as unknown)).toEqual([
    came,
    came,
    { ...came, charged: true },
  ]);
});

test("a message that fails is kept with what it has been through and why, also when it is not among those that are recorded", async () => {
  await using bus = await pipeline({}, recordNone);
  await bus.metro.send("Source", { n: 1 });
  await bus.metro.send("Source", { n: 13 }, { key: "K" });
  await eventually(async () => (await bus.metro.trips.failed(1)).length === 1);
  const [id] = await bus.metro.trips.failed(1);
  const trip = (await bus.metro.trips.trip(id!))!;
  expect(outline(trip)).toEqual([
    ["Source", "", "forwarded", "Charge"],
    ["Charge", "Source", "dead", "E13"],
  ]);
  expect(trip.key).toBe("K");
  expect(trip.visits[1]).toMatchObject({ attempt: 2, error: { name: "TypeError", message: "no 13" } });
  expect(await bus.metro.trips.newest(10)).toEqual([id]);
  const { visits, notKept } = await bus.metro.trips.failures("Charge");
  expect(visits).toEqual([expect.objectContaining({ id, stop: "Charge", detail: "E13" })]);
  expect(notKept).toBe(0);
});

test("of very many that fail at once some are kept, and the rest is counted", async () => {
  await using bus = await pipeline();
  const count = 500;
  await bus.metro.bus.send(Array.from({ length: count }, (_, n) => message("Charge", `${n}`, "no message")));
  const told = async () => {
    const { notKept } = await bus.metro.trips.failures("Charge");
    return (await bus.metro.trips.failed(count)).length + notKept;
  };
  await eventually(async () => (await told()) >= count);
  expect(await told()).toBe(count);
  expect((await bus.metro.trips.failures("Charge")).notKept).toBeGreaterThan(0);
});

test("METROBUS_TRIPS=off records nothing, and adds nothing to messages; what they carry goes on", async () => {
  await using bus = await pipeline({ METROBUS_TRIPS: "off" });
  await bus.metro.send("Source", { n: 13 });
  await bus.metro.send("Source", { n: 1 });
  const [arrived] = await bus.records("Log", 1);
  expect(json(arrived!)["header"]).not.toHaveProperty("visits");
  await bus.records("Error", 1);
  expect(await bus.metro.trips.failed(1)).toEqual([]);
  expect(await bus.metro.trips.trip("Source-0-0")).toBeNull();
});

const carriedBefore = (count: number) => Array.from({ length: count }, (_, n) => `@Stop-${n}:here:${n}:2`).join(" ");

test.each([
  ["nothing", undefined, ""],
  ["a number", 7, ""],
  ["what is no visit", "hello @Stop-1:here:x:1 ::", "hello @Stop-1:here:x:1 :: "],
  ["what JSON escapes", '@Stop-1:here:1:1 "\\\n', ""],
  ["visits", carriedBefore(3), `${carriedBefore(3)} `],
])(
  "a message that carries %s in the place of visits goes on with what it has been through",
  async (_, visits, before) => {
    await using bus = await pipeline();
    const [good, bad] = [1, 13].map((n) => envelope(n, visits));
    await bus.metro.bus.send([message("Charge", "k", good!), message("Charge", "k", bad!)]);
    const carried = carriedOf((await bus.records("Log", 1))[0]!);
    expect(carried.startsWith(before)).toBe(true);
    expect(carried.slice(before.length)).toMatch(/^1:\w{4}:\d+(:\d+)?$/);
    const failed = async () => (await bus.metro.trips.failures("Charge")).visits;
    await eventually(async () => (await failed()).length === 1);
    expect(await failed()).toMatchObject([{ id: "me", stop: "Charge", outcome: "dead", attempt: 2 }]);
  },
);

test("what a message has been through is told when it fails: where, when, how long it waited and was worked on, at which attempt", async () => {
  await using bus = await pipeline({}, recordNone);
  const boarded = Date.now() - 60_000;
  const carried = "@A:here @B-1:there:100:20 @C:here:500::3 @D:it:400 @E:it:1000:4000 @F:it:30000";
  await bus.metro.bus.send([message("Charge", "k", envelope(13, carried, boarded))]);
  const trip = async () => bus.metro.trips.trip("me");
  await eventually(async () => ((await trip())?.visits.length ?? 0) > 6);
  const told = (await trip())!.visits;
  expect(told.map(({ stop, detail, at, waitedMs, workedMs }) => [stop, detail, at - boarded, waitedMs, workedMs]))
    // In the order of their times, since the clocks of two processes may differ.
    .toEqual([
      ["A", "B-1", 0, 100, 0],
      ["B-1", "C", 100, 380, 20],
      ["D", "E", 400, 600, 0],
      ["C", "D", 500, 0, 0],
      ["E", "F", 1_000, 25_000, 4_000],
      ["F", "Charge", 30_000, told.at(-1)!.at - boarded - 30_000, 0],
      ["Charge", "E13", expect.any(Number), expect.any(Number), expect.any(Number)],
    ]);
  expect(told.map(({ instance }) => instance).slice(0, 3)).toEqual(["here", "there", "it"]);
  expect(told.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 3, 1, 1, 2]);
});

test("of very many visits a message carries the newest", async () => {
  await using bus = await pipeline();
  await bus.metro.bus.send([message("Charge", "k", envelope(1, carriedBefore(1_000)))]);
  const carried = carriedOf((await bus.records("Log", 1))[0]!);
  expect(carried.length).toBeLessThan(MOST_CARRIED + 200);
  expect(carried).toMatch(/^@Stop-\d+:.* @Stop-999:here:999:2 1:[^ ]+$/);
});

const envelope = (n: number, visits: unknown, boarded = Date.now() - 60_000): string => {
  const header = { route: ["Log"], historical_route: ["Charge"], id: "me", boarded, visits };
  return JSON.stringify({ header, payload: { n } });
};
const carriedOf = (record: Received): string => (json(record)["header"] as { visits: string }).visits;
