import { type } from "arktype";
import { MetroStop, routed, type MetroBus, type StopContext } from "metrobus";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { statsRecorder } from "../../runtime/stats-recorder.ts";
import { json, letterHeaders, line } from "../support/line.ts";
import { eventually, message } from "../support/probe.ts";

const quick = { retries: { baseMs: 1 } };

describe("the demo's messages are the original's", () => {
  const emails = new Map([
    [1000003, "ann@example.com"],
    [1000004, "eve@example.com"],
  ]);
  const header = (...stops: string[]) => {
    const all = ["Log", "WhiteList", "AddEmail"];
    return { route: all.slice(0, 3 - stops.length), original_route: all, historical_route: stops };
  };

  test.each(["payload", "body"] as const)("at each hop, with the field %s", async (field) => {
    await using bus = await line({ METROBUS_ENVELOPE: field });
    const { metro } = bus;
    await metro.create(["AddEmail", "WhiteList", "Log"]);
    await bus.stop("Source", (message: object) => routed(message, ["AddEmail", "WhiteList", "Log"]), { input: "raw" });
    await bus.stop("AddEmail", (message: { account_number: number }, context) => {
      const email = emails.get(message.account_number);
      return email ? { ...message, email } : context.drop("unknown account");
    });
    await bus.stop("WhiteList", (message: { email: string }) =>
      message.email.startsWith("ann") ? { ...message, whitelist: true } : null,
    );
    await bus.stop("Log", (message: object) => message);
    for (const [x, account_number] of [1000003, 1000004, 1000005].entries()) {
      await metro.send("Source", { x, message_type_code: "ALTABC", account_number }, { key: String(account_number) });
    }
    await eventually(async () => (await metro.state("Log"))[0]!.position === 1n);

    const [add] = await bus.records("AddEmail", 3);
    const [white] = await bus.records("WhiteList", 2);
    const [log] = await bus.records("Log", 1);
    const raw = { x: 0, message_type_code: "ALTABC", account_number: 1000003 };
    const email = { ...raw, email: "ann@example.com" };
    const more = { id: "Source-0-0", boarded: expect.any(Number), visits: expect.any(String) };
    expect(json(add!)).toEqual({ header: { ...header("AddEmail"), ...more }, [field]: raw });
    expect(json(white!)).toEqual({ header: { ...header("AddEmail", "WhiteList"), ...more }, [field]: email });
    expect(json(log!)).toEqual({
      header: { ...header("AddEmail", "WhiteList", "Log"), ...more },
      [field]: { ...email, whitelist: true },
    });
    expect(Object.keys(json(log!)["header"] as object)).toEqual([
      "route",
      "original_route",
      "historical_route",
      "id",
      "boarded",
      "visits",
    ]);
    expect(String(log!.key)).toBe("1000003");

    expect(await bus.counts("AddEmail")).toEqual({ forwarded: { WhiteList: 2 }, dropped: { "unknown account": 1 } });
    expect(await bus.counts("WhiteList")).toEqual({ forwarded: { Log: 1 }, dropped: { "returned null": 1 } });
    expect(await bus.counts("Log")).toEqual({ arrived: { "": 1 } });
    expect((await metro.stats.read()).counter).toEqual({ Source: 3, AddEmail: 3, WhiteList: 2, Log: 1 });
  });
});

