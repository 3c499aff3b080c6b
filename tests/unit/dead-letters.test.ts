import {
  deadLetters,
  type ActionReport,
  type Letter,
  type LetterFilter,
  type ReplayChange,
  type StopContext,
} from "metrobus";
import { expect, test } from "vitest";
import { json, line, type Line } from "../support/line.ts";
import { message } from "../support/probe.ts";

const ACTIONS = "Error.actions";

/** A stop that fails for payloads with `bad`, and where what it takes goes on to. */
async function failing(bus: Line, route: readonly string[] = []): Promise<unknown[]> {
  const taken: unknown[] = [];
  await bus.metro.create(route);
  const check = (payload: { bad?: boolean }) => {
    taken.push(payload);
    if (payload.bad) throw new TypeError("it is bad");
    return payload;
  };
  await bus.stop("Check", check, { retries: { attempts: 1 }, breaker: false });
  return taken;
}

async function all(bus: Line, filter?: LetterFilter): Promise<Letter[]> {
  return await Array.fromAsync(deadLetters(bus.metro).list(filter));
}

const states = async (bus: Line) => (await all(bus)).map(({ state }) => state);
const audit = async (bus: Line, letter?: string) => await Array.fromAsync(deadLetters(bus.metro).audit(letter));
const counts = ({ asked, done, already, failed }: ActionReport) => ({ asked, done, already, failed });

/** A letter that nobody of ours has written. */
const foreign = (key: string | null, value: string | null) => message("Error", key, value);

test("a letter tells what failed where and why, and has the message as it came", async () => {
  await using bus = await line();
  await failing(bus);
  await bus.metro.send("Check", { bad: true, n: 1 }, { key: "k", route: ["Next"], headers: { trace: "t" } });
  await bus.records("Error", 1);
  const [letter] = await all(bus);
  expect(letter).toMatchObject({
    id: "0-0",
    state: "open",
    stop: "Check",
    from: { topic: "Check", partition: "0", offset: "0" },
    reason: "TypeError",
    error: "TypeError",
    message: "it is bad",
    attempts: 1,
    replayOf: null,
    key: Buffer.from("k"),
    headers: [["trace", Buffer.from("t")]],
    visited: ["Check"],
    ahead: ["Next"],
    payload: { bad: true, n: 1 },
    payloadJson: '{"bad":true,"n":1}',
  });
  expect(letter!.stack).toContain("TypeError: it is bad");
  expect(Math.abs(letter!.time - Date.now())).toBeLessThan(60_000);
  const [came] = await bus.records("Check");
  expect(json(came!)["header"]).toMatchObject({ id: letter!.messageId });
  expect(await deadLetters(bus.metro).show("0-0")).toEqual(letter);
  expect(await deadLetters(bus.metro).show("0-1")).toBeNull();
});

test("a replay is the message as it came, sent to where it failed, once; the letter stays and is marked", async () => {
  await using bus = await line();
  const taken = await failing(bus, ["Next"]);
  await bus.metro.send("Check", { bad: true }, { key: "k", route: ["Next"], headers: { trace: "t" } });
  const [letter] = await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  const report = await letters.replay({ ids: ["0-0"] }, { by: "ann" });
  expect(report).toEqual({ asked: 1, done: 1, already: 0, failed: 0, failures: [] });
  const [came, again] = await bus.records("Check", 2);
  expect(again).toMatchObject({ key: came!.key, value: came!.value });
  expect(again!.headers).toEqual([
    ["trace", Buffer.from("t")],
    ["replay.letter", Buffer.from("0-0")],
    ["replay.count", Buffer.from("1")],
  ]);
  await bus.records("Error", 2);
  expect(taken).toEqual([{ bad: true }, { bad: true }]);
  expect((await bus.records("Error"))[0]).toEqual(letter);

  expect(counts(await letters.replay({ ids: ["0-0"] }))).toEqual({ asked: 1, done: 0, already: 1, failed: 0 });
  expect(counts(await letters.discard({ ids: ["0-0"] }, { reason: "late" }))).toMatchObject({ done: 0, already: 1 });
  expect(await bus.records("Check")).toHaveLength(2);
  expect(
    (await audit(bus)).map(({ letter: of, action, outcome, by }) => [of, action, outcome, by]).slice(0, 2),
  ).toEqual([
    ["0-0", "replay", "asked", "ann"],
    ["0-0", "replay", "done", "ann"],
  ]);
  expect((await audit(bus, "0-0")).filter(({ outcome }) => outcome === "done")).toHaveLength(1);
});

