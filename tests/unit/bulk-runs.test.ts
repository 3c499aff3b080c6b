import { bulkRuns, deadLetters, type BulkRun, type BulkStart, type Outgoing } from "metrobus";
import { expect, test } from "vitest";
import { json, line, type Line } from "../support/line.ts";
import { eventually, message } from "../support/probe.ts";

const letter = (n: number, stop: string): Outgoing => ({
  ...message("Error", null, String(n)),
  headers: Object.entries({ stop, topic: stop }).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)]),
});

/** So many letters of each stop, in turn, and the stops' topics. */
async function withLetters(count: number, stops: readonly string[] = ["Check"]): Promise<Line> {
  const bus = await line();
  await bus.metro.bus.create(["Error", ...stops].map((topic) => ({ topic, keepForever: true })));
  await bus.metro.bus.send(Array.from({ length: count }, (_, n) => letter(n, stops[n % stops.length]!)));
  return bus;
}

async function ended(bus: Line, { id }: BulkRun): Promise<BulkRun> {
  let run: BulkRun | null = null;
  await eventually(async () => {
    run = await bulkRuns(bus.metro).get(id);
    return !["running", "stopping"].includes(run!.state);
  });
  return run!;
}

const counts = ({ report: { asked, done, already, failed } }: BulkRun) => ({ asked, done, already, failed });
const sent = async (bus: Line, topic: string) => (await bus.records(topic)).map(({ value }) => Number(value));
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const audit = async (bus: Line) => await Array.fromAsync(deadLetters(bus.metro).audit());
const doneBy = async (bus: Line) => (await audit(bus)).filter(({ outcome }) => outcome === "done");

test("a run acts on all letters that fit, once, and tells what came of it", async () => {
  await using bus = await withLetters(100, ["A", "B"]);
  const runs = bulkRuns(bus.metro);
  const why = "the bank is back";
  const run = await runs.start({ action: "replay", filter: { stop: "A" }, by: "ann", why, total: 50 });
  expect(run).toMatchObject({ state: "running", by: "ann", why, total: 50, rate: 0, change: {}, worker: "" });
  expect(await runs.list()).toEqual([run]);
  await using working = runs.work();
  const last = await ended(bus, run);
  expect(working).toBeDefined();
  const report = { asked: 50, done: 50, already: 0, failed: 0, failures: [] };
  expect(last).toEqual({ ...run, state: "done", report });
  expect((await sent(bus, "A")).toSorted((a, b) => a - b)).toEqual(upTo(100).filter((n) => n % 2 === 0));
  expect(await sent(bus, "B")).toEqual([]);
  const done = await doneBy(bus);
  expect(done).toHaveLength(50);
  expect(done.every((action) => action.run === run.id && action.by === "ann")).toBe(true);

  const discard = await runs.start({ action: "discard", filter: {}, why: "old orders" });
  expect(counts(await ended(bus, discard))).toEqual({ asked: 50, done: 50, already: 0, failed: 0 });
  expect((await doneBy(bus)).at(-1)).toMatchObject({ action: "discard", why: "old orders", run: discard.id });
  expect((await runs.list()).map(({ id }) => id)).toEqual([discard.id, run.id]);
});

test("a run sends all that fit on to other stops than those of their routes", async () => {
  await using bus = await withLetters(0);
  const headers = letter(0, "Check").headers;
  const envelope = (n: number) => JSON.stringify({ header: { route: ["Old"], id: `m${n}` }, payload: n });
  await bus.metro.bus.send(upTo(3).map((n) => ({ ...message("Error", null, envelope(n)), headers })));
  const runs = bulkRuns(bus.metro);
  await using working = runs.work();
  const run = await runs.start({ action: "replay", filter: {}, change: { route: ["New", "End"] } });
  expect(counts(await ended(bus, run))).toEqual({ asked: 3, done: 3, already: 0, failed: 0 });
  expect(working).toBeDefined();
  const routes = (await bus.records("Check")).map((each) => json(each)["header"]);
  expect(routes).toMatchObject(upTo(3).map((n) => ({ id: `m${n}~0-${n}`, route: ["End", "New"] })));
});

test("a letter that comes of a replay, or comes later, is not part of the run", async () => {
  await using bus = await line();
  await bus.metro.bus.create([{ topic: "Error", keepForever: true }]);
  const fail = (): never => {
    throw new Error("never");
  };
  await bus.stop("Check", fail, { input: "raw", retries: { attempts: 1 }, breaker: false });
  for (let n = 0; n < 20; n++) await bus.metro.send("Check", n);
  await bus.records("Error", 20);
  const runs = bulkRuns(bus.metro);
  const run = await runs.start({ action: "replay", filter: { stop: "Check" } });
  await bus.metro.send("Check", "later");
  await bus.records("Error", 21);
  await using working = runs.work();
  expect(counts(await ended(bus, run))).toEqual({ asked: 20, done: 20, already: 0, failed: 0 });
  expect(working).toBeDefined();
  await bus.records("Error", 41);
  const letters = await Array.fromAsync(deadLetters(bus.metro).list({ state: "open" }));
  expect(letters).toHaveLength(21);
});

