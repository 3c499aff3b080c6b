import type { Batch, MetroBus, MetroStop, Settled, StopContext } from "metrobus";
import { describe, expect, test } from "vitest";
import { Unavailable } from "../../runtime/errors.ts";
import type { OnceStore } from "../../runtime/once-store.ts";
import { memoryOnce } from "../../runtime/once-stores/memory.ts";
import { json, letterHeaders, line, type Line } from "../support/line.ts";
import { eventually, message } from "../support/probe.ts";

const HOUR = 3_600_000;

/** A store of outcomes whose clock can be turned, which can be away, and whose claims can be left behind as by a process that died. */
function onceStore() {
  const state = { aheadMs: 0, away: false, leavesClaims: false, stored: 0 };
  const memory = memoryOnce(() => Date.now() + state.aheadMs);
  const reach = <T>(asked: () => Promise<T>) =>
    state.away ? Promise.reject(new Unavailable("the store is away")) : asked();
  const store: OnceStore = {
    claim: (key, claim) => reach(() => memory.claim(key, claim)),
    store: (key, result, ttlMs) =>
      reach(() => {
        state.stored++;
        return memory.store(key, result, ttlMs);
      }),
    release: (key, token) => reach(async () => (state.leavesClaims ? undefined : memory.release(key, token))),
    close: () => memory.close(),
  };
  return { state, store };
}

/** The same connection, where nothing is settled: to its stops it is as if the process died before. */
function neverSettling(metro: MetroBus) {
  const tried: (readonly Settled[])[] = [];
  const settle = (done: readonly Settled[]) => {
    tried.push(done);
    return new Promise<void>(() => undefined);
  };
  const bus: MetroBus = {
    ...metro,
    bus: {
      ...metro.bus,
      consume: (options, onBatch) => metro.bus.consume(options, (batch: Batch) => onBatch({ ...batch, settle })),
    },
  };
  return { bus, tried };
}

const quick = { once: true as const, retries: { baseMs: 0 }, breaker: { baseMs: 1, capMs: 20 } };
const settings = { SHUTDOWN_TIMEOUT: "0s" };

/** A stop's callback that never gives the same twice, and how often it was called. */
function counting() {
  const seen: unknown[] = [];
  return { seen, callback: (message: object) => (seen.push(message), { ...message, call: seen.length }) };
}