test("a replay that fails is a new letter that knows it, and how often", async () => {
  await using bus = await line();
  await failing(bus);
  await bus.metro.send("Check", { bad: true }, { route: [] });
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  await letters.replay({});
  await bus.records("Error", 2);
  await letters.replay({});
  await bus.records("Error", 3);
  const found = await all(bus);
  expect(found.map(({ id, state, replayOf }) => ({ id, state, replayOf }))).toEqual([
    { id: "0-0", state: "replayed", replayOf: null },
    { id: "0-1", state: "replayed", replayOf: { letter: "0-0", count: 1 } },
    { id: "0-2", state: "open", replayOf: { letter: "0-1", count: 2 } },
  ]);
  expect(new Set(found.map(({ messageId }) => messageId)).size).toBe(1);
  expect(found[2]!.headers).toEqual([]);
});

test("a replay that fails at a later stop of its route knows it too", async () => {
  await using bus = await line();
  let broken = true;
  const first = (payload: object) => {
    if (broken) throw new Error("not yet");
    return payload;
  };
  await bus.stop("First", first, { retries: { attempts: 1 } });
  const second = (): never => {
    throw new Error("never");
  };
  await bus.stop("Second", second, { retries: { attempts: 1 } });
  await bus.metro.send("First", {}, { route: ["Second"] });
  await bus.records("Error", 1);
  broken = false;
  await deadLetters(bus.metro).replay({});
  await bus.records("Error", 2);
  expect((await all(bus))[1]).toMatchObject({ stop: "Second", replayOf: { letter: "0-0", count: 1 } });
});

test("a replay that is rewound to a stop whose outcome is kept fails behind it as a replay too", async () => {
  await using bus = await line();
  let calls = 0;
  await bus.stop("First", (payload: object) => (calls++, payload), { once: true });
  const second = (): never => {
    throw new Error("never");
  };
  await bus.stop("Second", second, { retries: { attempts: 1 } });
  await bus.metro.send("First", {}, { route: ["Second"], headers: { mine: "1" } });
  for (const letters of [1, 2]) {
    await bus.records("Error", letters);
    await deadLetters(bus.metro).replay({}, { from: "First" });
  }
  await bus.records("Error", 3);
  const found = (await all(bus)).map(({ replayOf, headers }) => ({ replayOf, headers: headers.map(([name]) => name) }));
  expect(found).toEqual([
    { replayOf: null, headers: ["mine"] },
    { replayOf: { letter: "0-0", count: 1 }, headers: ["mine"] },
    { replayOf: { letter: "0-1", count: 2 }, headers: ["mine"] },
  ]);
  expect(calls).toBe(1);
});

test("it can be rewound to any stop that it has visited, and visits those behind it again", async () => {
  await using bus = await line();
  const visits: string[] = [];
  let broken = true;
  for (const topic of ["A", "B", "C", "D"]) {
    const visit = (_: object, context: StopContext) => {
      visits.push(topic);
      if (topic === "C" && broken) throw new Error("broken");
      return context.pass();
    };
    await bus.stop(topic, visit, { retries: { attempts: 1 } });
  }
  await bus.metro.bus.send([
    message("A", "k", '{"header":{"route":["D","C","B"],"id":"m1","mine":7},"payload":{"big":12345678901234567890}}'),
  ]);
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  const never = await letters.replay({}, { from: "E" });
  expect(never.failures).toEqual([
    { letter: "0-0", why: 'the route of letter 0-0 has no "E": it can go to A, B, C, D' },
  ]);
  broken = false;
  expect(counts(await letters.replay({}, { from: "B" }))).toMatchObject({ done: 1, failed: 0 });
  await expect.poll(() => visits).toEqual(["A", "B", "C", "B", "C", "D"]);
  const [, again] = await bus.records("B", 2);
  expect(json(again!)["header"]).toEqual({
    route: ["D", "C"],
    original_route: ["D", "C", "B", "A"],
    historical_route: ["A", "B"],
    id: "m1",
    boarded: expect.any(Number),
    visits: expect.stringMatching(/^1:\S+ 2:\S+$/),
    mine: 7,
  });
  expect(String(again!.value)).toContain('"payload":{"big":12345678901234567890}');
  expect(String(again!.key)).toBe("k");
});