describe("a callback's result", () => {
  test.each([[{}], [0], [""], [false], [[]]])("%j is a payload, no drop", async (result) => {
    await using bus = await line();
    await bus.metro.create(["Next"]);
    await bus.stop("A", () => result);
    await bus.metro.send("A", { a: 1 }, { route: ["Next"] });
    expect(json((await bus.records("Next", 1))[0]!)["payload"]).toEqual(result);
  });

  test("undefined drops the message and says so", async () => {
    await using bus = await line();
    await bus.stop("A", (() => undefined) as never);
    await bus.metro.send("A", 1, { route: [] });
    await eventually(async () => (await bus.counts("A"))["dropped"]?.["returned nothing"] === 1);
  });

  test("with a field named header is only a payload", async () => {
    await using bus = await line();
    await bus.metro.create(["Next", "Elsewhere"]);
    await bus.stop("A", () => ({ header: { route: ["Elsewhere"] }, payload: 2 }));
    await bus.metro.send("A", 1, { route: ["Next"] });
    expect(json((await bus.records("Next", 1))[0]!)["payload"]).toEqual({
      header: { route: ["Elsewhere"] },
      payload: 2,
    });
  });

  test("pass() forwards the payload's own bytes", async () => {
    await using bus = await line();
    await bus.metro.create(["Next"]);
    await bus.stop("A", (_message, context) => context.pass());
    const value = Buffer.from(
      '{"header":{"route":["Next"],"mine":1}, "payload": {"n": 12345678901234567890, "f":1.0} ,"beside":true}',
    );
    await bus.metro.bus.send([
      {
        topic: "A",
        key: null,
        value,
        headers: [
          ["h", null],
          ["h", Buffer.from("x")],
        ],
      },
    ]);
    const [record] = await bus.records("Next", 1);
    expect(String(record!.value)).toContain('"payload":{"n": 12345678901234567890, "f":1.0},"beside":true}');
    expect(json(record!)["header"]).toMatchObject({ mine: 1 });
    expect(record!.headers).toEqual([
      ["h", null],
      ["h", Buffer.from("x")],
    ]);
  });

  test("that cannot be written as JSON is a dead letter", async () => {
    await using bus = await line();
    await bus.stop("A", () => ({ n: 1n }));
    await bus.metro.send("A", 1, { route: ["Next"] });
    expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({
      error: "UnusableResult",
      attempts: "1",
    });
  });
});

describe("the route", () => {
  const travelled = async (callback: (message: unknown, context: StopContext) => unknown, route: string[]) => {
    const bus = await line();
    await bus.metro.create(["B", "C", "D"]);
    await bus.stop("A", callback as never);
    await bus.metro.send("A", { m: 1 }, { route });
    return bus;
  };

  test("push puts stops in front of those ahead, in the order given", async () => {
    await using bus = await travelled((message, { route }) => (route.push("C", "D"), message), ["B"]);
    expect(json((await bus.records("C", 1))[0]!)["header"]).toMatchObject({
      route: ["B", "D"],
      historical_route: ["A", "C"],
    });
  });

  test("replace sets them, and what a failed attempt did is forgotten", async () => {
    await using bus = await line();
    await bus.metro.create(["B", "C"]);
    await bus.stop(
      "A",
      (message: object, { route, attempt }) => {
        expect(route.ahead).toEqual(["B"]);
        route.replace(["C", "B"]);
        if (attempt === 1) throw new Error("once");
        return message;
      },
      quick,
    );
    await bus.metro.send("A", {}, { route: ["B"] });
    expect(json((await bus.records("C", 1))[0]!)["header"]).toMatchObject({ route: ["B"] });
  });

  test("a fork goes its own way with an id of its own; a failed attempt's is not sent", async () => {
    await using bus = await line();
    await bus.metro.create(["B", "C"]);
    await bus.stop(
      "A",
      (message: object, context) => {
        context.fork({ part: 1 });
        context.fork({ part: 2 }, ["C", "B"]);
        if (context.attempt === 1) throw new Error("once");
        return message;
      },
      quick,
    );
    await bus.metro.send("A", { whole: true }, { route: ["B"], key: "k" });
    const [whole, part] = (await bus.records("B", 2)).map(json);
    const [other] = (await bus.records("C", 1)).map(json);
    const { id } = whole!["header"] as { id: string };
    expect(part).toMatchObject({ header: { id: `${id}.1`, route: [] }, payload: { part: 1 } });
    expect(other).toMatchObject({ header: { id: `${id}.2`, route: ["B"] }, payload: { part: 2 } });
    expect((await bus.records("C")).length + (await bus.records("B")).length).toBe(3);
  });

  test.each([
    ["no topic name", ["not a topic"], "bad route"],
    ["the dead-letter topic", ["Error"], "bad route"],
    ["where what is done with dead letters is kept", ["Error.actions"], "bad route"],
    ["nowhere", ["Nowhere"], "unknown topic Nowhere"],
    ["more than 64 stops", Array<string>(65).fill("B"), "bad route"],
  ])("to %s makes a dead letter", async (_what, route, reason) => {
    await using bus = await travelled((message) => routed(message as object, route), ["B"]);
    expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({ reason, stop: "A" });
    expect(await bus.counts("A")).toEqual({ dead: { [reason]: 1 } });
  });

  test("that goes in a circle ends after the hops allowed", async () => {
    await using bus = await line({ METROBUS_MAX_HOPS: "10" });
    await bus.stop("A", (message: object, { route }) => (route.push("A"), message));
    await bus.metro.send("A", {}, { route: [] });
    expect(letterHeaders((await bus.records("Error", 1))[0]!)["message"]).toContain("circle");
    expect((await bus.counts("A"))["forwarded"]).toEqual({ A: 9 });
  });
});