async function onceLine(): Promise<Line & ReturnType<typeof onceStore>> {
  const bus = await line(settings);
  const { state, store } = onceStore();
  await bus.metro.create(["B", "C"]);
  return {
    ...bus,
    metro: { ...bus.metro, once: store },
    state,
    store,
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}

describe("a message that comes again, since its process died before it was settled", () => {
  type Callback = (message: object, context: StopContext, call: number) => unknown;
  test.each<[what: string, counts: object, callback: Callback]>([
    ["forwarded", { forwarded: { B: 1 } }, (message, _context, call) => ({ ...message, call })],
    [
      "sent elsewhere, with a fork",
      { forwarded: { C: 1 } },
      (message, context, call) => {
        context.route.replace(["C"]);
        context.fork({ call }, ["B"]);
        return message;
      },
    ],
    ["passed on", { forwarded: { B: 1 } }, (_message, context) => context.pass()],
    ["dropped", { dropped: { "at call 1": 1 } }, (_message, context, call) => context.drop(`at call ${call}`)],
    ["at the end of its line", { arrived: { "": 1 } }, (message, { route }) => (route.replace([]), message)],
  ])("is %s as it was the first time, byte for byte, without its callback", async (_what, counts, callback) => {
    await using bus = await onceLine();
    const { bus: dying, tried } = neverSettling(bus.metro);
    let calls = 0;
    const counted = (message: object, context: StopContext) => callback(message, context, ++calls) as object;
    const first = await bus.stop("A", counted, { ...quick, bus: dying });
    await bus.metro.send("A", { n: 1 }, { key: "k", route: ["B"], headers: { h: "\u0000ü" } });
    await eventually(() => tried.length > 0);
    await first.stop();
    await bus.stop("A", counted, { ...quick, bus: bus.metro });
    await eventually(async () => (await bus.metro.state("A"))[0]!.position === 1n);
    expect(calls).toBe(1);
    const sent = [...(await bus.records("C")), ...(await bus.records("B"))];
    expect(sent).toMatchObject(tried[0]![0]!.out);
    expect(await bus.counts("A")).toEqual(counts);
  });

  test("has its work done again after the time to live", async () => {
    await using bus = await onceLine();
    const { bus: dying, tried } = neverSettling(bus.metro);
    const { seen, callback } = counting();
    const first = await bus.stop("A", callback, { ...quick, bus: dying });
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(() => tried.length > 0);
    await first.stop();
    bus.state.aheadMs = 25 * HOUR;
    await bus.stop("A", callback, { ...quick, bus: bus.metro });
    expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ call: 2 });
    expect(seen).toHaveLength(2);
  });

  test("is waited for while another works on it; its outcome is taken", async () => {
    await using bus = await onceLine();
    const work = Promise.withResolvers<void>();
    const { seen, callback } = counting();
    const slow = async (message: object) => (await work.promise, callback(message));
    const { bus: dying, tried } = neverSettling(bus.metro);
    const first = await bus.stop("A", slow, { ...quick, bus: dying, group: "one" });
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(() => first.health().lag === 1);
    // To the store, a second group of the same name is another process that got the message too.
    const again = await sameGroup(bus, callback);
    await eventually(async () => again.asked() > 2);
    expect(seen).toHaveLength(0);
    work.resolve();
    await eventually(() => tried.length > 0);
    expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ call: 1 });
    expect(seen).toHaveLength(1);
  });

  test.each([
    ["again", { call: 2 }],
    ["dead", null],
  ] as const)("and whose end nobody knows: %s", async (onExpired, outcome) => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    const options = { ...quick, once: { onExpired } };
    bus.state.leavesClaims = true;
    const hanging = (message: object) => {
      callback(message);
      return new Promise<never>(() => undefined);
    };
    const first = await bus.stop("A", hanging, { ...options, bus: bus.metro });
    await bus.metro.send("A", { n: 1 }, { route: ["B"] });
    await eventually(() => seen.length === 1);
    await first.stop();
    const second = await bus.stop("A", callback, { ...options, bus: bus.metro });
    await eventually(() => second.health().lag === 1);
    bus.state.aheadMs = HOUR;
    await eventually(async () => (await bus.metro.state("A"))[0]!.position === 1n);
    if (outcome) expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ n: 1, ...outcome });
    else
      expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({
        reason: "outcome unknown",
        attempts: "1",
      });
    expect(seen).toHaveLength(outcome ? 2 : 1);
  });

  test("and whose end nobody knows, is worked on where its letter is replayed, for once too", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    const options = { ...quick, once: { onExpired: "dead" as const }, bus: bus.metro };
    bus.state.leavesClaims = true;
    const dying = async (message: object) => {
      callback(message);
      return new Promise<never>(() => undefined);
    };
    const first = await bus.stop("A", dying, options);
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(() => seen.length === 1);
    await first.stop();
    bus.state.aheadMs = HOUR;
    await bus.stop("A", callback, options);
    const [letter] = await bus.records("Error", 1);
    const replay = (id: string) => ({ ...letter!, topic: "A", headers: [["replay.letter", Buffer.from(id)] as const] });
    await bus.metro.bus.send([replay("0-0"), replay("0-0"), replay("0-1")]);
    const payloads = (await bus.records("B", 3)).map((record) => json(record)["payload"]);
    expect(payloads).toEqual([{ call: 2 }, { call: 2 }, { call: 3 }]);
  });

  test("and was broken off as the stop ended is free at once for the next", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    const hanging = (message: object, { signal }: StopContext) => {
      callback(message);
      return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    };
    const first = await bus.stop("A", hanging, { ...quick, bus: bus.metro });
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(() => seen.length === 1);
    await first.stop();
    await bus.stop("A", callback, { ...quick, bus: bus.metro });
    expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ call: 2 });
  });
});

/** Another process's stop on the same messages, as after a rebalance that the first has not heard of yet. */
async function sameGroup(bus: Line & ReturnType<typeof onceStore>, callback: (message: object) => object) {
  let asked = 0;
  const claim: OnceStore["claim"] = (key, request) => {
    asked++;
    return bus.store.claim(key, request);
  };
  const metro: MetroBus = {
    ...bus.metro,
    once: { ...bus.store, claim },
    bus: {
      ...bus.metro.bus,
      consume: (options, onBatch) => bus.metro.bus.consume({ ...options, group: "two" }, onBatch),
    },
  };
  const stop: MetroStop<never> = await bus.stop("A", callback as never, { ...quick, bus: metro, group: "one" });
  return { stop, asked: () => asked };
}