test("it can go on to any stop that is ahead of it, past those before that", async () => {
  await using bus = await line();
  const visits: string[] = [];
  for (const topic of ["A", "B", "C", "D", "E"]) {
    const visit = (_: object, context: StopContext) => {
      visits.push(topic);
      if (topic === "B") throw new Error("broken");
      return context.pass();
    };
    await bus.stop(topic, visit, { retries: { attempts: 1 } });
  }
  await bus.metro.bus.send([message("A", "k", '{"header":{"route":["E","D","C","B"],"id":"m1"},"payload":1.50}')]);
  await bus.records("Error", 1);
  expect(counts(await deadLetters(bus.metro).replay({}, { from: "D" }))).toMatchObject({ done: 1, failed: 0 });
  await expect.poll(() => visits).toEqual(["A", "B", "D", "E"]);
  const [came] = await bus.records("D", 1);
  expect(json(came!)["header"]).toMatchObject({ route: ["E"], historical_route: ["A", "B", "D"], id: "m1" });
  expect(String(came!.value)).toContain('"payload":1.50');
});

test("edited it goes with another payload and an id of its own, and the letter stays as it was", async () => {
  await using bus = await line();
  const taken = await failing(bus);
  await bus.metro.bus.send([message("Check", null, '{"header":{"route":[],"id":"m1"},"body":{"bad":true},"more":1}')]);
  const [letter] = await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  const { failures } = await letters.replay({}, { payload: '{"bad":' });
  expect(failures[0]!.why).toMatch(/^the payload is not JSON: /);
  await letters.replay({}, { payload: '{"bad":false,"digits":12345678901234567890}' });
  await expect.poll(() => taken).toHaveLength(2);
  const [, again] = await bus.records("Check", 2);
  expect(String(again!.value)).toContain('"body":{"bad":false,"digits":12345678901234567890},"more":1}');
  expect(json(again!)["header"]).toMatchObject({ id: "m1~0-0", route: [], historical_route: ["Check"] });
  expect((await bus.records("Error"))[0]).toEqual(letter);
  expect((await audit(bus)).at(-1)).toMatchObject({ outcome: "done", edited: true, to: "Check" });
});

test("with another route it goes on there with an id of its own, and to what it had before no more", async () => {
  await using bus = await line({ METROBUS_MAX_HOPS: "5" });
  await failing(bus, ["Next", "A", "B"]);
  for (let n = 0; n < 4; n++) await bus.metro.send("Check", { bad: true, n }, { key: String(n), route: ["Next"] });
  const came = await bus.records("Error", 4);
  const letters = deadLetters(bus.metro);
  const replay = async (n: number, change: ReplayChange) =>
    (await letters.replay({ ids: [`0-${n}`] }, change)).failures;
  expect((await replay(0, { route: ["A", "no topic"] }))[0]!.why).toContain('"no topic" in the route is no topic name');
  expect((await replay(0, { route: ["A", "B", "A", "B", "A"] }))[0]!.why).toContain("METROBUS_MAX_HOPS");
  expect(await replay(0, { route: ["A", "B"], payload: '{"n":0}' })).toEqual([]);
  expect(await replay(1, { route: [], to: "A" })).toEqual([]);
  expect(await replay(2, { route: ["Next"] })).toEqual([]);
  expect(await replay(3, { route: ["B"], from: "Check" })).toEqual([]);

  const [first, ended] = await bus.records("A", 2);
  const id = (n: number) => (json(came[n]!)["header"] as { id: string }).id;
  const headers = [first!, ended!].sort((a, b) => Number(a.key) - Number(b.key)).map((each) => json(each)["header"]);
  expect(headers).toMatchObject([
    { id: `${id(0)}~0-0`, route: ["B"], historical_route: ["Check", "A"] },
    { id: `${id(1)}~0-1`, route: [] },
  ]);
  const again = (await bus.records("Check", 7)).slice(4);
  expect(again.map((each) => json(each)["header"])).toMatchObject([
    { id: `${id(0)}~0-0`, route: ["B", "A"] },
    { id: id(2), route: ["Next"] },
    { id: `${id(3)}~0-3`, route: ["B"], historical_route: ["Check"] },
  ]);
  expect(again[1]!.value).toEqual(came[2]!.value);
  const done = (await audit(bus)).filter(({ outcome }) => outcome === "done");
  expect(done.map(({ edited }) => edited)).toEqual([true, true, true, true]);
});