describe("a failing callback", () => {
  test("is tried three times, then the message is kept as it came, with the reason", async () => {
    await using bus = await line();
    const attempts: number[] = [];
    await bus.stop(
      "A",
      (_message, { attempt }) => {
        attempts.push(attempt);
        throw new RangeError("ü".repeat(2_000));
      },
      quick,
    );
    const value = Buffer.from('{ "header": {"route": ["B"]}, "payload": 1.0 }');
    await bus.metro.bus.send([{ topic: "A", key: Buffer.from("k"), value, headers: [["mine", null]] }]);
    const [letter] = await bus.records("Error", 1);
    expect(attempts).toEqual([1, 2, 3]);
    expect(letter!.value).toEqual(value);
    expect(letter!.key).toEqual(Buffer.from("k"));
    expect(letter!.headers[0]).toEqual(["mine", null]);
    const facts = letterHeaders(letter!);
    expect(facts).toMatchObject({
      stop: "A",
      topic: "A",
      partition: "0",
      offset: "0",
      reason: "RangeError",
      error: "RangeError",
      attempts: "3",
    });
    expect(facts["message"]).toBe("ü".repeat(512));
    expect(Buffer.byteLength(facts["stack"]!)).toBeLessThanOrEqual(4_096);
    expect(Date.parse(facts["time"]!)).not.toBeNaN();
  });

  test("that says no retry can help is tried once", async () => {
    await using bus = await line();
    await bus.stop("A", () => Promise.reject(new Error("no")), { ...quick, isRetryable: () => false });
    await bus.metro.send("A", 1, { route: [] });
    expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({ attempts: "1" });
  });

  test("that does not end is aborted at its time limit", async () => {
    await using bus = await line();
    let reason: unknown;
    await bus.stop(
      "A",
      (_message, { signal }) =>
        new Promise<never>(() =>
          signal.addEventListener("abort", () => {
            reason = signal.reason;
          }),
        ),
      { timeLimit: 5, retries: { attempts: 1 } },
    );
    await bus.metro.send("A", 1, { route: [] });
    expect(letterHeaders((await bus.records("Error", 1))[0]!)).toMatchObject({
      error: "TimeLimitExceeded",
      reason: "time limit",
    });
    expect(reason).toMatchObject({ name: "TimeLimitExceeded" });
  });

  test("does not stop the messages behind it", async () => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    await bus.stop(
      "A",
      (n: number) => {
        if (n % 100 === 7) throw new TypeError("poison");
        return n;
      },
      quick,
    );
    for (let n = 0; n < 1_000; n++) await bus.metro.send("A", n, { route: ["B"] });
    expect((await bus.records("B", 990)).map((record) => json(record)["payload"])).toEqual(
      Array.from({ length: 1_000 }, (_, n) => n).filter((n) => n % 100 !== 7),
    );
    expect(await bus.counts("A")).toEqual({ forwarded: { B: 990 }, dead: { TypeError: 10 } });
  });

  test.each([
    ["a tombstone", null, "malformed"],
    ["no JSON", Buffer.from("{"), "malformed"],
    ["no header", Buffer.from("{}"), "malformed"],
  ])("is not called for %s: dead at once, and the next message goes on", async (_what, value, reason) => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    await bus.stop("A", (message: object) => message);
    await bus.metro.bus.send([{ topic: "A", key: null, value, headers: [] }]);
    await bus.metro.send("A", {}, { route: ["B"] });
    await bus.records("B", 1);
    const [letter] = await bus.records("Error", 1);
    expect(letter!.value).toEqual(value);
    expect(letterHeaders(letter!)).toMatchObject({ reason, attempts: "1" });
  });
});