describe("once", () => {
  test("work that was begun before its partition went to somebody else is not done again there", async () => {
    const bus = await line({ METROBUS_PARTITIONS: "2" });
    const { store } = onceStore();
    const metro: MetroBus = { ...bus.metro, once: store };
    const work = Promise.withResolvers<void>();
    const calls: unknown[] = [];
    const charge = async (message: { n: number }) => {
      calls.push(message.n);
      await work.promise;
      return message;
    };
    await bus.metro.create(["B"]);
    const options = { ...quick, bus: metro, concurrency: 8 };
    const first = await bus.stop("A", charge, options);
    for (let n = 0; n < 8; n++) await bus.metro.send("A", { n }, { key: String(n), route: ["B"] });
    await eventually(() => calls.length === 8);
    const second = await bus.stop("A", charge, options);
    await eventually(() => first.health().lanes.length === 1 && second.health().lanes.length === 1);
    work.resolve();
    const arrived = (await bus.records("B", 8)).map((record) => (json(record)["payload"] as { n: number }).n);
    expect(arrived.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(calls).toHaveLength(8);
    await bus[Symbol.asyncDispose]();
  });

  test("Redis away is worth waiting for, whatever the stop's own function says of errors", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    bus.state.away = true;
    await bus.stop("A", callback, { ...quick, bus: bus.metro, isRetryable: () => false });
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(
      async () =>
        (await bus.metro.stats.read()).stops.some(({ breaker }) => breaker.openSince > 0) || bus.state.stored > 0,
    );
    bus.state.away = false;
    await bus.records("B", 1);
    expect(seen).toHaveLength(1);
    expect(await bus.records("Error")).toEqual([]);
  });

  test("a topic that is made anew has messages of its own, though they stand where others stood", async () => {
    const { state, store } = onceStore();
    const payloads: unknown[] = [];
    let before = 0;
    for (const run of [1, 2]) {
      await using bus = await line(settings);
      await bus.metro.create(["B"]);
      await bus.stop("A", (message: object) => message, { ...quick, bus: { ...bus.metro, once: store } });
      await eventually(() => Date.now() > before);
      before = Date.now() + 1;
      await bus.metro.bus.send([message("A", null, JSON.stringify({ header: { route: ["B"] }, payload: { run } }))]);
      payloads.push(json((await bus.records("B", 1))[0]!)["payload"]);
    }
    expect([payloads, state.stored]).toEqual([[{ run: 1 }, { run: 2 }], 2]);
  });

  test("a route that visits a stop twice has its work done at each visit", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    await bus.stop("A", callback, { ...quick, bus: bus.metro });
    await bus.metro.send("A", {}, { route: ["A", "A", "B"] });
    expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ call: 3 });
    expect(seen).toHaveLength(3);
  });

  test("two stops on one topic do a message's work each", async () => {
    await using bus = await onceLine();
    const [one, two] = [counting(), counting()];
    await bus.stop("A", one.callback, { ...quick, bus: bus.metro });
    await bus.stop("A", two.callback, { ...quick, bus: bus.metro, group: "another" });
    await bus.metro.send("A", {}, { route: ["B"] });
    await bus.records("B", 2);
    expect([one.seen.length, two.seen.length]).toEqual([1, 1]);
  });

  test("a copy that an earlier stop sent, since it came again there, is not worked on again", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    await bus.stop("A", callback, { ...quick, bus: bus.metro });
    const value = Buffer.from(
      JSON.stringify({ header: { id: "m", route: ["B"], historical_route: ["Source", "A"] }, payload: {} }),
    );
    const copy = { topic: "A", key: null, value, headers: [] };
    await bus.metro.bus.send([copy, copy, copy]);
    const sent = await bus.records("B", 3);
    expect(new Set(sent.map((record) => String(record.value))).size).toBe(1);
    expect(seen).toHaveLength(1);
  });

  test("an attempt that fails gives its claim up, and the next one works", async () => {
    await using bus = await onceLine();
    const attempts: number[] = [];
    await bus.stop(
      "A",
      (message: object, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error("not yet");
        return message;
      },
      { ...quick, bus: bus.metro },
    );
    await bus.metro.send("A", {}, { route: ["B"] });
    await bus.records("B", 1);
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("what is larger than 1 MB goes on, but is not kept", async () => {
    await using bus = await onceLine();
    await bus.stop("A", () => "x".repeat(2_000_000), { ...quick, bus: bus.metro });
    await bus.metro.send("A", {}, { route: ["B"] });
    expect(String(json((await bus.records("B", 1))[0]!)["payload"])).toHaveLength(2_000_000);
    expect(bus.state.stored).toBe(0);
  });
});

describe("while the store is away", () => {
  test("messages wait, none is a dead letter, and all go on when it is back", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    bus.state.away = true;
    const stop = await bus.stop("A", callback, { ...quick, bus: bus.metro });
    for (let n = 0; n < 100; n++) await bus.metro.send("A", { n }, { route: ["B"] });
    await eventually(() => stop.health().problems.length > 0);
    expect(stop.health().problems[0]).toContain("the store is away");
    expect(seen).toEqual([]);
    bus.state.away = false;
    const numbers = (await bus.records("B", 100)).map((record) => (json(record)["payload"] as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(await bus.records("Error")).toEqual([]);
    expect(seen).toHaveLength(100);
  });

  test("work that was done just then is not done again: only its outcome waits", async () => {
    await using bus = await onceLine();
    const { seen, callback } = counting();
    const goneMeanwhile = (message: object) => {
      bus.state.away = true;
      return callback(message);
    };
    const stop = await bus.stop("A", goneMeanwhile, { ...quick, bus: bus.metro });
    await bus.metro.send("A", {}, { route: ["B"] });
    await eventually(() => stop.health().problems.length > 0);
    bus.state.away = false;
    expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ call: 1 });
    expect(seen).toHaveLength(1);
    expect(await bus.records("Error")).toEqual([]);
  });
});
