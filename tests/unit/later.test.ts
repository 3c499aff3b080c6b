import { ConfigError, UnknownTopic, type Bus, type Received } from "metrobus";
import { pino } from "pino";
import { expect, test } from "vitest";
import { withLater } from "../../runtime/buses/later/index.ts";
import { memoryBus } from "../../runtime/buses/memory/index.ts";
import { putOff } from "../../runtime/put-off.ts";
import { json, letterHeaders, line } from "../support/line.ts";
import { eventually, everything, message, settle } from "../support/probe.ts";

const down = () => new Error("the world is down");
const hang = () => new Promise<never>(() => undefined);
const parking = (bus: Bus, createTopics = true) =>
  withLater(bus, { createTopics, deadLetterTopic: "Error", log: pino({ enabled: false }) });
const names = ({ headers }: Received) => headers.map(([name]) => name);

test("a message that fails is put off, each time for longer, and then a dead letter that counts all attempts", async () => {
  await using bus = await line();
  const attempts: number[] = [];
  const retries = { attempts: 2, baseMs: 1, later: ["100ms", "200ms"] };
  const failing = (_: unknown, { attempt }: { attempt: number }): number => {
    attempts.push(attempt);
    throw down();
  };
  await bus.stop("A", failing, { retries });
  const headers = [["trace", Buffer.from("t")]] as const;
  const value = Buffer.from('{"header": {"route":["Next"]},  "payload":1}');
  await bus.metro.bus.send([{ topic: "A", key: Buffer.from("k"), value, headers }]);

  const [letter] = await bus.records("Error", 1);
  expect(attempts).toEqual([1, 2, 3, 4, 5, 6]);
  expect(letterHeaders(letter!)).toMatchObject({ attempts: "6", topic: "A", partition: "0", offset: "0" });
  expect([String(letter!.key), letter!.value]).toEqual(["k", value]);
  expect(names(letter!).filter((name) => !name.startsWith("dead-letter."))).toEqual(["trace"]);
  await expect.poll(() => bus.counts("A")).toEqual({ later: { Error: 2 }, dead: { Error: 1 } });
  const [{ processed, later } = {}] = (await bus.metro.stats.read()).stops;
  expect({ processed, later }).toEqual({ processed: 1, later: 2 });

  const [came, ...cameAgain] = await bus.records("A", 3);
  const parked = await Promise.all(["100ms", "200ms"].map((tier) => bus.records(`metrobus.A.later.${tier}`, 1)));
  expect(parked.map((records) => records.length)).toEqual([1, 1]);
  expect(cameAgain[0]!.timestamp).toBeGreaterThanOrEqual(came!.timestamp + 100);
  expect(cameAgain[1]!.timestamp).toBeGreaterThanOrEqual(cameAgain[0]!.timestamp + 200);
  expect([came, ...cameAgain].every((record) => String(record!.key) === "k" && record!.value!.equals(value))).toBe(
    true,
  );
});

test("one that succeeds later goes on as if nothing had been, with the id it had, and so do its forks", async () => {
  await using bus = await line();
  await bus.metro.create(["Next", "Aside"]);
  const ids: string[] = [];
  const fails = (
    message: object,
    context: { id: string; attempt: number; fork(payload: object, route: string[]): void },
  ) => {
    ids.push(context.id);
    context.fork({ fork: 1 }, ["Aside"]);
    if (context.attempt < 3) throw down();
    return message;
  };
  await bus.stop("A", fails, { retries: { attempts: 1, later: ["100ms", "200ms"] } });
  await bus.metro.send("A", { n: 0 }, { route: ["Next"] });
  await bus.records("Next", 1);
  const before = Date.now();
  await bus.metro.bus.send([
    { topic: "A", key: null, value: Buffer.from('{"header":{"route":["Next"]},"payload":{"n":1}}'), headers: [] },
  ]);
  const [, next] = await bus.records("Next", 2);
  const [, aside] = await bus.records("Aside", 2);
  const id = ids.at(-1)!;
  expect(ids.slice(-3)).toEqual([id, id, id]);
  expect(id).toMatch(/^A-0-\d+$/);
  expect(json(next!)).toMatchObject({ header: { id, route: [], historical_route: ["A", "Next"] }, payload: { n: 1 } });
  expect(json(aside!)).toMatchObject({ header: { id: `${id}.1` }, payload: { fork: 1 } });
  const { boarded } = json(next!)["header"] as { boarded: number };
  expect(boarded).toBeGreaterThanOrEqual(before);
  expect(boarded).toBeLessThan(next!.timestamp - 250);
  expect([...names(next!), ...names(aside!)]).toEqual([]);
  await expect.poll(() => bus.counts("A")).toEqual({ later: { Error: 4 }, forwarded: { Next: 2 } });
});

test("a raw message keeps the id of where it came first", async () => {
  await using bus = await line();
  const ids: string[] = [];
  const callback = (_: unknown, { id, attempt }: { id: string; attempt: number }) => {
    ids.push(id);
    if (attempt < 2) throw down();
    return 1;
  };
  await bus.stop("Source", callback, { input: "raw", retries: { attempts: 1, later: ["100ms"] } });
  await bus.metro.send("Source", 1);
  await eventually(() => ids.length === 2);
  expect(ids).toEqual(["Source-0-0", "Source-0-0"]);
});