describe("a schema", () => {
  const shape = { n: 5 };
  test.each([
    ["zod", z.object({ n: z.number().transform((n) => n * 2) })],
    [
      "valibot",
      v.object({
        n: v.pipe(
          v.number(),
          v.transform((n) => n * 2),
        ),
      }),
    ],
    ["arktype", type({ n: type("number").pipe((n) => n * 2) })],
  ])(
    "of %s gives the callback its output; what does not pass is a dead letter with its words",
    async (_name, schema) => {
      await using bus = await line();
      await bus.metro.create(["B"]);
      await bus.stop("A", (message: { n: number }) => message, { schema });
      await bus.metro.send("A", shape, { route: ["B"] });
      await bus.metro.send("A", { n: "five" }, { route: ["B"] });
      expect(json((await bus.records("B", 1))[0]!)["payload"]).toEqual({ n: 10 });
      const facts = letterHeaders((await bus.records("Error", 1))[0]!);
      expect(facts).toMatchObject({ reason: "schema", attempts: "1" });
      expect(facts["message"]).toMatch(/n\b.*number/i);
    },
  );
});

describe("a middleware of one's own", () => {
  test.each<[what: string, outcome: unknown, reason: string]>([
    ["says that the message is dead", { kind: "dead", error: new TypeError("it is worthless") }, "it is worthless"],
    ["forgets to return what comes of it", undefined, 'a middleware of "use" returned {}'],
    ["puts it off, which it can't", { kind: "later", at: 0, tier: "1s" }, 'a middleware of "use" returned { kind'],
  ])("that %s: the message is a dead letter, and not lost", async (_what, outcome, reason) => {
    await using bus = await line();
    const mine = () => () => outcome as never;
    await bus.stop("A", (payload: object) => payload, { use: [mine], retries: { attempts: 1 } });
    await bus.metro.send("A", {}, { route: [] });
    const [letter] = await bus.records("Error", 1);
    expect(letterHeaders(letter!)["message"]).toContain(reason);
    expect(await bus.metro.state("A")).toMatchObject([{ position: 1n }]);
  });
});

describe("concurrency", () => {
  test("keeps the order of each key, and lets no slow key hold up another", async () => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    const slow = Promise.withResolvers<void>();
    await bus.stop(
      "A",
      async (message: { key: string }) => {
        if (message.key === "slow") await slow.promise;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        return message;
      },
      { concurrency: 8 },
    );
    for (let n = 0; n < 300; n++) {
      const key = n % 10 === 0 ? "slow" : `k${n % 7}`;
      await bus.metro.send("A", { n, key }, { route: ["B"], key });
    }
    const early = (await bus.records("B", 270)).map(json);
    expect(early.some(({ payload }) => (payload as { key: string }).key === "slow")).toBe(false);
    slow.resolve();
    const payloads = (await bus.records("B", 300)).map(
      (record) => json(record)["payload"] as { n: number; key: string },
    );
    for (const key of ["slow", "k0", "k1", "k6"]) {
      const seen = payloads.filter((payload) => payload.key === key).map(({ n }) => n);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    }
  });

  test("thousands that wait behind a slow one of their key hold up no other key", async () => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    const slow = Promise.withResolvers<void>();
    let first = true;
    const callback = (message: { key: string }) => {
      if (!first) return message;
      first = false;
      return slow.promise.then(() => message);
    };
    await bus.stop("A", callback, { concurrency: 8 });
    const send = (key: string, count: number) =>
      bus.metro.bus.send(
        Array.from({ length: count }, () =>
          message("A", key, JSON.stringify({ header: { route: ["B"] }, payload: { key } })),
        ),
      );
    await send("slow", 9_000);
    await send("other", 300);
    expect((await bus.records("B", 300)).map(({ key }) => String(key))).toEqual(Array(300).fill("other"));
    slow.resolve();
    await eventually(async () => (await bus.metro.state("A"))[0]!.position === 9_300n);
  });
});