test("two runs at the same time over the same letters: each letter is acted on by one of them", async () => {
  await using bus = await withLetters(300, ["A", "B", "C"]);
  const runs = bulkRuns(bus.metro);
  const one = await runs.start({ action: "replay", filter: {}, rate: 400 });
  const other = await runs.start({ action: "replay", filter: { stop: "B" }, rate: 200 });
  await using working = runs.work();
  await using again = bulkRuns(bus.metro).work();
  const reports = [counts(await ended(bus, one)), counts(await ended(bus, other))];
  expect([working, again]).toHaveLength(2);
  expect(reports.reduce((sum, { done }) => sum + done, 0)).toBe(300);
  for (const { asked, done, already, failed } of reports) {
    expect(failed).toBe(0);
    expect(asked).toBe(done + already);
  }
  for (const topic of ["A", "B", "C"]) expect(await sent(bus, topic)).toHaveLength(100);
  expect(new Set((await doneBy(bus)).map(({ letter }) => letter)).size).toBe(300);
});

test("a run that is stopped asks for no more letters, and those it has asked for are done; what is left can be acted on", async () => {
  await using bus = await withLetters(2_000);
  const runs = bulkRuns(bus.metro);
  const run = await runs.start({ action: "replay", filter: {}, rate: 100 });
  {
    await using working = runs.work();
    await eventually(async () => (await runs.get(run.id))!.report.done > 0);
    expect(await runs.stop(run.id)).toMatchObject({ state: "stopping" });
    expect(working).toBeDefined();
    await ended(bus, run);
  }
  const stopped = (await runs.get(run.id))!;
  expect(stopped.state).toBe("stopped");
  const { asked, done } = stopped.report;
  expect(done).toBe(asked);
  expect(done).toBeLessThan(2_000);
  expect(await sent(bus, "Check")).toHaveLength(done);
  expect(await runs.stop(run.id)).toMatchObject({ state: "stopped" });
  expect(await runs.stop("no such run")).toBeNull();

  const rest = await runs.start({ action: "replay", filter: {} });
  await using working = runs.work();
  expect(counts(await ended(bus, rest))).toMatchObject({ done: 2_000 - done });
  expect(working).toBeDefined();
  expect((await sent(bus, "Check")).toSorted((a, b) => a - b)).toEqual(upTo(2_000));
});

test("a run that is stopped before anybody works on it acts on no letter", async () => {
  await using bus = await withLetters(10);
  const runs = bulkRuns(bus.metro);
  const run = await runs.start({ action: "replay", filter: {} });
  await runs.stop(run.id);
  await using working = runs.work();
  expect(await ended(bus, run)).toMatchObject({ state: "stopped", report: { asked: 0, done: 0 } });
  expect(working).toBeDefined();
  expect(await sent(bus, "Check")).toEqual([]);
});

test("whoever ends gives its run back, and another one goes on at once: no letter is acted on twice, or counted twice", async () => {
  await using bus = await withLetters(600);
  const runs = bulkRuns(bus.metro);
  const run = await runs.start({ action: "replay", filter: {}, rate: 200 });
  for (let shift = 1; shift <= 2; shift++) {
    await using working = runs.work();
    await eventually(async () => (await runs.get(run.id))!.report.done > shift * 50);
    expect(working).toBeDefined();
  }
  expect(await runs.get(run.id)).toMatchObject({ state: "running", worker: "" });
  await using working = runs.work();
  expect(await ended(bus, run)).toMatchObject({ state: "done", report: { asked: 600, done: 600, already: 0 } });
  expect(working).toBeDefined();
  expect((await sent(bus, "Check")).toSorted((a, b) => a - b)).toEqual(upTo(600));
});