test("what a stop keeps of a message does not send it where its route led before", async () => {
  await using bus = await line();
  await bus.metro.create(["Next"]);
  await bus.stop("Check", (payload: object) => payload, { once: true, retries: { attempts: 1 }, breaker: false });
  await bus.metro.send("Check", { n: 1 }, { route: ["Missing"] });
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  expect(await all(bus)).toMatchObject([{ stop: "Check", reason: "unknown topic Missing" }]);
  await letters.replay({}, { route: ["Next"] });
  expect(await bus.records("Next", 1)).toHaveLength(1);
});

test("a raw message goes back to its busdriver as it was, can be edited as a whole, and has no route to rewind", async () => {
  await using bus = await line();
  const taken: unknown[] = [];
  const drive = (payload: { ok?: boolean }, context: StopContext) => {
    taken.push(payload);
    if (!payload.ok) throw new Error("not ok");
    return context.drop("seen");
  };
  await bus.stop("Source", drive, { input: "raw", retries: { attempts: 1 } });
  await bus.metro.send("Source", { n: 1 });
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  expect((await all(bus))[0]).toMatchObject({ messageId: "", visited: [], payload: { n: 1 } });
  expect((await letters.replay({}, { from: "Source" })).failures[0]!.why).toContain("has no route to go along");
  expect((await letters.replay({}, { route: ["A"] })).failures[0]!.why).toContain("has no header, so no route");
  await letters.replay({}, { payload: '{"ok":true}' });
  await expect.poll(() => taken).toEqual([{ n: 1 }, { ok: true }]);
});

test("what fails can be asked for again: a topic that does not exist", async () => {
  await using bus = await line();
  await failing(bus);
  await bus.metro.send("Check", { bad: true }, { route: [] });
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  const report = await letters.replay({}, { to: "Elsewhere" });
  expect(counts(report)).toEqual({ asked: 1, done: 0, already: 0, failed: 1 });
  expect(report.failures[0]!.why).toContain('topic "Elsewhere" does not exist');
  expect(await states(bus)).toEqual(["open"]);
  await bus.metro.create(["Elsewhere"]);
  expect(counts(await letters.replay({}, { to: "Elsewhere" }))).toMatchObject({ done: 1 });
  expect(await bus.records("Elsewhere")).toHaveLength(1);
  expect((await letters.replay({ ids: ["0-77"] })).failures).toEqual([
    { letter: "0-77", why: "there is no such letter" },
  ]);
});

test("whether letters can be acted on is told without creating anything", async () => {
  await using bus = await line();
  const letters = deadLetters(bus.metro);
  await expect(letters.check()).rejects.toThrow('topic "Error" does not exist');
  await bus.metro.create(["Error"]);
  await letters.check();
  expect(await bus.metro.bus.knows(ACTIONS)).toBe(false);
});