test("those behind it are not held up, and it comes after them", async () => {
  await using bus = await line();
  await bus.metro.create(["Next"]);
  const failing = (message: number, { attempt }: { attempt: number }) => {
    if (message === 0 && attempt === 1) throw down();
    return message;
  };
  await bus.stop("A", failing, { retries: { attempts: 1, later: ["300ms"] } });
  for (const n of [0, 1, 2, 3]) await bus.metro.send("A", n, { route: ["Next"], key: "one" });
  expect((await bus.records("Next", 4)).map((record) => json(record)["payload"])).toEqual([1, 2, 3, 0]);
});

test("what a retry can't help is a dead letter at once: the user's word, metrobus's own, and a message that is none", async () => {
  await using bus = await line();
  const isRetryable = (error: Error) => error.message !== "declined";
  const callback = (message: string) => {
    if (message === "declined") throw new Error("declined");
    return { n: 1n };
  };
  await bus.stop("A", callback, { isRetryable, retries: { later: ["100ms"] } });
  await bus.metro.send("A", "declined", { route: ["Next"] });
  await bus.metro.send("A", "a BigInt", { route: ["Next"] });
  await bus.metro.send("A", "no envelope");
  const letters = (await bus.records("Error", 3)).map((letter) => letterHeaders(letter)["error"]);
  expect(letters).toEqual(["Error", "UnusableResult", "MalformedMessage"]);
  expect(await bus.records("metrobus.A.later.100ms")).toEqual([]);
});

test("nothing is put off beyond the total time", async () => {
  await using bus = await line();
  const retries = { attempts: 1, later: ["100ms", "200ms", "1h"], within: "1m" };
  await bus.stop("A", () => Promise.reject(down()), { retries });
  await bus.metro.send("A", 1, { route: [] });
  expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({ attempts: "3" });
  await expect.poll(() => bus.counts("A")).toEqual({ later: { Error: 2 }, dead: { Error: 1 } });
});

test("a stop ends at once although something is parked", async () => {
  await using bus = await line({ SHUTDOWN_TIMEOUT: "1h" });
  const stop = await bus.stop("A", () => Promise.reject(down()), { retries: { attempts: 1, later: ["1h"] } });
  await bus.metro.send("A", 1, { route: [] });
  await bus.records("metrobus.A.later.1h", 1);
  await stop.stop();
  expect(await bus.records("A")).toHaveLength(1);
});

test("what is parked while a stop ends comes after a new start", async () => {
  await using bus = await line();
  const attempts: number[] = [];
  const options = { retries: { attempts: 1, later: ["500ms"] } };
  const callback = (_: unknown, { attempt }: { attempt: number }) => {
    attempts.push(attempt);
    if (attempt === 1) throw down();
    return 1;
  };
  const first = await bus.stop("A", callback, options);
  await bus.metro.send("A", 1, { route: [] });
  await bus.records("metrobus.A.later.500ms", 1);
  await first.stop();
  await bus.stop("A", callback, options);
  const [came, again] = await bus.records("A", 2);
  await eventually(() => attempts.length === 2);
  expect(attempts).toEqual([1, 2]);
  expect(again!.timestamp).toBeGreaterThanOrEqual(came!.timestamp + 500);
});

test("a stop without the option handles what was put off by one that had it", async () => {
  await using bus = await line();
  await bus.metro.create(["Next"]);
  const attempts: number[] = [];
  const failing = (message: unknown, { attempt }: { attempt: number }) => {
    attempts.push(attempt);
    if (attempt === 1) throw down();
    return message as object;
  };
  const first = await bus.stop("A", failing, { retries: { attempts: 1, later: ["100ms"] } });
  await bus.metro.send("A", {}, { route: ["Next"] });
  await bus.records("Next", 1);
  await first.stop();
  const [, again] = await bus.records("A", 2);
  await bus.metro.bus.send([again!]);
  await bus.stop("A", failing);
  const [, next] = await bus.records("Next", 2);
  expect([attempts, names(next!)]).toEqual([[1, 2, 2], []]);
});

test("another group of the topic does not get it twice", async () => {
  await using bus = await line();
  const seen: number[] = [];
  const failing = (_: unknown, { attempt }: { attempt: number }) => (attempt === 1 ? Promise.reject(down()) : 1);
  await bus.stop("A", failing, { retries: { attempts: 1, later: ["100ms"] } });
  await bus.stop("A", (message: number) => (seen.push(message), message), { group: "beside" });
  await bus.metro.send("A", 1, { route: [] });
  await bus.records("A", 2);
  await bus.metro.send("A", 2, { route: [] });
  await eventually(() => seen.length >= 2);
  expect(seen).toEqual([1, 2]);
  const reached = async () => (await bus.metro.bus.state("beside", "A"))[0]!.position;
  await eventually(async () => (await reached()) === 3n);
});