describe("a callback that makes much of little", () => {
  test.each([1, 16])(
    "is not called while 4 MB of what it made are not written (concurrency %i)",
    async (concurrency) => {
      await using bus = await line();
      await bus.metro.create(["B"]);
      const gate = Promise.withResolvers<void>();
      const { bus: inner } = bus.metro;
      const held: MetroBus = {
        ...bus.metro,
        bus: {
          ...inner,
          consume: (options, onBatch) =>
            inner.consume(options, (batch) =>
              onBatch({ ...batch, settle: (...settlement) => gate.promise.then(() => batch.settle(...settlement)) }),
            ),
        },
      };
      let calls = 0;
      const enrich = async () => (calls++, { text: "x".repeat(300_000) });
      await bus.stop("A", enrich, { bus: held, concurrency });
      await inner.send(
        Array.from({ length: 500 }, (_, n) => message("A", String(n), '{"header":{"route":["B"]},"payload":1}')),
      );
      await eventually(() => calls * 300_000 > 4 * 1_024 * 1_024);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(calls).toBeLessThan(16 + 3 + concurrency);
      gate.resolve();
      await bus.records("B", 500);
    },
  );
});

test.each(["at-least-once", "exactly-once"] as const)(
  "what many large results wait for is worked on though they are many (%s)",
  async (delivery) => {
    await using bus = await line({ METROBUS_DELIVERY: delivery });
    await bus.metro.create(["B"]);
    const slow = Promise.withResolvers<void>();
    let calls = 0;
    const callback = async (message: { slow?: true }) => {
      calls++;
      if (message.slow) await slow.promise;
      return { text: "x".repeat(300_000) };
    };
    await bus.stop("A", callback, { concurrency: 32 });
    const record = (key: string, payload: object) =>
      message("A", key, JSON.stringify({ header: { route: ["B"] }, payload }));
    // The second waits behind the first one of its key; all others are done before it.
    const others = Array.from({ length: 30 }, (_, n) => record(String(n), {}));
    await bus.metro.bus.send([record("k", { slow: true }), record("k", {}), ...others]);
    await eventually(() => calls > 4_194_304 / 300_000);
    slow.resolve();
    await bus.records("B", 32);
  },
);