test("two requests for one letter that lie side by side: the first that works is the only one", async () => {
  await using bus = await line();
  await failing(bus);
  for (let n = 0; n < 3; n++) await bus.metro.send("Check", { bad: true, n }, { route: [] });
  await bus.records("Error", 3);
  const [one, other] = [deadLetters(bus.metro), deadLetters(bus.metro)];
  const reports = await Promise.all([
    one.replay({}, { to: "Missing" }),
    other.replay({}, { to: "Missing" }),
    one.replay({ stop: "Check" }),
    other.replay({ stop: "Check" }),
    one.discard({ stop: "Check" }, { reason: "enough" }),
  ]);
  expect(reports.reduce((sum, { done }) => sum + done, 0)).toBe(3);
  const done = (await audit(bus)).filter(({ outcome }) => outcome === "done");
  expect(done.map(({ letter }) => letter).sort()).toEqual(["0-0", "0-1", "0-2"]);
  const replayed = done.filter(({ action }) => action === "replay").length;
  expect(await bus.records("Check", 3 + replayed)).toHaveLength(3 + replayed);
  expect((await states(bus)).slice(0, 3).every((state) => state === "replayed" || state === "discarded")).toBe(true);
});

test("a discarded letter stays where it is, with a reason, and is not replayed any more", async () => {
  await using bus = await line();
  await failing(bus);
  await bus.metro.send("Check", { bad: true }, { route: [] });
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  await expect(letters.discard({}, { reason: " " })).rejects.toThrow("discarded for a reason");
  expect(counts(await letters.discard({}, { reason: "a test order", by: "joe" }))).toMatchObject({ done: 1 });
  expect(await states(bus)).toEqual(["discarded"]);
  expect(counts(await letters.replay({}))).toMatchObject({ asked: 0 });
  expect((await audit(bus)).at(-1)).toMatchObject({
    action: "discard",
    outcome: "done",
    by: "joe",
    why: "a test order",
  });
  expect(await bus.records("Check")).toHaveLength(1);
});

test("letters of others are listed, can be discarded, and replayed to a topic that is named", async () => {
  await using bus = await line();
  await bus.metro.bus.create([{ topic: "Error" }, { topic: "Somewhere" }]);
  await bus.metro.bus.send([
    foreign("k", "no JSON \u001B[2J"),
    foreign(null, null),
    foreign(null, '{"header":{"route":["Log"],"historical_route":["AddEmail","WhiteList"]},"body":{"x":1}}'),
    {
      ...foreign(null, "{}"),
      headers: [
        ["dead-letter.topic", Buffer.from("no topic!")],
        ["dead-letter.time", Buffer.from("whenever")],
        ["dead-letter.attempts", null],
        ["replay.count", Buffer.from("x")],
      ],
    },
  ]);
  const found = await all(bus);
  expect(
    found.map(({ stop, from, reason, attempts, replayOf }) => ({ stop, from, reason, attempts, replayOf })),
  ).toEqual(found.map(() => ({ stop: "", from: null, reason: "", attempts: 0, replayOf: null })));
  expect(found.map(({ payload, visited }) => [payload, visited])).toEqual([
    [undefined, []],
    [null, []],
    [{ x: 1 }, ["AddEmail", "WhiteList"]],
    [{}, []],
  ]);
  const letters = deadLetters(bus.metro);
  const { failures } = await letters.replay({});
  expect(failures.map(({ why }) => why)).toEqual(
    [0, 1, 2, 3].map((n) => `letter 0-${n} does not say where it failed: say to which topic it is to go`),
  );
  await letters.discard({ ids: ["0-1", "0-3"] }, { reason: "nobody's" });
  expect(counts(await letters.replay({}, { to: "Somewhere" }))).toMatchObject({ done: 2 });
  const sent = await bus.records("Somewhere");
  expect(sent.map(({ value }) => String(value))).toEqual([String(found[0]!.value), String(found[2]!.value)]);
});

test("a batch that could not be unpacked is not replayed as if it were a message", async () => {
  await using bus = await line();
  await bus.metro.bus.create([{ topic: "Error" }, { topic: "Somewhere" }]);
  const facts = [
    ["dead-letter.topic", Buffer.from("Somewhere")],
    ["dead-letter.reason", Buffer.from("unreadable batch")],
  ] as const;
  await bus.metro.bus.send([{ ...foreign(null, "bytes"), headers: facts }]);
  const letters = deadLetters(bus.metro);
  expect((await letters.replay({})).failures[0]!.why).toContain("have whoever wrote it send its records again");
  expect(counts(await letters.discard({}, { reason: "sent again" }))).toMatchObject({ done: 1 });
  expect(await bus.records("Somewhere")).toEqual([]);
});