test("a group that no topic can be named after is an error", async () => {
  await using bus = await line();
  const starting = bus.stop("A", () => 1, { group: "no topic!", retries: { later: ["10s"] } });
  await expect(starting).rejects.toThrow(ConfigError);
  await expect(starting).rejects.toThrow('"no topic!"');
});

test("topics that are missing and not to be created are an error that names them all", async () => {
  const bus = parking(memoryBus(), false);
  await bus.create([{ topic: "A" }, { topic: "g.later.1m" }]);
  const consuming = bus.consume(
    { topic: "A", group: "g", start: "earliest", later: [10_000, 60_000, 3_600_000] },
    hang,
  );
  await expect(consuming).rejects.toThrow(ConfigError);
  await expect(consuming).rejects.toThrow('create "g.later.10s", "g.later.1h", or');
  await bus.close();
});

test("a stop whose topic is missing leaves no reader of what is parked behind", async () => {
  const memory = memoryBus();
  const readers: string[] = [];
  const consume: Bus["consume"] = async (options, onBatch) => {
    const subscription = await memory.consume(options, onBatch);
    readers.push(options.topic);
    const stop: typeof subscription.stop = async (...args) => {
      readers.pop();
      await subscription.stop(...args);
    };
    return { ...subscription, stop };
  };
  const bus = parking({ ...memory, consume });
  const consuming = bus.consume({ topic: "A", group: "g", start: "earliest", later: [100, 200] }, hang);
  await expect(consuming).rejects.toThrow(UnknownTopic);
  expect(readers).toEqual([]);
  await bus.close();
});

test("trouble with what is parked is the subscription's: a dead letter that can't be written, until it can", async () => {
  const bus = parking(memoryBus());
  await bus.create([{ topic: "A" }]);
  const subscription = await bus.consume({ topic: "A", group: "g", start: "earliest", later: [100] }, hang);
  expect(subscription.problem!()).toBeNull();
  await bus.send([message("g.later.100ms", null, "foreign")]);
  await eventually(() => subscription.problem!() !== null);
  expect(subscription.problem!()).toMatch(/a dead letter can't be written: topic "Error" does not exist/);
  await bus.create([{ topic: "Error" }]);
  await eventually(() => subscription.problem!() === null);
  expect(await everything(bus, "Error")).toHaveLength(1);
  await subscription.stop(Date.now());
  await bus.close();
});

test("what can't be delivered when it is due is a dead letter as any other: as it came first, all attempts counted", async () => {
  const bus = parking(memoryBus());
  await bus.create([{ topic: "A" }, { topic: "Error" }]);
  const options = { topic: "A", group: "g", start: "earliest", later: [100] } as const;
  const subscription = await bus.consume(options, (batch) => {
    const off = putOff({ ...batch.records[0]!, topic: "Gone" }, { attempts: 3, tiers: 1, since: 1 }, Date.now() + 100);
    return settle(batch, [{ index: 0, out: [off] }]);
  });
  await bus.send([{ ...message("A", "k", "v"), headers: [["trace", null]] }]);
  await eventually(async () => (await everything(bus, "Error")).length > 0);
  const [letter] = await everything(bus, "Error");
  const came = { stop: "A", topic: "Gone", partition: expect.any(String), offset: "0", attempts: "3" };
  expect(letterHeaders(letter!)).toMatchObject({ ...came, reason: "unknown topic Gone" });
  expect(names(letter!).filter((name) => !name.startsWith("dead-letter."))).toEqual(["trace"]);
  expect([letter!.key, letter!.value].map(String)).toEqual(["k", "v"]);
  await subscription.stop(Date.now());
  await bus.close();
});

test("a delay whose reader can't go on ends the whole subscription", async () => {
  const memory = memoryBus();
  const broken = new Error("it can't go on");
  const consume: Bus["consume"] = (options, onBatch) =>
    memory.consume(options, options.topic === "g.later.100ms" ? () => Promise.reject(broken) : onBatch);
  const bus = parking({ ...memory, consume });
  await bus.create([{ topic: "A" }]);
  const subscription = await bus.consume({ topic: "A", group: "g", start: "earliest", later: [100] }, hang);
  await bus.send([message("g.later.100ms", null, "any")]);
  expect(await subscription.failed).toBe(broken);
  expect(subscription.lanes()).toHaveLength(4);
  await bus.close();
});

test("the log says what was put off, for how long and why", async () => {
  await using bus = await line();
  const lines: Record<string, unknown>[] = [];
  const write = (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>);
  const metro = { ...bus.metro, log: pino({ level: "warn" }, { write }) };
  await bus.stop("A", () => Promise.reject(down()), { bus: metro, retries: { attempts: 1, later: ["100ms", "10m"] } });
  await bus.metro.send("A", 1, { route: [] });
  await bus.records("metrobus.A.later.10m", 1);
  await eventually(() => lines.length === 2);
  expect(lines).toMatchObject([
    { stop: "A", partition: "0", offset: "0", attempts: 1, err: { message: "the world is down" } },
    { attempts: 2, msg: "put off: it comes again in 10m" },
  ]);
});
