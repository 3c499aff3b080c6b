import { deadLetters, type LetterGroup, type LetterGroups, type Outgoing } from "metrobus";
import { expect, test } from "vitest";
import { line, type Line } from "../support/line.ts";
import { message } from "../support/probe.ts";

interface Failed {
  readonly stop?: string;
  readonly reason?: string;
  readonly error?: string;
  readonly message?: string;
  readonly time?: string;
}

function letter({
  stop = "Check",
  reason = "ETIMEDOUT",
  error = "Error",
  message: said = "",
  time = "",
}: Failed = {}): Outgoing {
  const facts = Object.entries({ stop, topic: "Check", reason, error, message: said, time });
  const headers = facts.map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);
  return { ...message("Error", null, "{}"), headers };
}

const write = (bus: Line, count: number, failed?: Failed) =>
  bus.metro.bus.send(Array.from({ length: count }, () => letter(failed)));

async function withLetters(settings: Record<string, string> = {}, keepForever = true): Promise<Line> {
  const bus = await line(settings);
  await bus.metro.bus.create([{ topic: "Error", keepForever }, { topic: "Check" }]);
  return bus;
}

const told = ({ stop, reason, error, open, asked, replayed, discarded }: LetterGroup) =>
  `${stop}/${reason}/${error}: ${open} ${asked} ${replayed} ${discarded}`;
const all = ({ groups }: LetterGroups) => groups.map(told);

test("letters are counted by stop, reason and error, those with the most that nobody has handled first", async () => {
  await using bus = await withLetters();
  await write(bus, 2, { stop: "A", time: "2026-11-20T10:00:00Z" });
  await write(bus, 3, { stop: "B", error: "TypeError" });
  await write(bus, 1, { stop: "A", time: "2026-11-21T10:00:00Z" });
  await write(bus, 1, { stop: "A", reason: "schema", time: "2026-11-19T10:00:00Z" });
  await bus.metro.bus.send([message("Error", null, "of somebody else")]);
  const letters = deadLetters(bus.metro);
  await letters.discard({ stop: "B" }, { reason: "test orders" });
  await letters.replay({ ids: ["0-0"] }, { to: "Check" });
  const found = await letters.groups();
  expect(all(found)).toEqual([
    "A/ETIMEDOUT/Error: 2 0 1 0",
    "A/schema/Error: 1 0 0 0",
    "//: 1 0 0 0",
    "B/ETIMEDOUT/TypeError: 0 0 0 3",
  ]);
  const [first, last] = [Date.parse("2026-11-20T10:00:00Z"), Date.parse("2026-11-21T10:00:00Z")];
  expect(found.groups[0]).toMatchObject({ first, last });
  expect(found).toMatchObject({ other: null, total: { open: 4, asked: 0, replayed: 1, discarded: 3 } });
  expect(all(await letters.groups({ filter: { stop: "A", state: "open" } }))).toEqual([
    "A/ETIMEDOUT/Error: 2 0 0 0",
    "A/schema/Error: 1 0 0 0",
  ]);
  const counts = letters.counts();
  await counts.refresh();
  expect(counts.groups()).toEqual(found);
});

test("counts that are kept up follow what comes and what is done, whoever does it", async () => {
  await using bus = await withLetters({ METROBUS_PARTITIONS: "3" });
  const counts = deadLetters(bus.metro).counts();
  await counts.refresh();
  expect(counts.groups()).toEqual({ groups: [], other: null, total: null });
  await write(bus, 10, { stop: "A" });
  await counts.refresh();
  expect(all(counts.groups())).toEqual(["A/ETIMEDOUT/Error: 10 0 0 0"]);
  const other = deadLetters(bus.metro);
  await other.replay({ ids: ["0-0", "1-0"] }, { to: "Check" });
  await other.replay({ ids: ["2-0"] }, { to: "Missing" });
  await write(bus, 5, { stop: "B" });
  await other.discard({ stop: "B" }, { reason: "enough" });
  await counts.refresh();
  expect(all(counts.groups())).toEqual(["A/ETIMEDOUT/Error: 8 0 2 0", "B/ETIMEDOUT/Error: 0 0 0 5"]);
  const { read, total } = counts.progress();
  expect({ read }).toEqual({ read: total });
});

test("what is asked for and not done yet is told as that", async () => {
  await using bus = await withLetters();
  await write(bus, 3);
  const letters = deadLetters(bus.metro);
  await letters.replay({ ids: ["0-1"] }, { to: "Missing" });
  const counts = letters.counts();
  await counts.refresh();
  expect(all(counts.groups())).toEqual(["Check/ETIMEDOUT/Error: 3 0 0 0"]);
  const [request] = await bus.records("Error.actions");
  await bus.metro.bus.send([request!]);
  await counts.refresh();
  expect(all(counts.groups())).toEqual(["Check/ETIMEDOUT/Error: 2 1 0 0"]);
});