test("what somebody asked for who then died is carried out by whoever works next", async () => {
  await using bus = await line();
  await failing(bus);
  await bus.metro.send("Check", { bad: true }, { route: [] });
  await bus.records("Error", 1);
  const letters = deadLetters(bus.metro);
  await letters.replay({}, { to: "Missing" });
  const [request] = await bus.records(ACTIONS);
  await bus.metro.create(["Missing"]);
  await bus.metro.bus.send([request!]);
  expect(await states(bus)).toEqual(["asked"]);
  await using worker = await letters.work();
  await expect.poll(() => states(bus)).toEqual(["replayed"]);
  expect(worker).toBeDefined();
  expect(await bus.records("Missing")).toHaveLength(1);
});

test.for<[LetterFilter, number[]]>([
  [{}, [0, 1, 2, 3]],
  [{ stop: "Check" }, [0, 1, 2]],
  [{ stop: "Other" }, [3]],
  [{ reason: "TypeError" }, [0, 1, 2]],
  [{ error: "WORLD" }, [3]],
  [{ error: "typeerror: it is" }, [0, 1, 2]],
  [{ key: "b" }, [1]],
  [{ messageId: "m2" }, [2]],
  [{ ids: ["0-3", "0-0", "0-9"] }, [0, 3]],
  [{ ids: ["0-3", "0-0"], stop: "Other" }, [3]],
  [{ since: Date.parse("2100-01-01") }, []],
  [{ until: Date.parse("2000-01-01") }, []],
  [{ since: Date.parse("2000-01-01"), until: Date.parse("2100-01-01"), stop: "Check", key: "a" }, [0]],
  [{ state: "open" }, [0, 1, 2, 3]],
  [{ state: "replayed" }, []],
])("%j lists %j", async ([filter, expected]) => {
  await using bus = await line();
  await failing(bus);
  const down = (): never => {
    throw new RangeError("the world is down");
  };
  await bus.stop("Other", down, { retries: { attempts: 1 } });
  const envelope = (id: string) => `{"header":{"route":[],"id":"${id}"},"payload":{"bad":true}}`;
  await bus.metro.bus.send([
    message("Check", "a", envelope("m0")),
    message("Check", "b", envelope("m1")),
    message("Check", null, envelope("m2")),
  ]);
  await bus.records("Error", 3);
  await bus.metro.send("Other", {}, { route: [] });
  await bus.records("Error", 4);
  const ids = expected.map((offset) => `0-${offset}`);
  expect((await all(bus, filter)).map(({ id }) => id)).toEqual(ids);
  const { letters } = await deadLetters(bus.metro).page({ limit: 2, filter });
  expect(letters.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 2));
});

test("no letter's id is an error that shows what one looks like", async () => {
  await using bus = await line();
  await expect(all(bus, { ids: ["2", "2-1", "../etc"] })).rejects.toThrow(
    /"2" is no letter's id: give <partition>-<offset>, such as 2-117\n.*"\.\.\/etc"/,
  );
});

test("letters are asked for at a rate, and stop being asked for when told; those asked for are done", async () => {
  await using bus = await line();
  await bus.metro.bus.create([{ topic: "Error" }, { topic: "Somewhere" }]);
  await bus.metro.bus.send(Array.from({ length: 1_000 }, (_, n) => foreign(null, String(n))));
  const ending = new AbortController();
  let last: ActionReport | undefined;
  const report = await deadLetters(bus.metro).replay(
    {},
    {
      to: "Somewhere",
      rate: 100,
      signal: ending.signal,
      onProgress: (now) => {
        last = { ...now };
        if (now.done >= 5) ending.abort();
      },
    },
  );
  expect(report.done).toBe(report.asked);
  expect(report.done).toBeLessThan(1_000);
  expect(last).toEqual(report);
  expect(await bus.records("Somewhere")).toHaveLength(report.done);
});