test("what one that died had asked for counts for the run once, whoever has carried it out meanwhile", async () => {
  await using bus = await withLetters(100);
  const letters = deadLetters(bus.metro);
  const run = await bulkRuns(bus.metro).start({ action: "replay", filter: {}, change: { to: "Missing" } });
  const some = upTo(30).map((n) => `0-${n}`);
  await letters.replay({ ids: some }, { run, to: "Missing" });
  expect(await letters.replay({ ids: some }, { run })).toMatchObject({ asked: 30, done: 0, failed: 30 });

  // Asked for by one that has died, and carried out by somebody else.
  const next = await letters.begin();
  await letters.replay({ ids: some }, { run: next });
  // One that was slow has asked for all once more.
  const answers = async () =>
    (await audit(bus)).filter(({ run: of, outcome }) => of === next.id && outcome !== "asked");
  const requests = (await bus.records("Error.actions")).slice(-60).filter(({ value }) => value !== null);
  expect(requests).toHaveLength(30);
  {
    await using worker = await letters.work();
    await bus.metro.bus.send(requests);
    await eventually(async () => (await answers()).length === 60);
    expect(worker).toBeDefined();
  }
  const ofRun = { ids: [...some, "0-40", "0-41"] };
  expect(await letters.replay(ofRun, { run: next })).toMatchObject({ asked: 32, done: 32, already: 0, failed: 0 });
  expect(await letters.replay(ofRun, {})).toMatchObject({ asked: 32, done: 0, already: 32 });
  expect(await sent(bus, "Check")).toHaveLength(32);
});

test("letters with which nothing can be done are told with the reason, and the run ends", async () => {
  await using bus = await withLetters(150);
  const runs = bulkRuns(bus.metro);
  await using working = runs.work();
  const never = await ended(bus, await runs.start({ action: "replay", filter: {}, change: { from: "Before" } }));
  expect(never).toMatchObject({ state: "done", report: { asked: 0, done: 0, failed: 150 } });
  expect(never.report.failures).toHaveLength(100);
  expect(never.report.failures[0]!.why).toContain("has no route to go along");
  const missing = await ended(bus, await runs.start({ action: "replay", filter: {}, change: { to: "Missing" } }));
  expect(missing).toMatchObject({ state: "done", report: { asked: 150, done: 0, failed: 150 } });
  expect(missing.report.failures[0]!.why).toContain('topic "Missing" does not exist');
  expect(working).toBeDefined();
});

test.for<[BulkStart, RegExp]>([
  [{ action: "replay", filter: { ids: ["2"] } }, /"2" is no letter's id/],
  [{ action: "replay", filter: {}, rate: -1 }, /-1 letters a second is no rate/],
  [{ action: "replay", filter: {}, rate: Number.NaN }, /NaN letters a second is no rate/],
  [{ action: "discard", filter: {} }, /discarded for a reason/],
  [{ action: "discard", filter: {}, why: "x", change: { to: "A" } }, /go nowhere/],
  [{ action: "discard", filter: {}, why: "x", change: { route: [] } }, /go nowhere/],
  [{ action: "replay", filter: {}, change: { route: ["A", "no topic!"] } }, /"no topic!" in the route/],
  [{ action: "replay", filter: {}, change: { from: "A", to: "B" } }, /not both/],
  [{ action: "replay", filter: {}, change: { to: "no topic!" } }, /"no topic!"/],
  [{ action: "replay", filter: { ids: upTo(1_001).map((n) => `0-${n}`) } }, /1001 named letters is too long a list/],
])("%j is not begun: %s", async ([request, fault]) => {
  await using bus = await withLetters(1);
  const runs = bulkRuns(bus.metro);
  await expect(runs.start(request)).rejects.toThrow(fault);
  expect(await runs.list()).toEqual([]);
});

test("where there is no dead-letter topic there is nothing to run over", async () => {
  await using bus = await line();
  await expect(bulkRuns(bus.metro).start({ action: "replay", filter: {} })).rejects.toThrow(
    'topic "Error" does not exist',
  );
});

test("a run that can't be carried out, which another version may have added, fails with the reason; others go on", async () => {
  await using bus = await withLetters(5);
  const runs = bulkRuns(bus.metro);
  const good = await runs.start({ action: "replay", filter: {} });
  const { id, ...rest } = good;
  const bad = await bus.metro.runs.add({ ...rest, id: `${id}-2`, filter: { ids: ["none"] } });
  const worse = await bus.metro.runs.add({ ...rest, id: `${id}-3`, letters: "nowhere" });
  await using working = runs.work();
  expect(await ended(bus, bad)).toMatchObject({
    state: "failed",
    error: expect.stringContaining('"none" is no letter'),
  });
  expect(await ended(bus, worse)).toMatchObject({ state: "failed", error: expect.stringContaining('"nowhere" is no') });
  expect(await ended(bus, good)).toMatchObject({ state: "done", report: { done: 5 }, error: "" });
  expect(working).toBeDefined();
});

test("while somebody works on runs, what others have asked for of single letters is carried out too", async () => {
  await using bus = await withLetters(1);
  await deadLetters(bus.metro).replay({}, { to: "Missing" });
  const [request] = await bus.records("Error.actions");
  await bus.metro.create(["Missing"]);
  await using working = bulkRuns(bus.metro).work();
  await bus.metro.bus.send([request!]);
  await bus.records("Missing", 1);
  expect(working).toBeDefined();
});