test("letters that retention has removed are counted no more, and their groups go", async () => {
  await using bus = await withLetters({ METROBUS_PARTITIONS: "2" }, false);
  const letters = deadLetters(bus.metro);
  const counts = letters.counts();
  for (const [round, stop] of ["A", "B", "C", "D", "E"].entries()) {
    await write(bus, 900, { stop });
    await letters.discard({ ids: [`0-${round * 450 + 7}`, `1-${round * 450 + 9}`] }, { reason: "enough" });
    await counts.refresh();
    const fresh = await deadLetters(bus.metro).groups();
    const names = ({ groups, total }: LetterGroups) => ({ groups: groups.map(told).toSorted(), open: total!.open });
    expect(names(counts.groups())).toEqual(names(fresh));
  }
  expect(counts.groups().groups.map(({ stop }) => stop)).toEqual(expect.not.arrayContaining(["A", "B"]));
  expect(counts.groups().total).toMatchObject({ open: 1_996, discarded: 4 });
});

test("where the actions topic is cut its letters are open again, also for who has read it before", async () => {
  await using bus = await withLetters();
  await bus.metro.bus.create([{ topic: "Error.actions", partitions: 1 }]);
  await write(bus, 1_100);
  const letters = deadLetters(bus.metro);
  const counts = letters.counts();
  await letters.discard({ ids: ["0-0"] }, { reason: "the first" });
  await counts.refresh();
  expect((await letters.page({ limit: 1, filter: { state: "discarded" } })).letters).toHaveLength(1);
  expect(counts.groups().total).toMatchObject({ discarded: 1 });
  for (let n = 1; n < 1_000; n += 200)
    await letters.discard({ ids: Array.from({ length: 200 }, (_, at) => `0-${n + at}`) }, { reason: "more" });
  await counts.refresh();
  const fresh = await deadLetters(bus.metro).groups();
  expect(fresh.total!.open).toBeGreaterThan(0);
  expect(counts.groups()).toEqual(fresh);
  expect((await letters.show("0-0"))!.state).toBe("open");
});

test("a thousand groups are told apart; the letters of others, and of names without end, are counted together", async () => {
  await using bus = await withLetters();
  await write(bus, 2, { stop: "First" });
  const reasons = Array.from({ length: 1_500 }, (_, n) => letter({ reason: `reason ${n}` }));
  await bus.metro.bus.send(reasons);
  await write(bus, 1, { reason: "x".repeat(100_000) });
  const { groups, other, total } = await deadLetters(bus.metro).groups();
  expect(groups).toHaveLength(1_000);
  expect(groups[0]).toMatchObject({ stop: "First", open: 2 });
  expect(other).toMatchObject({ open: 502 });
  expect(total).toMatchObject({ open: 1_503 });
});

test("a group tells what its newest letter said, and remembers no long text for that", async () => {
  await using bus = await withLetters();
  const counts = deadLetters(bus.metro).counts();
  const said = async (failed: Failed) => {
    await write(bus, 1, failed);
    await counts.refresh();
    const fresh = await deadLetters(bus.metro).groups();
    expect(counts.groups()).toEqual(fresh);
    return fresh.groups.map(({ lastMessage }) => lastMessage);
  };
  expect(await said({ time: "2026-11-20T10:00:00Z", message: "the card is lost" })).toEqual(["the card is lost"]);
  expect(await said({ time: "2026-11-19T10:00:00Z", message: "an older one" })).toEqual(["the card is lost"]);
  expect(await said({ time: "2026-11-21T10:00:00Z", message: "ü".repeat(100_000) })).toEqual(["ü".repeat(200)]);
});

test("names that every object has are names of groups like any", async () => {
  await using bus = await withLetters();
  await write(bus, 1, { stop: "__proto__", reason: "constructor", error: "toString" });
  expect(all(await deadLetters(bus.metro).groups())).toEqual(["__proto__/constructor/toString: 1 0 0 0"]);
});

test("counting tells how far it is, and ends when it is told to", async () => {
  await using bus = await withLetters();
  await write(bus, 5_000);
  const letters = deadLetters(bus.metro);
  const heard: number[] = [];
  const ending = new AbortController();
  const onProgress = ({ read, total }: { read: number; total: number }) => {
    expect(total).toBe(5_000);
    heard.push(read);
  };
  await letters.groups({ onProgress });
  expect(heard.at(-1)).toBe(5_000);
  expect(heard.length).toBeGreaterThan(3);
  expect(heard).toEqual(heard.toSorted((a, b) => a - b));
  const ended = letters.groups({ signal: ending.signal, onProgress: () => ending.abort(new Error("enough")) });
  await expect(ended).rejects.toThrow("enough");
  const followed = letters.counts(ending.signal);
  await expect(followed.refresh()).rejects.toThrow("enough");
});

test("where there is no dead-letter topic yet there is nothing to count", async () => {
  await using bus = await line();
  const counts = deadLetters(bus.metro).counts();
  await counts.refresh();
  expect(counts.groups()).toEqual({ groups: [], other: null, total: null });
  await bus.metro.bus.create([{ topic: "Error" }]);
  await write(bus, 2);
  await counts.refresh();
  expect(all(counts.groups())).toEqual(["Check/ETIMEDOUT/Error: 2 0 0 0"]);
});