describe("a stop that is stopped", () => {
  test("counts what is done, not what comes again since it lies behind a callback that did not end", async () => {
    await using bus = await line({ SHUTDOWN_TIMEOUT: "100ms" });
    await bus.metro.create(["B"]);
    let isHanging = true;
    const callback = (message: { key: string }) =>
      isHanging && message.key === "a" ? new Promise<never>(() => undefined) : message;
    const first = await bus.stop("A", callback, { concurrency: 10 });
    for (const key of ["a", "b", "c", "d"]) await bus.metro.send("A", { key }, { key, route: ["B"] });
    await bus.records("B", 3);
    await first.stop();
    expect(await bus.counts("A")).toEqual({});
    isHanging = false;
    await bus.stop("A", callback, { concurrency: 10 });
    await eventually(async () => (await bus.metro.state("A"))[0]!.position === 4n);
    expect(await bus.counts("A")).toEqual({ forwarded: { B: 4 } });
  });

  test("lets the running callback finish and begins no other; the rest comes again", async () => {
    await using bus = await line();
    await bus.metro.create(["B"]);
    const began = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const stop = await bus.stop("A", async (n: number) => (began.resolve(), await go.promise, n));
    for (let n = 0; n < 5; n++) await bus.metro.send("A", n, { route: ["B"] });
    await began.promise;
    const stopped = stop.stop();
    go.resolve();
    await stopped;
    expect((await bus.records("B")).map((record) => json(record)["payload"])).toEqual([0]);
    await bus.stop("A", (n: number) => n);
    expect((await bus.records("B", 5)).map((record) => json(record)["payload"])).toEqual([0, 1, 2, 3, 4]);
  });

  test("aborts a callback that does not end, and leaves its message for the next", async () => {
    await using bus = await line({ SHUTDOWN_TIMEOUT: "10ms" });
    await bus.metro.create(["B"]);
    const aborted = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const stop = await bus.stop("A", (_message, { signal }) => {
      signal.addEventListener("abort", () => aborted.resolve());
      began.resolve();
      return new Promise<never>(() => undefined);
    });
    await bus.metro.send("A", "m", { route: ["B"] });
    await began.promise;
    await stop.stop();
    await aborted.promise;
    expect(await bus.counts("A")).toEqual({});
    await bus.stop("A", (message: string) => message);
    await bus.records("B", 1);
  });

  test("gives up a backoff, and the message comes again", async () => {
    await using bus = await line();
    const failed = Promise.withResolvers<void>();
    const stop = await bus.stop(
      "A",
      () => {
        failed.resolve();
        throw new Error("not yet");
      },
      {
        retries: { baseMs: 1e9, capMs: 1e9 },
      },
    );
    await bus.metro.send("A", 1, { route: [] });
    await failed.promise;
    await stop.stop();
    await bus.stop("A", () => 1);
    await eventually(async () => (await bus.counts("A"))["arrived"]?.[""] === 1);
    expect(await bus.records("Error")).toEqual([]);
  });

  test("ends at SHUTDOWN_TIMEOUT though the store of its counts hangs", async () => {
    await using bus = await line({ SHUTDOWN_TIMEOUT: "10ms" });
    const hung = { ...bus.metro.stats, write: () => new Promise<never>(() => undefined) };
    const recorder = statsRecorder(hung, { instance: "me", log: bus.metro.log });
    const stop = await bus.stop("A", () => new Promise<never>(() => undefined), { bus: { ...bus.metro, recorder } });
    recorder.count("A", "arrived", "");
    await bus.metro.send("A", 1, { route: [] });
    await stop.stop();
  });

  test("is not ready, and can't begin again", async () => {
    await using bus = await line();
    const stop = await bus.stop("A", () => null);
    expect(stop.health().ready).toBe(true);
    const stopped = stop.stop();
    expect(stop.health()).toMatchObject({ ready: false, problems: ["it has been stopped"] });
    await expect(stop.start()).rejects.toThrow(/"A" has been stopped.*new MetroStop/);
    await stopped;
    await expect(stop.start()).rejects.toThrow(/"A" has been stopped.*new MetroStop/);
    expect(stop.health().ready).toBe(false);
  });

  test("while it starts does not begin, and says so", async () => {
    await using bus = await line();
    const loaded = Promise.withResolvers<void>();
    const stop = new MetroStop("A", () => null, { bus: bus.metro, setup: () => loaded.promise });
    const started = stop.start();
    await stop.stop();
    loaded.resolve();
    await expect(started).rejects.toThrow(/"A" has been stopped/);
    await bus.metro.send("A", 1, { route: [] });
    expect((await bus.metro.state("A")).map(({ position }) => position)).toEqual([0n]);
  });
});

describe("bus.send", () => {
  test.each([
    ["what JSON can't hold", undefined, [], "UnusableResult"],
    ["a bad route", {}, ["no topic"], "RouteError"],
    ["an unknown topic", {}, undefined, "UnknownTopic"],
  ])("rejects for %s, and does not throw", async (_what, payload, route, name) => {
    await using bus = await line();
    const sent = bus.metro.send("Nowhere", payload, route ? { route } : {});
    expect(await sent.catch((error: unknown) => (error as Error).name)).toBe(name);
  });
});
